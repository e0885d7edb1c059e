"""The reference engine: reflections by pymatgen's ``XRDCalculator``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS, Crystal
from deepxrd.xrd.settings import XrdSettings
from deepxrd.xrd.smoothing import smooth_reflections


def reflections(crystal: Crystal, settings: XrdSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions and intensities of all reflections within the range of the settings.

    pymatgen takes every reciprocal lattice point within the limiting sphere, |F|² times the Lorentz-polarisation
    factor (1 + cos² 2θ) / (sin² θ cos θ). Reflections under 1e-5 of the strongest are
    dropped.

    Returns:
        Two arrays ``(n_reflections,)``: 2θ in degrees, and intensity in no fixed unit.
    """
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    factors = {SYMBOLS[z - 1]: settings.debye_waller_b_angstrom2 for z in set(crystal.atomic_numbers.tolist())}
    limits = (settings.two_theta_min_deg, settings.two_theta_max_deg)
    structure = crystal.to_pymatgen()
    positions, intensities = [np.empty(0)], [np.empty(0)]
    for wavelength, share in settings.lines:
        calculator = XRDCalculator(wavelength=wavelength, debye_waller_factors=factors)
        try:
            pattern = calculator.get_pattern(structure, scaled=False, two_theta_range=limits)
        except (ValueError, IndexError) as error:
            if "empty" in str(error) or isinstance(error, IndexError):  # pymatgen's way to say: no reflection in range
                continue
            raise
        positions.append(np.asarray(pattern.x, dtype=np.float64))
        intensities.append(share * np.asarray(pattern.y, dtype=np.float64))
    return np.concatenate(positions), np.concatenate(intensities)


def simulate_pattern(crystal: Crystal, settings: XrdSettings) -> NDArray[np.float32]:
    """The smoothed pattern of one crystal, ``(n_points,)`` float32, largest = 100; zeros without a reflection."""
    return smooth_reflections(*reflections(crystal, settings), settings)
