"""Jobs survive the server: killed while one runs, a new server goes on with it; and the new one asks for a token."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from live_server import LiveServer, live_server

N_ROWS = 64
TOKEN = "not-to-be-guessed-0123"  # noqa: S105 - of this test alone


def test_a_job_of_a_killed_server_is_resumed(tmp_path: Path) -> None:
    table = "formula\n" + "".join(f"Sr{n}TiO{n + 2}\n" for n in range(1, N_ROWS + 1))
    with live_server(tmp_path) as first:
        job = first.client.post("/api/jobs", files={"file": ("many.csv", table)}).json()
        for _ in range(600):
            there = first.client.get(f"/api/jobs/{job['id']}").json()
            if there["n_done"]:
                break
            time.sleep(0.05)
        first.kill()
    assert 0 < there["n_done"] < N_ROWS
    parts = tmp_path / "jobs" / job["id"] / "parts"
    kept = {part.name: part.stat().st_mtime_ns for part in parts.iterdir()}
    assert kept
    with live_server(tmp_path, token=TOKEN) as second:
        assert_only_with_a_token(second)
        done = second.wait_for_job(job["id"])
        assert done["state"] == "done"
        assert done["n_done"] == N_ROWS
        assert done["message"] == ""  # it was resumed, and that is over
        answer = second.client.post(f"/api/jobs/{job['id']}/rows", json={"n": 200}).json()
        assert [row[0] for row in answer["rows"]] == list(range(2, N_ROWS + 2))


def assert_only_with_a_token(server: LiveServer) -> None:
    """Nobody comes in without it; from the address of the page it goes into a cookie."""
    with httpx.Client(base_url=server.address) as bare:
        assert bare.get("/").status_code == 401
        assert bare.get("/?token=wrong").status_code == 401
        assert bare.get("/api/about", params={"token": TOKEN}).status_code == 401
        assert bare.get("/api/about", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert server.client.get("/api/about").status_code == 200
        came = bare.get("/", params={"token": TOKEN})
        assert came.status_code == 303
        assert "HttpOnly" in came.headers["set-cookie"]
        assert "SameSite=strict" in came.headers["set-cookie"]
        assert bare.get("/api/about").status_code == 200  # by the cookie
        assert bare.post("/api/jobs/x/cancel", headers={"Origin": "https://x.example"}).status_code == 403
