"""Scans made from structures, as a laboratory would measure them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepxrd.chem import Crystal
from deepxrd.scans.scan import Scan, ScanRange
from deepxrd.xrd import XrdSettings, simulate
from deepxrd.xrd.radiation import tube

LABORATORY = XrdSettings(
    two_theta_min_deg=10, two_theta_max_deg=90, n_points=4001, sigma_deg=0.06, kalpha_doublet=True,
    debye_waller_b_angstrom2=0.8, form_factors="waasmaier_kirfel",
)  # fmt: skip


def perovskite(length: float, large: int = 38, small: int = 22) -> Crystal:
    """A cubic perovskite oxide, SrTiO3 unless other elements are given."""
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(np.eye(3) * length, np.array([large, small, 8, 8, 8]), sites, np.ones(5))


def rock_salt(length: float, metal: int, other: int) -> Crystal:
    """The primitive cell of the rock salt structure, in the orientation of the library's."""
    lattice = length * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return Crystal(lattice, np.array([metal, other]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), np.ones(2))


def made_scan(patterns: Sequence[np.ndarray], shares: Sequence[float], *, seed: int = 0, hump: float = 0.0) -> Scan:
    """Counts of patterns on the grid of `LABORATORY`, on a falling background with noise.

    Args:
        patterns: the largest value of each is 100.
        shares: of the strongest lines.
        seed: of the noise.
        hump: of glass, counts.
    """
    angle = LABORATORY.two_theta_deg
    clean = sum(100.0 * share * pattern for share, pattern in zip(shares, patterns, strict=True))
    smooth = 200 + 600 * np.exp(-(angle - 10) / 20) + hump * np.exp(-0.5 * ((angle - 24) / 5) ** 2)
    counts = np.random.default_rng(seed).poisson(np.asarray(clean) + smooth).astype(np.float64)
    return Scan(angle, counts, np.sqrt(counts), (ScanRange(0, len(angle), 0.02),), tube("CuKa"), unit="counts")


def simulated(crystals: Sequence[Crystal]) -> list[np.ndarray]:
    """Patterns of crystals in `LABORATORY`."""
    return list(simulate(list(crystals), LABORATORY)[0])
