"""The fine grid that reflections are gathered on, and the way from it to a smoothed pattern.

Bins are even in ``w = (1 + sin(theta) - cos(theta)) / 2``, which runs from 0 to 1 nearly in step with θ (its slope
varies by √2) and costs two square roots of u = sin² θ instead of an arc sine. A bin keeps four moments: the sums of
I t^m, m = 0 to 3, t in [0, 1) being the place within the bin. A Gaussian, seen from a grid point, is nearly a cubic
over a bin, so the four moments give its sum; the pattern is linear in them, with one banded matrix for all crystals.
The first bin lies before the range: what falls into it is lost, as it should be.

With a width of 0, sticks on the grid, a bin is no wider than a step of the grid, so that it reaches two grid points at
most: moment 0 is then the sum over the part of the bin that is nearer to the first, and moment 1 that over the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.xrd.settings import XrdSettings

N_MOMENTS = 4
_BIN_SIGMAS = 0.4  # widest bin; the cubic is then within (0.4 / 2)^4 / 192 * 3 = 2.5e-5 of the Gaussian's height
_BIN_STEPS = 0.8  # widest bin for sticks on the grid: it meets one midpoint between grid points at most
_LEAST_BINS = 1200  # over 0 to 180°, for sticks on a coarse grid: form factors are interpolated over a bin
_CUTOFF_SIGMAS = 5.0  # a Gaussian beyond is under 4e-6 of its height
_BLOCK_POINTS = 32
LEAST_ROWS = 8
"""Matrix products with fewer rows are rounded otherwise: with one on Intel's processors, with up to three on AMD's."""


@dataclass(frozen=True)
class Block:
    """Grid points ``start`` to ``stop`` come from the bins ``first`` to ``last`` by ``kernel``.

    Attributes:
        kernel: ``(4, last - first, stop - start)`` float32, one matrix per moment.
    """

    start: int
    stop: int
    first: int
    last: int
    kernel: torch.Tensor


@dataclass(frozen=True)
class FineGrid:
    """Bins over the range of the settings, and the matrices that smooth them.

    Attributes:
        n_bins: with the one before the range.
        w_origin: where the first of them begins.
        bin_width: in units of w.
        blocks: the matrices.
        n_points: points of the pattern.
        second_from: for sticks on the grid the place t in each bin from which on the second grid point is nearer,
            ``(n_bins,)`` float32, 2 where none is; else None.
    """

    n_bins: int
    w_origin: float
    bin_width: float
    blocks: tuple[Block, ...]
    n_points: int
    second_from: torch.Tensor | None = None

    @property
    def n_moments(self) -> int:
        """Sums that each bin keeps."""
        return N_MOMENTS if self.second_from is None else 2

    def smooth(self, moments: torch.Tensor) -> torch.Tensor:
        """Patterns from binned reflections, not normalised.

        Args:
            moments: ``(n_moments, n, n_bins)`` float32, n at least `LEAST_ROWS`, that patterns may not depend on n.

        Returns:
            ``(n, n_points)`` float32.
        """
        patterns = moments.new_empty(moments.shape[1], self.n_points)
        for block in self.blocks:
            part = moments[0, :, block.first : block.last] @ block.kernel[0]
            for moment in range(1, self.n_moments):
                part.addmm_(moments[moment, :, block.first : block.last], block.kernel[moment])
            patterns[:, block.start : block.stop] = part
        return patterns


def make_fine_grid(settings: XrdSettings, *, device: str) -> FineGrid:
    """Lay out the bins and compute the matrices for one setting."""
    w_min, w_max = (w_of_theta(np.radians(end / 2)) for end in (settings.two_theta_min_deg, settings.two_theta_max_deg))
    # dx / dw where it is largest, at 0 (and for 2θ also at 180°), x being the axis in its unit
    steepest = 720 / np.pi if settings.axis == "two_theta" else 8 * np.pi / settings.wavelength_angstrom
    widest = _BIN_SIGMAS * settings.sigma or _BIN_STEPS * settings.step
    n_inner = int(np.ceil((w_max - w_min) * steepest / widest))
    if not settings.sigma:
        n_inner = max(n_inner, int(np.ceil((w_max - w_min) * _LEAST_BINS)))
    bin_width = float(w_max - w_min) / n_inner
    edges = settings.coordinate(np.degrees(2 * theta_of_w(w_min + bin_width * np.arange(n_inner + 1))))
    reach = _CUTOFF_SIGMAS * settings.sigma or settings.step  # half a step would do, but for rounding
    grid = settings.grid
    blocks = []
    for start in range(0, len(grid), _BLOCK_POINTS):
        points = grid[start : start + _BLOCK_POINTS]
        first = max(int(np.searchsorted(edges, points[0] - reach, side="right")) - 1, 0)
        last = min(int(np.searchsorted(edges, points[-1] + reach)), n_inner)
        bins_w = w_min + bin_width * np.arange(first, last)
        make = _moment_kernels if settings.sigma else _stick_kernels
        kernel = make(bins_w, bin_width, points, settings)
        tensor = torch.from_numpy(kernel.astype(np.float32)).to(device)
        blocks.append(Block(start, start + len(points), first + 1, last + 1, tensor))
    second_from = None
    if not settings.sigma:
        bins_w = w_min + bin_width * np.arange(-1, n_inner)
        _, t = _stick_points(bins_w, bin_width, settings)
        second_from = torch.from_numpy(t.astype(np.float32)).to(device)
    return FineGrid(n_inner + 1, float(w_min) - bin_width, bin_width, tuple(blocks), len(grid), second_from)


def w_of_theta(theta: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The coordinate of the bins, θ in radians."""
    return np.asarray((1 + np.sin(theta) - np.cos(theta)) / 2)


def theta_of_w(w: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse of `w_of_theta`: sin θ - cos θ = √2 sin(θ - π/4)."""
    return np.asarray(np.pi / 4 + np.arcsin(np.clip((2 * w - 1) / np.sqrt(2), -np.sqrt(0.5), np.sqrt(0.5))))


def _moment_kernels(
    bins_w: NDArray[np.float64], bin_width: float, points: NDArray[np.float64], settings: XrdSettings
) -> NDArray[np.float64]:
    """Coefficients of 1, t, t² and t³ of the Gaussian about each point, over each bin: ``(4, n_bins, n_points)``.

    The cubic meets the Gaussian at the Chebyshev nodes, which nearly makes its largest error least.
    """
    nodes = (1 + np.cos((2 * np.arange(N_MOMENTS) + 1) * np.pi / (2 * N_MOMENTS))) / 2
    place = settings.coordinate(np.degrees(2 * theta_of_w(bins_w + bin_width * nodes[:, None])))
    distance = (place[:, :, None] - points) / settings.sigma
    values = np.where(np.abs(distance) <= _CUTOFF_SIGMAS, np.exp(-0.5 * distance**2), 0.0)  # no subnormals: slow
    inverse = np.linalg.inv(np.vander(nodes, increasing=True))
    return np.asarray(np.einsum("mk,kbp->mbp", inverse, values))


def _stick_kernels(
    bins_w: NDArray[np.float64], bin_width: float, points: NDArray[np.float64], settings: XrdSettings
) -> NDArray[np.float64]:
    """For sticks on the grid: 1 where a part of a bin is nearest to a point, ``(2, n_bins, n_points)``."""
    first, _ = _stick_points(bins_w, bin_width, settings)
    number = np.rint((points - settings.grid[0]) / settings.step)
    return np.stack([first[:, None] == number, first[:, None] + 1 == number]).astype(np.float64)


def _stick_points(
    bins_w: NDArray[np.float64], bin_width: float, settings: XrdSettings
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The grid point nearest to each bin's start, and the place t from which on the next one is nearer, 2 for none."""
    midpoints = (settings.grid[1:] + settings.grid[:-1]) / 2
    if settings.axis == "q":
        midpoints = np.degrees(2 * np.arcsin(midpoints * settings.wavelength_angstrom / (4 * np.pi)))
    midpoints_w = w_of_theta(np.radians(midpoints / 2))
    first = np.searchsorted(midpoints_w, bins_w, side="right")
    t = (np.append(midpoints_w, np.inf)[first] - bins_w) / bin_width
    return first, np.where(t < 1, t, 2.0)
