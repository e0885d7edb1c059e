"""One cell of a sweep: not run again if done, gone on with if killed; the others go on if it fails."""

from __future__ import annotations

import math
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepxrd.io.files import locked, value_hash, write_json, write_text
from deepxrd.runs.sweep_folder import CELL, DONE, ERROR, FAILED, METRICS, STOPPED, Cell, SweepFolder
from deepxrd.sweeps.fingerprint import fingerprint
from deepxrd.training import assemble
from deepxrd.training.run import CONFIG, fit_and_test

_OUTDATED, _LOCKS = "outdated", ".locks"
_RESULT = "peak_f1_2deg"


def run_cell(cfg: dict[str, Any], run_dir: Path, *, overrides: list[str]) -> float:
    """Run a cell, or find that it has been run.

    An error is written to ``error.txt`` in the cell's folder and goes no further.

    Args:
        cfg: a composed and resolved configuration, plain values.
        run_dir: the cell's folder, in that of a sweep.
        overrides: the command line's settings.

    Returns:
        Its peak F1 at 2°; not a number if it failed.
    """
    attempt = _attempt(run_dir)
    with locked(run_dir.parent / _LOCKS / run_dir.name):
        try:
            return _once(_for_sweep(cfg, run_dir), attempt, overrides)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other cells go on
            return _failed(attempt, error)


def refuse_cell(run_dir: Path, error: Exception) -> float:
    """Note that a cell cannot be run, since its settings cannot be; the other cells go on.

    Args:
        run_dir: the cell's folder, in that of a sweep.
        error: what is wrong with them.

    Returns:
        Not a number, as `run_cell` of a cell that failed.
    """
    with locked(run_dir.parent / _LOCKS / run_dir.name):
        return _failed(_attempt(run_dir), error)


def _attempt(run_dir: Path) -> _Attempt:
    sweep = SweepFolder.open(run_dir.parent)
    cell = next(each for each in sweep.planned if each.path.name == run_dir.name)
    return _Attempt(Cell(run_dir, cell.settings), sweep.session)


def _failed(attempt: _Attempt, error: Exception) -> float:
    attempt.record(FAILED)
    write_text(attempt.cell.path / ERROR, "".join(traceback.format_exception(error)))
    return math.nan


@dataclass
class _Attempt:
    """What is noted of a cell while it is worked on."""

    cell: Cell
    session: str
    fingerprint: dict[str, str] | None = None
    began: float = 0.0

    def __post_init__(self) -> None:
        self.began = time.monotonic()

    def record(self, state: str, *, reused: bool = False) -> None:
        values = {
            "values": self.cell.settings,
            "fingerprint": self.fingerprint or self.cell.record.get("fingerprint"),
            "session": self.session,
            "state": state,
            "reused": reused,
            "seconds": round(time.monotonic() - self.began, 1),
        }
        write_json(self.cell.path / CELL, values)


def _once(cfg: dict[str, Any], attempt: _Attempt, overrides: list[str]) -> float:
    run_dir = attempt.cell.path
    now = fingerprint(cfg, assemble.make_data(cfg).store.content_hash)
    before = attempt.cell.record.get("fingerprint")
    if before != now and (run_dir / CONFIG).exists():
        _set_aside(run_dir, before)
    attempt.fingerprint = now
    if (run_dir / METRICS).exists():
        (run_dir / ERROR).unlink(missing_ok=True)
        attempt.record(DONE, reused=True)
        return float(attempt.cell.metrics["test"][_RESULT])
    attempt.record(STOPPED)  # until it is not
    (run_dir / ERROR).unlink(missing_ok=True)
    if (run_dir / CONFIG).exists():
        cfg = {**cfg, "resume": str(run_dir)}
    result = fit_and_test(cfg, run_dir, overrides=overrides, announce=False)
    attempt.record(DONE)
    return float(result.metrics["test"][_RESULT])


def _set_aside(run_dir: Path, fingerprint: dict[str, str] | None) -> None:
    """Move what other settings, data or code have made out of the way; nothing of it is lost."""
    made = value_hash([fingerprint, time.time_ns()])[:8]
    target = run_dir.parent / _OUTDATED / f"{run_dir.name}-{made}"
    target.parent.mkdir(exist_ok=True)
    run_dir.rename(target)
    run_dir.mkdir()


def _for_sweep(cfg: dict[str, Any], run_dir: Path) -> dict[str, Any]:
    """No bar of its own; in wandb a group for the sweep, a name that tells the cell, and an id that a resume finds."""
    cfg = {**cfg, "trainer": {**cfg["trainer"], "enable_progress_bar": False}}
    if cfg["logger"]["_target_"].endswith("WandbLogger"):
        own = {key: value for key, value in cfg["logger"].items() if value is not None}
        of_cell = {
            "group": run_dir.parent.name,
            "name": run_dir.name,
            "id": value_hash(str(run_dir.resolve()))[:12],
            "resume": "allow",
        }
        cfg["logger"] = {**of_cell, **own}
    return cfg
