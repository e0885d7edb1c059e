"""Jobs survive the server: killed while one runs, a new server goes on with it."""

from __future__ import annotations

import time
from pathlib import Path

from live_server import live_server

N_ROWS = 64


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
    with live_server(tmp_path) as second:
        done = second.wait_for_job(job["id"])
        assert done["state"] == "done"
        assert done["n_done"] == N_ROWS
        assert "resumed" in done["message"]
        answer = second.client.post(f"/api/jobs/{job['id']}/rows", json={"n": 200}).json()
        assert [row[0] for row in answer["rows"]] == list(range(2, N_ROWS + 2))
