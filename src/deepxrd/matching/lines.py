"""Line by line: whether each line of a scan is in what was calculated, and each calculated one in the scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import find_peaks

from deepxrd.matching.mixture import Mixture
from deepxrd.matching.model import grid_of
from deepxrd.matching.observed import FINE_STEP, LEAST_SOFTNESS, Observed, View
from deepxrd.matching.screen import COARSE_SIGMA

Floats = NDArray[np.float64]

TUNGSTEN_LA_ANGSTROM = 1.47639
"""Bearden, Rev. Mod. Phys. 39 (1967) 78."""
_STRONG = 20.0  # of a line, where the highest is 100: what is weaker has no line of tungsten that could be seen
_SIGMA = 0.0006  # 1/Å: a line's own width, so that neighbours are told apart
_NEAR = 5  # points of the grid on each side within which a line is looked for
_LEAST_HEIGHT, _NOISE = 2.0, 6.0  # of a line, where the highest is 100; and in standard deviations of the noise
_LEAST = 0.1  # of heights in ratios
_MOST = 2.0  # of the logarithm of a ratio: what is missing is missing
_NEXT_TO_NOTHING = 0.2  # of the height of a line
_LEAST_COARSE = 3.0  # of a line at the coarse resolution, where doublets are one


def line_misfit(observed: Observed, mixture: Mixture) -> float:
    """How much heights of lines differ: 0 where all agree, 0.7 where they differ by a factor of two, 2 at most.

    The root of the mean square of the logarithm of the ratio of heights, once over the lines of the scan and once over
    those that were calculated, strong lines counting more than weak ones; the mean of both.

    Args:
        observed: the scan.
        mixture: what explains it.
    """
    scan, made, least = _both(observed, mixture)
    return (heights_misfit(scan, made, least) + heights_misfit(made, scan, least)) / 2


def unexplained_lines_deg(observed: Observed, mixture: Mixture) -> tuple[Floats, Floats]:
    """Angles 2θ of lines of the scan where next to nothing was calculated, degrees, the strongest first.

    Args:
        observed: the scan.
        mixture: what explains it.

    Returns:
        Those that nothing explains; and those that stand where the strong lines of the scan would be in W Lα1, which
        comes from the filament of a tube.
    """
    scan, made, least = _both(observed, mixture)
    places = find_peaks(scan, height=least, distance=_NEAR + 1, prominence=least / 2)[0]
    alone = places[maximum_filter1d(made, 2 * _NEAR + 1)[places] < _NEXT_TO_NOTHING * scan[places]]
    alone = alone[np.argsort(-scan[alone])]
    strong = observed.x[find_peaks(scan, height=_STRONG, prominence=_STRONG / 2)[0]]
    in_tungsten = observed.x[alone] * observed.wavelength_angstrom / TUNGSTEN_LA_ANGSTROM
    tungsten = (np.abs(in_tungsten[:, None] - strong) < _NEAR * FINE_STEP).any(axis=1)
    return observed.two_theta_deg[alone[~tungsten]], observed.two_theta_deg[alone[tungsten]]


def heights_misfit(pattern: Floats, other: Floats, least: float) -> float:
    """The root mean square over the lines of one pattern; the most where it has none.

    Args:
        pattern: whose lines are looked at, on an even grid, ``(n,)``.
        other: where they are looked for, ``(n,)``.
        least: height of a line.
    """
    places, _ = find_peaks(pattern, height=least, distance=_NEAR + 1, prominence=least / 2)
    if not len(places):
        return _MOST
    highest = maximum_filter1d(other, 2 * _NEAR + 1)[places]
    ratio = np.log(np.maximum(highest, _LEAST) / pattern[places])
    weight = np.log1p(pattern[places] / LEAST_SOFTNESS)
    return float(np.sqrt((weight * np.minimum(ratio**2, _MOST**2)).sum() / weight.sum()))


def number_of_lines(observed: Observed) -> int:
    """Lines of a scan that stand apart at 0.5° for Cu Kα, where Kα1 and Kα2 are one, and out of the noise."""
    view = observed.view(COARSE_SIGMA, FINE_STEP)
    pattern = np.where(view.inside, view.pattern, 0.0)
    least = _least(view, _LEAST_COARSE)
    return len(find_peaks(pattern, height=least, prominence=least / 2)[0])


def _both(observed: Observed, mixture: Mixture) -> tuple[Floats, Floats, float]:
    """The scan and what was calculated, the scan's highest 100, ``(n,)`` each; and the height of a line."""
    view = observed.view(_SIGMA, FINE_STEP)
    made = 100 / view.largest * mixture.counts(grid_of(observed, FINE_STEP), _SIGMA)
    scan, made = (np.where(view.inside, each, 0.0) for each in (view.pattern, made))
    return scan, made, _least(view, _LEAST_HEIGHT)


def _least(view: View, height: float) -> float:
    """Height from which something is a line and no noise, where the highest is 100."""
    return max(height, _NOISE * float(np.median(view.noise[view.inside])))
