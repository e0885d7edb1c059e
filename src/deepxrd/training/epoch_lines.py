"""How far a training is, in lines, where no progress bar can be seen: in a log file, in a batch job."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from deepxrd.training.kept import BestCheckpoint

SECONDS_BETWEEN = 30.0
"""How long a training is silent after a line; its first epoch always has one."""


class EpochLines(pl.Callback):
    """Say after an epoch what the losses are, on standard error, at most once in half a minute."""

    def __init__(self) -> None:
        self._said_at = -float("inf")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Print the line of the epoch before, whose losses and best network are not known until now."""
        now = time.monotonic()
        if not trainer.callback_metrics or now - self._said_at < SECONDS_BETWEEN or not trainer.is_global_zero:
            return
        self._said_at = now
        line = epoch_line(trainer.current_epoch, trainer.max_epochs, trainer.callback_metrics, _best(trainer))
        Console(stderr=True, soft_wrap=True, highlight=False).print(line)


def epoch_line(epoch: int, max_epochs: int | None, losses: Any, best: float | None) -> str:
    """Such as ``epoch 12 of at most 500: train loss 0.412, validation 0.533 (best 0.521)``.

    Args:
        epoch: how many are done.
        max_epochs: None or -1 if only time or steps end the training.
        losses: by name, ``train/loss`` and ``val/loss``; one that is missing is left out.
        best: least validation loss so far, if known.
    """
    of = f" of at most {max_epochs}" if max_epochs is not None and max_epochs > 0 else ""
    said = [
        f"{name} {float(losses[key]):.4g}"
        for name, key in (("train loss", "train/loss"), ("validation", "val/loss"))
        if key in losses
    ]
    return f"epoch {epoch}{of}: {', '.join(said)}" + (f" (best {best:.4g})" if best is not None else "")


def _best(trainer: pl.Trainer) -> float | None:
    kept = next((each for each in trainer.callbacks if isinstance(each, BestCheckpoint)), None)  # type: ignore[attr-defined]
    return None if kept is None or kept.best_model_score is None else float(kept.best_model_score)
