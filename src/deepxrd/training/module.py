"""The LightningModule: network, loss, optimizer and scores, all described by plain values."""

from __future__ import annotations

from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from deepxrd.chem import OneHotEncoding
from deepxrd.config.instantiate import build
from deepxrd.errors import ConfigError
from deepxrd.metrics.running import PatternScores, SampleMean
from deepxrd.models.paper import channels_last, to_patterns
from deepxrd.xrd import XrdSettings


class DeepXRDModule(pl.LightningModule):
    """Learns patterns from one-hot formulas.

    All arguments are plain values and saved with the weights, so a checkpoint loads with ``weights_only=True`` and
    without arguments.

    Args:
        net: node of the network.
        loss: node of the loss.
        optimizer: node of the optimizer.
        scheduler: node of the learning-rate scheduler, stepped once per epoch; None for a constant rate.
        encoding: of the formulas, as :meth:`OneHotEncoding.to_dict` gives it.
        xrd: settings of the patterns, as :meth:`XrdSettings.to_dict` gives them.
    """

    def __init__(
        self,
        *,
        net: dict[str, Any],
        loss: dict[str, Any],
        optimizer: dict[str, Any],
        scheduler: dict[str, Any] | None,
        encoding: dict[str, Any],
        xrd: dict[str, Any],
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoding = OneHotEncoding.from_dict(encoding)
        self.xrd = XrdSettings(**xrd)
        self.net = channels_last(build(net, nn.Module, input_shape=self.encoding.shape))
        if self.net.n_points != self.xrd.n_points:
            msg = f"{net['_target_']} gives {self.net.n_points} points, but xrd.n_points is {self.xrd.n_points}"
            raise ConfigError(msg)
        self.loss = build(loss, nn.Module)
        self._optimizer, self._scheduler = optimizer, scheduler
        self.mean_losses = nn.ModuleDict({f"{part}_loss": SampleMean() for part in ("train", "val", "test")})
        self.val_scores = PatternScores(self.xrd.two_theta_deg)
        self.test_scores = PatternScores(self.xrd.two_theta_deg)
        self.test_patterns: list[Tensor] = []
        """Predicted patterns of the last test, batch by batch, on the CPU; for scores per sample and figures."""

    def forward(self, x: Tensor) -> Tensor:
        """Patterns ``(batch, n_points)`` in 0 to 100 from one-hot matrices ``(batch, 1, elements, counts)``.

        Always in float32: scores must not depend on what precision was fastest to train in.
        """
        return to_patterns(self._raw(x))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of a batch."""
        x, true = batch
        loss: Tensor = self.loss(self.net(x), true)
        self._add_loss("train", loss, len(x))
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the mean over all samples."""
        self._log_loss("train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:  # noqa: ARG002
        """Loss and scores."""
        x, true = batch
        raw = self._raw(x)
        self._add_loss("val", self.loss(raw, true), len(x))
        self.val_scores.update(to_patterns(raw), true)

    def on_validation_epoch_end(self) -> None:
        """Log the means over all samples."""
        self._log_loss("val")
        self._log_scores("val", self.val_scores)

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        self.test_patterns.clear()

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:  # noqa: ARG002
        """Loss and scores."""
        x, true = batch
        raw = self._raw(x)
        self._add_loss("test", self.loss(raw, true), len(x))
        patterns = to_patterns(raw)
        self.test_scores.update(patterns, true)
        self.test_patterns.append(patterns.cpu())

    def on_test_epoch_end(self) -> None:
        """Log the means over all samples, and gather the patterns of all processes in the order of the samples."""
        self._log_loss("test")
        self._log_scores("test", self.test_scores)
        if self.trainer.world_size > 1:
            gathered: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(gathered, torch.cat(self.test_patterns))
            self.test_patterns[:] = gathered

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Patterns of a batch."""
        patterns: Tensor = self(batch[0])
        return patterns

    def configure_optimizers(self) -> Any:
        """Optimizer, and the scheduler where there is one."""
        optimizer = build(self._optimizer, torch.optim.Optimizer, params=self.parameters())
        if self._scheduler is None:
            return optimizer
        scheduler = build(self._scheduler, torch.optim.lr_scheduler.LRScheduler, optimizer=optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}

    def _raw(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            raw: Tensor = self.net(x.float())
        return raw

    def _add_loss(self, part: str, loss: Tensor, n: int) -> None:
        cast("SampleMean", self.mean_losses[f"{part}_loss"]).update(loss, n)

    def _log_loss(self, part: str) -> None:
        """Log the mean over all samples; Lightning's own, over several processes, does not count how many each had."""
        mean = cast("SampleMean", self.mean_losses[f"{part}_loss"])
        self.log(f"{part}/loss", mean.compute(), prog_bar=part != "test")
        mean.reset()

    def _log_scores(self, part: str, scores: PatternScores) -> None:
        self.log_dict({f"{part}/{name}": value for name, value in scores.compute().items()})
        scores.reset()
