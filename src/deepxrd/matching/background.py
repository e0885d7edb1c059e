"""The slowly varying part of a measured pattern."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

PEAK_HALF_WIDTH_DEG = 1.0
"""From the middle of the widest peak to its foot; what varies more slowly is background, such as the hump of glass."""
_CALM_SIGMA_DEG, _COARSE_STEP_DEG = 0.15, 0.1
_HUMP_SIGMA_DEG, _LIFTS = 2.0, 3
_CLIPPED = 1.3
"""Standard deviations of the smoothed noise that SNIP runs below a flat background, as 48 flat scans of counts gave."""


def background_of(
    two_theta_deg: NDArray[np.float64],
    counts: NDArray[np.float64],
    *,
    variance_per_count: float = 0.0,
    closeness: float = 1.0,
) -> NDArray[np.float64]:
    """Background of a stretch without gaps, ``(n,)``.

    Found on a smoothed pattern, since it would follow the low points of the noise, and at coarse steps, since each of
    SNIP's passes lowers a broad hump a little, and fine steps mean many passes.

    Args:
        two_theta_deg: ascending, ``(n,)``.
        counts: ``(n,)``.
        variance_per_count: variance of a point's noise over its counts: 1 of counts as they are.
        closeness: of lines and humps, 1 for Cu Kα: all lengths in degrees are times this.
    """
    calm_sigma, coarse_step = closeness * _CALM_SIGMA_DEG, closeness * _COARSE_STEP_DEG
    span = float(two_theta_deg[-1] - two_theta_deg[0])
    if span < 2 * coarse_step:
        return np.full(len(counts), float(counts.min(initial=np.inf)))
    even = np.linspace(two_theta_deg[0], two_theta_deg[-1], len(two_theta_deg))
    step = span / (len(even) - 1)
    calm = gaussian_filter1d(np.interp(even, two_theta_deg, counts), calm_sigma / step, mode="nearest")
    coarse = np.linspace(even[0], even[-1], max(2, round(span / coarse_step) + 1))
    width = round(PEAK_HALF_WIDTH_DEG / _COARSE_STEP_DEG)
    level = lifted(snip(np.interp(coarse, even, calm), half_width=width), half_width=width)
    noise = np.sqrt(variance_per_count * np.maximum(level, 0.0) * step / (2 * np.sqrt(np.pi) * calm_sigma))
    return np.asarray(np.interp(two_theta_deg, coarse, level + _CLIPPED * noise))


def lifted(background: NDArray[np.float64], *, half_width: int) -> NDArray[np.float64]:
    """A background by `snip` with its broad humps back at their height.

    Each of SNIP's passes lowers what is curved down by half the curvature times the square of its reach, all of them by
    that times the sum of squares. What is narrower than some degrees is left out, since there lines may be.
    """
    lost = 0.5 * sum(reach**2 for reach in range(1, half_width + 1))
    before = _flattened(background)
    level = before
    for _ in range(_LIFTS):
        calm = gaussian_filter1d(level, _HUMP_SIGMA_DEG / _COARSE_STEP_DEG, mode="nearest")
        level = before + lost * np.maximum(-np.gradient(np.gradient(calm)), 0.0)
    return np.maximum(_unflattened(level), background)


def snip(intensity: NDArray[np.float64], *, half_width: int) -> NDArray[np.float64]:
    """Background by SNIP: each point is lowered to the mean of two neighbours, ever nearer ones.

    Statistics-sensitive non-linear iterative peak clipping (Ryan et al. 1988), on the double logarithm of the square
    root of counts, with windows that shrink (Morháč et al. 1997), which leaves no steps at peaks.

    Args:
        intensity: counts at even steps, ``(n,)``; below zero counts as zero.
        half_width: points from the middle of the widest peak to its foot.

    Returns:
        ``(n,)``, at most ``intensity`` wherever that is positive.
    """
    level = _flattened(intensity)
    n = len(level)
    for reach in range(min(half_width, (n - 1) // 2), 0, -1):
        middle = slice(reach, n - reach)
        level[middle] = np.minimum(level[middle], (level[: n - 2 * reach] + level[2 * reach :]) / 2)
    return _unflattened(level)


def _flattened(intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    """The double logarithm of the square root, in which high peaks are little higher than low ones."""
    return np.log1p(np.log1p(np.sqrt(np.maximum(intensity, 0.0) + 1.0)))


def _unflattened(level: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.expm1(np.expm1(level)) ** 2 - 1.0)
