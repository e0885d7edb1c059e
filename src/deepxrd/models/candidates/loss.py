"""The loss of the networks that weigh candidates."""

from __future__ import annotations

from typing import Protocol

import torch.nn.functional as F  # noqa: N812 - as everywhere
from torch import Tensor, nn

from deepxrd.metrics import pearson_distance
from deepxrd.models.candidates.network import Output

_POINTS_PER_PEAK = 16
"""The summed cross-entropy of a pattern's points is divided by this, about its number of peaks."""
_NO_CANDIDATE = -9.0  # of 0 to 1: a quality that gets no share
_LEAST_LOG = -30.0  # of a share, so that a candidate ruled out costs a finite amount


class Truth(Protocol):
    """What the loss compares with: see `deepxrd.training.candidate_examples.Examples`, patterns in 0 to 1."""

    patterns: Tensor
    peaks: Tensor
    quality: Tensor
    mask: Tensor


class CandidateLoss(nn.Module):
    """1 − Pearson correlation of the pattern, plus cross-entropies of the peaks and of the choice of candidates.

    Args:
        peak_weight: of the density of peaks.
        choice_weight: of the choice of candidates.
        temperature: how much better, in mean F1, a candidate must be to get e times the share of another.
    """

    def __init__(self, *, peak_weight: float = 0.6, choice_weight: float = 0.1, temperature: float = 0.08) -> None:
        super().__init__()
        self.peak_weight, self.choice_weight, self.temperature = peak_weight, choice_weight, temperature

    def forward(self, out: Output, truth: Truth) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            out: of the network.
            truth: of the batch.
        """
        wanted = (truth.quality.masked_fill(~truth.mask, _NO_CANDIDATE) / self.temperature).softmax(-1)
        choice = -(wanted * out.weight.log_softmax(-1).clamp(min=_LEAST_LOG)).sum(-1).mean()
        density = F.binary_cross_entropy_with_logits(out.peaks, truth.peaks, reduction="none").sum(-1).mean()
        pearson = pearson_distance(out.pattern, truth.patterns).mean()
        return pearson + self.peak_weight * density / _POINTS_PER_PEAK + self.choice_weight * choice
