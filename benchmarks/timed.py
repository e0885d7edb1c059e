"""What the benchmarks of commands share: one command timed, two source trees in turn, a sample of formulas.

Imports little, because the memory of a process that forks counts as its child's until that begins its own program.
"""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CLI = [sys.executable, "-m", "deepxrd.cli"]


def timed(command: list[str], *, tree: Path | None = None, threads: int = 1, family: bool = False) -> dict[str, float]:
    """Wall seconds, processor seconds and peak memory (MB) of one command.

    Args:
        command: with arguments.
        tree: the ``src`` folder that deepxrd is to come from; None for this process's own.
        threads: of torch and of numpy's products.
        family: whether to add up the memory of all its processes, looked at a hundred times a second.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "COLUMNS": "160"}
    if tree is not None:
        environment["PYTHONPATH"] = str(tree.resolve())
    with tempfile.TemporaryFile() as message:
        start = time.perf_counter()
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=message)  # noqa: S603
        watched = Peak(child.pid) if family else None
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        peak_mb = usage.ru_maxrss / 1024 if watched is None else watched.stop_mb()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            message.seek(0)
            sys.exit(f"{' '.join(command)} ended with {child.returncode}:\n{message.read().decode()}")
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_mb": round(peak_mb, 1),
    }


class Peak:
    """The most that a process and its children hold together, looked at until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak_kb, self._stop = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop_mb(self) -> float:
        """End the watch; the peak in MB."""
        self._stop.set()
        self._thread.join()
        return self._peak_kb / 1024

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self._peak_kb = max(self._peak_kb, high_water_kb(self._pid))


def high_water_kb(pid: int) -> int:
    """The most that a process and its children have held since they began."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0
    own = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
    return own + sum(map(high_water_kb, map(int, children)))


def facts(trees: Mapping[str, Path], load_before: float) -> dict[str, Any]:
    """Of a comparison: commits, machine, versions, command, and how busy the machine was; call it when all is timed."""
    from deepxrd.io.provenance import machine, versions
    from relative_paths import REPOSITORY, relative

    prefixes = {str(tree.resolve().parent): name.upper() for name, tree in trees.items()}
    prefixes |= {str(REPOSITORY): "", str(REPOSITORY.parent): ".."}
    return {
        "commits": {name: commit(tree) for name, tree in trees.items()},
        "machine": machine(),
        "versions": versions(),
        "command": relative(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]), prefixes),
        "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
    }


def commit(tree: Path) -> str:
    """Of the checkout that a source tree lies in, with ``+changes`` if files of the tree differ."""
    git = ["git", "-C", str(tree)]
    found = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S603
    dirty = subprocess.run([*git, "status", "--porcelain", "-uno", "."], capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() + "+changes" * bool(dirty.stdout.strip())


def sample(parquet: Path, n: int, seed: int, out: Path) -> Path:
    """A Parquet table of n different formulas of a snapshot, drawn by a seed; none that deepxrd asks back about."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from deepxrd.chem import parse_typed_formula
    from deepxrd.errors import FormulaError

    def is_clear(formula: str) -> bool:
        try:
            parse_typed_formula(formula)
        except FormulaError:
            return False
        return True

    formulas = sorted(set(pq.read_table(parquet, columns=["formula"])["formula"].to_pylist()))
    order = np.random.default_rng(seed).permutation(len(formulas))
    chosen = list(itertools.islice(filter(is_clear, (formulas[i] for i in order)), n))
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"formula": chosen}), out)
    return out
