"""Losses: a distance per pattern, averaged over the batch.

What a network puts out is unbounded and may be negative, and a value that a loss merely cut off at zero would have no
slope and stay there; nor would it be harmless, since a pattern is made of the output by taking off its least value
(`deepxrd.models.to_patterns`). So Pearson, cosine and MSE take negative values as they are, MSLE takes −log(1 − t) of
them, and JSD and Wasserstein, which compare distributions, count them as zero and add half of their share, see
:func:`negative_share`. All are computed in float32 or wider.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from deepxrd.config.instantiate import build
from deepxrd.errors import ConfigError
from deepxrd.metrics import cosine_distance, mean_squared_error, pearson_distance
from deepxrd.metrics.distances import (
    at_least_float32,
    jensen_shannon_divergence,
    mean_squared_log_error,
    wasserstein_distance,
)

_NEGATIVE_COST = 0.5
"""What JSD and Wasserstein add where an output is wholly negative, since they cannot see how negative it is."""
_EPS = 1e-12
"""Least sum of an output to divide by: an output of zeros has no negative share."""
_PEARSON = {"_target_": "deepxrd.losses.PearsonLoss"}


class PatternLoss(nn.Module):
    """Mean over the batch of a distance of each pattern; autocast is off in it."""

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Loss of a batch of patterns ``(batch, n_points)``, a scalar."""
        with torch.autocast(predicted.device.type, enabled=False):
            return self.distance(predicted, true).mean()

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Distance of each pattern, ``(batch,)`` from ``(batch, n_points)`` twice."""
        raise NotImplementedError


class PearsonLoss(PatternLoss):
    """Mean of 1 − Pearson correlation of each pattern, the paper's choice; blind to a pattern's scale and offset."""

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """See :func:`deepxrd.metrics.pearson_distance`."""
        return pearson_distance(predicted, true)


class CosineLoss(PatternLoss):
    """Mean of 1 − cosine of each pattern; blind to a pattern's scale."""

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """See :func:`deepxrd.metrics.cosine_distance`."""
        return cosine_distance(predicted, true)


class MSELoss(PatternLoss):
    """Mean squared error of patterns in units of intensity (0 to 100)."""

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """See :func:`deepxrd.metrics.mean_squared_error`."""
        return mean_squared_error(predicted, true)


class MSLELoss(PatternLoss):
    """Mean squared error of log(1 + intensity): weak peaks count nearly as much as strong ones."""

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """See :func:`deepxrd.metrics.distances.mean_squared_log_error`."""
        return mean_squared_log_error(predicted, true)


class JSDLoss(PatternLoss):
    """Mean Jensen–Shannon divergence of patterns as distributions, + ½ the negative share; blind to scale."""

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """See :func:`deepxrd.metrics.distances.jensen_shannon_divergence`."""
        return jensen_shannon_divergence(predicted, true) + _NEGATIVE_COST * negative_share(predicted)


class WassersteinLoss(PatternLoss):
    """Mean 1-D Wasserstein distance of patterns as distributions, by cumulative sums; + ½ the negative share.

    Blind to scale. In shares of the axis's length, 0 to 1: times 180° in the paper's setting. It grows with the
    distance of a shift, and so forgives small ones.
    """

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """See :func:`deepxrd.metrics.distances.wasserstein_distance`."""
        points = torch.arange(predicted.shape[-1], device=predicted.device)
        distance = wasserstein_distance(predicted, true, points) / (len(points) - 1)
        return distance + _NEGATIVE_COST * negative_share(predicted)


class MultiscaleLoss(PatternLoss):
    """Weighted mean of a loss after Gaussian blurs of decreasing width, from coarse to fine.

    The coarse blurs forgive shifts smaller than their width and still have a slope towards the true place where the
    fine patterns do not overlap. At the ends of the axis a blur is the mean over the points that there are, so a
    constant stays constant.

    Args:
        n_points: points of a pattern.
        two_theta_min_deg: first point of the grid.
        two_theta_max_deg: last point of the grid. Widths are turned into points by the grid's mean step.
        sigmas_deg: standard deviations of the blurs, degrees, decreasing; 0 is none.
        weights: weight of each blur; None for equal ones. They are scaled to sum 1.
        base: the loss at each width, or its node.
    """

    kernels: Tensor
    shares: Tensor

    def __init__(
        self,
        *,
        n_points: int = 1024,
        two_theta_min_deg: float = 0.0,
        two_theta_max_deg: float = 180.0,
        sigmas_deg: Sequence[float] = (4.0, 2.0, 1.0, 0.0),
        weights: Sequence[float] | None = None,
        base: PatternLoss | Mapping[str, Any] = _PEARSON,
    ) -> None:
        super().__init__()
        shares = torch.tensor([1.0] * len(sigmas_deg) if weights is None else list(weights))
        _check_scales(list(sigmas_deg), shares.tolist())
        self.base = base if isinstance(base, PatternLoss) else build(base, PatternLoss)
        step = (two_theta_max_deg - two_theta_min_deg) / (n_points - 1)
        # Buffers move with the model, but follow from the settings and so are not stored with its weights.
        kernels = torch.stack([_blur_matrix(n_points, sigma / step) for sigma in sigmas_deg])
        self.register_buffer("kernels", kernels, persistent=False)
        self.register_buffer("shares", shares / shares.sum(), persistent=False)

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Weighted mean over the widths of the base's distance of each pattern."""
        if predicted.shape[-1] != self.kernels.shape[-1]:
            msg = f"the multiscale loss was made for {self.kernels.shape[-1]} points, not {predicted.shape[-1]}"
            raise ConfigError(msg)
        # a dimension of scales comes first; distances are over the last one
        blurred = [at_least_float32(x) @ self.kernels.to(at_least_float32(x).dtype) for x in (predicted, true)]
        at_each_scale = self.base.distance(*blurred)
        return (self.shares[:, None].to(at_each_scale) * at_each_scale).sum(dim=0)


def negative_share(raw: Tensor) -> Tensor:
    """Share of an output that is negative, Σ max(−t, 0) / Σ |t|: ``(...,)`` from ``(..., n_points)``, 0 to 1.

    It pulls negative values up to zero, whence the distances of distributions take them on. The sum below is held
    constant in the slope: else there would be none where all values are negative.
    """
    raw = at_least_float32(raw)
    whole = raw.abs().sum(dim=-1).detach()
    return (-raw).clamp_min(0).sum(dim=-1) / torch.where(whole > _EPS, whole, 1.0)


def _check_scales(sigmas_deg: Sequence[float], weights: Sequence[float]) -> None:
    if not sigmas_deg or min(sigmas_deg) < 0 or any(a <= b for a, b in itertools.pairwise(sigmas_deg)):
        msg = f"the widths of blurs must decrease and none be negative, not {sigmas_deg}"
        raise ConfigError(msg)
    if len(weights) != len(sigmas_deg) or min(weights) < 0 or not sum(weights) > 0:
        msg = f"{len(sigmas_deg)} blurs need as many weights, none of them negative, not {weights}"
        raise ConfigError(msg)


def _blur_matrix(n_points: int, sigma: float) -> Tensor:
    """What patterns ``(..., n_points)`` are multiplied with to be blurred by ``sigma`` points: float32, square."""
    if sigma == 0:
        return torch.eye(n_points)
    point = torch.arange(n_points, dtype=torch.float64)
    weight = torch.exp(-0.5 * ((point[:, None] - point[None]) / sigma).square())
    return (weight / weight.sum(dim=0, keepdim=True)).float()
