"""Measured patterns: read, freed of their background, and brought onto the grid and width of predicted ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.ndimage import gaussian_filter1d

from deepxrd.errors import SourceError
from deepxrd.io.bounded import read_bounded
from deepxrd.matching.background import snip
from deepxrd.xrd import WAVELENGTHS_ANGSTROM, XrdSettings

PEAK_HALF_WIDTH_DEG = 1.0
"""From the middle of the widest peak to its foot; what varies more slowly is background."""
_CALM_SIGMA_DEG, _COARSE_STEP_DEG = 0.15, 0.1
_LEAST_SIGNAL = 1e-9  # of the highest count: rounding
_MOST_BYTES = 1 << 26
_FEWEST_POINTS = 50
_FEWEST_GRID_POINTS = 50
_FINE = 8  # points within a standard deviation of the width, where the pattern is smeared


@dataclass(frozen=True, eq=False)
class Measured:
    """A pattern as it was measured.

    Attributes:
        two_theta_deg: ascending angles, ``(n,)``, degrees.
        intensity: in any unit, ``(n,)``.
    """

    two_theta_deg: NDArray[np.float64]
    intensity: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Target:
    """A measured pattern as a predicted one would be.

    Attributes:
        pattern: ``(n_points,)`` on the grid of the predictions; the largest value 100, zero where nothing was measured.
        inside: where it was measured, ``(n_points,)``.
    """

    pattern: NDArray[np.float64]
    inside: NDArray[np.bool_]


def read_measured(path: Path) -> Measured:
    """Read two columns of text, 2θ in degrees and intensity: ``.xy``, ``.xye``, ``.csv``, ``.dat``, ``.txt``.

    Columns may be parted by spaces, tabs, commas or semicolons; further columns are ignored, and so are lines that do
    not begin with a number, such as a header or a comment. Points are sorted by angle.

    Raises:
        SourceError: there is no such file, or it holds no pattern.
    """
    if not path.is_file():
        msg = f"no such file: {path}; give a text file of two columns, 2θ in degrees and intensity"
        raise SourceError(msg)
    try:
        text = read_bounded(path, most_bytes=_MOST_BYTES).decode("utf-8-sig", errors="replace")
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read as a pattern: {error}"
        raise SourceError(msg) from error
    rows = []
    for line in text.splitlines():
        cells = line.replace(",", " ").replace(";", " ").split()
        try:
            rows.append((float(cells[0]), float(cells[1])))
        except (ValueError, IndexError):
            continue
    table = np.array(sorted(set(rows))).reshape(-1, 2)
    if len(table) < _FEWEST_POINTS:
        msg = (
            f"{path} has {len(table)} lines of two numbers, too few for a pattern (at least {_FEWEST_POINTS}): it must "
            "be text, 2θ in degrees and intensity in each line, with a decimal point"
        )
        raise SourceError(msg)
    angle, intensity = table.T
    if not np.isfinite(table).all():
        bad = angle[~np.isfinite(table).all(axis=1)][0]
        msg = f"{path} has no finite number at 2θ = {bad:g}°"
        raise SourceError(msg)
    if angle[0] < 0 or angle[-1] > 180:  # noqa: PLR2004 - backscattering
        msg = f"{path} goes from {angle[0]:g} to {angle[-1]:g}: its first column must be 2θ in degrees, from 0 to 180"
        raise SourceError(msg)
    repeated = angle[1:][np.diff(angle) == 0]
    if len(repeated):
        msg = f"{path} has two intensities at 2θ = {repeated[0]:g}°: give one pattern per file, with decimal points"
        raise SourceError(msg)
    return Measured(angle, intensity)


def prepare(measured: Measured, xrd: XrdSettings, *, wavelength_angstrom: float | None = None) -> Target:
    """Take the background off, and bring a pattern to the radiation, the grid and the width of predictions.

    Args:
        measured: the pattern.
        xrd: settings of the predictions. Their width is much more than an instrument's, which is left as it is.
        wavelength_angstrom: of the measurement; None for that of the predictions.

    Raises:
        SourceError: too little of the measured range is in that of the predictions, or nothing stands out of the
            background.
    """
    even = np.linspace(measured.two_theta_deg[0], measured.two_theta_deg[-1], len(measured.two_theta_deg))
    counts = np.interp(even, measured.two_theta_deg, measured.intensity)
    counts = counts - _background(even, counts)
    place = xrd.coordinate(converted(even, wavelength_angstrom or xrd.wavelength_angstrom, xrd.wavelength_angstrom))
    # a line's intensity is its area over the angle it was measured at, whatever axis it is brought to
    area = cumulative_trapezoid(counts, even, initial=0)
    place, area = place[np.isfinite(place)], area[np.isfinite(place)]
    grid, sigma = xrd.grid, xrd.sigma
    inside = (grid >= place[0] + sigma) & (grid <= place[-1] - sigma) if len(place) else np.zeros(len(grid), dtype=bool)
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
    """The wavelength in Å of a tube by name, or of a number in Å.

    Raises:
        SourceError: it is neither.
    """
    if radiation in WAVELENGTHS_ANGSTROM:
        return WAVELENGTHS_ANGSTROM[radiation]
    try:
        value = float(radiation)
    except ValueError:
        value = np.nan
    if not 0 < value < np.inf:
        msg = f"unknown radiation {radiation!r}: name one of {', '.join(WAVELENGTHS_ANGSTROM)}, or a wavelength in Å"
        raise SourceError(msg)
    return value


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
