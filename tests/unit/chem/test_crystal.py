from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymatgen.core import DummySpecies, Lattice, Structure

from deepxrd.chem import Crystal, lattice_from_parameters
from deepxrd.chem.crystal import are_surely_sound

_LATTICE_TOL_ANGSTROM = 1e-9

_length = st.floats(0.5, 60.0)
_angle = st.floats(25.0, 155.0) | st.sampled_from([60.0, 90.0, 109.47122063449069, 120.0])


def _volume_factor(alpha: float, beta: float, gamma: float) -> float:
    """Square of V / abc; not positive where no such cell exists."""
    a, b, g = np.cos(np.radians([alpha, beta, gamma]))
    return float(1 - a * a - b * b - g * g + 2 * a * b * g)


@given(st.tuples(_length, _length, _length), st.tuples(_angle, _angle, _angle))
def test_cell_vectors_are_those_of_pymatgen(lengths: tuple[float, ...], angles: tuple[float, ...]) -> None:
    assume(_volume_factor(*angles) > 1e-3)
    matrix = lattice_from_parameters(np.array([lengths]), np.array([angles]))[0]
    expected = Lattice.from_parameters(*lengths, *angles).matrix
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=_LATTICE_TOL_ANGSTROM * max(lengths))


@given(st.lists(st.tuples(_length, _length, _length, _angle, _angle, _angle), min_size=1, max_size=5))
def test_cell_vectors_have_the_lengths_and_angles_they_were_made_from(cells: list[tuple[float, ...]]) -> None:
    cells = [cell for cell in cells if _volume_factor(*cell[3:]) > 1e-3]
    assume(cells)
    parameters = np.array(cells)
    vectors = lattice_from_parameters(parameters[:, :3], parameters[:, 3:])
    lengths = np.linalg.norm(vectors, axis=2)
    np.testing.assert_allclose(lengths, parameters[:, :3], rtol=1e-10)
    for column, (i, j) in enumerate([(1, 2), (0, 2), (0, 1)], start=3):
        cosine = (vectors[:, i] * vectors[:, j]).sum(axis=1) / (lengths[:, i] * lengths[:, j])
        np.testing.assert_allclose(cosine, np.cos(np.radians(parameters[:, column])), rtol=0, atol=1e-10)


def test_angles_that_close_no_cell_give_no_numbers_and_spare_the_neighbours() -> None:
    angles = np.array([[90.0, 90.0, 90.0], [30.0, 30.0, 120.0]])
    vectors = lattice_from_parameters(np.full((2, 3), 4.0), angles)
    np.testing.assert_allclose(vectors[0], 4 * np.eye(3), atol=_LATTICE_TOL_ANGSTROM)
    assert np.isnan(vectors[1]).any()


def test_the_volume_is_that_of_pymatgen(crystal: Crystal) -> None:
    assert crystal.volume == pytest.approx(crystal.to_pymatgen().volume, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "reduced"),
    [("cscl", "CsCl"), ("nacl", "NaCl"), ("silicon", "Si"), ("wurtzite", "ZnO"), ("triclinic", "CaTiO2")],
)
def test_the_formula_is_that_of_the_sites(name: str, reduced: str, request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue(name).formula.reduced == reduced


def test_a_crystal_goes_to_pymatgen_and_back_unchanged(crystal: Crystal) -> None:
    back = Crystal.from_pymatgen(crystal.to_pymatgen())
    np.testing.assert_allclose(back.lattice, crystal.lattice, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(back.atomic_numbers, crystal.atomic_numbers)
    np.testing.assert_allclose(back.frac_coords, crystal.frac_coords, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(back.occupancies, crystal.occupancies)
    assert back.atomic_numbers.dtype == np.int64


def test_shared_and_partly_filled_sites_go_to_pymatgen_and_back() -> None:
    structure = Structure(
        Lattice.cubic(4.2), [{"Ca2+": 0.25, "Sr2+": 0.75}, {"O2-": 0.9}], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    crystal = Crystal.from_pymatgen(structure)
    assert sorted(zip(crystal.atomic_numbers, crystal.occupancies, strict=True)) == [(8, 0.9), (20, 0.25), (38, 0.75)]
    assert crystal.formula.reduced == "Sr15Ca5O18"
    assert crystal.why_unusable() is None
    back = crystal.to_pymatgen()
    assert len(back) == 2
    assert [site.species.as_dict() for site in back] == [{"Ca": 0.25, "Sr": 0.75}, {"O": 0.9}]


def test_sound_crystals_are_usable(crystal: Crystal) -> None:
    assert crystal.why_unusable() is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lattice": np.zeros((3, 3))}, "too small for 2 sites"),
        ({"lattice": np.array([[4.0, 0, 0], [8.0, 0, 0], [0, 0, 4.0]])}, "too small"),
        ({"lattice": np.eye(3) * 0.99}, "too small"),
        ({"lattice": np.full((3, 3), np.nan)}, "not finite"),
        ({"frac_coords": np.array([[0, 0, 0], [0.5, np.inf, 0.5]])}, "not finite"),
        ({"occupancies": np.array([1.0, np.nan])}, "not finite"),
        ({"frac_coords": np.array([[0, 0, 0], [0.02, 0.02, 0.02]])}, "closer than 0.3 Å"),
        ({"frac_coords": np.array([[0.01, 0, 0], [0.99, 1.0, 3.0]])}, "closer than 0.3 Å"),
        ({"atomic_numbers": np.array([55, 0])}, "unknown species"),
        ({"atomic_numbers": np.array([55, 119])}, "unknown species"),
        ({"occupancies": np.array([1.0, 0.0])}, "occupancy is not within"),
        ({"occupancies": np.array([1.0, -0.5])}, "occupancy is not within"),
        ({"occupancies": np.array([1.0, 1.01])}, "occupancy is not within"),
    ],
)
def test_a_broken_crystal_says_why(changes: dict[str, Any], reason: str, cscl: Crystal) -> None:
    assert reason in str(replace(cscl, **changes).why_unusable())


@given(
    sites=st.lists(st.tuples(st.integers(-1, 120), *[st.floats(-3, 3)] * 3), max_size=9),
    edges=st.tuples(*[st.floats(0.2, 9)] * 3),
    twice=st.booleans(),
)
def test_what_is_surely_sound_is_what_is_usable(
    sites: list[tuple[float, ...]], edges: tuple[float, ...], *, twice: bool
) -> None:
    sites = sites + [(z, *(x + 0.01 for x in xyz)) for z, *xyz in sites[:1]] * twice
    numbers = np.array([z for z, *_ in sites], dtype=np.int64)
    crystal = Crystal(np.diag(edges), numbers, np.array([xyz for _, *xyz in sites]).reshape(-1, 3), np.ones(len(sites)))
    [sound] = are_surely_sound(crystal.lattice[None], [numbers], [crystal.frac_coords])
    assert sound == (crystal.why_unusable() is None)


@pytest.mark.parametrize("n_sites", [0, 1, 48, 49, 128, 129])
def test_many_crystals_are_looked_at_in_one_go(n_sites: int, cscl: Crystal) -> None:
    x = (np.arange(n_sites) + 0.5) / max(n_sites, 1)
    coords = np.stack([x, np.zeros(n_sites), np.zeros(n_sites)], axis=1)
    beside = (
        np.concatenate([coords[:-1], coords[:1] + 1e-3])[-n_sites:] if n_sites > 1 else np.full((n_sites, 3), np.nan)
    )
    chain, numbers = np.diag([200.0, 9.0, 9.0]), np.full(n_sites, 6)
    lattices = np.stack([chain, cscl.lattice, chain, chain * np.nan])
    sound = are_surely_sound(
        lattices, [numbers, cscl.atomic_numbers, numbers, numbers], [coords, cscl.frac_coords, beside, coords]
    )
    assert sound.tolist() == [0 < n_sites <= 128, True, False, False]


def test_a_crystal_without_sites_says_so(cscl: Crystal) -> None:
    empty = replace(cscl, atomic_numbers=np.empty(0, int), frac_coords=np.empty((0, 3)), occupancies=np.empty(0))
    assert empty.why_unusable() == "it has no sites"


def test_a_made_up_species_is_unknown() -> None:
    structure = Structure(Lattice.cubic(4.0), [DummySpecies("X"), "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert Crystal.from_pymatgen(structure).why_unusable() == "it holds an unknown species"


@pytest.mark.parametrize(("shift", "usable"), [(0.29 / 4.209, False), (0.31 / 4.209, True)])
def test_sites_may_not_be_nearer_than_the_least_distance(cscl: Crystal, shift: float, usable: bool) -> None:  # noqa: FBT001
    near = replace(cscl, frac_coords=np.array([[0, 0, 0], [shift, 0, 0]]))
    assert (near.why_unusable() is None) is usable


def test_sites_that_share_a_place_are_no_overlap_while_they_fill_it_once(cscl: Crystal) -> None:
    shared = replace(cscl, frac_coords=np.zeros((2, 3)), occupancies=np.array([0.4, 0.6]))
    assert shared.why_unusable() is None
    assert "closer" in str(replace(shared, occupancies=np.array([0.6, 0.6])).why_unusable())
