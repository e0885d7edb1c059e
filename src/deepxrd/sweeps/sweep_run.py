"""One run of a sweep: not run again if done, resumed if killed; the others continue if it fails."""

from __future__ import annotations

import gc
import math
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepxrd.config.allowed import logger_nodes
from deepxrd.data.assemble import make_data
from deepxrd.errors import ConfigError
from deepxrd.io.files import locked, value_hash, write_json, write_text
from deepxrd.runs.names import CONFIG, ERROR, METRICS, SWEEP_RUN
from deepxrd.runs.objective import objective
from deepxrd.runs.sweep_folder import DONE, FAILED, STOPPED, SweepFolder, SweepRun
from deepxrd.sweeps.callback import values_of
from deepxrd.sweeps.fingerprint import fingerprint, is_same
from deepxrd.training.run import fit_and_test

_OUTDATED, _LOCKS = "outdated", ".locks"


def run_one(cfg: dict[str, Any], run_dir: Path, *, overrides: list[str]) -> float:
    """Run one of a sweep, or find that it has been run.

    An error is written to ``error.txt`` in the sweep run's folder and goes no further.

    Args:
        cfg: a composed and resolved configuration, plain values.
        run_dir: the sweep run's folder, in that of a sweep.
        overrides: the command line's settings.

    Returns:
        Its peak F1 at 2° over the validation part; not a number if it failed.
    """
    attempt = _attempt(run_dir, overrides)
    with locked(run_dir.parent / _LOCKS / run_dir.name):
        try:
            return _once(_for_sweep(cfg, run_dir), attempt, overrides)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other runs continue
            return _failed(attempt, error)


def refuse_one(run_dir: Path, error: Exception, *, overrides: list[str]) -> float:
    """Note that a sweep run cannot be run, since its settings are wrong; the other runs continue.

    Args:
        run_dir: the sweep run's folder, in that of a sweep.
        error: what is wrong with them.
        overrides: the settings.

    Returns:
        Not a number, as `run_one` of a sweep run that failed.
    """
    with locked(run_dir.parent / _LOCKS / run_dir.name):
        return _failed(_attempt(run_dir, overrides), error)


def _attempt(run_dir: Path, overrides: list[str]) -> _Attempt:
    sweep = SweepFolder.open(run_dir.parent)
    planned = next((each for each in sweep.planned if each.path.name == run_dir.name), None)
    settings = planned.settings if planned else values_of(overrides, sweep.keys)  # a sweeper makes up its runs
    return _Attempt(SweepRun(run_dir, settings), sweep.session)


def _failed(attempt: _Attempt, error: Exception) -> float:
    attempt.record(FAILED)
    write_text(attempt.run.path / ERROR, "".join(traceback.format_exception(error)))
    return math.nan


@dataclass
class _Attempt:
    """What is noted of a sweep run while it is worked on."""

    run: SweepRun
    session: str
    fingerprint: dict[str, str] | None = None
    began: float = 0.0

    def __post_init__(self) -> None:
        self.began = time.monotonic()

    def record(self, state: str, *, reused: bool = False) -> None:
        values = {
            "values": self.run.settings,
            "fingerprint": self.fingerprint or self.run.record.get("fingerprint"),
            "session": self.session,
            "state": state,
            "reused": reused,
            "seconds": round(time.monotonic() - self.began, 1),
        }
        write_json(self.run.path / SWEEP_RUN, values)


def _once(cfg: dict[str, Any], attempt: _Attempt, overrides: list[str]) -> float:
    run_dir = attempt.run.path
    store = make_data(cfg).store
    now = {**fingerprint(cfg, store.content_hash), "store": store.id}
    before, done = attempt.run.record.get("fingerprint"), (run_dir / METRICS).exists()
    if (run_dir / CONFIG).exists() and not is_same(before, now, done=done):
        _set_aside(run_dir, before)
        done = False
    if done:
        (run_dir / ERROR).unlink(missing_ok=True)
        attempt.record(DONE, reused=True)  # with the fingerprint that it has
        return objective(attempt.run.metrics)
    attempt.fingerprint = now
    attempt.record(STOPPED)  # until it is not
    (run_dir / ERROR).unlink(missing_ok=True)
    if (run_dir / CONFIG).exists():
        cfg = {**cfg, "resume": str(run_dir)}
    result = fit_and_test(cfg, run_dir, overrides=overrides, announce=False)
    gc.collect()  # a finished training refers to itself in circles, and a sweep has dozens in one process
    attempt.record(DONE)
    return objective(result.metrics)


def _set_aside(run_dir: Path, fingerprint: dict[str, str] | None) -> None:
    """Move what other settings, data or code have made out of the way; nothing of it is lost."""
    suffix = value_hash([fingerprint, time.time_ns()])[:8]
    target = run_dir.parent / _OUTDATED / f"{run_dir.name}-{suffix}"
    target.parent.mkdir(exist_ok=True)
    run_dir.rename(target)
    run_dir.mkdir()


def _for_sweep(cfg: dict[str, Any], run_dir: Path) -> dict[str, Any]:
    """No bar of its own; in wandb a group for the sweep, the run's own name, and an id that a resume finds."""
    if cfg["trainer"].get("fast_dev_run"):
        msg = "trainer.fast_dev_run keeps nothing, so a sweep has no use for it: try one run, without -m"
        raise ConfigError(msg)
    if cfg.get("resume"):
        msg = f"resume={cfg['resume']} is for one run: a sweep that was stopped is resumed by its own command again"
        raise ConfigError(msg)
    cfg = {**cfg, "trainer": {**cfg["trainer"], "enable_progress_bar": False}}
    of_run = {
        "group": run_dir.parent.name,
        "name": run_dir.name,
        "id": value_hash(str(run_dir.resolve()))[:12],
        "resume": "allow",
    }
    loggers = dict(logger_nodes(cfg.get("logger")))
    for name, node in loggers.items():
        if node["_target_"].endswith("WandbLogger"):
            loggers[name] = {**of_run, **{key: value for key, value in node.items() if value is not None}}
    return {**cfg, "logger": loggers}
