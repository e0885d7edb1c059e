"""The reference engine: reflections by pymatgen's ``XRDCalculator``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.xrd.settings import XrdSettings
from deepxrd.xrd.smoothing import smooth_reflections


def reflections(crystal: Crystal, settings: XrdSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions and intensities of all reflections within the range of the settings.

    pymatgen takes every reciprocal lattice point within the limiting sphere, |F|² times the Lorentz-polarisation
    factor (1 + cos² 2θ) / (sin² θ cos θ), and no Debye–Waller factor. Reflections under 1e-5 of the strongest are
    dropped.

    Returns:
        Two arrays ``(n_reflections,)``: 2θ in degrees, and intensity with the largest at 100.
    """
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    calculator = XRDCalculator(wavelength=settings.wavelength_angstrom)
    limits = (settings.two_theta_min_deg, settings.two_theta_max_deg)
    try:
        pattern = calculator.get_pattern(crystal.to_pymatgen(), two_theta_range=limits)
    except (ValueError, IndexError) as error:
        if "empty" in str(error) or isinstance(error, IndexError):  # pymatgen's way to say: no reflection in range
            return np.empty(0), np.empty(0)
        raise
    return np.asarray(pattern.x, dtype=np.float64), np.asarray(pattern.y, dtype=np.float64)


def simulate_pattern(crystal: Crystal, settings: XrdSettings) -> NDArray[np.float32]:
    """The smoothed pattern of one crystal, ``(n_points,)`` float32, largest = 100; zeros without a reflection."""
    return smooth_reflections(*reflections(crystal, settings), settings)
