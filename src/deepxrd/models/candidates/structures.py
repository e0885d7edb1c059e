"""Candidate structures: the sites of a template, a composition's elements on them, in a predicted cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.library.asymmetric import lattices
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


def _put(
    crystal: Crystal,
    old: NDArray[np.int64],
    mixed: NDArray[np.int64],
    filled: NDArray[np.float64],
    lattice: NDArray[np.float64],
) -> Crystal:
    """The elements and occupancies of each slot, in place of the template's elements ``old``."""
    slot_of = np.zeros(119, dtype=np.int64)
    slot_of[old] = np.arange(len(old))
    slots = slot_of[crystal.atomic_numbers]
    if not mixed[: len(old), 1:].any():
        return Crystal(lattice, mixed[slots, 0], crystal.frac_coords, filled[slots, 0])
    site, column = np.nonzero(mixed[slots] > 0)
    return Crystal(lattice, mixed[slots[site], column], crystal.frac_coords[site], filled[slots[site], column])
