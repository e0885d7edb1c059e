"""Real commands that are stopped from outside: their exit codes, what they say, and that nothing of them goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
LIMIT_S = 4.0
"""Two seconds are asked for, and usual; twice that where the machine has other work too."""
Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts a training that would go on for hours, and waits until it has written a first checkpoint."""
    begun: list[subprocess.Popen[str]] = []

    def start(pattern: str, *settings: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "deepxrd.train", *settings, "trainer.max_epochs=100000"],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        deadline = time.monotonic() + 120
        while not any(tmp_path.glob(pattern)):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "no checkpoint after two minutes"
            time.sleep(0.05)
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()


def test_a_training_refuses_a_second_in_its_folder_and_says_how_to_resume_when_it_is_stopped(
    command: Command, begin: Begin, small: list[str]
) -> None:
    process = begin("run/checkpoints/last.ckpt", *small, "hydra.run.dir=run")
    second = command("train", "resume=run")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert second.returncode == 2
    assert "another process trains in" in second.stderr
    assert process.returncode == 143
    assert err.splitlines()[-1] == "stopped by SIGTERM: resume by python -m deepxrd.train resume=run"
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("launcher", "number", "code"),
    [
        ("basic", signal.SIGINT, 130),
        ("joblib", signal.SIGKILL, -signal.SIGKILL),
        ("submitit_local", signal.SIGTERM, 143),
    ],
)
def test_a_sweep_that_is_stopped_leaves_no_process(
    begin: Begin, small: list[str], launcher: str, number: signal.Signals, code: int
) -> None:
    settings = [*small, "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}", "runs_at_once=2"]
    process = begin("sweep/*/checkpoints/last.ckpt", "-m", "seed=1,2", *settings)
    children = psutil.Process(process.pid).children(recursive=True)
    assert bool(children) == (launcher != "basic")
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    ended = time.monotonic()
    psutil.wait_procs(children, timeout=30)
    assert time.monotonic() - ended < LIMIT_S
    assert process.stderr is not None
    err = process.stderr.read()
    if number != signal.SIGKILL:
        assert err.splitlines()[-1].endswith("the same command resumes the sweep; runs that are done are kept")
        assert "Traceback" not in err


def test_sweep_runs_whose_settings_cannot_be_fail_one_by_one(command: Command, small: list[str]) -> None:
    settings = [text for text in small if not text.startswith("data.batch_size")]
    done = command("train", "-m", "data.batch_size=0,-1", *settings, "hydra.sweep.dir=sweep")
    assert done.returncode == 2, done.stderr
    assert "2 of 2 sweep runs failed" in done.stderr
    for value in (0, -1):
        assert f"data.batch_size={value}: give a whole number from 1 to" in done.stderr
