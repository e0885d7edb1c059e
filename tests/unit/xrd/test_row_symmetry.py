from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st

from deepxrd.chem import Crystal
from deepxrd.library.asymmetric import FREE_CELL_PARAMETERS, AsymmetricUnit, full_cells
from deepxrd.library.space_groups import N_GROUPS, crystal_family, space_group
from deepxrd.xrd import row_symmetry
from deepxrd.xrd.batched import simulate_patterns
from deepxrd.xrd.lattice_points import enumerate_rows
from deepxrd.xrd.packing import pack_crystals
from deepxrd.xrd.settings import XrdSettings

SAME_TOL = 0.001  # of 100: the same sum in another order, in single precision

_PAPER = XrdSettings()


@pytest.fixture(scope="module", autouse=True)
def _of_all_crystals() -> Iterator[None]:
    """Use the symmetry of small crystals too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_symmetry, "_FEWEST_SITES", 0)
        yield


def crystal_of(number: int, seed: int, *, primitive: bool) -> Crystal:
    """A general site of iron and a special one of oxygen, in a cell that the group allows."""
    rng, group = np.random.default_rng(seed), space_group(number)
    lengths = [rng.uniform(4.5, 8.0) for _ in range(3)] + [rng.uniform(82.0, 98.0) for _ in range(3)]
    cell = full_cells(number, np.array([[lengths[i] for i in FREE_CELL_PARAMETERS[crystal_family(number)]]]))[0]
    special, general = group.positions[0], group.positions[-1]
    coords = np.array([special.linear @ rng.random(special.n_free) + special.shift, rng.random(3)])
    unit = AsymmetricUnit(
        number, cell, np.array([8, 26]), special.letter + general.letter, coords, np.array([1.0, 0.8])
    )
    return unit.to_crystal(primitive=primitive)


@pytest.mark.parametrize("primitive", [True, False])
def test_patterns_are_those_without_symmetry_in_every_space_group(primitive: bool) -> None:  # noqa: FBT001
    crystals = [crystal_of(number, number, primitive=primitive) for number in range(1, N_GROUPS + 1)]
    plain = [replace(crystal, rotations=None) for crystal in crystals]
    off = np.abs(simulate_patterns(crystals, _PAPER) - simulate_patterns(plain, _PAPER)).max(axis=1)
    assert dict(enumerate(off.tolist(), start=1)) == pytest.approx(
        dict.fromkeys(range(1, N_GROUPS + 1), 0), abs=SAME_TOL
    )


@pytest.mark.parametrize("changes", [{"sigma_deg": 0.0}, {"radiation": "MoKa", "two_theta_min_deg": 20.0}])
def test_so_they_are_under_other_settings(changes: dict[str, object]) -> None:
    crystals = [crystal_of(number, number, primitive=True) for number in range(3, N_GROUPS + 1, 13)]
    plain = [replace(crystal, rotations=None) for crystal in crystals]
    s = replace(_PAPER, **changes)
    np.testing.assert_allclose(simulate_patterns(crystals, s), simulate_patterns(plain, s), rtol=0, atol=SAME_TOL)


@pytest.mark.parametrize("primitive", [True, False])
@pytest.mark.parametrize("number", [2, 5, 15, 43, 88, 98, 122, 148, 155, 166, 176, 205, 216, 227, 229])
def test_rotations_are_those_that_spglib_finds(number: int, primitive: bool) -> None:  # noqa: FBT001
    crystal = crystal_of(number, number, primitive=primitive)
    found = spglib.get_symmetry((crystal.lattice, crystal.frac_coords, crystal.atomic_numbers), symprec=1e-4)
    assert crystal.rotations is not None
    ours = {tuple(each) for each in crystal.rotations.reshape(-1, 9).tolist()}
    assert ours == {tuple(each) for each in found["rotations"].reshape(-1, 9).tolist()}


def reflections(crystals: list[Crystal]) -> tuple[np.ndarray, np.ndarray]:
    """Of each crystal: how many reflections are computed, and for how many within the sphere they stand."""
    packed = pack_crystals(crystals)
    metric = packed.reciprocal_metric * (_PAPER.wavelength_angstrom**2 / 4)
    rows = enumerate_rows(metric, packed.symmetry, 1.0)
    computed, counted = np.zeros(len(crystals)), np.zeros(len(crystals))
    for row in range(len(rows.hkl)):
        crystal, reach = rows.crystal[row], rows.reach[row]
        j = np.arange(0 if packed.symmetry.mirrored[crystal] else -reach, reach + 1)
        u = rows.u_origin[row] + j * (rows.u_slope[row] + j * rows.u_curvature[row])
        weight = np.where(j == 0, rows.first_weight[row], 1.0) * rows.weight[row]
        if (rows.hkl[row, :2] == 0).all():
            weight = np.where(j > 0, weight, 0.0)
        computed[crystal] += len(j)
        counted[crystal] += weight[u <= 1.0].sum()
    return computed, counted


@given(st.integers(1, N_GROUPS), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=25)
def test_all_reflections_are_counted(number: int, seed: int, primitive: bool) -> None:  # noqa: FBT001
    crystal = crystal_of(number, seed, primitive=primitive)
    computed, counted = reflections([crystal, replace(crystal, rotations=None)])
    assert counted[0] == pytest.approx(counted[1])
    assert computed[0] <= 1.2 * computed[1]  # along another axis a few more may lie without the sphere


@pytest.mark.parametrize(
    ("number", "least"), [(2, 1.0), (16, 3.0), (75, 3.0), (123, 5.5), (168, 5.0), (191, 8.0), (221, 5.5)]
)
def test_few_reflections_stand_for_many(number: int, least: float) -> None:
    crystal = crystal_of(number, 5, primitive=True)
    computed, _ = reflections([crystal, replace(crystal, rotations=None)])
    assert computed[1] / computed[0] >= least


def test_symmetry_that_a_cell_does_not_have_is_not_believed() -> None:
    cubic = crystal_of(221, 1, primitive=True)
    strained = replace(cubic, lattice=cubic.lattice * np.array([1.0, 1.0, 1.03])[:, None])
    plain = simulate_patterns([replace(strained, rotations=None)], _PAPER)
    np.testing.assert_array_equal(simulate_patterns([strained], _PAPER), plain)
    assert np.abs(simulate_patterns([cubic], _PAPER) - plain).max() > 1


def test_small_crystals_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_symmetry, "_FEWEST_SITES", 1000)
    crystal = crystal_of(221, 1, primitive=True)
    computed, _ = reflections([crystal, replace(crystal, rotations=None)])
    assert computed[0] == computed[1]


def test_a_pattern_does_not_depend_on_company() -> None:
    crystals = [crystal_of(number, number, primitive=True) for number in range(1, N_GROUPS + 1, 11)]
    mixed = [each for crystal in crystals for each in (crystal, replace(crystal, rotations=None))]
    alone = np.concatenate([simulate_patterns([crystal], _PAPER) for crystal in mixed])
    np.testing.assert_array_equal(simulate_patterns(mixed, _PAPER), alone)
