"""How the runs of a sweep share one machine: cores, and the memory of a GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from deepxrd.errors import ConfigError
from deepxrd.io.devices import n_cores
from deepxrd.io.stopping import end_with

GPU_MEMORY_PER_RUN_GIB = 4
"""Of a GPU, for each run where nothing else is asked for: the paper's network takes 2 (results/speed.md)."""
_ALL_AT_ONCE = "submitit_local"
_TOGETHER = ("joblib", "ray", _ALL_AT_ONCE)
"""Launchers that start several runs on this machine; the others start one, or give each a machine of its own."""
_LOOK_AGAIN_S = 0.2
COMMAND = "DEEPXRD_SWEEP_COMMAND"
"""Name of the environment variable that tells the processes of a sweep the number of that which began it."""


def runs_at_once(asked: int | None, launcher: str = _TOGETHER[0]) -> int:
    """How many runs share this machine.

    Args:
        asked: the setting ``runs_at_once``; None for one per core, on a GPU as far as its memory goes.
        launcher: name of Hydra's launcher.
    """
    if launcher not in _TOGETHER:
        return 1
    if asked is not None:
        return max(1, asked)
    import torch

    if not torch.cuda.is_available():
        return n_cores()
    there = torch.cuda.get_device_properties(0).total_memory
    return max(1, min(n_cores(), there // (GPU_MEMORY_PER_RUN_GIB << 30)))


def end_with_the_command(launcher: str) -> None:
    """Let a process that a launcher has started on this machine end with the command that began the sweep."""
    command = os.environ.get(COMMAND)
    if launcher in (_TOGETHER[0], _ALL_AT_ONCE) and command:
        end_with(int(command))


def refuse_threads(threads: int | None) -> None:
    """Refuse more threads than cores, since they wait for each other at every step.

    Only where a run is about to begin: the settings of a run that is done may be of a machine with more cores.

    Args:
        threads: of a run; None for an equal part of the cores.

    Raises:
        ConfigError: there are fewer cores.
    """
    there = n_cores()
    if threads is not None and threads > there:
        cores, way_out = ("1 core", "1") if there == 1 else (f"{there} cores", f"a whole number from 1 to {there}")
        msg = f"threads={threads}: this process may use {cores}: give {way_out}, or null for all"
        raise ConfigError(msg)


def take_share(n_runs: int, threads: int | None) -> None:
    """Keep this process to its share: torch's threads, and on a GPU its part of the memory.

    Args:
        n_runs: that share the machine.
        threads: of this run; None for an equal part of the cores.
    """
    import torch

    torch.set_num_threads(threads or max(1, n_cores() // n_runs))
    if n_runs > 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(1 / n_runs)


def warning_of_other_work(threads: int | None) -> str | None:
    """What to do about other programs that keep cores busy which a training on the CPU would take; None if none do.

    The threads of a training wait for each other at every step, actively: where one does not get its core, the others
    burn theirs. On two cores with two other programs, `make train` of one epoch took 80 s by two threads and 21 s by
    one; at rest 15 s and 20 s.

    Args:
        threads: of the training; None for all cores.
    """
    import torch

    wanted = threads or n_cores()
    if wanted == 1 or torch.cuda.is_available():
        return None
    busy, there = busy_cores(), os.cpu_count() or 1
    if there - busy > wanted - 0.5:
        return None
    return (
        f"note: other programs keep {busy:.1f} of {there} cores busy, and threads wait for each other: "
        "threads=1 can be several times faster"
    )


def busy_cores(seconds: float = 0.2) -> float:
    """How many of this machine's cores are at work while this process sleeps; 0 where the system does not say."""
    before = _ticks()
    time.sleep(seconds)
    total, idle = (now - then for now, then in zip(_ticks(), before, strict=True))
    return (os.cpu_count() or 1) * (1 - idle / total) if total > 0 else 0.0


def _ticks() -> tuple[int, int]:
    """Time of all cores since the start of the machine, and that without work (Linux: proc_stat(5))."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split(None, 9)[1:9]]
    except (OSError, ValueError):
        return 0, 0
    return sum(fields), sum(fields[3:5])


def launcher_trouble(error: RuntimeError) -> str | None:
    """What to do about a launcher that cannot start here; None if the error is about something else."""
    if str(error).startswith("Unknown plugin class"):
        return f"{error}: install the launchers by pip install 'deepxrd[sweeps]'; for Ray's see docs/sweeps.md"
    if "slurm cluster" in str(error):
        return f"{error} hydra/launcher=submitit_slurm needs Slurm's commands; here take submitit_local or joblib"
    return None


@contextmanager
def place(folder: Path, n_places: int, launcher: str) -> Iterator[None]:
    """Wait for one of so many places on this machine, and hold it; a process that dies gives its place back.

    Only where the launcher starts all its processes on this machine at the same time; others need not wait.
    """
    if launcher != _ALL_AT_ONCE:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    locks = [FileLock(folder / f"place-{number}") for number in range(n_places)]
    try:
        while not any(_is_ours(lock) for lock in locks):
            time.sleep(_LOOK_AGAIN_S)
        yield
    finally:
        for lock in locks:
            lock.release()


def _is_ours(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
