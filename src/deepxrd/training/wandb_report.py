"""What a wandb dashboard shows of a run besides its curves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning.loggers import WandbLogger

from deepxrd.errors import ConfigError

_SORTED_BY = "peak_f1_2deg"
_MOST_ROWS = 10_000  # of a table that wandb shows


@contextmanager
def login_needed() -> Iterator[None]:
    """Say how to log in, or do without, where wandb begins a run and cannot.

    Raises:
        ConfigError: wandb refuses to begin.
    """
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("wandb"):  # which is not imported for the other loggers
            raise
        msg = f"wandb refuses: {error}; log in by `wandb login`, set WANDB_MODE=offline, or take logger=csv"
        raise ConfigError(msg) from error


def log_test_results(logger: WandbLogger, metrics: dict[str, Any], per_sample: pd.DataFrame, figure: Path) -> None:
    """Log the test scores as summary, the figure, and a table of the test samples, the worst first."""
    import wandb

    ordered = per_sample.sort_values(_SORTED_BY, kind="stable").head(_MOST_ROWS)
    run = logger.experiment
    run.summary.update({f"test/{name}": value for name, value in metrics["test"].items()})
    run.summary.update({f"val/{name}": value for name, value in metrics["val"].items()})  # of the network that is kept
    run.summary.update({key: value for key, value in metrics.items() if key not in ("test", "val")})
    run.log({"test_patterns": wandb.Image(str(figure)), "per_sample": wandb.Table(dataframe=ordered)})
