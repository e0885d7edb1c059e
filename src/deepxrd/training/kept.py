"""The checkpoints that each run keeps, its best and its last, and the callbacks of one's own beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from deepxrd.config.instantiate import build, class_of
from deepxrd.errors import CheckpointError
from deepxrd.runs.names import BEST, BEST_CHECKPOINT, CHECKPOINTS, LAST

_VALIDATED = "val/"


class BestCheckpoint(ModelCheckpoint):
    """Keeps the network with the lowest validation loss, and notes all its validation scores.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            dirpath=folder, filename=BEST, monitor="val/loss", mode="min", save_top_k=1, enable_version_counter=False
        )
        self.scores: dict[str, float] = {}
        """Means over the validation part, by name."""

    @property
    def state_key(self) -> str:
        """A name of its own, so that any other ModelCheckpoint may stand beside it."""
        return "BestCheckpoint"

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the network if it is the best, and note its scores."""
        before = self.best_model_score
        super().on_validation_end(trainer, pl_module)
        self._note(trainer, before)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same where Lightning keeps networks at the end of an epoch."""
        before = self.best_model_score
        super().on_train_epoch_end(trainer, pl_module)
        self._note(trainer, before)

    def state_dict(self) -> dict[str, Any]:
        """What a resume needs."""
        return {**super().state_dict(), "scores": self.scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The same, read again; a run that began before there were scores has none until it gets better."""
        super().load_state_dict(state_dict)
        self.scores = dict(state_dict.get("scores", {}))

    def _note(self, trainer: pl.Trainer, before: Tensor | None) -> None:
        if self.best_model_score is not before:
            found = trainer.callback_metrics.items()
            self.scores = {
                name.removeprefix(_VALIDATED): float(value) for name, value in found if name.startswith(_VALIDATED)
            }


class LastCheckpoint(ModelCheckpoint):
    """Keeps the state after each epoch, from which a run that was stopped resumes.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            dirpath=folder, filename=LAST, save_top_k=1, save_on_train_epoch_end=True, enable_version_counter=False
        )

    @property
    def state_key(self) -> str:
        """See `BestCheckpoint`."""
        return "LastCheckpoint"


def own_callbacks(nodes: dict[str, Any] | None, run_dir: Path) -> list[pl.Callback]:
    """The callbacks of a configuration.

    A ModelCheckpoint without a ``dirpath`` writes into a folder of its own, ``checkpoints/NAME``.

    Args:
        nodes: by name; a name whose node is null is left out.
        run_dir: of the run.

    Raises:
        ConfigError: a node cannot be used.
    """
    built = []
    for name, node in (nodes or {}).items():
        if node is None:
            continue
        folder: dict[str, Any] = {}
        if issubclass(class_of(node, pl.Callback), ModelCheckpoint) and not node.get("dirpath"):
            folder = {"dirpath": str(run_dir / CHECKPOINTS / name)}
        built.append(build(node, pl.Callback, **folder))
    return built


def scores_of_best(trainer: pl.Trainer) -> dict[str, float]:
    """Means over the validation part of the network that was kept as the best; empty if they were not noted."""
    found = (callback for callback in trainer.checkpoint_callbacks if isinstance(callback, BestCheckpoint))
    return next((callback.scores for callback in found), {})


def check_best(run_dir: Path) -> Path:
    """The checkpoint of the best network.

    Raises:
        CheckpointError: no epoch was validated.
    """
    best = run_dir / BEST_CHECKPOINT
    if not best.exists():
        msg = (
            f"no network was validated in {run_dir}, so there is none to score: let the training reach a validation "
            "(trainer.max_steps, trainer.max_time, trainer.limit_val_batches, trainer.check_val_every_n_epoch)"
        )
        raise CheckpointError(msg)
    return best
