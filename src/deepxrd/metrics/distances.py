"""Distances between two patterns, per pattern, over the last axis (Dong et al. 2022, section 2.4).

All take ``(..., n_points)`` twice and return ``(...,)`` in float32 or wider, whatever the input's precision.
Intensities are on the scale 0 to 100. In the formulas s is the true pattern, t the predicted one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepxrd.xrd import THRESHOLD

_EPS = 1e-12
_RWP_FLOOR = THRESHOLD


def cosine_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """1 − s·t / (|s| |t|), 0 to 2; 1 where a pattern is zero.

    Args:
        predicted: ``(..., n_points)``.
        true: the same shape.

    Returns:
        ``(...,)`` in float32 or wider, whatever the input's precision.
    """
    predicted, true = at_least_float32(predicted), at_least_float32(true)
    dot = (predicted * true).sum(dim=-1)
    norms_squared = predicted.square().sum(dim=-1) * true.square().sum(dim=-1)
    # A zero pattern is masked before the root: the gradient of a norm at zero is not a number.
    zero = norms_squared <= _EPS  # and not its opposite, which would take what is not a number for zero
    return 1 - torch.where(zero, 0.0, dot / torch.where(zero, 1.0, norms_squared).sqrt())


def pearson_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """1 − the correlation of two patterns, 0 to 2; 1 where a pattern is constant. Shapes as :func:`cosine_distance`."""
    predicted, true = at_least_float32(predicted), at_least_float32(true)
    return cosine_distance(predicted - predicted.mean(dim=-1, keepdim=True), true - true.mean(dim=-1, keepdim=True))


def mean_squared_error(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean (s − t)² along the pattern. Shapes as :func:`cosine_distance`."""
    return (at_least_float32(predicted) - at_least_float32(true)).square().mean(dim=-1)


def mean_squared_log_error(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean (log(s + 1) − log(t + 1))² along the pattern. Shapes as :func:`cosine_distance`.

    The paper does not say what becomes of negative values, which have no such logarithm from −1 on. They are read as
    −log(1 − t): the odd continuation, smooth at zero, so that a network's negative values cost more than zero and are
    pulled up.
    """
    return (_signed_log(at_least_float32(predicted)) - _signed_log(at_least_float32(true))).square().mean(dim=-1)


def jensen_shannon_divergence(predicted: Tensor, true: Tensor) -> Tensor:
    """½ Σ s log(2s / (s + t)) + ½ Σ t log(2t / (s + t)), 0 to log 2 = 0.693. Shapes as :func:`cosine_distance`.

    Patterns are first made distributions: negative values count as zero, then the sum is scaled to 1; a pattern without
    intensity is spread evenly.
    """
    t, s = _distribution(predicted), _distribution(true)
    # The small term keeps the slope of t log t finite at zero; on the value it has no effect (1e-9).
    log_mean = ((s + t) / 2 + _EPS).log()
    return 0.5 * (s * ((s + _EPS).log() - log_mean) + t * ((t + _EPS).log() - log_mean)).sum(dim=-1)


def jensen_shannon_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """Root of :func:`jensen_shannon_divergence`, 0 to 0.833, as `scipy.spatial.distance.jensenshannon` has it.

    The JSD of Table 2 goes up to 0.811, which no divergence in natural units does, but this distance can.
    """
    return jensen_shannon_divergence(predicted, true).clamp_min(0).sqrt()


def wasserstein_distance(predicted: Tensor, true: Tensor, axis: Tensor) -> Tensor:
    """1-D Wasserstein distance ∫ |S − T| dx of the cumulative sums S and T: how far intensity must travel on average.

    Patterns become distributions as in :func:`jensen_shannon_divergence`.

    Args:
        predicted: ``(..., n_points)``.
        true: the same shape.
        axis: where the points are, ``(n_points,)``, ascending, even or not; its unit is the distance's.
    """
    difference = (_distribution(predicted) - _distribution(true)).cumsum(dim=-1)
    return (difference[..., :-1].abs() * axis.to(difference).diff()).sum(dim=-1)


def weighted_profile_r(predicted: Tensor, true: Tensor) -> Tensor:
    """Rwp = √(Σ w (s − t)² / Σ w s²) with w = 1 / max(s, 10); 0 for equal patterns, 1 for an empty prediction.

    As in Rietveld refinement (Toby 2006, doi 10.1154/1.2179804), where w = 1/σ² and counting gives σ² = s. A simulated
    pattern has no background, which would weigh a wrong peak there without limit, so s is kept from falling below the
    paper's limit of noise, 10 of 100. No scale is fitted: both patterns have their largest value at 100. Where the true
    pattern is zero, 1, or 0 if both are. Shapes as :func:`cosine_distance`.
    """
    predicted, true = at_least_float32(predicted), at_least_float32(true)
    weight = 1 / true.clamp_min(_RWP_FLOOR)
    residual, whole = ((weight * x.square()).sum(dim=-1) for x in (true - predicted, true))
    zero, same = whole <= _EPS, residual <= _EPS
    ratio = residual / torch.where(zero, 1.0, whole)
    # an empty true pattern gives 1, and 0 where both are empty; what is not a number stays so
    return torch.where(zero & residual.isfinite(), (~same).to(whole), ratio).sqrt()


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine_distance": cosine_distance,
    "pearson_distance": pearson_distance,
    "mse": mean_squared_error,
}
"""What is scored after every epoch."""

MORE_DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "msle": mean_squared_log_error,
    "jsd": jensen_shannon_divergence,
    "js_distance": jensen_shannon_distance,
    "rwp": weighted_profile_r,
}
"""What is scored besides at the end."""


def all_distances(
    predicted: NDArray[np.floating], true: NDArray[np.floating], two_theta_deg: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Every distance but DTW (see `deepxrd.metrics.dtw`), in double precision.

    Args:
        predicted: ``(n, n_points)``, largest = 100.
        true: the same shape.
        two_theta_deg: the grid, ``(n_points,)``.

    Returns:
        Arrays ``(n,)`` by name: those of `DISTANCES` and `MORE_DISTANCES`, and ``wasserstein_deg``.
    """
    a, b = as_double(predicted), as_double(true)
    scores = {name: distance(a, b).numpy() for name, distance in (DISTANCES | MORE_DISTANCES).items()}
    return scores | {"wasserstein_deg": wasserstein_distance(a, b, as_double(two_theta_deg)).numpy()}


def as_double(values: NDArray[np.floating]) -> Tensor:
    """The same values as a float64 tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def _distribution(patterns: Tensor) -> Tensor:
    """Non-negative values with sum 1; even where there is no intensity."""
    patterns = at_least_float32(patterns).clamp_min(0)
    total = patterns.sum(dim=-1, keepdim=True)
    empty = total <= _EPS
    return torch.where(empty, 1 / patterns.shape[-1], patterns / torch.where(empty, 1.0, total))


def _signed_log(x: Tensor) -> Tensor:
    """sign(x) log(1 + |x|), with slope 1 at zero, where the sign function has none."""
    return torch.where(x >= 0, x.clamp_min(0).log1p(), -(-x).clamp_min(0).log1p())


def at_least_float32(x: Tensor) -> Tensor:
    """The same values in float32 or wider: sums over a thousand points lose too much in half precision."""
    return x if x.dtype == torch.float64 else x.float()
