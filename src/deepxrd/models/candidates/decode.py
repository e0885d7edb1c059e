"""From the density of peaks to peaks: those that promise the highest F1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.metrics.peaks import TOLERANCES_DEG
from deepxrd.xrd import MERGE_WITHIN_DEG, Peaks, XrdSettings

_APART_DEG = MERGE_WITHIN_DEG + 0.05
_MOST_PEAKS = 60
_INNER = 0.8  # of the tolerance: what lies at its very edge is often missed (chosen on a validation part)
_SURE_WITHIN_DEG = 1.0
_LEAST_DRAWN = 12.0  # of 100: over the threshold of `find_peaks`, so that all chosen peaks are found in the drawing
_WIDEST_DEG = 0.8  # a peak of 12 a little over 2° beside one of 100 still stands out


def decode(
    density: NDArray[np.float64], heights: NDArray[np.float32], xrd: XrdSettings
) -> tuple[Peaks, NDArray[np.float64], NDArray[np.float64]]:
    """Choose peaks one by one, the most useful first, and keep as many as promise the highest F1.

    A peak at a point is a hit within a tolerance with probability p = min(1, Σ density there); its use is the mean of p
    over the tolerances. One true peak is hit once: what a chosen peak has won, p, is taken from the density around it
    before the next is chosen, for each tolerance apart. With the first n peaks the expected F1 is about
    2 Σ use / (n + Σ density).

    Args:
        density: expected number of peaks at each point, ``(n, n_points)``.
        heights: pattern that gives the intensities, ``(n, n_points)``, largest = 100.
        xrd: the grid.

    Returns:
        The peaks, at least 2° apart, each with the intensity of the pattern there, however low; the probability of each
        that a true one is within 1°, ``(n, width)``, 0 where there is padding; and the expected F1, ``(n,)``.
    """
    n, n_points = density.shape
    most, each = min(_MOST_PEAKS, n_points), np.arange(n)
    gain, sure, chosen = np.zeros((n, most)), np.zeros((n, most)), np.zeros((n, most), dtype=np.int64)
    left = {tolerance: density.copy() for tolerance in TOLERANCES_DEG}
    free, apart = np.ones(density.shape, dtype=bool), int(np.ceil(_APART_DEG / xrd.step))
    for rank in range(most):
        hit = {tolerance: _within(left[tolerance], tolerance, xrd.step) for tolerance in TOLERANCES_DEG}
        useful = np.where(free, np.mean(list(hit.values()), axis=0), -1.0)
        best = chosen[:, rank] = useful.argmax(axis=1)
        gain[:, rank], sure[:, rank] = useful[each, best], hit[_SURE_WITHIN_DEG][each, best]
        away = np.abs(np.arange(n_points)[None] - best[:, None])
        free &= away >= apart
        for tolerance in TOLERANCES_DEG:
            around = away <= _reach(tolerance, xrd.step)
            total = (left[tolerance] * around).sum(axis=1)
            won = hit[tolerance][each, best] / np.where(total > 0, total, 1.0)
            left[tolerance] *= np.where(around, 1 - np.minimum(won, 1.0)[:, None], 1.0)
    # once no place is left, the gain is −1, so that fewer peaks are always better
    f1 = 2 * np.cumsum(gain, axis=1) / (np.arange(1, most + 1)[None] + density.sum(axis=1)[:, None])
    keep = np.arange(most)[None] <= f1.argmax(axis=1)[:, None]
    rows, points = np.nonzero(keep)[0], chosen[keep]
    angle = xrd.two_theta_deg[points]
    peaks = Peaks.from_flat(rows, angle, heights[rows, points].astype(np.float64), n)
    return peaks, Peaks.from_flat(rows, angle, sure[keep], n).intensity, f1.max(axis=1, initial=0.0)


def draw(peaks: Peaks, xrd: XrdSettings) -> NDArray[np.float32]:
    """A drawing of these peaks and no others, ``(n, n_points)``, largest = 100.

    It says where peaks are, not how high: each is drawn at least 12 high, so that whoever looks for peaks of 10 or more
    finds them all. At each point it is the highest of the Gaussians and not their sum, so that no peak moves another.
    """
    sigma, out = min(xrd.sigma_deg, _WIDEST_DEG), np.zeros((len(peaks.count), xrd.n_points))
    drawn = np.where(peaks.valid, np.maximum(peaks.intensity, _LEAST_DRAWN), 0.0)
    for column in range(drawn.shape[1]):
        away = (xrd.two_theta_deg[None] - peaks.two_theta_deg[:, column, None]) / sigma
        np.maximum(out, drawn[:, column, None] * np.exp(-0.5 * away**2), out=out)
    largest = out.max(axis=1, keepdims=True)
    return (out * (100 / np.where(largest > 0, largest, 1.0))).astype(np.float32)


def _within(density: NDArray[np.float64], tolerance_deg: float, step_deg: float) -> NDArray[np.float64]:
    """Probability of a peak within the tolerance of each point: the sum of the density there, at most 1."""
    reach = _reach(tolerance_deg, step_deg)
    total = np.cumsum(np.pad(density, ((0, 0), (reach + 1, reach))), axis=1)
    return np.clip(total[:, 2 * reach + 1 :] - total[:, : -2 * reach - 1], 0.0, 1.0)


def _reach(tolerance_deg: float, step_deg: float) -> int:
    """Points to either side that count as within the tolerance."""
    return int(np.rint(_INNER * tolerance_deg / step_deg))
