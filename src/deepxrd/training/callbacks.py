"""Callbacks that make runs repeatable."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


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
