"""What a wandb dashboard shows of a run besides its curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning.loggers import WandbLogger

_SORTED_BY = "peak_f1_2deg"
_MOST_ROWS = 10_000  # of a table that wandb shows


def log_test_results(logger: WandbLogger, metrics: dict[str, Any], per_sample: pd.DataFrame, figure: Path) -> None:
    """Log the test scores as summary, the figure, and a table of the test samples, the worst first."""
    import wandb

    ordered = per_sample.sort_values(_SORTED_BY, kind="stable").head(_MOST_ROWS)
    run = logger.experiment
    run.summary.update({f"test/{name}": value for name, value in metrics["test"].items()})
    run.summary.update({f"val/{name}": value for name, value in metrics["val"].items()})  # of the network that is kept
    run.summary.update({key: value for key, value in metrics.items() if key not in ("test", "val")})
    run.log({"test_patterns": wandb.Image(str(figure)), "per_sample": wandb.Table(dataframe=ordered)})
