"""Known structures to put elements into, by stoichiometry and by structure type: prototype and shape of the cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise, permutations

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Formula
from deepxrd.chem.elements import ELECTRONEGATIVITY
from deepxrd.library import Library
from deepxrd.library.decode import cells
from deepxrd.library.prototype import Prototype
from deepxrd.library.space_groups import multiplicities
from deepxrd.library.tables import GROUND_STATE_SHIFT

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

WIDTH = 10
"""The most elements of a template or of a composition that is looked up; what has more is merged first."""
MOST_WAYS = 24
"""Up to so many ways of putting elements into places are all looked at; else an assignment solver gives the best."""
_ALIKE_LOG, _ALIKE_RAD = 0.12, 0.105
_MOST_IN_KEY = 8  # digits of base 119 in 64 bits
_UNKNOWN_HULL = 0.05  # eV per atom: about the mean of what is known
_YES = 2  # in the library's bits of facts


@dataclass(frozen=True, eq=False)
class Stoichiometry:
    """Templates of one stoichiometry.

    Attributes:
        counts: atoms of each slot in the reduced formula, ascending, ``(n_slots,)``.
        rows: which of the templates.
        structure_types: where each structure type begins among them, ``(n_types,)``.
    """

    counts: Index
    rows: slice
    structure_types: Index

    @cached_property
    def ways(self) -> Index:
        """For each template's slot the composition's, ``(n_ways, n_slots)``; empty if there are too many."""
        return ways_of(self.counts)


class Templates:
    """Some entries of a library, those of one stoichiometry together, and of one structure type among these.

    A structure type is a prototype with cells of about one shape: structures of one prototype whose free coordinates
    differ much mostly differ in the shape of the cell too. The elements of each template stand in slots of ascending
    count.

    Args:
        library: structures.
        chosen: which entries may be used, ``(len(library),)`` bool; held-out ones and those with shared or partly
            filled sites never are.

    Attributes:
        row: entry of the library, ``(n,)``.
        composition: number of its composition in the library, ``(n,)``.
        structure_type: ``(n,)``; counted from zero over all templates.
        elements: atomic number in each slot, ``(n, WIDTH)``; 0 is padding.
        slot: place of each of these slots in the library's own order, ``(n, WIDTH)``.
        counts: atoms of each slot in the reduced formula, ``(n, WIDTH)``.
        cell: a, b, c in Å and angles in degrees of the conventional cell, ``(n, 6)``.
        n_atoms: atoms in that cell, ``(n,)``.
        ground_state: 1 for the most stable of its composition, ``(n,)``.
        hull: energy above the hull, eV per atom, ``(n,)``.
        prototype: place of the prototype in the library, ``(n,)``.
        space_group: ``(n,)``.
        of_counts: stoichiometries by counts in ascending order.
    """

    def __init__(self, library: Library, chosen: NDArray[np.bool_]) -> None:
        self.library = library
        self.chosen = np.asarray(chosen, dtype=bool)
        rows = np.flatnonzero(self.chosen & ~library.held_out(np.arange(len(library))) & ~_partly_filled(library))
        tables = library.tables
        prototype = tables.arrays["prototype"][rows].astype(np.int64)
        few = tables.prototype_slots[prototype] <= WIDTH
        rows, prototype = rows[few], prototype[few]
        counts, atoms = prototype_counts(library)
        in_order = np.argsort(np.where(counts > 0, counts, np.iinfo(np.int64).max), axis=1, kind="stable")
        counts = np.take_along_axis(counts, in_order, axis=1)
        names, stoichiometry = _distinct(counts, prototype)
        cell = cells(tables, rows)
        shape = _shapes(prototype, _shape(cell))
        order = np.lexsort((rows, shape, prototype, stoichiometry))
        self.row, self.prototype, self.cell = rows[order], prototype[order], cell[order]
        new = (np.diff(self.prototype) != 0) | (np.diff(shape[order]) != 0)
        self.structure_type = np.concatenate([[0], np.cumsum(new)]).astype(np.int64) if len(rows) else rows
        self.composition = tables.composition_of(self.row)
        self.n_atoms, self.counts = atoms[self.prototype], counts[self.prototype]
        facts = tables.arrays["facts"][self.row].astype(np.int64)
        self.ground_state = ((facts >> GROUND_STATE_SHIFT & 3) == _YES).astype(np.float32)
        self.hull = np.nan_to_num(library.energies_above_hull(self.row), nan=_UNKNOWN_HULL).astype(np.float32)
        self.space_group = tables.group_of_prototype[self.prototype]
        there = self.counts > 0
        self.slot = np.where(there, in_order[self.prototype], 0)
        places = tables.slot_start[self.row][:, None] + self.slot
        self.elements = np.where(there, tables.arrays["slot_number"][places], 0).astype(np.int64)
        self._align()
        self.of_counts = self._sorted(stoichiometry[order], names)

    def __len__(self) -> int:
        return len(self.row)

    def _align(self) -> None:
        """Where slots can be exchanged, put the same sort of element first in all templates of the structure type."""
        for structure_type, ways in self.same_places.items():
            members = np.arange(self.type_start[structure_type], self.type_start[structure_type + 1])
            n = ways.shape[1]
            keys = np.stack([order_key(self.elements[members][:, way]) for way in ways], axis=1)
            chosen = ways[keys.argmin(axis=1)]
            for table in (self.elements, self.slot):
                table[members, :n] = np.take_along_axis(table[members, :n], chosen, axis=1)

    def _sorted(self, stoichiometry: Index, names: Index) -> dict[tuple[int, ...], Stoichiometry]:
        ends = np.searchsorted(stoichiometry, np.arange(len(names) + 1))
        types = np.split(self.type_start[:-1], np.searchsorted(self.type_start[:-1], ends[1:-1]))
        found = {}
        for counts, first, stop, of_these in zip(names, ends[:-1].tolist(), ends[1:].tolist(), types, strict=True):
            name = counts[counts > 0]
            found[tuple(name.tolist())] = Stoichiometry(name, slice(first, stop), of_these - first)
        return found

    @cached_property
    def has_composition(self) -> NDArray[np.bool_]:
        """Whether structures of each composition of the library are among them, ``(n_compositions,)``."""
        out = np.zeros(len(self.library.tables.composition_start) - 1, dtype=bool)
        out[self.composition] = True
        return out

    @cached_property
    def type_start(self) -> Index:
        """First template of each structure type, and one past the last, ``(n_types + 1,)``."""
        return np.concatenate([np.unique(self.structure_type, return_index=True)[1], [len(self)]]).astype(np.int64)

    @cached_property
    def same_places(self) -> dict[int, Index]:
        """Kinds without free coordinates in which slots can be exchanged: the ways to do so, ``(n, n_slots)``."""
        out, seen = dict[int, Index](), dict[int, Index | None]()
        free = self.library.tables.prototype_free
        fixed = np.flatnonzero(free[self.prototype[self.type_start[:-1]]] == 0)
        for structure_type, first in zip(fixed.tolist(), self.type_start[fixed].tolist(), strict=True):
            p = int(self.prototype[first])
            if p not in seen:
                own = self.library.prototype(int(self.row[first]))
                ways = Prototype.of(own.space_group, own.texts).assignments
                n = int((self.counts[first] > 0).sum())
                order = self.slot[first, :n]
                back = np.argsort(order)
                made = np.array([back[np.array(way)[order]] for way in ways], dtype=np.int64) if len(ways) > 1 else None
                seen[p] = made
            found = seen[p]
            if found is not None:
                out[structure_type] = found
        return out

    def compositions_of(self, formulas: Sequence[Formula]) -> Index:
        """Number in the library of each composition, −1 where it is not there, ``(n,)``."""
        entries = [self.library.find_formula(formula)[:1] for formula in formulas]
        first = np.array([entry[0] if len(entry) else -1 for entry in entries], dtype=np.int64)
        return np.where(first >= 0, self.library.tables.composition_of(first), -1)


def _distinct(counts: Index, prototype: Index) -> tuple[Index, Index]:
    """The stoichiometries that occur, in ascending order, ``(n, WIDTH)``; and the place there of each structure's."""
    used, place = np.unique(prototype, return_inverse=True)
    names, of_used = np.unique(counts[used], axis=0, return_inverse=True)
    return names, of_used[place]


def _names(library: Library) -> list[bytes]:
    """Elements and counts of each composition of a library, as `_name` gives them."""
    a, start = library.tables.arrays, library.tables.element_start.tolist()
    pairs = np.stack([a["element_number"].astype(np.int32), a["element_count"].astype(np.int32)], axis=1)
    return [pairs[i:j].tobytes() for i, j in pairwise(start)]


def _name(formula: Formula) -> bytes:
    pairs = sorted((ATOMIC_NUMBERS[symbol], count) for symbol, count in formula.counts)
    return np.array(pairs, dtype=np.int32).tobytes()


def entries_of(library: Library, formulas: Sequence[Formula]) -> NDArray[np.bool_]:
    """Which entries of a library are of these compositions, ``(len(library),)``."""
    wanted, tables = {_name(formula) for formula in formulas}, library.tables
    chosen = np.array([name in wanted for name in _names(library)], dtype=bool)
    return chosen[tables.composition_of(np.arange(len(library)))]


def order_key(elements: Index) -> Index:
    """A number by which lists of elements ``(…, n)`` are put in order: the less electronegative first."""
    out = np.zeros(elements.shape[:-1], dtype=np.int64)
    for column in range(min(elements.shape[-1], _MOST_IN_KEY)):
        out = out * (1 + len(SYMBOLS)) + _place_of_element()[elements[..., column]]
    return out


@cache
def _place_of_element() -> Index:
    """Place of each element in order of electronegativity, ``(1 + 118,)``."""
    order = sorted(range(1 + len(SYMBOLS)), key=lambda z: (ELECTRONEGATIVITY[SYMBOLS[z - 1]], z) if z else (-1.0, 0))
    return np.argsort(order)


def ways_of(counts: Index) -> Index:
    """All ways to put slots into slots of the same count, ``(n_ways, n_slots)``; none if more than `MOST_WAYS`."""
    sizes = np.unique(counts, return_counts=True)[1].tolist()
    total = 1
    for size in sizes:
        for factor in range(2, size + 1):
            total *= factor
    if total > MOST_WAYS:
        return np.zeros((0, len(counts)), dtype=np.int64)
    ways: list[list[int]] = [[]]
    start = 0
    for size in sizes:
        ways = [[*way, *each] for way in ways for each in permutations(range(start, start + size))]
        start += size
    return np.array(ways, dtype=np.int64)


def prototype_counts(library: Library) -> tuple[Index, Index]:
    """Atoms of each slot in the reduced formula, ``(n_prototypes, WIDTH)``, and of all in the conventional cell.

    Slots beyond `WIDTH` are not counted.
    """
    tables = library.tables
    a, n = tables.arrays, len(tables.group_of_prototype)
    owner = np.repeat(np.arange(n), a["prototype_runs"])
    times = multiplicities()[tables.group_of_prototype[owner], a["run_letter"]] * a["run_count"].astype(np.int64)
    inside = a["run_slot"] < WIDTH
    place = owner[inside] * WIDTH + a["run_slot"][inside]
    counts = np.bincount(place, weights=times[inside], minlength=n * WIDTH).astype(np.int64).reshape(n, WIDTH)
    return counts // np.gcd.reduce(counts, axis=1, keepdims=True), counts.sum(axis=1)


def _partly_filled(library: Library) -> NDArray[np.bool_]:
    out, a = np.zeros(len(library), dtype=bool), library.tables.arrays
    if len(a["occupancy_site"]):
        out[np.searchsorted(library.tables.site_start, a["occupancy_site"], side="right") - 1] = True
    return out


def _shape(cell: Floats) -> Floats:
    """Logarithms of edges over their geometric mean, and angles in radians, ``(n, 6)``."""
    logs = np.log(cell[:, :3])
    return np.concatenate([logs - logs.mean(axis=1, keepdims=True), np.radians(cell[:, 3:])], axis=1)


def _shapes(prototype: Index, shape: Floats) -> Index:
    """A number for the shape of each cell, counted within its prototype: the first of these that it is like."""
    out = np.zeros(len(prototype), dtype=np.int64)
    near = np.array([_ALIKE_LOG] * 3 + [_ALIKE_RAD] * 3)
    left, number = np.argsort(prototype, kind="stable"), 0
    while len(left):
        first = np.concatenate([[True], np.diff(prototype[left]) != 0])
        leader = left[first][np.cumsum(first) - 1]
        like = (np.abs(shape[left] - shape[leader]) <= near).all(axis=1)
        out[left[like]], left, number = number, left[~like], number + 1
    return out
