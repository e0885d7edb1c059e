"""Peaks of patterns, for many patterns at once: local maxima over a threshold, near ones merged.

Peaks of a batch are held in padded arrays: row i has ``count[i]`` peaks in order of angle, then padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 10.0
"""Intensities under this, of 100, are noise (Dong et al. 2022, section 2.5)."""
MERGE_WITHIN_DEG = 2.0
"""Peaks closer than this become one."""


@dataclass(frozen=True, eq=False)
class Peaks:
    """Peaks of n patterns.

    Attributes:
        two_theta_deg: ``(n, width)`` float64, ascending along a row; infinity after the last peak.
        intensity: ``(n, width)`` float64; zero after the last peak.
        count: ``(n,)`` int64, peaks of each pattern.
    """

    two_theta_deg: NDArray[np.float64]
    intensity: NDArray[np.float64]
    count: NDArray[np.int64]

    def of(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions and intensities of one pattern's peaks, without padding."""
        n = int(self.count[row])
        return self.two_theta_deg[row, :n], self.intensity[row, :n]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where there are peaks and no padding, ``(n, width)``."""
        return np.arange(self.two_theta_deg.shape[1])[None] < self.count[:, None]

    def repeat(self, times: int) -> Peaks:
        """Each pattern's peaks so many times, one after the other."""
        return Peaks(
            np.repeat(self.two_theta_deg, times, axis=0),
            np.repeat(self.intensity, times, axis=0),
            np.repeat(self.count, times),
        )

    @classmethod
    def from_flat(
        cls,
        rows: NDArray[np.int64],
        two_theta_deg: NDArray[np.float64],
        intensity: NDArray[np.float64],
        n_rows: int,
    ) -> Peaks:
        """Peaks of ``n_rows`` patterns from a list of all their peaks, in any order.

        Args:
            rows: the pattern of each peak, ``(n_peaks,)``.
            two_theta_deg: its position, ``(n_peaks,)``.
            intensity: its height, ``(n_peaks,)``.
            n_rows: how many patterns there are.
        """
        # of peaks at one place the highest comes first, so that the order of the list does not matter
        order = np.lexsort((-intensity, two_theta_deg, rows))
        return _pad(rows[order], two_theta_deg[order], intensity[order], n_rows)

    @classmethod
    def join(cls, parts: Sequence[Peaks]) -> Peaks:
        """The peaks of several sets of patterns, at least one, as those of one."""
        width = max(part.two_theta_deg.shape[1] for part in parts)

        def wide(values: NDArray[np.float64], fill: float) -> NDArray[np.float64]:
            return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)

        return cls(
            np.concatenate([wide(part.two_theta_deg, np.inf) for part in parts]),
            np.concatenate([wide(part.intensity, 0.0) for part in parts]),
            np.concatenate([part.count for part in parts]),
        )


def find_peaks(
    patterns: NDArray[np.floating],
    two_theta_deg: NDArray[np.float64],
    *,
    threshold: float = THRESHOLD,
    merge_within_deg: float = MERGE_WITHIN_DEG,
) -> Peaks:
    """Local maxima of at least ``threshold``, then merged (Dong et al. 2022, section 2.5).

    A flat top counts once, at its left end; an end of the grid counts if it is higher than its only neighbour.

    Args:
        patterns: ``(n, n_points)``, largest = 100.
        two_theta_deg: the grid, ``(n_points,)``.
        threshold: the least intensity of a peak.
        merge_within_deg: peaks closer than this are merged; zero merges none.

    Returns:
        The peaks of each pattern.
    """
    rows, points = np.nonzero(_local_maxima(patterns) & (patterns >= threshold))
    peaks = _pad(rows, two_theta_deg[points], patterns[rows, points].astype(np.float64), len(patterns))
    return merge_peaks(peaks, within_deg=merge_within_deg) if merge_within_deg > 0 else peaks


def merge_peaks(peaks: Peaks, *, within_deg: float = MERGE_WITHIN_DEG) -> Peaks:
    """Make one peak of each run of peaks in which neighbours are closer than ``within_deg``.

    The merged peak stands in the middle between the run's first and last peak, and is as high as the highest. Merging
    twice changes nothing, since middles of two runs are no closer than the runs.
    """
    valid = peaks.valid
    if not valid.any():
        return peaks
    rows, _ = np.nonzero(valid)
    position, height = peaks.two_theta_deg[valid], peaks.intensity[valid]
    starts = np.flatnonzero(np.r_[True, (np.diff(position) >= within_deg) | (np.diff(rows) > 0)])
    ends = np.r_[starts[1:], len(position)] - 1
    middle = (position[starts] + position[ends]) / 2
    return _pad(rows[starts], middle, np.maximum.reduceat(height, starts), len(peaks.count))


def _local_maxima(patterns: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Points where the pattern has risen and, after any flat stretch, falls: ``(n, n_points)``."""
    n, n_points = patterns.shape
    padded = np.full((n, n_points + 2), -np.inf)
    padded[:, 1:-1] = patterns
    slope = np.sign(padded[:, 1:] - padded[:, :-1])  # slope[:, i] leads into point i
    # What follows a flat stretch is the next slope that is not zero: look it up from the right.
    index = np.where(slope != 0, np.arange(n_points + 1)[None], n_points)
    following = np.minimum.accumulate(index[:, ::-1], axis=1)[:, ::-1]
    next_slope = np.take_along_axis(slope, following, axis=1)
    maxima: NDArray[np.bool_] = (slope[:, :-1] > 0) & (next_slope[:, 1:] < 0)
    return maxima


def _pad(rows: NDArray[np.int64], position: NDArray[np.float64], height: NDArray[np.float64], n_rows: int) -> Peaks:
    """Padded arrays of a flat list of peaks that is sorted by row, then angle."""
    count = np.bincount(rows, minlength=n_rows).astype(np.int64)
    width = int(count.max(initial=0))
    column = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    two_theta = np.full((n_rows, width), np.inf)
    intensity = np.zeros((n_rows, width))
    two_theta[rows, column] = position
    intensity[rows, column] = height
    return Peaks(two_theta, intensity, count)
