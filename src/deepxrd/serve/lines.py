"""The strongest lines of a structure, each with d and hkl: what a pattern says where a pointer rests on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.library import AsymmetricUnit
from deepxrd.library.space_groups import space_group
from deepxrd.matching.reflections import reflections
from deepxrd.xrd import XrdSettings

_MOST_LINES = 200
_LEAST = 0.1
"""Intensity below which a line is left out; the strongest has 100."""


def lines_of(unit: AsymmetricUnit, xrd: XrdSettings) -> list[list[Any]]:
    """Angle (degrees 2θ), intensity, d (Å) and hkl of the conventional cell, in the order of the angles.

    Intensities have the Lorentz and polarisation factor ``(1 + cos² 2θ) / (sin² θ cos θ)`` of an unpolarised beam; of
    lines with one d, such as 333 and 511 of a cubic cell, each stands by itself.
    """
    wavelength = xrd.wavelength_angstrom
    d_inverse_max = 2 * float(np.sin(np.radians(xrd.two_theta_max_deg / 2))) / wavelength
    found = reflections(
        unit.to_crystal(), unit.space_group, d_inverse_max=d_inverse_max, wavelength_angstrom=wavelength
    )
    sine = np.minimum(np.sqrt(found.q) * wavelength / 2, 1.0)
    theta = np.arcsin(sine)
    angle = np.degrees(2 * theta)
    inside = (angle >= xrd.two_theta_min_deg) & (np.cos(theta) > 1e-6)  # noqa: PLR2004 - at 180° the factor is infinite
    sine, theta, angle = sine[inside], theta[inside], angle[inside]
    intensity = found.intensity[inside] * (1 + np.cos(2 * theta) ** 2) / (sine**2 * np.cos(theta))
    if not len(intensity):
        return []
    intensity = 100 * intensity / intensity.max()
    order = np.argsort(-intensity, kind="stable")[:_MOST_LINES]
    order = order[intensity[order] >= _LEAST]
    order = order[np.argsort(angle[order], kind="stable")]
    to_conventional = np.linalg.inv(space_group(unit.space_group).primitive_basis)
    hkl = _as_usual(np.rint(found.hkl[inside][order] @ to_conventional.T).astype(np.int64), unit.space_group)
    d = 1 / np.sqrt(found.q[inside][order])
    rows = zip(angle[order].tolist(), intensity[order].tolist(), d.tolist(), hkl.tolist(), strict=True)
    return [[round(a, 3), round(i, 2), round(d, 4), " ".join(map(str, h))] for a, i, d, h in rows]


def _as_usual(hkl: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Of all equivalent hkl, ``(n, 3)``, that with the fewest negative indices, and of these the largest."""
    turns = space_group(number).rotations_in(primitive=False).astype(np.int64)
    turns = np.unique(np.concatenate([turns, -turns]), axis=0)  # Friedel's law
    equal = np.einsum("ni,mij->nmj", hkl, turns)
    digits = 4 * np.abs(equal).max(initial=1) + 1
    rank = (equal * digits ** np.array([2, 1, 0])).sum(axis=2) - (equal < 0).sum(axis=2) * digits**4
    return np.asarray(equal[np.arange(len(hkl)), rank.argmax(axis=1)])
