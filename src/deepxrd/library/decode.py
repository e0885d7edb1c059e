"""From the arrays of a library back to crystals, those of one space group at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.errors import LibraryError
from deepxrd.library.asymmetric import AsymmetricUnit, expand, full_cells, lattices
from deepxrd.library.space_groups import SpaceGroup, space_group
from deepxrd.library.symmetry import COORDINATE_STEPS
from deepxrd.library.tables import CELL_UNIT, Index, Tables, ragged


@dataclass(frozen=True, eq=False)
class _Sites:
    """Sites of the asymmetric units of some entries of one space group, end to end.

    Attributes:
        owner: which of the entries, ``(n_sites,)``.
        atomic_numbers, occupancies: ``(n_sites,)``.
        kinds: place of the Wyckoff position in the group, ``(n_sites,)``.
        coords: ``(n_sites, 3)``.
        cells: six parameters of each entry, ``(n, 6)``.
    """

    owner: Index
    atomic_numbers: NDArray[np.int64]
    occupancies: NDArray[np.float64]
    kinds: Index
    coords: NDArray[np.float64]
    cells: NDArray[np.float64]


def crystals(tables: Tables, rows: Index, *, primitive: bool) -> list[Crystal]:
    """The crystals of some entries, in the order of ``rows``.

    Raises:
        LibraryError: an entry has a cell that cannot be.
    """
    out: list[Crystal | None] = [None] * len(rows)
    groups = tables.group_of_prototype[tables.arrays["prototype"][rows]]
    for number in np.unique(groups).tolist():
        members = np.flatnonzero(groups == number)
        group = space_group(number)
        sites = _sites(tables, rows[members], group)
        vectors = lattices(group, sites.cells, primitive=primitive)
        _check(vectors, rows[members])
        coords, site = expand(group, sites.kinds, sites.coords, primitive=primitive)
        ends = np.cumsum(np.bincount(sites.owner[site], minlength=len(members)))
        numbers, occupancies = sites.atomic_numbers[site], sites.occupancies[site]
        rotations = group.rotations_in(primitive=primitive)
        start = 0
        for place, lattice, stop in zip(members.tolist(), vectors, ends.tolist(), strict=True):
            part = slice(start, stop)
            out[place] = Crystal(lattice, numbers[part], coords[part], occupancies[part], rotations)
            start = stop
    return [crystal for crystal in out if crystal is not None]


def asymmetric_unit(tables: Tables, row: int) -> AsymmetricUnit:
    """One entry by its symmetry.

    Raises:
        LibraryError: it has a cell that cannot be.
    """
    number = int(tables.group_of_prototype[tables.arrays["prototype"][row]])
    group = space_group(number)
    sites = _sites(tables, np.array([row]), group)
    _check(lattices(group, sites.cells, primitive=False), np.array([row]))
    letters = "".join(group.positions[kind].letter for kind in sites.kinds.tolist())
    return AsymmetricUnit(number, sites.cells[0], sites.atomic_numbers, letters, sites.coords, sites.occupancies)


def cells(tables: Tables, rows: Index) -> NDArray[np.float64]:
    """a, b, c in Å, alpha, beta, gamma in degrees of the conventional cells, ``(n, 6)``."""
    out = np.empty((len(rows), 6))
    groups = tables.group_of_prototype[tables.arrays["prototype"][rows]]
    for number in np.unique(groups).tolist():
        out[groups == number] = _cells(tables, rows[groups == number], number)
    return out


def _cells(tables: Tables, rows: Index, number: int) -> NDArray[np.float64]:
    starts = tables.cell_start[rows]
    codes = tables.arrays["cell"][ragged(starts, tables.cell_start[rows + 1] - starts)]
    return full_cells(number, codes.reshape(len(rows), -1) * CELL_UNIT)


def _sites(tables: Tables, rows: Index, group: SpaceGroup) -> _Sites:
    a, stacked = tables.arrays, group.stacked
    prototype = a["prototype"][rows].astype(np.int64)
    n_runs = a["prototype_runs"][prototype].astype(np.int64)
    runs = ragged(tables.run_start[prototype], n_runs)
    count = a["run_count"][runs].astype(np.int64)
    owner = np.repeat(np.repeat(np.arange(len(rows)), n_runs), count)
    kinds = np.repeat(stacked.place[a["run_letter"][runs]], count)
    slot = np.repeat(a["run_slot"][runs].astype(np.int64), count)
    n_sites = tables.prototype_sites[prototype]
    starts = tables.coordinate_start[rows]
    codes = a["coordinate"][ragged(starts, tables.coordinate_start[rows + 1] - starts)]
    free = np.zeros((len(kinds), 3))
    free[np.arange(3) < stacked.n_free[kinds][:, None]] = codes / COORDINATE_STEPS
    occupancies = np.ones(len(kinds))
    if len(a["occupancy"]):
        place = ragged(tables.site_start[rows], n_sites)
        known = np.minimum(np.searchsorted(a["occupancy_site"], place), len(a["occupancy"]) - 1)
        partly = a["occupancy_site"][known] == place
        occupancies[partly] = a["occupancy"][known[partly]]
    return _Sites(
        owner,
        a["slot_number"][tables.slot_start[rows][owner] + slot].astype(np.int64),
        occupancies,
        kinds,
        np.einsum("nij,nj->ni", stacked.linear[kinds], free) + stacked.shift[kinds],
        _cells(tables, rows, group.number),
    )


def _check(vectors: NDArray[np.float64], rows: Index) -> None:
    volume = np.abs(np.linalg.det(vectors))
    bad = ~np.isfinite(volume) | (volume < 1e-3)  # noqa: PLR2004 - Å^3; an atom takes thousands of times as much
    if bad.any():
        msg = f"the library's entry {rows[bad][0]} has a cell that cannot be; build the library anew"
        raise LibraryError(msg)
