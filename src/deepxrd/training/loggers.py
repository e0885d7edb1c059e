"""The loggers of a run: any number of them, each writing where its settings say, or else into the run's folder."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from deepxrd.config.allowed import logger_nodes
from deepxrd.config.instantiate import build, class_of
from deepxrd.errors import ConfigError
from deepxrd.training.wandb_report import log_test_results

CURVES = "curves"
_REMOTE = {
    "wandb": "log in by `wandb login`, or set WANDB_MODE=offline",
    "mlflow": "look at logger.mlflow.tracking_uri, which names a server or a file such as sqlite:///outputs/mlflow.db",
}
"""Packages of loggers that may not reach what they write to, and what to do then."""


def make_loggers(cfg: Mapping[str, Any], run_dir: Path) -> list[Logger]:
    """The loggers of a configuration; none for ``logger=null``.

    Raises:
        ConfigError: one of them cannot be used.
    """
    made: list[Logger] = []
    for name, node in logger_nodes(cfg.get("logger")).items():
        kind = class_of(node, Logger)  # type: ignore[type-abstract]
        given: dict[str, Any] = {}
        if issubclass(kind, CSVLogger):
            given = {"save_dir": run_dir, "name": CURVES, "version": ""}
        elif "save_dir" in inspect.signature(kind).parameters and "save_dir" not in node:
            given = {"save_dir": run_dir}
            if issubclass(kind, WandbLogger) and not {"id", "version"} & set(node) and "WANDB_RUN_ID" not in os.environ:
                given["id"] = _begun_in_wandb(run_dir)
        try:
            with refusals_of_loggers():
                made.append(build(node, Logger, **given))  # type: ignore[type-abstract]
        except ImportError as error:
            msg = f"logger={name} needs a package that is not there ({error}): pip install 'deepxrd[loggers]'"
            raise ConfigError(msg) from error
    return made


def _begun_in_wandb(run_dir: Path) -> str | None:
    """By what name wandb knows the run that a folder holds, so that a resume goes on with it; None for a new run."""
    begun = sorted((run_dir / "wandb").glob("*run-*_*-*"), key=lambda folder: folder.name.partition("run-")[2])
    return begun[0].name.partition("run-")[2].partition("-")[2] if begun else None


@contextmanager
def refusals_of_loggers() -> Iterator[None]:
    """Say what to do where a logger cannot begin.

    Raises:
        ConfigError: it refuses.
    """
    try:
        yield
    except Exception as error:
        package = type(error).__module__.partition(".")[0]
        if package not in _REMOTE:  # neither is imported for the other loggers
            raise
        msg = f"{package} refuses: {error}; {_REMOTE[package]}, or take logger=csv"
        raise ConfigError(msg) from error


def log_test(
    loggers: Sequence[Logger], metrics: dict[str, Any], per_sample: pd.DataFrame, figure: Path, *, step: int
) -> None:
    """Tell each logger of the test scores; the CSV has the curves alone, ``metrics.json`` lies beside it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            log_test_results(logger, metrics, per_sample, figure)
        elif not isinstance(logger, CSVLogger):
            logger.log_metrics({f"test/{name}": value for name, value in metrics["test"].items()}, step)
            logger.save()


def close(loggers: Sequence[Logger]) -> None:
    """Write what threads of TensorBoard still hold; end a wandb run, else the next job of a sweep writes into it."""
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.finalize("success")
    if any(isinstance(logger, WandbLogger) for logger in loggers):
        import wandb

        wandb.finish()
