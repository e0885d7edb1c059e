"""A fetch that is killed, and a disk that is full: what was written is whole, and the next run resumes from there."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mp_server
import pytest
from faults import Fault, serving
from fetching import Server, mp_source, records
from mp_server import N_TERNARY

from deepxrd.errors import SourceError

CHILD = Path(__file__).parent / "fetch_child.py"


def killed_after(pages: int, url: str, folder: Path, page_size: int) -> int:
    """Start a fetch, kill it with SIGKILL once it has written ``pages`` pages, and return how many there are."""
    child = subprocess.Popen([sys.executable, str(CHILD), url, str(folder), str(page_size)])
    try:
        deadline = time.monotonic() + 90
        while len(list(folder.rglob("page-*.json.gz"))) < pages:
            assert child.poll() is None, "the fetch ended before it could be killed"
            assert time.monotonic() < deadline, "the fetch wrote no pages"
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
    assert child.wait() == -signal.SIGKILL
    return len(list(folder.rglob("page-*.json.gz")))


def test_killed_fetch_goes_on(mp: Server, tmp_path: Path) -> None:
    mp.app.faults = [Fault("slow", at=at, options={"seconds": 0.3}) for at in range(5, 25, 5)]
    there = killed_after(2, mp.url, tmp_path, 5)
    assert not list(tmp_path.rglob("manifest.json"))
    mp.app.faults, mp.app.log = [], []
    assert len(records(mp_source(mp, tmp_path, page_size=5))) == N_TERNARY
    assert mp.app.requests("_page") == 5 - there
    names = [path.name for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert sorted(names) == ["manifest.json", *(f"page-{number:05d}.json.gz" for number in range(1, 6))]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with 2,000 ternary entries."""
    app = mp_server.build_app(mp_server.build_documents(2000 - N_TERNARY))
    monkeypatch.setenv("MP_API_KEY", mp_server.GOOD_KEY)
    with serving(app) as url:
        yield Server(url, app)


@pytest.mark.slow
def test_two_thousand_documents_through_faults_and_a_kill(large: Server, tmp_path: Path) -> None:
    kinds = [
        Fault("status", at=100, times=2, options={"status": 429, "retry_after": 1}),
        Fault("short", at=200, options={"n": 1}),
        Fault("drop", at=300),
        Fault("doubled", at=500),
        Fault("status", at=800, options={"status": 503}),
        Fault("cut_json", at=1200),
        Fault("no_field", at=1500, options={"field": "structure"}),
    ]
    large.app.faults = [*kinds, Fault("slow", at=600, options={"seconds": 1.0})]
    there = killed_after(6, large.url, tmp_path, 100)
    assert 6 <= there < 20
    made = mp_source(large, tmp_path, page_size=100, timeout_s=10)
    found = records(made)
    assert len({record.material_id for record in found}) == len(found) == 2000
    struck = sum(fault.kind != "slow" for fault in kinds) + 1  # the 429 came twice
    # Each page once, each fault once more, and at most the page that the kill cut off.
    assert 20 + struck <= large.app.requests("_page") <= 20 + struck + 1
    assert all(fault.times == 0 for fault in kinds)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 KiB, if this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    mounted = mount is not None and not subprocess.call([mount, "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)])
    if not mounted:
        folder.rmdir()
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(mp: Server, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_disk if small_disk.exists() else tmp_path / "plain"
    real = os.fsync
    if small_disk.exists():
        (folder / "ballast").write_bytes(bytes(8192))  # leaves room for one page
    else:
        calls: list[int] = []

        def full(descriptor: int) -> None:
            calls.append(descriptor)
            if len(calls) > 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SourceError, match=r"No space left on device.*source.cache_dir=FOLDER.*resumes from"):
        len(mp_source(mp, folder, page_size=10))
    written = sorted(path.name for path in folder.rglob("*page-*"))
    assert "page-00003.json.gz" not in written
    assert not [name for name in written if name.startswith(".")]
    monkeypatch.setattr(os, "fsync", real)
    if small_disk.exists():
        (folder / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=1m", str(folder)], check=True)
    mp.app.log.clear()
    assert len(records(mp_source(mp, folder, page_size=10))) == N_TERNARY
    assert mp.app.requests("_page") == 3 - len(written)
