"""Reflections of a structure: one of each orbit, its intensity, and how its place follows the free cell parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.library.space_groups import crystal_family, space_group
from deepxrd.xrd.form_factors import form_factors
from deepxrd.xrd.packing import ragged_arange

Floats = NDArray[np.float64]
MOST_REFLECTIONS = 110_000
"""Of half a sphere; a structure with more has none here, and so is not compared."""
_MOST_ROWS = 1_000_000  # of h and k that are looked through for them
_S_STEP = 0.005  # of the table of form factors, in sin θ / λ, 1/Å
_CODE = 1 << 20  # more than twice any index
_TINY = 1e-9  # of the strongest


@dataclass(frozen=True, eq=False)
class Reflections:
    """One reflection of each orbit under the Laue group, in no order.

    Attributes:
        hkl: in the primitive cell, ``(n, 3)``.
        q: 1/d² of the unstrained cell, 1/Å², ``(n,)``.
        slopes: change of q with each free strain, ``(n_free, n)``; q is linear in them.
        intensity: multiplicity times the squared structure factor over the squared cell volume, ``(n,)``: by volume of
            the phase, without thermal motion and without Lorentz and polarisation factors.
        multiplicity: ``(n,)``.
    """

    hkl: NDArray[np.int64]
    q: Floats
    slopes: Floats
    intensity: Floats
    multiplicity: NDArray[np.int64]


def reflections(crystal: Crystal, setting: int, *, d_inverse_max: float, wavelength_angstrom: float) -> Reflections:
    """All reflections of a crystal up to 1/d.

    Args:
        crystal: a primitive cell in the standard setting of a space group.
        setting: number of that group.
        d_inverse_max: the largest 1/d, 1/Å.
        wavelength_angstrom: for the dispersion of the form factors.

    Returns:
        None of them where the cell is so large that there would be more than `MOST_REFLECTIONS`.
    """
    reciprocal = np.asarray(np.linalg.inv(crystal.lattice).T, dtype=np.float64)
    hkl = _half_sphere(crystal, reciprocal, d_inverse_max)
    inside = ((hkl @ reciprocal) ** 2).sum(axis=1) <= d_inverse_max**2
    hkl, multiplicity = _orbits(hkl[inside], setting)
    vectors = hkl @ reciprocal
    q = (vectors**2).sum(axis=1)
    intensity = multiplicity * squared_structure_factors(crystal, hkl, q, wavelength_angstrom) / crystal.volume**2
    kept = intensity > _TINY * intensity.max(initial=0.0)
    vectors = vectors[kept]
    slopes = -2.0 * np.einsum("ni,pij,nj->pn", vectors, strain_basis(crystal_family(setting)), vectors)
    return Reflections(hkl[kept], q[kept], slopes, intensity[kept], multiplicity[kept])


def _half_sphere(crystal: Crystal, reciprocal: Floats, d_inverse_max: float) -> NDArray[np.int64]:
    """h, k, l up to 1/d, of hkl and -h-k-l one each, ``(n, 3)``; none where there are too many.

    All with the same h and k are on a line, of which the sphere cuts out a piece: in a skew cell most of a box of all
    indices is outside.
    """
    none = np.zeros((0, 3), dtype=np.int64)
    most_h, most_k = np.floor(d_inverse_max * np.linalg.norm(crystal.lattice[:2], axis=1) + 1e-9)
    if (most_h + 1) * (2 * most_k + 1) > _MOST_ROWS:
        return none
    h, k = (each.ravel() for each in np.meshgrid(np.arange(most_h + 1), np.arange(-most_k, most_k + 1), indexing="ij"))
    h, k = (each[(h > 0) | (k >= 0)] for each in (h, k))
    metric = reciprocal @ reciprocal.T
    nearest = -(h * metric[0, 2] + k * metric[1, 2]) / metric[2, 2]
    least = h**2 * metric[0, 0] + 2 * h * k * metric[0, 1] + k**2 * metric[1, 1] - nearest**2 * metric[2, 2]
    half = np.sqrt(np.maximum(d_inverse_max**2 - least, 0.0) / metric[2, 2]) + 1e-9
    first = np.where((h == 0) & (k == 0), 1, np.ceil(nearest - half)).astype(np.int64)
    n = np.maximum(np.floor(nearest + half).astype(np.int64) - first + 1, 0)
    if n.sum() > MOST_REFLECTIONS:
        return none
    rows = np.repeat(np.arange(len(n)), n)
    return np.stack([h[rows].astype(np.int64), k[rows].astype(np.int64), first[rows] + ragged_arange(n)], axis=1)


def squared_structure_factors(
    crystal: Crystal, hkl: NDArray[np.int64], q: Floats, wavelength_angstrom: float
) -> Floats:
    """|F|² of atoms at rest, the mean of hkl and -h-k-l, electrons², ``(n,)``.

    ``f = f0(s) + f' + i f''``; f0 by Waasmaier and Kirfel (1995), the dispersion from Henke's tables (1993).
    """
    out_real = np.zeros(len(hkl), dtype=np.complex128)
    out_imaginary = np.zeros(len(hkl), dtype=np.complex128)
    s = np.sqrt(q) / 2
    reach = np.abs(hkl).max(axis=0, initial=0)
    waves = [  # a product of three looked up is three times as quick as an exponential
        np.exp(2j * np.pi * np.arange(-n, n + 1)[:, None] * crystal.frac_coords[:, axis]).astype(np.complex64)
        for axis, n in enumerate(reach.tolist())
    ]
    place = hkl + reach
    for number in np.unique(crystal.atomic_numbers).tolist():
        sites = np.flatnonzero(crystal.atomic_numbers == number)
        product = waves[0][:, sites][place[:, 0]]
        product *= waves[1][:, sites][place[:, 1]]
        product *= waves[2][:, sites][place[:, 2]]
        wave = product @ crystal.occupancies[sites].astype(np.complex64)
        factor = np.interp(s, *_form_factor(number))
        real, imaginary = _dispersion(number, round(wavelength_angstrom, 5))
        out_real += (factor + real) * wave
        out_imaginary += imaginary * wave
    return np.asarray(np.abs(out_real) ** 2 + np.abs(out_imaginary) ** 2)


@lru_cache(maxsize=8)
def strain_basis(family: str) -> Floats:
    """Strains that keep the symmetry of a crystal family, ``(n_free, 3, 3)``.

    The axis c is along z, and b along y where it is an axis. The first strains are along the axes, so that a cell as a
    whole is scaled by equal values of those.
    """
    xx, yy, zz, yz, xz, xy = np.zeros((6, 3, 3))
    for each, (i, j) in zip((xx, yy, zz, yz, xz, xy), ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)), strict=True):
        each[i, j] = each[j, i] = 1.0 if i == j else 0.5
    return np.array(
        {
            "cubic": [xx + yy + zz],
            "tetragonal": [xx + yy, zz],
            "hexagonal": [xx + yy, zz],
            "orthorhombic": [xx, yy, zz],
            "monoclinic": [xx, yy, zz, xz],
            "triclinic": [xx, yy, zz, yz, xz, xy],
        }[family]
    )


@lru_cache(maxsize=256)
def rotations_of_reflections(setting: int) -> NDArray[np.int64]:
    """What the point group makes of h, k, l of the primitive cell, with the inversion, ``(n, 3, 3)``: ``hkl @ R``."""
    whole = space_group(setting).rotations_in(primitive=True).astype(np.int64)
    return np.unique(np.concatenate([whole, -whole]), axis=0)


def _orbits(hkl: NDArray[np.int64], setting: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One of each orbit of a half space, and how many there are in the whole space."""
    if not len(hkl):
        return hkl, np.zeros(0, dtype=np.int64)
    place = np.array([_CODE * _CODE, _CODE, 1])
    codes = (hkl @ place)[:, None] if setting <= 2 else hkl @ (rotations_of_reflections(setting) @ place).T  # noqa: PLR2004
    first, count = np.unique(np.abs(codes).max(axis=1), return_index=True, return_counts=True)[1:]
    return hkl[first], 2 * count


@lru_cache(maxsize=256)
def _form_factor(number: int) -> tuple[Floats, Floats]:
    """Values of s and f0 of an element at these, for interpolation."""
    s = np.arange(0.0, 3.0, _S_STEP)
    factor = _all_form_factors()[number - 1]
    return s, factor


@lru_cache(maxsize=1)
def _all_form_factors() -> Floats:
    return form_factors("waasmaier_kirfel", np.arange(0.0, 3.0, _S_STEP) ** 2)


@lru_cache(maxsize=512)
def _dispersion(number: int, wavelength_angstrom: float) -> tuple[float, float]:
    """Dispersion f' and f'' of an element, electrons; zero where the tables end."""
    import periodictable

    xray = periodictable.elements[number].xray
    real, imaginary = xray.scattering_factors(wavelength=wavelength_angstrom)  # type: ignore[no-untyped-call]
    if real is None or imaginary is None or not np.isfinite(real + imaginary):
        return 0.0, 0.0
    return float(real) - number, float(imaginary)


def density(crystal: Crystal) -> float:
    """Mass over volume, atomic mass units per Å³."""
    import periodictable

    numbers, place = np.unique(crystal.atomic_numbers, return_inverse=True)
    masses = np.array([periodictable.elements[number].mass for number in numbers.tolist()])
    return float((masses[place] * crystal.occupancies).sum()) / crystal.volume
