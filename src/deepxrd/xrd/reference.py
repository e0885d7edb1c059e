"""The reference engine: reflections by pymatgen's ``XRDCalculator``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS, Crystal
from deepxrd.xrd.settings import XrdSettings
from deepxrd.xrd.smoothing import smooth_reflections

if TYPE_CHECKING:
    from pymatgen.core import Structure


def reflections(crystal: Crystal, settings: XrdSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions and intensities of all reflections within the range of the settings.

    pymatgen takes every reciprocal lattice point within the limiting sphere, |F|² times the Lorentz-polarisation
    factor (1 + cos² 2θ) / (sin² θ cos θ). Reflections under 1e-5 of the strongest are
    dropped.

    Returns:
        Two arrays ``(n_reflections,)``: 2θ in degrees, and intensity with the largest at 100.
    """
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    factors = {SYMBOLS[z - 1]: settings.debye_waller_b_angstrom2 for z in set(crystal.atomic_numbers.tolist())}
    limits = (settings.two_theta_min_deg, settings.two_theta_max_deg)
    structure = crystal.to_pymatgen()
    positions, intensities = [np.empty(0)], [np.empty(0)]
    for wavelength, share in settings.lines:
        if not _any_reflection(structure, wavelength, limits):
            continue  # pymatgen does not expect that, and fails in one of several ways
        calculator = XRDCalculator(wavelength=wavelength, debye_waller_factors=factors)
        pattern = calculator.get_pattern(structure, scaled=False, two_theta_range=limits)
        positions.append(np.asarray(pattern.x, dtype=np.float64))
        intensities.append(share * np.asarray(pattern.y, dtype=np.float64))
    intensity = np.concatenate(intensities)
    return np.concatenate(positions), 100 * intensity / intensity.max(initial=np.finfo(np.float64).tiny)


def _any_reflection(structure: Structure, wavelength_angstrom: float, limits_deg: tuple[float, float]) -> bool:
    """Whether a reciprocal lattice point but the origin lies within the range."""
    least, most = (2 * np.sin(np.radians(limit / 2)) / wavelength_angstrom for limit in limits_deg)
    reciprocal = structure.lattice.reciprocal_lattice_crystallographic
    distances = [point[1] for point in reciprocal.get_points_in_sphere([[0, 0, 0]], [0, 0, 0], most)]
    return any(distance >= max(least, 1e-9) for distance in distances)


def simulate_pattern(crystal: Crystal, settings: XrdSettings) -> NDArray[np.float32]:
    """The smoothed pattern of one crystal, ``(n_points,)`` float32, largest = 100; zeros without a reflection."""
    return smooth_reflections(*reflections(crystal, settings), settings)
