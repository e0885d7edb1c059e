"""From a crystal to its asymmetric unit in the standard setting, always the same for crystals of one prototype."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.chem.crystal import close_pairs
from deepxrd.chem.symmetry import KEPT_SYMPREC_ANGSTROM
from deepxrd.io.quiet import loggers_from
from deepxrd.library.asymmetric import AsymmetricUnit, cell_parameters, wrap
from deepxrd.library.space_groups import Normaliser, SpaceGroup, WyckoffPosition, crystal_family, space_group

COORDINATE_STEPS = 65_520
"""Steps of a stored coordinate along a cell edge: 2^4 3^2 5 7 13, so that 1/3, 1/8 and their like are exact."""

_SAME_PLACE_ANGSTROM = 1e-3  # what lies closer is one site shared by several elements
_AS_NEAR = 1e-6
_ON_POSITION = 1e-4  # how far a symmetrised site may be from its Wyckoff position, in units of the cell


@dataclass(frozen=True)
class _Orbits:
    """One site of each orbit of a crystal, before axes and origin are chosen."""

    kinds: NDArray[np.int64]  # which set of elements and occupancies is on it, (n,)
    letters: list[str]
    coords: NDArray[np.float64]  # (n, 3)


def find_asymmetric_unit(crystal: Crystal, *, symprec_angstrom: float = KEPT_SYMPREC_ANGSTROM) -> AsymmetricUnit | None:
    """The asymmetric unit of a crystal, its sites moved to where the symmetry found has them.

    Of the choices of axes and origin that a space group leaves open, the one is taken whose Wyckoff letters come first
    in the alphabet; so crystals of one prototype have the same letters (X of a cubic perovskite is on 3c or on 3d,
    as the origin is chosen).

    Args:
        crystal: any.
        symprec_angstrom: how far sites may be from where symmetry would have them.

    Returns:
        None where no symmetry can be determined.
    """
    members, kinds, coords = _merged(crystal)
    found = _orbits(crystal.lattice, kinds, coords, symprec_angstrom)
    if found is None:
        return None
    number, cell, orbits = found
    group = space_group(number)
    numbers = [[int(z) for z in crystal.atomic_numbers[members[kind]]] for kind in orbits.kinds.tolist()]
    change = _best_change(group, orbits.letters, numbers)
    letters = [change.letters[letter] for letter in orbits.letters]
    moved = orbits.coords @ change.linear.T + change.shift
    on_position = _on_positions(group, letters, moved)
    if on_position is None:
        return None
    axes = np.abs(change.linear).argmax(axis=1)  # only orthorhombic and monoclinic axes are ever of unlike lengths
    if crystal_family(group.number) in {"monoclinic", "orthorhombic"}:
        cell = np.concatenate([cell[:3][axes], cell[3:][axes]])
    owner = np.repeat(np.arange(len(numbers)), [len(each) for each in numbers])
    occupancies = np.concatenate([crystal.occupancies[members[kind]] for kind in orbits.kinds.tolist()])
    return sorted_unit(
        AsymmetricUnit(
            number,
            cell,
            np.concatenate([np.array(each, dtype=np.int64) for each in numbers]),
            "".join(letters[i] for i in owner),
            on_position[owner],
            occupancies,
        )
    )


def without_symmetry(crystal: Crystal) -> AsymmetricUnit:
    """The crystal as it is, all of its sites in space group P1."""
    coords = crystal.frac_coords if np.linalg.det(crystal.lattice) > 0 else -crystal.frac_coords  # keeps the hand
    unit = AsymmetricUnit(
        1,
        cell_parameters(crystal.lattice),
        crystal.atomic_numbers,
        "a" * len(crystal.atomic_numbers),
        wrap(coords),
        crystal.occupancies,
    )
    return sorted_unit(unit)


def sorted_unit(unit: AsymmetricUnit) -> AsymmetricUnit:
    """The same with its sites in order of element, as in a `Prototype`, then of Wyckoff letter and coordinates."""
    steps = np.round(unit.frac_coords * COORDINATE_STEPS).astype(np.int64) % COORDINATE_STEPS
    letters = np.array(list(unit.letters))
    ranks = {z: rank for rank, z in enumerate(element_order(unit))}
    rank = np.array([ranks[z] for z in unit.atomic_numbers.tolist()], dtype=np.int64)
    order = np.lexsort((unit.occupancies, *steps.T[::-1], letters, rank))
    return AsymmetricUnit(
        unit.space_group,
        unit.cell,
        unit.atomic_numbers[order],
        "".join(letters[order]),
        unit.frac_coords[order],
        unit.occupancies[order],
    )


def element_order(unit: AsymmetricUnit) -> list[int]:
    """Atomic numbers in the order of the text of their Wyckoff letters, such as ``ac2``."""
    sites: dict[int, list[str]] = {}
    for z, letter in zip(unit.atomic_numbers.tolist(), unit.letters, strict=True):
        sites.setdefault(z, []).append(letter)
    return sorted(sites, key=lambda z: (letters_text(sites[z]), z))


def letters_text(letters: list[str]) -> str:
    """Wyckoff letters in order, each with the number of its sites where that is above one.

    Example:
        >>> letters_text(["c", "d", "c"])
        'c2d'
    """
    runs = [(letter, sum(1 for _ in same)) for letter, same in groupby(sorted(letters))]
    return "".join(f"{letter}{n if n > 1 else ''}" for letter, n in runs)


def quiet_moyo() -> AbstractContextManager[None]:
    """Keep moyopy from telling of each operation that does not map the given cell on itself."""
    return loggers_from(logging.ERROR, "moyo")


def _merged(crystal: Crystal) -> tuple[list[list[int]], NDArray[np.int64], NDArray[np.float64]]:
    """Places, what is on them, and where they are: elements that share a place are one kind of site.

    Returns:
        For each kind the rows of one of its places, ``n_kinds`` lists; the kind of each place; its coordinates.
    """
    if (crystal.occupancies == 1.0).all():
        _, first, kinds = np.unique(crystal.atomic_numbers, return_index=True, return_inverse=True)
        return [[int(i)] for i in first], kinds.astype(np.int64), crystal.frac_coords
    pairs = close_pairs(crystal.lattice, crystal.frac_coords, _SAME_PLACE_ANGSTROM)
    firsts = np.arange(len(crystal.frac_coords))
    np.minimum.at(firsts, pairs[:, 1], pairs[:, 0])
    known: dict[tuple[tuple[int, float], ...], int] = {}
    members: list[list[int]] = []
    kinds_of: list[int] = []
    places = []
    for first in np.unique(firsts).tolist():
        rows = np.flatnonzero(firsts == first).tolist()
        rows.sort(key=lambda row: (crystal.atomic_numbers[row], crystal.occupancies[row]))
        content = tuple((int(crystal.atomic_numbers[r]), round(float(crystal.occupancies[r]), 4)) for r in rows)
        if content not in known:
            known[content] = len(members)
            members.append(rows)
        kinds_of.append(known[content])
        places.append(crystal.frac_coords[first])
    return members, np.array(kinds_of, dtype=np.int64), np.array(places)


def _orbits(
    lattice: NDArray[np.float64], kinds: NDArray[np.int64], coords: NDArray[np.float64], symprec_angstrom: float
) -> tuple[int, NDArray[np.float64], _Orbits] | None:
    """Space group, conventional cell and one site of each orbit, by moyopy; None where it finds no symmetry."""
    import moyopy

    cell = moyopy.Cell(lattice.tolist(), coords.tolist(), (kinds + 1).tolist())
    try:
        dataset = moyopy.MoyoDataset(cell, symprec=symprec_angstrom, setting=moyopy.Setting.standard())
    except BaseException as error:
        # A panic in Rust is no Exception: one odd structure must not end a long build.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            return None
        raise
    first = np.unique(np.array(dataset.orbits), return_index=True)[1]
    primitive, standard = dataset.prim_std_cell, dataset.std_cell
    basis = np.array(standard.basis)
    to_standard = np.array(primitive.basis) @ np.linalg.inv(basis)
    places = np.array(primitive.positions)[np.array(dataset.mapping_std_prim)[first]] @ to_standard
    letters = [dataset.wyckoffs[i] for i in first.tolist()]
    group = space_group(dataset.number)
    n_sites = sum(group.positions[group.index[letter]].multiplicity for letter in letters)
    if n_sites != len(standard.numbers):
        return None
    return int(dataset.number), cell_parameters(basis), _Orbits(kinds[first], letters, places)


def _best_change(group: SpaceGroup, letters: list[str], numbers: list[list[int]]) -> Normaliser:
    """The change of axes and origin whose letters come first in the alphabet, as in a `Prototype`."""
    if len(group.normalisers) == 1:
        return group.normalisers[0]
    by_element: dict[int, list[str]] = {}
    for letter, elements in zip(letters, numbers, strict=True):
        for z in elements:
            by_element.setdefault(z, []).append(letter)
    return min(
        group.normalisers,
        key=lambda change: sorted(letters_text([change.letters[x] for x in each]) for each in by_element.values()),
    )


def _on_positions(group: SpaceGroup, letters: list[str], coords: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Of each orbit the site on the first triplet of its Wyckoff position, ``(n, 3)``; None if there is none."""
    moved = np.einsum("oij,nj->noi", group.rotations, coords) + group.translations
    out = np.empty_like(coords)
    letter_codes = np.array(letters)
    for letter in set(letters):
        rows = np.flatnonzero(letter_codes == letter)
        sites = _least_on_position(group.positions[group.index[letter]], moved[rows])
        if sites is None:
            return None
        out[rows] = sites
    return out


def _least_on_position(position: WyckoffPosition, images: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Of the images ``(n, n_ops, 3)`` of each site the one on the position with the least free parameters."""
    free = (images - position.shift)[..., position.pivots]
    rest = images - position.shift - free @ position.linear.T
    off = np.abs(rest - np.round(rest)).max(axis=2)
    if (off.min(axis=1) > _ON_POSITION).any():
        return None
    allowed = off < off.min(axis=1, keepdims=True) + _AS_NEAR  # a site near another position has near misses too
    if position.n_free == 0:
        return np.tile(position.shift, (len(images), 1))
    steps = np.round(free * COORDINATE_STEPS).astype(np.int64) % COORDINATE_STEPS
    code = np.zeros(steps.shape[:2], dtype=np.int64)
    for axis in range(position.n_free):
        code = code * COORDINATE_STEPS + steps[..., axis]
    best = np.where(allowed, code, np.iinfo(np.int64).max).argmin(axis=1)
    chosen = free[np.arange(len(images)), best]
    return wrap(wrap(chosen) @ position.linear.T + position.shift)
