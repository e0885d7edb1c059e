"""The folder of a sweep: ``sweep.json`` names its runs, and each has a folder of its own.

A *sweep run* is one run of a sweep; it differs from the others in the values of what the sweep varies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepxrd.errors import ConfigError
from deepxrd.io.files import value_hash, write_json
from deepxrd.runs.names import ERROR, METRICS, RUN_FACTS, SWEEP, SWEEP_RUN

DONE, FAILED, STOPPED, NOT_RUN = "done", "failed", "not finished", "not run"
ONLY_RUN = "run"
_LONGEST_NAME = 120


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        path: its folder.
        settings: those that the sweep varies, such as ``{"model.depth": 20, "loss": "pearson"}``.
    """

    path: Path
    settings: dict[str, Any]

    @property
    def state(self) -> str:
        """`DONE`, `FAILED`, `STOPPED` (running, or killed) or `NOT_RUN`."""
        if (self.path / ERROR).is_file():
            return FAILED
        if (self.path / METRICS).is_file():
            return DONE
        return STOPPED if (self.path / SWEEP_RUN).is_file() else NOT_RUN

    @property
    def record(self) -> dict[str, Any]:
        """What ``sweep_run.json`` holds; empty if there is none."""
        return _read(self.path / SWEEP_RUN) if (self.path / SWEEP_RUN).is_file() else {}

    @property
    def metrics(self) -> dict[str, Any]:
        """What ``metrics.json`` holds.

        Raises:
            ConfigError: it is damaged.
        """
        found = _read(self.path / METRICS)
        if not isinstance(found.get("test"), dict):
            raise _damaged(self.path / METRICS, "it holds no scores of a run")
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """What ``run.json`` holds: machine, versions and commit.

        Raises:
            ConfigError: it is missing or damaged.
        """
        file = self.path / RUN_FACTS
        found = _read(file) if file.is_file() else {}
        if not isinstance(found.get("machine"), dict) or not isinstance(found.get("versions"), dict):
            raise _damaged(file, "it does not tell what made the run")
        return found

    @property
    def error(self) -> str:
        """The last line of ``error.txt``: what went wrong, without the traceback."""
        return (self.path / ERROR).read_text(encoding="utf-8").strip().rpartition("\n")[2]


@dataclass(frozen=True)
class SweepFolder:
    """A sweep as its folder tells it.

    Attributes:
        path: the folder.
        table: name of the sweep's configuration, such as ``table4``; None for one made up on the command line.
        keys: what the sweep varies, in its order.
        session: of the command that planned it, the time of its start.
        planned: the runs of the last command.
    """

    path: Path
    table: str | None
    keys: list[str]
    session: str
    planned: list[SweepRun]

    @classmethod
    def plan(cls, path: Path, runs: list[dict[str, Any]], facts: Mapping[str, Any]) -> SweepFolder:
        """Write ``sweep.json``.

        Args:
            path: of the folder.
            runs: values of each.
            facts: ``table``, ``keys`` and ``session``, and whatever else is worth keeping.
        """
        write_json(path / SWEEP, {**facts, "runs": runs})
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> SweepFolder:
        """Read ``sweep.json``.

        Raises:
            ConfigError: the folder holds no sweep.
        """
        path = Path(path)
        if not (path / SWEEP).is_file():
            msg = f"sweeps={path}: no sweep there, {SWEEP} is missing; give a folder such as outputs/sweeps/table4"
            raise ConfigError(msg)
        plan = _read(path / SWEEP)
        keys, planned = plan.get("keys"), plan.get("runs")
        if not isinstance(keys, list) or not isinstance(planned, list) or "session" not in plan:
            raise _damaged(path / SWEEP, "it does not tell the runs of a sweep")
        for values in planned:
            if not isinstance(values, dict) or list(values) != keys:
                raise _damaged(
                    path / SWEEP, f"of a run it tells {str(values)[:80]}, and not {', '.join(map(str, keys))}"
                )
        runs = [SweepRun(path / run_name(values), values) for values in planned]
        return cls(path, plan.get("table"), keys, plan["session"], runs)

    @property
    def runs(self) -> list[SweepRun]:
        """The planned sweep runs, then those of earlier commands in the same folder that varied the same."""
        found = {run.path: run for run in self.planned}
        for record in sorted(self.path.glob(f"*/{SWEEP_RUN}")):
            values = _read(record).get("values")
            if not isinstance(values, dict):
                raise _damaged(record, "it does not tell the values of a sweep run")
            if list(values) == self.keys:
                found.setdefault(record.parent, SweepRun(record.parent, values))
        return list(found.values())

    def settled(self) -> list[SweepRun]:
        """The planned sweep runs, or all where none is, that are done with, one way or the other, in this session.

        Or in one that began since: another command may have started in the folder, which then writes its own.
        """
        return [
            run
            for run in self.planned or self.runs
            if str((record := run.record).get("session", "")) >= self.session and record.get("state") in (DONE, FAILED)
        ]


def run_name(values: Mapping[str, Any]) -> str:
    """The name of a run's folder, such as ``depth-20_lr-0.001_batch_size-64``: readable, and safe on file systems.

    Where nothing varies, as of ``-m`` without several values, it is `ONLY_RUN`.
    """
    if not values:
        return ONLY_RUN
    last = [key.rpartition(".")[2] for key in values]
    short = [part if last.count(part) == 1 else key for part, key in zip(last, values, strict=True)]
    plain = "_".join(f"{key}-{value}" for key, value in zip(short, values.values(), strict=True))
    name = re.sub(r"[^\w.+-]+", "-", plain)
    if name == plain and len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{value_hash(dict(values))[:8]}"


def _read(path: Path) -> dict[str, Any]:
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(values, dict):
        raise _damaged(path, f"it holds {str(values)[:80]}")
    return values


def _damaged(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"{path} is damaged ({reason}); remove it and start the sweep again")
