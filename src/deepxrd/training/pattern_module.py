"""What the LightningModules of all networks share: losses, scores, and the patterns of the test part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from deepxrd.config.instantiate import build
from deepxrd.data.datamodule import PatternDataModule
from deepxrd.metrics import Metric
from deepxrd.metrics.running import PatternScores, SampleMean
from deepxrd.training.schedules import how_stepped
from deepxrd.xrd import XrdSettings

PARTS = ("train", "val", "test")
_LEAST_STEPS = 10


class PatternModule(pl.LightningModule):
    """Learns patterns; a subclass brings the network and says how a batch becomes a loss and patterns.

    Args:
        optimizer: node of the optimizer.
        scheduler: node of the learning-rate scheduler, and how it is stepped: ``interval`` (``epoch``, or ``step``),
            ``frequency`` and ``monitor``, as Lightning takes them; see :func:`deepxrd.training.schedules.how_stepped`
            for what holds without them. ``total_steps: auto`` stands for as many as there will be in the whole
            training. None for a constant rate.
        xrd: settings of the patterns.
    """

    def __init__(self, *, optimizer: dict[str, Any], scheduler: dict[str, Any] | None, xrd: XrdSettings) -> None:
        super().__init__()
        self.xrd = xrd
        self._optimizer, self._scheduler = optimizer, scheduler
        self.mean_losses = nn.ModuleDict({f"{part}_loss": SampleMean() for part in PARTS})
        self.val_scores = PatternScores(xrd.two_theta_deg)
        self.test_patterns: dict[str, list[Tensor]] = {}
        """Patterns of the last test by name of the output, on the CPU; the first is the model's answer."""

    def score_too(self, metrics: Mapping[str, Metric]) -> None:
        """Have further scores of the validation part, logged as ``val/NAME``; before the training begins."""
        self.val_scores = PatternScores(self.xrd.two_theta_deg, metrics)

    def loss_of(self, batch: Any) -> tuple[Tensor, int]:
        """Loss of a training batch, and its number of samples."""
        raise NotImplementedError

    def predict_batch(self, batch: Any) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Loss, patterns ``(batch, n_points)`` in 0 to 100 by name of the output, and the true patterns."""
        raise NotImplementedError

    def export(self, datamodule: PatternDataModule, folder: Path) -> None:
        """Write what predicts beside the checkpoint, where the network alone does not; nothing by default."""

    def on_train_epoch_start(self) -> None:
        """Log the learning rate with which the epoch begins, of the first group of parameters."""
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of a batch."""
        loss, n = self.loss_of(batch)
        self._add_loss("train", loss, n)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the mean over all samples."""
        self._log_loss("train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Loss and scores."""
        loss, patterns, true = self.predict_batch(batch)
        self._add_loss("val", loss, len(true))
        self.val_scores.update(next(iter(patterns.values())), true)

    def on_validation_epoch_end(self) -> None:
        """Log the means over all samples."""
        self._log_loss("val")
        self.log_dict({f"val/{name}": value for name, value in self.val_scores.compute().items()})
        self.val_scores.reset()

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        self.test_patterns.clear()

    def test_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Loss, and patterns that are scored once all are there."""
        loss, patterns, true = self.predict_batch(batch)
        self._add_loss("test", loss, len(true))
        for name, each in patterns.items():
            self.test_patterns.setdefault(name, []).append(each.cpu())

    def on_test_epoch_end(self) -> None:
        """Log the mean loss, and gather the patterns of all processes in the order of the samples."""
        self._log_loss("test")
        if self.trainer.world_size > 1:
            for name, patterns in self.test_patterns.items():
                gathered: list[Any] = [None] * self.trainer.world_size
                torch.distributed.all_gather_object(gathered, torch.cat(patterns))
                self.test_patterns[name] = gathered

    def configure_optimizers(self) -> Any:
        """Optimizer, and the scheduler where there is one."""
        optimizer = build(self._optimizer, torch.optim.Optimizer, params=self.parameters())
        if self._scheduler is None:
            return optimizer
        node, stepped = how_stepped(self._scheduler)
        if node.get("total_steps") == "auto":
            steps = (
                self.trainer.estimated_stepping_batches if stepped["interval"] == "step" else self.trainer.max_epochs
            )
            # never so few that a schedule has no room to rise and fall
            node["total_steps"] = max(int(steps or 0), _LEAST_STEPS)
        scheduler = build(node, torch.optim.lr_scheduler.LRScheduler, optimizer=optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {**stepped, "scheduler": scheduler}}

    def _add_loss(self, part: str, loss: Tensor, n: int) -> None:
        cast("SampleMean", self.mean_losses[f"{part}_loss"]).update(loss, n)

    def _log_loss(self, part: str) -> None:
        """Log the mean over all samples; Lightning's own, over several processes, does not count how many each had."""
        mean = cast("SampleMean", self.mean_losses[f"{part}_loss"])
        self.log(f"{part}/loss", mean.compute(), prog_bar=part != "test")
        mean.reset()
