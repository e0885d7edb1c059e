"""A real ``deepxrd serve`` on a free port, for the tests of the page."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_START_S = 240


class LiveServer:
    """A running server: its address, its process, and a client."""

    def __init__(self, process: subprocess.Popen[str], address: str, token: str = "") -> None:
        self.process, self.address = process, address
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=address, timeout=240, headers=headers)

    def wait_for_job(self, job_id: str, *, states: tuple[str, ...] = ("done", "failed", "cancelled")) -> dict:
        for place in range(1200):
            job = self.client.get(f"/api/jobs/{job_id}").json()
            if job["state"] in states:
                return job
            time.sleep(0.01 if place < 20 else 0.1)
        raise TimeoutError(job)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


@contextmanager
def live_server(state: Path, *arguments: str, token: str = "") -> Iterator[LiveServer]:
    """Start one with one worker, and end it; the model is that which comes with the package."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "deepxrd.cli", "serve", "--no-browser", "--workers", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DEEPXRD_TOKEN": token}
    with subprocess.Popen(
        [*command, "--port", str(port), "--state", str(state), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
    ) as process:  # fmt: skip
        assert process.stdout
        said = []
        begun = time.monotonic()
        while not (said and said[-1].startswith("open ")):
            line = process.stdout.readline()
            assert line, f"the server did not start: {said}"
            assert time.monotonic() - begun < _START_S
            said.append(line)
        server = LiveServer(process, f"http://127.0.0.1:{port}", token)
        try:
            yield server
        finally:
            server.client.close()
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
