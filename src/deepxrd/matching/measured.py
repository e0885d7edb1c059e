"""Measured patterns: read, freed of their background, and brought onto the grid and width of predicted ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.ndimage import gaussian_filter1d

from deepxrd.errors import SourceError
from deepxrd.matching.background import snip
from deepxrd.scans import read_scan
from deepxrd.xrd import XrdSettings, parse_radiation

PEAK_HALF_WIDTH_DEG = 1.0
"""From the middle of the widest peak to its foot; what varies more slowly is background."""
_CALM_SIGMA_DEG, _COARSE_STEP_DEG = 0.15, 0.1
_LEAST_SIGNAL = 1e-9  # of the highest count: rounding
_FEWEST_POINTS = 50
_FEWEST_GRID_POINTS = 50
_FINE = 8  # points within a standard deviation of the width, where the pattern is smeared


@dataclass(frozen=True, eq=False)
class Measured:
    """A pattern as it was measured.

    Attributes:
        two_theta_deg: ascending angles, ``(n,)``, degrees.
        intensity: in any unit, ``(n,)``.
        ranges_deg: first and last angle of each stretch without a gap; empty for one stretch of all points.
        wavelength_angstrom: as the file or the user says; None if neither does.
    """

    two_theta_deg: NDArray[np.float64]
    intensity: NDArray[np.float64]
    ranges_deg: tuple[tuple[float, float], ...] = ()
    wavelength_angstrom: float | None = None


@dataclass(frozen=True, eq=False)
class Target:
    """A measured pattern as a predicted one would be.

    Attributes:
        pattern: ``(n_points,)`` on the grid of the predictions; the largest value 100, zero where nothing was measured.
        inside: where it was measured, ``(n_points,)``.
    """

    pattern: NDArray[np.float64]
    inside: NDArray[np.bool_]


def read_measured(path: Path, *, radiation: str | None = None) -> Measured:
    """Read a file of any instrument; see `deepxrd.scans`.

    Args:
        path: of a continuous scan.
        radiation: over what the file says; see `deepxrd.xrd.parse_radiation`.

    Raises:
        SourceError: there is no such file, or it holds no single pattern.
        ConfigError: the radiation cannot be understood.
    """
    scan = read_scan(path, radiation=radiation)
    if scan.is_peak_list:
        msg = f"{path} is a list of {len(scan.counts)} peaks, and only a continuous scan can be compared"
        raise SourceError(msg)
    if len(scan.counts) < _FEWEST_POINTS:
        msg = f"{path} has {len(scan.counts)} points, too few for a pattern (at least {_FEWEST_POINTS})"
        raise SourceError(msg)
    ends = [(float(scan.two_theta_deg[part.start]), float(scan.two_theta_deg[part.stop - 1])) for part in scan.ranges]
    wave = scan.wavelengths
    return Measured(scan.two_theta_deg, scan.counts, tuple(ends), None if wave is None else wave.mean_angstrom)


def target_of(measured: Measured, xrd: XrdSettings, *, wavelength_angstrom: float | None = None) -> Target:
    """Take the background off, and bring a pattern to the radiation, the grid and the width of predictions.

    Args:
        measured: the pattern.
        xrd: settings of the predictions. Their width is much more than an instrument's, which is left as it is.
        wavelength_angstrom: of the measurement; None for what it says itself, else that of the predictions.

    Raises:
        SourceError: too little of the measured range is in that of the predictions, or nothing stands out of the
            background.
    """
    even = np.linspace(measured.two_theta_deg[0], measured.two_theta_deg[-1], len(measured.two_theta_deg))
    counts = np.interp(even, measured.two_theta_deg, measured.intensity)
    counts = counts - _background(even, counts)
    length = wavelength_angstrom or measured.wavelength_angstrom or xrd.wavelength_angstrom
    place = xrd.coordinate(converted(even, length, xrd.wavelength_angstrom))
    # a line's intensity is its area over the angle it was measured at, whatever axis it is brought to
    area = cumulative_trapezoid(counts, even, initial=0)
    place, area = place[np.isfinite(place)], area[np.isfinite(place)]
    grid, sigma = xrd.grid, xrd.sigma
    inside = (grid >= place[0] + sigma) & (grid <= place[-1] - sigma) if len(place) else np.zeros(len(grid), dtype=bool)
    for first, last in _gaps(measured, length, xrd):
        inside &= (grid <= first - sigma) | (grid >= last + sigma)
    if inside.sum() < _FEWEST_GRID_POINTS:
        msg = (
            f"the pattern goes from {even[0]:g} to {even[-1]:g}° 2θ, with {inside.sum()} points of the predictions' "
            f"{len(grid)}, and {_FEWEST_GRID_POINTS} are needed: measure more, or check --radiation"
        )
        raise SourceError(msg)
    smooth = _smeared(place, area, grid, sigma)
    smooth[~inside] = 0.0
    if not smooth.max() > _LEAST_SIGNAL * np.abs(measured.intensity).max():
        msg = "nothing in the pattern stands out of its background"
        raise SourceError(msg)
    return Target(100.0 * smooth / smooth.max(), inside)


def converted(two_theta_deg: NDArray[np.float64], from_angstrom: float, to_angstrom: float) -> NDArray[np.float64]:
    """Angles of the same lattice spacings by another wavelength, degrees; NaN where it does not reach that far."""
    sine = np.sin(np.radians(two_theta_deg) / 2) * (to_angstrom / from_angstrom)
    return np.asarray(np.degrees(2 * np.arcsin(np.where(sine <= 1, sine, np.nan))))


def wavelength(radiation: str) -> float:
    """The mean wavelength in Å of a radiation as a person types it; see `deepxrd.xrd.parse_radiation`.

    Raises:
        ConfigError: it cannot be understood.
    """
    return parse_radiation(radiation).mean_angstrom


def _gaps(measured: Measured, wavelength_angstrom: float, xrd: XrdSettings) -> list[tuple[float, float]]:
    """Ends of what was not measured, on the axis of the predictions; narrower than their width, it is bridged."""
    found = []
    for (_, first), (last, _) in pairwise(measured.ranges_deg):
        ends = xrd.coordinate(converted(np.array([first, last]), wavelength_angstrom, xrd.wavelength_angstrom))
        if ends[1] - ends[0] > xrd.sigma:
            found.append((float(ends[0]), float(ends[1])))
    return found


def _background(two_theta_deg: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Background of a pattern at even angles.

    Found on a smoothed pattern, since it would follow the low points of the noise, and at coarse steps, since each of
    SNIP's passes lowers a broad hump a little, and fine steps mean many passes.
    """
    calm = gaussian_filter1d(counts, _CALM_SIGMA_DEG / (two_theta_deg[1] - two_theta_deg[0]), mode="nearest")
    coarse = np.arange(two_theta_deg[0], two_theta_deg[-1] + _COARSE_STEP_DEG, _COARSE_STEP_DEG)
    level = snip(np.interp(coarse, two_theta_deg, calm), half_width=round(PEAK_HALF_WIDTH_DEG / _COARSE_STEP_DEG))
    return np.asarray(np.interp(two_theta_deg, coarse, level))


def _smeared(
    place: NDArray[np.float64], area: NDArray[np.float64], grid: NDArray[np.float64], sigma: float
) -> NDArray[np.float64]:
    """A pattern under a Gaussian, at the points of a grid, from its area up to places that need not be even."""
    edges = np.arange(place[0], place[-1], sigma / _FINE)
    mass = np.diff(np.interp(edges, place, area))
    smooth = gaussian_filter1d(mass, _FINE, mode="constant")
    share = gaussian_filter1d(np.ones_like(mass), _FINE, mode="constant")  # near an end, part of the Gaussian is lost
    return np.asarray(np.interp(grid, (edges[1:] + edges[:-1]) / 2, smooth / share))
