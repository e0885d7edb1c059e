"""From the density of peaks to peaks: those that promise the highest F1."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.metrics.peaks import TOLERANCES_DEG
from deepxrd.xrd import MERGE_WITHIN_DEG, Peaks, XrdSettings

Floats = NDArray[np.float64]

_APART_DEG = MERGE_WITHIN_DEG + 0.05
_MOST_PEAKS = 60
_INNER = 0.8  # of the tolerance: what lies at its very edge is often missed (chosen on a validation part)
_SURE_WITHIN_DEG = 1.0
_LEAST_DRAWN = 12.0  # of 100: over the threshold of `find_peaks`, so that all chosen peaks are found in the drawing
_REACH_SIGMAS = 6.0  # beyond it a Gaussian is under 2e-8 of its height
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
    most = min(_MOST_PEAKS, n_points)
    gain, sure, chosen = np.full((n, most), -1.0), np.zeros((n, most)), np.zeros((n, most), dtype=np.int64)
    total, f1, rows = density.sum(axis=1), np.zeros(n), np.arange(n)
    left = _Left(density, xrd.step)
    for rank in range(most):
        best = chosen[rows, rank] = left.useful.argmax(axis=1)
        use, sure[rows, rank] = left.take(best)
        gain[rows, rank] = use
        # what is left is never more useful than what was taken, so that a peak that does not raise F1 ends the choice
        raises = use > f1[rows] / 2
        f1[rows] = 2 * gain[rows, : rank + 1].sum(axis=1) / (rank + 1 + total[rows])
        rows, left = rows[raises], left.keep(raises)
        if not len(rows):
            break
    f1 = 2 * np.cumsum(gain, axis=1) / (np.arange(1, most + 1)[None] + total[:, None])
    keep = np.arange(most)[None] <= f1.argmax(axis=1)[:, None]
    owner, points = np.nonzero(keep)[0], chosen[keep]
    angle = xrd.two_theta_deg[points]
    peaks = Peaks.from_flat(owner, angle, heights[owner, points].astype(np.float64), n)
    return peaks, Peaks.from_flat(owner, angle, sure[keep], n).intensity, f1.max(axis=1, initial=0.0)


class _Left:
    """Density that no chosen peak has won yet, and how useful a peak at each point is; brought up to date near a peak.

    Args:
        density: expected number of peaks at each point, ``(n, n_points)``.
        step_deg: of the grid.
    """

    def __init__(self, density: Floats, step_deg: float) -> None:
        self._apart, n_points = int(np.ceil(_APART_DEG / step_deg)), density.shape[1]
        self._reach = [_reach(tolerance, step_deg) for tolerance in TOLERANCES_DEG]
        self._margin = max(3 * max(self._reach), self._apart)  # so that no window ends outside
        self._inside = slice(self._margin, self._margin + n_points)
        padded = np.pad(density, ((0, 0), (self._margin, self._margin)))
        self._density = [padded.copy() for _ in self._reach]
        self._hit = [np.pad(_sums(padded, reach), ((0, 0), (reach, reach))) for reach in self._reach]
        self._useful = np.mean(self._hit, axis=0)
        self._free = np.ones(padded.shape, dtype=bool)

    @property
    def useful(self) -> Floats:
        """Mean over the tolerances of the probability of a hit, ``(n, n_points)``; −1 near a chosen peak."""
        useful: Floats = self._useful[:, self._inside]
        return useful

    def keep(self, rows: NDArray[np.bool_]) -> Self:
        """Go on with some rows only."""
        if not rows.all():
            self._density, self._hit = ([each[rows] for each in part] for part in (self._density, self._hit))
            self._useful, self._free = self._useful[rows], self._free[rows]
        return self

    def take(self, best: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Choose a peak of each row, at ``best``, ``(n,)``: its use, and its probability of a hit within 1°."""
        row, centre = np.arange(len(best))[:, None], best[:, None] + self._margin
        use = self._useful[row, centre][:, 0]
        sure = self._hit[TOLERANCES_DEG.index(_SURE_WITHIN_DEG)][row, centre][:, 0]
        for density, hit, reach in zip(self._density, self._hit, self._reach, strict=True):
            window = density[row, centre + np.arange(-3 * reach, 3 * reach + 1)]
            around = window[:, 2 * reach : 4 * reach + 1]
            total = around.sum(axis=1, keepdims=True)
            around *= 1 - np.minimum(hit[row, centre] / np.where(total > 0, total, 1.0), 1.0)
            density[row, centre + np.arange(-reach, reach + 1)] = around
            hit[row, centre + np.arange(-2 * reach, 2 * reach + 1)] = _sums(window, reach)
        self._free[row, centre + np.arange(1 - self._apart, self._apart)] = False
        near = centre + np.arange(-2 * max(self._reach), 2 * max(self._reach) + 1)
        left = np.mean([hit[row, near] for hit in self._hit], axis=0)
        self._useful[row, near] = np.where(self._free[row, near], left, -1.0)
        return use, sure


def draw(peaks: Peaks, xrd: XrdSettings) -> NDArray[np.float32]:
    """A drawing of these peaks and no others, ``(n, n_points)``, largest = 100.

    It says where peaks are, not how high: each is drawn at least 12 high, so that whoever looks for peaks of 10 or more
    finds them all. At each point it is the highest of the Gaussians and not their sum, so that no peak moves another.
    """
    sigma = min(xrd.sigma_deg or xrd.step / 8, _WIDEST_DEG)  # a width of 0 stands for sticks on the grid
    margin = int(np.ceil(_REACH_SIGMAS * sigma / xrd.step))
    row, column = np.nonzero(peaks.valid)
    angle, height = peaks.two_theta_deg[row, column], np.maximum(peaks.intensity[row, column], _LEAST_DRAWN)
    place = (angle - xrd.two_theta_deg[0]) / xrd.step
    points = np.rint(place).astype(np.int64)[:, None] + np.arange(-margin, margin + 1)
    drawn = height[:, None] * np.exp(-0.5 * ((points - place[:, None]) * (xrd.step / sigma)) ** 2)
    out = np.zeros((len(peaks.count), xrd.n_points + 2 * margin))
    np.maximum.at(out, (row[:, None], points + margin), drawn)
    out = out[:, margin : margin + xrd.n_points]
    largest = out.max(axis=1, keepdims=True)
    return (out * (100 / np.where(largest > 0, largest, 1.0))).astype(np.float32)


def _sums(density: Floats, reach: int) -> Floats:
    """Probability of a peak within ``reach`` of each point that is so far from both ends: the sum, at most 1."""
    total = np.cumsum(np.pad(density, ((0, 0), (1, 0))), axis=1)
    return np.clip(total[:, 2 * reach + 1 :] - total[:, : -2 * reach - 1], 0.0, 1.0)


def _reach(tolerance_deg: float, step_deg: float) -> int:
    """Points to either side that count as within the tolerance."""
    return int(np.rint(_INNER * tolerance_deg / step_deg))
