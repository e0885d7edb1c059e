"""What happens to processes when a command is stopped: stubs in place of heavy work, but real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepxrd.errors import ConfigError
from deepxrd.io.stopping import check_jobs, end_with, if_stopped, is_running, sigterm_raises

LIMIT_S = 2.0
_COMMAND = """
import sys, time
from deepxrd.cli.exit_codes import run
from deepxrd.io.stopping import if_stopped
def work():
    print("ready", flush=True)
    with if_stopped("inner"):
        time.sleep(60)
def main():
    if sys.argv[1] == "outer":
        with if_stopped("go on by itself"):
            work()
    else:
        print("ready", flush=True)
        time.sleep(60)
run(main, if_stopped="begin anew")
"""
_POOL = """
import os, sys, time, pathlib
from deepxrd.io.stopping import worker_pool
from joblib import delayed
def work(folder):
    pathlib.Path(folder, str(os.getpid())).touch()
    time.sleep(60)
if __name__ == "__main__":
    worker_pool(2)(delayed(work)(sys.argv[1]) for _ in range(2))
"""


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(("number", "code", "by"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")])
@pytest.mark.parametrize(("place", "said"), [("outer", "go on by itself"), ("none", "begin anew")])
def test_a_signal_ends_a_command_with_its_code_and_one_line(
    number: signal.Signals, code: int, by: str, place: str, said: str
) -> None:
    process = started(_COMMAND, place)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert err == f"stopped by {by}: {said}\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_processes_of_a_pool_end_with_the_one_that_made_it(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "pool.py"
    script.write_text(_POOL)
    folder = tmp_path / "pids"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, script, folder], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    children = [int(path.name) for path in folder.iterdir()]
    assert len(children) == 2
    assert all(map(is_running, children))
    parent.send_signal(number)
    parent.wait()
    ended = time.monotonic()
    while any(map(is_running, children)) and time.monotonic() < ended + 20:
        time.sleep(0.02)
    assert time.monotonic() - ended < LIMIT_S


def test_a_process_that_comes_after_its_parent_is_gone_ends_at_once() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    code = "import sys; from deepxrd.io.stopping import end_with; end_with(int(sys.argv[1])); print('here')"
    done = subprocess.run([sys.executable, "-c", code, str(gone.pid)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (143, "")


def test_a_process_whose_end_nobody_has_asked_for_does_not_run() -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 10
    while is_running(zombie.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(zombie.pid)
    zombie.wait()
    assert is_running(os.getpid())
    end_with(os.getpid())  # of oneself means nothing


def test_sigterm_is_an_exception_only_within_the_block_and_notes_are_kept_from_inside_out() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as stop, if_stopped("outer"), if_stopped("inner"), sigterm_raises():
        signal.raise_signal(signal.SIGTERM)
    assert stop.value.__notes__ == ["inner", "outer"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("n_jobs", [0, -2, 9])
def test_processes_that_cannot_be_are_refused_by_the_name_of_the_option(n_jobs: int) -> None:
    with pytest.raises(
        ConfigError, match=f"--jobs {n_jobs}: give a number of processes, at most 8, or -1 for one per core"
    ):
        check_jobs(n_jobs, option="--jobs ", most=8)


def test_where_any_number_of_processes_can_be_no_most_is_named() -> None:
    with pytest.raises(ConfigError, match="--jobs 0: give a number of processes, or -1 for one per core"):
        check_jobs(0, option="--jobs ")


@pytest.mark.parametrize("n_jobs", [-1, 1, 8])
def test_processes_that_can_be_are_taken(n_jobs: int) -> None:
    check_jobs(n_jobs, option="--jobs ", most=8)
