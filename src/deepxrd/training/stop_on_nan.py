"""Stop a training whose numbers are no longer finite, before a checkpoint is written over a good one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from deepxrd.errors import TrainingDivergedError

_LOSS, _GRADIENT = "the training loss", "a gradient"
_EVERY_N_STEPS = 20


class StopOnNaN(pl.Callback):
    """End the run when a loss, a gradient or a weight is no longer a finite number.

    The losses of each step and the gradients are looked at together, from time to time, since looking waits for the
    device; the weights and the validation losses once an epoch, before any checkpoint is written.

    Args:
        checkpoint: the last checkpoint, to be named in the error.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint
        self._bad: dict[str, Tensor] = {}

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Remember whether any gradient was bad; but where a scaler skips such steps by itself."""
        del optimizer
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            return
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        if gradients:
            norms = torch._foreach_norm(gradients)  # noqa: SLF001 - what torch.nn.utils.clip_grad_norm_ does
            self._remember(_GRADIENT, torch.stack([norm.float() for norm in norms]).sum())

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Remember whether any loss was bad, on the device, and look from time to time."""
        self._remember(_LOSS, outputs["loss"].detach())
        if (batch_idx + 1) % _EVERY_N_STEPS == 0:
            self._look(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look before the best checkpoint is chosen."""
        self._look(trainer)
        if any(not bool(torch.isfinite(v).all()) for v in pl_module.state_dict().values() if v.is_floating_point()):
            self._stop(trainer, "a weight of the network")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Look at what was logged; Lightning counts a value that is no number as the worst, and would keep it."""
        for name, value in trainer.callback_metrics.items():
            if name.startswith("val/") and not bool(torch.isfinite(value).all()):
                self._stop(trainer, f"{name}, of the validation,")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Look before the checkpoint of this epoch is written."""
        self._look(trainer)

    def _remember(self, what: str, value: Tensor) -> None:
        bad = ~torch.isfinite(value)
        self._bad[what] = self._bad[what] | bad if what in self._bad else bad

    def _look(self, trainer: pl.Trainer) -> None:
        for what in (_LOSS, _GRADIENT):
            if what in self._bad and bool(self._bad[what]):
                self._stop(trainer, what)

    def _stop(self, trainer: pl.Trainer, what: str) -> None:
        saved = f"the last good state is {self._checkpoint}" if self._checkpoint.exists() else "no epoch was finished"
        msg = (
            f"{what} is not a finite number in epoch {trainer.current_epoch}, by step "
            f"{trainer.global_step}; {saved}. A lower optimizer.lr, or trainer.gradient_clip_val=1, may help"
        )
        raise TrainingDivergedError(msg)
