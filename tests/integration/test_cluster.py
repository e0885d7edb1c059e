"""``deepxrd predict --scheduler`` with Dask's own commands and the model that comes with deepxrd, under trouble."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Processes = list["subprocess.Popen[bytes]"]
N_FORMULAS = 2 * 1024 + 10  # three parts, of which the last is short


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, Processes]]:
    """Address of a scheduler, and the processes: it, and two workers that nothing starts again."""
    file, quiet = tmp_path / "scheduler.json", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", *common, "--port", "0"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", *common, "--nthreads", "1", "--no-nanny"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begun = [subprocess.Popen(dask, env=environment, **quiet)]
    while not file.exists():
        assert begun[0].poll() is None
        time.sleep(0.05)
    begun += [subprocess.Popen(worker, env=environment, **quiet) for _ in range(2)]
    yield json.loads(file.read_text())["address"], begun
    for process in begun[::-1]:
        process.kill()
        process.wait()


def write_formulas(folder: Path) -> None:
    metals = ["Mg", "Ca", "Sr", "Ba", "Na", "K", "Rb", "La", "Y", "Ce"]
    triples = itertools.product(metals, ["Ti", "Zr", "Hf", "V", "Nb", "Mn", "Fe", "Co"], "OSFN")
    counts = itertools.product((1, 2, 3), (1, 2, 3), (1, 2, 4, 5))
    texts = (f"{a}{i}{b}{j}{x}{k}" for (a, b, x), (i, j, k) in itertools.product(triples, counts))
    (folder / "f.csv").write_text("formula\n" + "\n".join(itertools.islice(texts, N_FORMULAS)) + "\n")


def kill_at_part(out: Path, n: int, process: subprocess.Popen[bytes]) -> threading.Thread:
    def kill() -> None:
        deadline = time.monotonic() + 900
        while len(list(out.glob("patterns/part-*"))) < n and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def contents(out: Path) -> dict[str, bytes]:
    files = (path for path in out.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_worker_and_then_the_scheduler_are_killed_and_the_bytes_are_those_of_one_process(
    command: Command, cluster: tuple[str, Processes], tmp_path: Path
) -> None:
    address, (scheduler, victim, _) = cluster
    write_formulas(tmp_path)
    predict = ["cli", "predict", "--file", "f.csv", "--quality", "fast"]
    thread = kill_at_part(tmp_path / "out", 1, victim)
    done = command(*predict, "--scheduler", address, "--out", "out", timeout=900)
    thread.join()
    assert done.returncode == 0, done.stderr
    thread = kill_at_part(tmp_path / "cut", 1, scheduler)
    cut = command(*predict, "--scheduler", address, "--out", "cut", timeout=900)
    thread.join()
    assert cut.returncode == 2, cut.stderr
    assert "is gone, or has forgotten its work: what is done is kept" in cut.stderr
    assert "Traceback" not in cut.stderr
    resumed = command(*predict, "--out", "cut", "--jobs", "1", timeout=900)
    assert resumed.returncode == 0, resumed.stderr
    assert command(*predict, "--out", "one", "--jobs", "1", timeout=900).returncode == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "one")
    assert contents(tmp_path / "cut") == contents(tmp_path / "one")
