"""From predicted peaks to aligned ones, and from peaks back to patterns (Dong et al. 2022, section 2.5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.xrd.peaks import Peaks

ALIGN_WITHIN_DEG = 2.0
"""How far a predicted peak may be moved."""


def align_peaks(predicted: Peaks, true: Peaks, *, within_deg: float = ALIGN_WITHIN_DEG) -> Peaks:
    """Move predicted peaks onto the true ones whose counterparts they are.

    "For a true peak, of all predicted peaks within 2° take the largest as its counterpart and move it there."

    Reading, where two true peaks want one predicted peak: each peak has one counterpart at most. True peaks choose from
    the strongest to the weakest (of equals, the one at the lower angle first), each among the peaks not yet taken,
    where these were before anything moved. Of equally large ones a true peak takes the nearest, then the one at the
    lower angle. Peaks that nobody takes stay where they are; heights never change.

    Args:
        predicted: peaks of n predicted patterns.
        true: peaks of as many true patterns.
        within_deg: how far a peak may be moved.

    Returns:
        As many peaks as ``predicted``, again in order of angle.
    """
    position = predicted.two_theta_deg.copy()
    free = predicted.valid
    strength = np.where(true.valid, true.intensity, -np.inf)
    order = np.argsort(-strength, axis=1, kind="stable")
    for rank in range(true.two_theta_deg.shape[1] if position.shape[1] else 0):
        rows = np.flatnonzero(true.count > rank)
        target = true.two_theta_deg[rows, order[rows, rank]]
        gap = np.abs(predicted.two_theta_deg[rows] - target[:, None])
        candidate = free[rows] & (gap <= within_deg)
        height = np.where(candidate, predicted.intensity[rows], -np.inf)
        largest = candidate & (height == height.max(axis=1, keepdims=True))
        chosen = np.where(largest, gap, np.inf).argmin(axis=1)
        found = candidate.any(axis=1)
        moved = rows[found], chosen[found]
        position[moved], free[moved] = target[found], False
    sample, _ = np.nonzero(predicted.valid)
    return Peaks.from_flat(sample, position[predicted.valid], predicted.intensity[predicted.valid], len(position))


def stick_patterns(peaks: Peaks, two_theta_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Patterns that are zero but for each peak's height at the grid point nearest to it.

    Reading of the paper's "peaks": a peak is one point. Midway between two points it takes the lower one; of peaks at
    one point the highest stays; peaks outside the grid are left out.

    Args:
        peaks: of n patterns.
        two_theta_deg: the grid, ``(n_points,)``, ascending.

    Returns:
        ``(n, n_points)`` float64.
    """
    patterns = np.zeros((len(peaks.count), len(two_theta_deg)))
    on_grid = (peaks.two_theta_deg >= two_theta_deg[0]) & (peaks.two_theta_deg <= two_theta_deg[-1])
    inside = peaks.valid & on_grid
    rows, _ = np.nonzero(inside)
    midpoints = (two_theta_deg[1:] + two_theta_deg[:-1]) / 2
    points = np.searchsorted(midpoints, peaks.two_theta_deg[inside], side="left")
    np.maximum.at(patterns, (rows, points), peaks.intensity[inside])
    return patterns
