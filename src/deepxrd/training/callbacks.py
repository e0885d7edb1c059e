"""Callbacks that make runs repeatable, and stop those that go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from deepxrd.errors import TrainingDivergedError


class StepSeed(pl.Callback):
    """Seed the random numbers of each step by its number, so that a resumed run draws what an undisturbed one does.

    Seeding each epoch is not enough: what Lightning draws between an epoch's start and its first batch differs after a
    resume.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Seed torch on all devices."""
        torch.manual_seed((self._seed << 32) + trainer.global_step)


class StopOnNaN(pl.Callback):
    """End the run when the loss is no longer a finite number, before a checkpoint is written over a good one.

    Args:
        checkpoint: the last checkpoint, to be named in the error.
        every_n_steps: how often to look; looking waits for the device.
    """

    def __init__(self, checkpoint: Path, *, every_n_steps: int = 20) -> None:
        self._checkpoint, self._every_n_steps = checkpoint, every_n_steps
        self._bad: Tensor | None = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Remember whether any loss was bad, on the device, and look from time to time."""
        bad = ~torch.isfinite(outputs["loss"].detach())
        self._bad = bad if self._bad is None else self._bad | bad
        if (batch_idx + 1) % self._every_n_steps == 0:
            self._look(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Look before the checkpoint of this epoch is written."""
        self._look(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Look before the best checkpoint is chosen."""
        self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        if self._bad is None or not bool(self._bad):
            return
        saved = f"the last good state is {self._checkpoint}" if self._checkpoint.exists() else "no epoch was finished"
        msg = (
            f"the training loss is not a finite number in epoch {trainer.current_epoch}, by step "
            f"{trainer.global_step}; {saved}. A lower optimizer.lr, or trainer.gradient_clip_val=1, may help"
        )
        raise TrainingDivergedError(msg)


class CompileNetwork(pl.Callback):
    """Compile the network before it is trained; ``callbacks=compiled``. Checkpoints stay what they are.

    Args:
        mode: of :func:`torch.compile`: ``default``, or on a GPU ``reduce-overhead`` (CUDA graphs) or ``max-autotune``.
        backend: of :func:`torch.compile`; ``inductor`` needs a C++ compiler.
    """

    def __init__(self, mode: str = "default", backend: str = "inductor") -> None:
        self._settings = {"backend": backend} if backend != "inductor" else {"mode": mode}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: ARG002
        """Compile in place, so that the names of the weights do not change."""
        if stage == "fit":
            pl_module.net.compile(**self._settings)  # type: ignore[union-attr]


class MeanOfWeights(WeightAveraging):
    """Validate and keep the running mean of the weights instead of the last; ``callbacks=mean_of_weights``.

    Args:
        decay: share that the mean keeps in each step, once warm.
        warm_up_steps: after n steps the share is at most n / (n + this), so that the first weights are soon forgotten.
    """

    def __init__(self, decay: float = 0.998, warm_up_steps: int = 20) -> None:
        def step(mean: Tensor, new: Tensor, n_averaged: Tensor | int) -> Tensor:
            n = float(n_averaged)
            return mean.lerp(new, 1 - min(decay, n / (n + warm_up_steps)))

        super().__init__(use_buffers=False, avg_fn=step)


class RunFacts(pl.Callback):
    """Write the configuration and the data's hash into each checkpoint.

    Args:
        facts: plain values.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self._facts = facts

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Add the facts under the key ``deepxrd``."""
        checkpoint["deepxrd"] = self._facts
