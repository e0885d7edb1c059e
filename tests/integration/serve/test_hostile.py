"""What a stranger may send: each gets a sentence, and the server goes on."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch

from live_server import LiveServer

HOSTILE = {
    "empty": b"",
    "zeros": bytes(4096),
    "noise": bytes(range(256)) * 64,
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(500),
    "words": b"<script>alert(1)</script>\n" * 50,
    "entities": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xrdMeasurements>&a;</xrdMeasurements>',
    "one point": b"10 1\n",
    "cut off": b"RAW4.00" + bytes(40),
    "pickle": b"\x80\x04cposix\nsystem\n(S'touch canary'\ntR.",
    "parquet": b"PAR1" + bytes(100) + b"PAR1",
}


def bomb() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("root.xml", "x")
        archive.writestr("Data0/Profile0.txt", bytes(120 << 20))
    return content.getvalue()


@pytest.mark.parametrize("name", [*HOSTILE, "bomb"])
def test_a_hostile_scan_gets_a_sentence(server: LiveServer, name: str) -> None:
    content = bomb() if name == "bomb" else HOSTILE[name]
    for address, more in (("/api/scan", {}), ("/api/match", {"formulas": "NaCl"})):
        answer = server.client.post(address, data=more, files={"file": (f"../../{name}<img>.xy", content)})
        assert answer.status_code == 422
        said = answer.json()["error"]
        assert 10 < len(said) < 1000
        assert "Traceback" not in said
        assert "uploads" not in said, "the server's own paths are no matter of a stranger"
        assert "/" not in said.split(": ")[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_table_gets_a_sentence(server: LiveServer, name: str) -> None:
    job = server.client.post("/api/jobs", files={"file": (f"{name}.parquet", HOSTILE[name])}).json()
    failed = server.wait_for_job(job["id"])
    assert failed["state"] == "failed"
    assert 10 < len(failed["message"]) < 1000
    assert "jobs/" not in failed["message"]
    server.client.delete(f"/api/jobs/{job['id']}")


CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "scans"


@pytest.mark.snapshot
def test_the_scans_that_once_failed_are_read_or_refused(server: LiveServer) -> None:
    files = sorted(CASES.iterdir())
    assert files
    for path in files:
        answer = server.client.post("/api/scan", files={"file": (path.name, path.read_bytes())})
        assert answer.status_code in (200, 422), path.name
        if answer.status_code == 422:
            assert path.name in answer.json()["error"]


CORPUS = Path(__file__).resolve().parents[2] / "hostile"
KINDS = (
    "JSON Lines that name classes to decode",
    "JSON Lines that hold no structures",
    "checkpoints that name a class (predict --checkpoint)",
    pytest.param("files that are no checkpoints (predict --checkpoint)", marks=pytest.mark.slow),  # large ones are made
)
"""Of the corpus, those that are regular files of a size that is tried."""


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_the_hostile_corpus_get_a_sentence(
    server: LiveServer, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(CORPUS))
    from attempts import load_kinds

    tried = 0
    sound = tmp_path / "run/checkpoints/best.ckpt"  # what some kinds are made from; its content is no matter here
    sound.parent.mkdir(parents=True)
    torch.save({"hyper_parameters": {"net": {}}, "state_dict": {}}, sound)
    for _ in load_kinds()[kind](tmp_path, tmp_path):
        pass
    for file in sorted(tmp_path.rglob("*")):
        if file.is_symlink() or not file.is_file() or file.stat().st_size > (1 << 20):
            continue
        tried += 1
        for address in ("/api/scan", "/api/jobs"):
            answer = server.client.post(address, files={"file": (file.name, file.read_bytes())})
            if address == "/api/jobs":
                job = server.wait_for_job(answer.json()["id"])
                server.client.delete(f"/api/jobs/{job['id']}")
                assert job["state"] == "failed", file.name
                said = job["message"]
            else:
                assert answer.status_code == 422, file.name
                said = answer.json()["error"]
            assert 10 < len(said) <= 600
            assert str(tmp_path) not in said
    assert tried
    assert server.client.get("/api/about").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/matches/../../jobs.sqlite", "/api/matches/%2e%2e%2fserver.lock", "/api/jobs/..%2f..",
        "/../pyproject.toml", "/vendor/..%2f..%2fapp.py",
        "/api/jobs/x/files/table.csv", "/%2e%2e/app.py", "/etc/passwd", "//etc/passwd",
    ],
)  # fmt: skip
def test_no_name_becomes_a_path(server: LiveServer, path: str) -> None:
    answer = server.client.get(httpx.URL(server.address).copy_with(raw_path=path.encode()))
    assert answer.status_code in (307, 404, 405, 422)
    assert "root:" not in answer.text


def test_an_example_is_named_and_no_path(server: LiveServer) -> None:
    answer = server.client.post("/api/scan", data={"example_name": "../examples.json"})
    assert answer.status_code == 404


def test_too_large_is_refused_before_it_is_read(server: LiveServer) -> None:
    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.xy"\r\n\r\n'
        for _ in range(64):
            yield b"x" * (1 << 20)

    for content in (b"x" * (33 << 20), endless()):
        answer = server.client.post(
            "/api/scan", content=content, headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert answer.status_code == 413
        assert "32 MB" in answer.json()["error"]


def test_who_comes_by_another_name_or_from_another_site_is_refused(server: LiveServer) -> None:
    assert server.client.get("/api/about", headers={"Host": "attacker.example:80"}).status_code == 403
    question = {"json": {"formulas": ["NaCl"]}}
    assert server.client.post("/api/predict", headers={"Origin": "https://x.example"}, **question).status_code == 403
    assert server.client.post("/api/predict", headers={"Sec-Fetch-Site": "cross-site"}, **question).status_code == 403
    assert server.client.post("/api/predict", headers={"Origin": server.address}, **question).status_code == 200


def test_answers_keep_a_browser_from_running_what_a_stranger_wrote(server: LiveServer) -> None:
    for path in ("/", "/api/about", "/style.css"):
        headers = server.client.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
