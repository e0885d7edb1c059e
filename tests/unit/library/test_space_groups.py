"""The tables of space groups against spglib's and against themselves."""

import numpy as np
import pytest
import spglib
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.library.space_groups import N_GROUPS, affine, space_group

NUMBERS = st.integers(1, N_GROUPS)
FREE = np.array([0.1379, 0.2843, 0.4171])
EXACT = 1e-9  # of fractions of small whole numbers


def as_set(rotations: np.ndarray, translations: np.ndarray) -> set[tuple[int, ...]]:
    """Operations as whole numbers, translations in 1/24."""
    shifts = np.round(np.asarray(translations) * 24).astype(int) % 24
    return {(*r.ravel().astype(int).tolist(), *t.tolist()) for r, t in zip(rotations, shifts, strict=True)}


def test_operations_are_those_of_spglib_in_one_of_its_settings() -> None:
    left = set(range(1, N_GROUPS + 1))
    for hall in range(1, 531):
        number = spglib.get_spacegroup_type(hall).number
        if number in left:
            group, theirs = space_group(number), spglib.get_symmetry_from_database(hall)
            if as_set(group.rotations, group.translations) == as_set(theirs["rotations"], theirs["translations"]):
                left.discard(number)
    assert not left


def test_there_are_as_many_positions_as_in_the_international_tables() -> None:
    assert sum(len(space_group(number).positions) for number in range(1, N_GROUPS + 1)) == 1731


@pytest.mark.parametrize(
    ("number", "letter", "multiplicity", "site_symmetry"),
    [(225, "c", 8, "-43m"), (221, "c", 3, "4/mm.m"), (62, "c", 4, ".m."), (14, "e", 4, "1"), (166, "c", 6, "3m")],
)
def test_positions_known_from_the_international_tables(
    number: int, letter: str, multiplicity: int, site_symmetry: str
) -> None:
    group = space_group(number)
    position = group.positions[group.index[letter]]
    assert (position.multiplicity, position.site_symmetry) == (multiplicity, site_symmetry)


@given(NUMBERS)
def test_images_are_the_whole_orbit_each_site_once(number: int) -> None:
    group = space_group(number)
    for position in group.positions:
        site = position.linear @ FREE[: position.n_free] + position.shift
        moved = (group.rotations @ site + group.translations) % 1.0
        images = moved[position.images]
        gap = images[:, None] - images
        apart = np.abs(gap - np.round(gap)).max(axis=2)
        assert len(images) == position.multiplicity
        assert (apart + np.eye(len(images)) > EXACT).all()
        gap = moved[:, None] - images
        assert (np.abs(gap - np.round(gap)).max(axis=2).min(axis=1) < EXACT).all()


@given(NUMBERS)
def test_normalisers_map_the_group_on_itself_and_positions_as_they_say(number: int) -> None:
    group = space_group(number)
    own = as_set(group.rotations, group.translations)
    for change in group.normalisers:
        back = np.linalg.inv(change.linear)
        rotations = np.round(change.linear @ group.rotations @ back)
        translations = group.translations @ change.linear.T + change.shift - rotations @ change.shift
        assert as_set(rotations, translations) == own
        assert np.linalg.det(change.linear) == pytest.approx(1.0)
        for position in group.positions:
            site = change.linear @ (position.linear @ FREE[: position.n_free] + position.shift) + change.shift
            target = group.positions[group.index[change.letters[position.letter]]]
            images = group.rotations @ site + group.translations - target.shift
            rest = images - images[:, target.pivots] @ target.linear.T
            assert np.abs(rest - np.round(rest)).max(axis=1).min() < EXACT
            assert (target.multiplicity, target.n_free) == (position.multiplicity, position.n_free)


def test_texts_of_coordinates_are_read_as_written() -> None:
    linear, shift = affine("x,-x+1/2,2/3")
    assert linear.ravel().tolist() == [1.0, -1.0, 0.0]
    assert shift.tolist() == [0.0, 0.5, 2 / 3]
