"""Means over batches and processes, as torchmetrics classes.

Not among what `deepxrd.metrics` exports: importing torchmetrics takes a second, which who predicts need not wait for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torchmetrics
from numpy.typing import NDArray
from torch import Tensor

from deepxrd.errors import ConfigError
from deepxrd.metrics.distances import DISTANCES
from deepxrd.metrics.own import Metric, own_scores
from deepxrd.metrics.peaks import TOLERANCES_DEG
from deepxrd.metrics.scores import score_patterns


class PatternScores(torchmetrics.Metric):
    """Means over samples of the cheap scores: sums and a count, so that the size of a batch does not matter.

    Args:
        two_theta_deg: the grid, ``(n_points,)``.
        own: further scores by name.

    Raises:
        ConfigError: one of them has the name of another score.
    """

    full_state_update = False
    names: tuple[str, ...] = (
        *DISTANCES,
        "peak_recall_any",
        *(f"peak_{score}_{t:g}deg" for t in TOLERANCES_DEG for score in ("precision", "recall", "f1")),
    )
    sums: Tensor
    count: Tensor

    def __init__(self, two_theta_deg: NDArray[np.float64], own: Mapping[str, Metric] | None = None) -> None:
        super().__init__()
        self._two_theta_deg, self._own = two_theta_deg, own or {}
        if taken := sorted({"loss", *self.names} & set(self._own)):
            msg = f"metrics.{taken[0]}: every run has a score of this name already; give yours another"
            raise ConfigError(msg)
        self.names = (*self.names, *self._own)
        # float32, since some accelerators have no float64; per-sample scores are written in full precision
        self.add_state("sums", torch.zeros(len(self.names)), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Add a batch ``(batch, n_points)``."""
        of = predicted.float().cpu().numpy(), true.float().cpu().numpy(), self._two_theta_deg
        scores = score_patterns(*of) | own_scores(self._own, *of)
        self.sums += torch.tensor([scores[name].sum() for name in self.names]).to(self.sums)
        self.count += len(true)

    def compute(self) -> dict[str, Tensor]:
        """Mean of each score."""
        return dict(zip(self.names, self.sums / self.count, strict=True))


class SampleMean(torchmetrics.Metric):
    """Mean over samples of what is known as a mean over batches.

    torchmetrics' own looks for NaN on the host in every step, and where it is told not to it forgets the weights.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, mean: Tensor, n: int) -> None:
        """Add the mean of a batch of n samples."""
        self.total += mean.detach() * n
        self.count += n

    def compute(self) -> Tensor:
        """Mean over all samples."""
        return self.total / self.count
