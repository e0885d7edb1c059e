"""Candidate structures: the sites of a template, a composition's elements on them, in a predicted cell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.library.asymmetric import AsymmetricUnit, lattices
from deepxrd.library.space_groups import space_group
from deepxrd.models.candidates.search import Found
from deepxrd.models.candidates.targets import Targets
from deepxrd.models.candidates.templates import Templates


def structures(
    templates: Templates, targets: Targets, found: Found, cells: NDArray[np.float64], *, primitive: bool = True
) -> list[Crystal]:
    """The structure of each found structure type, on the sites of its nearest template.

    Args:
        templates: structures to substitute into.
        targets: what was looked up.
        found: structure types, n of them.
        cells: of the conventional cells, logarithms of edges in Å and angles in radians, ``(n, 6)``.
        primitive: whether the primitive cell is filled, or the conventional one.
    """
    first = found.member[:, 0]
    distinct, place = np.unique(first, return_inverse=True)
    known = templates.library.crystals(templates.row[distinct], primitive=primitive)
    parameters = np.concatenate([np.exp(cells[:, :3]), np.degrees(cells[:, 3:])], axis=1)
    out: list[Crystal | None] = [None] * len(found)
    groups = templates.space_group[first]
    for number in np.unique(groups).tolist():
        members = np.flatnonzero(groups == number)
        vectors = lattices(space_group(number), parameters[members], primitive=primitive)
        for at, lattice in zip(members.tolist(), vectors, strict=True):
            target, template = found.target[at], first[at]
            old = templates.elements[template]
            old, slot = old[old > 0], found.slot[at]
            out[at] = _put(
                known[place[at]], old, targets.mixed[target][slot], targets.filled[target][slot], np.asarray(lattice)
            )
    return [crystal for crystal in out if crystal is not None]


def asymmetric_unit(
    templates: Templates, targets: Targets, found: Found, cells: NDArray[np.float64], place: int
) -> AsymmetricUnit:
    """One of these structures by its symmetry, that of its template.

    Args:
        templates: as in `structures`.
        targets: likewise.
        found: likewise.
        cells: likewise.
        place: which of them.
    """
    template, target = found.member[place, 0], found.target[place]
    unit = templates.library.asymmetric_unit(int(templates.row[template]))
    old, slot = templates.elements[template], found.slot[place]
    sites = _exchanged(unit.atomic_numbers, old[old > 0], targets.mixed[target][slot], targets.filled[target][slot])
    cell = np.concatenate([np.exp(cells[place, :3]), np.degrees(cells[place, 3:])])
    letters = "".join(unit.letters[site] for site in sites.site.tolist())
    return AsymmetricUnit(
        unit.space_group, cell, sites.atomic_numbers, letters, unit.frac_coords[sites.site], sites.occupancies
    )


class _Sites(NamedTuple):
    """Which site each atom is on, and what is there; a shared site stands once for each of its elements."""

    site: NDArray[np.int64]
    atomic_numbers: NDArray[np.int64]
    occupancies: NDArray[np.float64]


def _put(
    crystal: Crystal,
    old: NDArray[np.int64],
    mixed: NDArray[np.int64],
    filled: NDArray[np.float64],
    lattice: NDArray[np.float64],
) -> Crystal:
    """The elements and occupancies of each slot, in place of the template's elements ``old``."""
    sites = _exchanged(crystal.atomic_numbers, old, mixed, filled)
    coords = crystal.frac_coords[sites.site]
    return Crystal(lattice, sites.atomic_numbers, coords, sites.occupancies, crystal.rotations)


def _exchanged(
    atomic_numbers: NDArray[np.int64], old: NDArray[np.int64], mixed: NDArray[np.int64], filled: NDArray[np.float64]
) -> _Sites:
    slot_of = np.zeros(119, dtype=np.int64)
    slot_of[old] = np.arange(len(old))
    slots = slot_of[atomic_numbers]
    if not mixed[: len(old), 1:].any():
        return _Sites(np.arange(len(slots)), mixed[slots, 0], filled[slots, 0])
    site, column = np.nonzero(mixed[slots] > 0)
    return _Sites(site, mixed[slots[site], column], filled[slots[site], column])
