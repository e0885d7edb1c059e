"""Kβ lines of a tube without a filter: how strong they are, from the scan itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from deepxrd.xrd import Wavelengths
from deepxrd.xrd.radiation import WAVELENGTHS_ANGSTROM

Floats = NDArray[np.float64]

LEAST_SHARE = 0.02
"""Of all of Kα; what a filter leaves is below, and does no harm."""
_SIGMA, _NEAR = 0.001, 0.0015  # 1/Å: smoothing, and how far from its place a line may be
_STRONG = 0.15  # of the strongest line
_RACHINGER_TERMS = 8  # powers of a ratio of one half: what is left is less than 1 %
_FEWEST = 3  # strong lines: two may have a companion by chance
_ALIKE = 1.6  # shares may differ by so much where the lines of one tube make them


def kbeta_ratio(wavelengths: Wavelengths) -> float | None:
    """The wavelength of Kβ over that of Kα1; None where the radiation is no tube's doublet."""
    if wavelengths.anode is None or not wavelengths.ratio:
        return None
    return WAVELENGTHS_ANGSTROM[f"{wavelengths.anode}Kb1"] / wavelengths.kalpha1_angstrom


def kbeta_share(x: Floats, intensity: Floats, measured: NDArray[np.bool_], wavelengths: Wavelengths) -> float:
    """Intensity of Kβ relative to all of Kα; 0 unless every strong line has a companion, most of them alike.

    Args:
        x: an even grid in 1/d for Kα1, 1/Å, ``(n,)``.
        intensity: counts above the background, ``(n,)``.
        measured: where it was measured, ``(n,)``.
        wavelengths: of the tube; what is no tube's doublet has no Kβ.
    """
    ratio = kbeta_ratio(wavelengths)
    doublet = wavelengths.ratio
    if ratio is None or doublet is None:
        return 0.0
    step = float(x[1] - x[0])
    whole = gaussian_filter1d(intensity, _SIGMA / step, mode="constant")
    smooth = _of_kalpha1(x, whole, wavelengths)
    peaks, _ = find_peaks(smooth, height=_STRONG * float(smooth.max()), distance=round(_NEAR / step))
    place, height = x[peaks], smooth[peaks]
    near = np.abs(place[:, None] - ratio * place[None, :]) < _NEAR
    itself = (near & (height[:, None] < height[None, :])).any(axis=1)  # what may be the Kβ of a stronger line
    there = np.interp(ratio * place, x, measured.astype(np.float64), left=0.0) == 1.0
    used = ~itself & there
    if int(used.sum()) < _FEWEST:
        return 0.0
    shares = np.interp(ratio * place[used], x, whole) / height[used]
    least = float(shares.min())
    alike = shares[shares <= _ALIKE * least]
    if least < LEAST_SHARE * (1 + doublet) or 2 * len(alike) < len(shares) or len(alike) < _FEWEST:
        return 0.0
    return float(np.median(alike)) / (1 + doublet)


def _of_kalpha1(x: Floats, intensity: Floats, wavelengths: Wavelengths) -> Floats:
    """The pattern without its Kα2, ``(n,)``: Rachinger, J. Sci. Instrum. 25 (1948) 254, as a series.

    Kα2 parts from Kα1 towards large angles, so heights alone would make Kβ stronger there.
    """
    second = wavelengths.kalpha2_angstrom
    if second is None or wavelengths.ratio is None:
        return intensity
    out, spread = intensity.copy(), second / wavelengths.kalpha1_angstrom
    for power in range(1, _RACHINGER_TERMS + 1):
        out += (-wavelengths.ratio) ** power * np.interp(x / spread**power, x, intensity, left=0.0)
    return out
