"""Reflections against sums over all hkl written out, and against the engine that predicts patterns."""

from __future__ import annotations

import numpy as np
import periodictable
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepxrd.chem import Crystal
from deepxrd.library import SHIPPED, Library
from deepxrd.library.space_groups import crystal_family, space_group
from deepxrd.matching.reflections import density, reflections, strain_basis
from deepxrd.matching.texture import texture_axes, texture_cosines
from deepxrd.xrd.form_factors import form_factors

LIBRARY = Library.open(SHIPPED)
CU = 1.54056
REACH = 0.6
ENTRIES = ["mp-5229", "mp-3472", "mp-7000", "mp-390", "mp-1143", "mp-600067"]


def entry(material_id: str) -> tuple[Crystal, int]:
    rows = LIBRARY.find_id(material_id)
    return LIBRARY.crystals(rows)[0], int(LIBRARY.settings(rows)[0])


def all_points(crystal: Crystal, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """1/d² and |F|² of every hkl, atom by atom, without any symmetry."""
    n = np.ceil(reach * np.linalg.norm(crystal.lattice, axis=1)).astype(int)
    hkl = np.array(
        [(h, k, m) for h in range(-n[0], n[0] + 1) for k in range(-n[1], n[1] + 1) for m in range(-n[2], n[2] + 1)]
    )
    q = ((hkl @ np.linalg.inv(crystal.lattice).T) ** 2).sum(axis=1)
    hkl, q = hkl[(q > 0) & (q <= reach**2)], q[(q > 0) & (q <= reach**2)]
    total = np.zeros(len(q), dtype=complex)
    table = form_factors("waasmaier_kirfel", q / 4)
    for z, x, occupancy in zip(crystal.atomic_numbers, crystal.frac_coords, crystal.occupancies, strict=True):
        f1, f2 = periodictable.elements[int(z)].xray.scattering_factors(wavelength=round(CU, 5))
        total += occupancy * (table[z - 1] + f1 - z + 1j * f2) * np.exp(2j * np.pi * hkl @ x)
    return q, np.abs(total) ** 2


@pytest.mark.parametrize("material_id", ENTRIES)
def test_one_of_each_orbit_stands_for_all(material_id: str) -> None:
    crystal, setting = entry(material_id)
    found = reflections(crystal, setting, d_inverse_max=REACH, wavelength_angstrom=CU)
    q, squared = all_points(crystal, REACH)
    bins = np.linspace(0, REACH**2 + 1e-6, 40)
    expected = np.histogram(q, bins, weights=squared)[0] / crystal.volume**2
    made = np.histogram(found.q, bins, weights=found.intensity)[0]
    np.testing.assert_allclose(made, expected, rtol=2e-3, atol=1e-4 * expected.max())


def test_a_skew_cell_has_all_its_reflections() -> None:
    """A primitive cell of 100 Å along three axes a few degrees apart: a box of indices holds millions, a sphere few."""
    crystal, setting = entry("mp-676894")  # R 3 m, c = 302 Å
    one = Crystal(crystal.lattice, np.array([14]), np.zeros((1, 3)), np.ones(1))
    found = reflections(one, setting, d_inverse_max=REACH, wavelength_angstrom=CU)
    conventional = np.linalg.inv(space_group(setting).primitive_basis) @ crystal.lattice
    reach = np.floor(REACH * np.linalg.norm(conventional, axis=1)).astype(int)
    box = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    box = box[(box @ [-1, 1, 1]) % 3 == 0]  # the rule of a rhombohedral lattice, obverse
    q = ((box @ np.linalg.inv(conventional).T) ** 2).sum(axis=1)
    assert found.multiplicity.sum() == ((q > 0) & (q <= REACH**2)).sum()
    assert len(reflections(crystal, setting, d_inverse_max=1.06, wavelength_angstrom=CU).q)


@given(st.tuples(*[st.floats(3, 9)] * 3), st.tuples(*[st.floats(-2, 2)] * 3))
@settings(max_examples=20)
def test_a_cell_however_skew_has_each_point_of_the_sphere_once(lengths: tuple, skew: tuple) -> None:
    lattice = np.diag(lengths)
    lattice[1, 0], lattice[2, 0], lattice[2, 1] = np.array(skew) * lengths[0]
    crystal = Crystal(lattice, np.array([14]), np.zeros((1, 3)), np.ones(1))
    found = reflections(crystal, 1, d_inverse_max=REACH, wavelength_angstrom=CU)
    reach = np.floor(REACH * np.linalg.norm(lattice, axis=1)).astype(int)
    box = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    q = ((box @ np.linalg.inv(lattice).T) ** 2).sum(axis=1)
    assert {tuple(each) for each in np.concatenate([found.hkl, -found.hkl]).tolist()} == {
        tuple(each) for each in box[(q > 0) & (q <= REACH**2)].tolist()
    }


@pytest.mark.parametrize("material_id", ENTRIES)
def test_places_follow_strains_that_keep_the_symmetry(material_id: str) -> None:
    crystal, setting = entry(material_id)
    found = reflections(crystal, setting, d_inverse_max=REACH, wavelength_angstrom=CU)
    basis = strain_basis(crystal_family(setting))
    strain = 1e-4 * np.arange(1, len(basis) + 1)
    stretched = crystal.lattice @ (np.eye(3) + np.einsum("p,pij->ij", strain, basis))
    exact = ((found.hkl @ np.linalg.inv(stretched).T) ** 2).sum(axis=1)
    np.testing.assert_allclose(found.q + strain @ found.slopes, exact, rtol=2e-6)


@pytest.mark.parametrize("material_id", ["mp-5229", "mp-3472", "mp-7000"])
def test_texture_is_seen_alike_by_all_of_an_orbit_in_the_mean_of_a_sphere(material_id: str) -> None:
    crystal, setting = entry(material_id)
    found = reflections(crystal, setting, d_inverse_max=REACH, wavelength_angstrom=CU)
    for axis in texture_axes(setting):
        cosines = texture_cosines(crystal, setting, found.hkl, axis)
        assert len(cosines) == len(found.q)
        assert 24 % cosines.shape[1] == 0
        assert cosines.min() > -1e-12
        assert cosines.max() < 1 + 1e-9
    if crystal_family(setting) == "cubic":  # second order averages out
        np.testing.assert_allclose(cosines.mean(axis=1), 1 / 3, atol=1e-9)


def test_axes_of_texture_are_one_of_each_orbit() -> None:
    assert texture_axes(221) == [(0, 0, 1), (1, 1, 0), (1, 1, 1)]
    assert texture_axes(2)[:3] == [(0, 0, 1), (1, 0, 0), (0, 1, 0)]
    assert len(texture_axes(1)) == 10


def test_a_cell_with_too_many_reflections_gives_none() -> None:
    huge = Crystal(np.eye(3) * 300.0, np.array([14]), np.zeros((1, 3)), np.ones(1))
    assert not len(reflections(huge, 1, d_inverse_max=0.9, wavelength_angstrom=CU).q)


@given(st.floats(3.0, 8.0))
@settings(max_examples=20, deadline=None)
def test_density_is_mass_over_volume(length: float) -> None:
    iron = Crystal(np.eye(3) * length, np.array([26]), np.zeros((1, 3)), np.ones(1))
    assert density(iron) == pytest.approx(55.845 / length**3, rel=1e-4)
