"""Symmetry there and back: made-up crystals of any space group, however their cells are given."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deepxrd.chem import Crystal
from deepxrd.library.asymmetric import AsymmetricUnit
from deepxrd.library.prototype import Prototype
from deepxrd.library.space_groups import N_GROUPS, space_group
from deepxrd.library.symmetry import find_asymmetric_unit, letters_text, without_symmetry
from deepxrd.xrd import XrdSettings, simulate
from made_libraries import cosines, make_unit, shared_site_crystal

XRD = XrdSettings(two_theta_min_deg=5, two_theta_max_deg=90, n_points=1701, sigma_deg=0.1)
SAME_PATTERN = 1 - 1e-6  # float32 patterns; a site 0.001 Å off costs more
ELEMENTS = ("Ba", "Ti", "Cl", "O", "Zn")


@st.composite
def units(draw: st.DrawFn) -> AsymmetricUnit:
    """A crystal of a few sites of any space group; free parameters are such that sites stay apart."""
    number = draw(st.integers(1, N_GROUPS))
    positions = space_group(number).positions
    n_sites = draw(st.integers(1, 3))
    sites = []
    for i in range(n_sites):
        position = draw(st.sampled_from(positions))
        free = [draw(st.integers(1, 60)) / 61 for _ in range(3)]
        sites.append((ELEMENTS[i], position.letter, free))
    return make_unit(number, sites)


def solid(crystal: Crystal) -> bool:
    return crystal.why_unusable() is None and len(crystal.atomic_numbers) <= 200


def label(unit: AsymmetricUnit) -> str:
    sites: dict[int, list[str]] = {}
    for z, letter in zip(unit.atomic_numbers.tolist(), unit.letters, strict=True):
        sites.setdefault(z, []).append(letter)
    return Prototype.of(unit.space_group, [letters_text(each) for each in sites.values()]).label


@given(units())
def test_what_is_found_has_the_pattern_and_the_atoms_of_the_crystal(unit: AsymmetricUnit) -> None:
    crystal = unit.to_crystal()
    assume(solid(crystal))
    found = find_asymmetric_unit(crystal)
    assert found is not None
    rebuilt = found.to_crystal()
    assert rebuilt.formula == crystal.formula
    per_atom = [each.volume / len(each.atomic_numbers) for each in (crystal, rebuilt)]
    assert per_atom[0] == pytest.approx(per_atom[1], rel=1e-6)
    patterns = simulate([crystal, rebuilt, without_symmetry(crystal).to_crystal()], XRD)[0]
    assert (cosines(patterns[1:], patterns[:1]) > SAME_PATTERN).all()


@given(units(), st.integers(0, 2**32 - 1))
def test_the_prototype_does_not_depend_on_how_the_cell_is_given(unit: AsymmetricUnit, seed: int) -> None:
    crystal = unit.to_crystal(primitive=False)
    assume(solid(crystal))
    rng = np.random.default_rng(seed)
    while True:
        change = rng.integers(-1, 2, (3, 3)).astype(float)
        if round(abs(np.linalg.det(change))) == 1:
            break
    order = rng.permutation(len(crystal.atomic_numbers))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    other = Crystal(
        change @ crystal.lattice @ turn,
        crystal.atomic_numbers[order],
        ((crystal.frac_coords + rng.random(3)) @ np.linalg.inv(change))[order] % 1.0,
        crystal.occupancies,
    )
    first, second = find_asymmetric_unit(crystal), find_asymmetric_unit(other)
    assert first is not None
    assert second is not None
    mirrored = {first.space_group, second.space_group}  # a mirror image is in the other group of a chiral pair
    pairs = [{76, 78}, {91, 95}, {92, 96}, {144, 145}, {151, 153}, {152, 154}, {169, 170}, {171, 172}, {178, 179}]
    assert len(mirrored) == 1 or mirrored in [*pairs, {180, 181}, {212, 213}]
    if len(mirrored) == 1:
        assert label(first) == label(second)


@given(units())
def test_of_one_prototype_the_letters_are_the_first_in_the_alphabet(unit: AsymmetricUnit) -> None:
    found = find_asymmetric_unit(unit.to_crystal())
    assume(found is not None)
    sites: dict[int, list[str]] = {}
    for z, letter in zip(found.atomic_numbers.tolist(), found.letters, strict=True):
        sites.setdefault(z, []).append(letter)
    assert label(found) == f"{found.space_group}:{'|'.join(sorted(letters_text(each) for each in sites.values()))}"


@pytest.mark.parametrize(("origin", "expected"), [((0, 0, 0), "abc"), ((0.5, 0.5, 0.5), "abc")])
def test_perovskites_have_the_same_letters_wherever_the_origin_is(
    origin: tuple[float, float, float], expected: str
) -> None:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]) + origin
    found = find_asymmetric_unit(Crystal(3.9 * np.eye(3), np.array([38, 22, 8, 8, 8]), coords, np.ones(5)))
    assert found is not None
    assert (found.space_group, found.letters, found.atomic_numbers.tolist()) == (221, expected, [38, 22, 8])


def test_a_left_handed_cell_keeps_the_hand_of_the_crystal() -> None:
    right = make_unit(19, [("Ba", "a", (0.11, 0.23, 0.37)), ("O", "a", (0.41, 0.17, 0.05))]).to_crystal()
    swap = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
    left = Crystal(swap @ right.lattice, right.atomic_numbers, right.frac_coords @ swap, right.occupancies)
    kept = without_symmetry(left).to_crystal()
    assert np.linalg.det(kept.lattice) > 0
    handedness = [_signed_volume(crystal) for crystal in (right, left, kept)]
    assert handedness[1] == pytest.approx(handedness[0])
    assert handedness[2] == pytest.approx(handedness[0])


def _signed_volume(crystal: Crystal) -> float:
    """Signed volume spanned by the three shortest vectors from the first Ba to O: changes sign in a mirror."""
    delta = crystal.frac_coords[crystal.atomic_numbers == 8] - crystal.frac_coords[crystal.atomic_numbers == 56][0]
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
    vectors = ((delta[:, None] + images).reshape(-1, 3)) @ crystal.lattice
    return float(np.linalg.det(vectors[np.argsort(np.linalg.norm(vectors, axis=1))[:3]]))


def test_shared_and_partly_filled_sites_are_kept() -> None:
    crystal = shared_site_crystal()
    found = find_asymmetric_unit(crystal)
    assert found is not None
    assert found.space_group == 221
    assert dict(zip(found.atomic_numbers.tolist(), found.occupancies.tolist(), strict=True)) == {
        20: 0.25,
        38: 0.75,
        22: 1.0,
        8: 0.9,
    }
    patterns = simulate([crystal, found.to_crystal()], XRD)[0]
    assert cosines(patterns[1:], patterns[:1])[0] > SAME_PATTERN
