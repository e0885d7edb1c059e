"""Arrangements of sites without elements, shared by all templates that they describe well enough."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS, Crystal
from deepxrd.chem.symmetry import quiet_spglib
from deepxrd.io.progress import progress_bar
from deepxrd.models.baselines.assignment import best_ways, equal_runs
from deepxrd.models.baselines.element_distance import element_distances
from deepxrd.models.candidates.candidates import TemplateLibrary
from deepxrd.models.candidates.protostructure import SYMPREC_ANGSTROM
from deepxrd.xrd import XrdSettings, simulate

_MOST_WAYS = 24  # to exchange elements: each is simulated, and of eight elements there would be 40,320
_ALIKE = 0.995
_AT_ONCE = 2000


def share_geometry(library: TemplateLibrary, xrd: XrdSettings) -> TemplateLibrary:
    """A library that is much smaller and nearly as good: templates of a kind share the positions of their sites.

    Kinds that are known from one composition only are left out. Of each other kind a template is taken as a
    *prototype*; all that are alike get its positions, in cells of their own shape and size; of those that are not, the
    next prototype is taken, until none is left. Alike means that the pattern with shared positions has a cosine of at
    least 0.995 with the template's own.

    Positions and cells are rounded to float32.

    Args:
        library: any.
        xrd: of the patterns that are compared.
    """
    compositions: dict[str, set[str]] = {}
    for kind, formula in zip(library.kinds, library.formulas, strict=True):
        compositions.setdefault(kind.label, set()).add(formula.reduced)
    rows = [row for row, kind in enumerate(library.kinds) if len(compositions[kind.label]) > 1]
    cells = _standard_cells([library.crystals[row] for row in rows])
    kinds = [library.kinds[row] for row in rows]
    crystals = _shared(cells, [kind.label for kind in kinds], xrd)
    return TemplateLibrary([library.formulas[row] for row in rows], crystals, kinds, library.additive, library.learned)


@dataclass(frozen=True, eq=False)
class Geometries:
    """Crystals taken apart: g arrangements of sites, and for each of n crystals its own, its cell and its elements.

    Attributes:
        n_sites: of each arrangement, ``(g,)``.
        frac_coords: one arrangement after the other, ``(n_sites.sum(), 3)``.
        occupancies: likewise, ``(n_sites.sum(),)``.
        slot: which of the crystal's elements is on the site, likewise.
        geometry: of each crystal, ``(n,)``.
        lattice: rows are the cell vectors, Å, ``(n, 3, 3)``.
        elements: atomic numbers by slot, ``(n, most)``, 0 where there are fewer.
    """

    n_sites: NDArray[np.int32]
    frac_coords: NDArray[np.floating]
    occupancies: NDArray[np.floating]
    slot: NDArray[np.uint8]
    geometry: NDArray[np.int32]
    lattice: NDArray[np.floating]
    elements: NDArray[np.uint8]

    @classmethod
    def of(cls, crystals: Sequence[Crystal]) -> Geometries:
        """Take crystals apart; those whose sites are the same share them."""
        places: dict[tuple[bytes, bytes, bytes], int] = {}
        distinct: list[tuple[Crystal, NDArray[np.int64]]] = []
        geometry, elements = [], []
        for crystal in crystals:
            there, first, slot = np.unique(crystal.atomic_numbers, return_index=True, return_inverse=True)
            rank = first.argsort(kind="stable").argsort()  # slots by where their element first occurs
            slots = rank[slot]
            key = (crystal.frac_coords.tobytes(), crystal.occupancies.tobytes(), slots.astype(np.uint8).tobytes())
            if key not in places:
                places[key] = len(distinct)
                distinct.append((crystal, slots))
            geometry.append(places[key])
            elements.append(there[first.argsort(kind="stable")])
        table = np.zeros((len(crystals), max(map(len, elements))), dtype=np.uint8)
        for row, numbers in enumerate(elements):
            table[row, : len(numbers)] = numbers
        return cls(
            np.array([len(slots) for _, slots in distinct], dtype=np.int32),
            narrowed(np.concatenate([crystal.frac_coords for crystal, _ in distinct]), np.float32),
            narrowed(np.concatenate([crystal.occupancies for crystal, _ in distinct]), np.float32),
            np.concatenate([slots for _, slots in distinct]).astype(np.uint8),
            np.array(geometry, dtype=np.int32),
            narrowed(np.stack([crystal.lattice for crystal in crystals]), np.float32),
            table,
        )

    def crystals(self) -> list[Crystal]:
        """Put them together again."""
        ends = np.cumsum(self.n_sites)[:-1]
        coords = np.split(self.frac_coords.astype(np.float64), ends)
        occupancies, slots = np.split(self.occupancies.astype(np.float64), ends), np.split(self.slot, ends)
        lattices, elements = self.lattice.astype(np.float64), self.elements.astype(np.int64)
        return [
            Crystal(lattice, numbers[slots[g]], coords[g], occupancies[g])
            for g, lattice, numbers in zip(self.geometry.tolist(), lattices, elements, strict=True)
        ]


def narrowed(values: NDArray[np.floating], dtype: type[np.floating]) -> NDArray[np.floating]:
    """In a narrower type where nothing is lost by it; else as they are."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and so is lost
        narrow = values.astype(dtype)
    return narrow if np.array_equal(narrow.astype(values.dtype), values) else values


def _standard_cells(crystals: Sequence[Crystal]) -> list[Crystal]:
    """Primitive cells in spglib's standard setting, so that crystals of a kind have comparable positions."""
    import spglib

    cells = []
    with quiet_spglib(), progress_bar() as bar:
        for crystal in bar.track(crystals, description="Standardising cells"):
            cell = (crystal.lattice.tolist(), crystal.frac_coords.tolist(), crystal.atomic_numbers.tolist())
            found = spglib.standardize_cell(cell, to_primitive=True, symprec=SYMPREC_ANGSTROM)
            lattice, coords, numbers = found or cell
            cells.append(
                Crystal(
                    np.asarray(lattice, dtype=np.float32).astype(np.float64),
                    np.asarray(numbers, dtype=np.int64),
                    np.asarray(coords, dtype=np.float32).astype(np.float64),
                    np.ones(len(numbers)),
                )
            )
    return cells


def _shared(cells: list[Crystal], labels: list[str], xrd: XrdSettings) -> list[Crystal]:
    """The same cells with positions of prototypes."""
    own = _unit(simulate(cells, xrd)[0])
    elements = [_by_count(cell) for cell in cells]
    out, left = list(cells), dict[str, list[int]]()
    for row, label in enumerate(labels):
        left.setdefault(label, []).append(row)
    with progress_bar() as bar:
        task = bar.add_task("Sharing positions", total=len(cells))
        while left:
            rows, tries = [], []
            for members in left.values():
                prototype = members[len(members) // 2]
                for row in members:
                    for numbers in _assignments(elements[prototype], elements[row]):
                        rows.append(row)
                        tries.append(_with_positions_of(cells[prototype], numbers, cells[row].lattice))
            likeness = _likeness(tries, own[rows], xrd)
            best = np.zeros(len(cells))
            for row, attempt, cosine in zip(rows, tries, likeness, strict=True):
                if cosine >= _ALIKE and cosine > best[row]:
                    best[row], out[row] = cosine, attempt
            alike, before = best > 0, sum(map(len, left.values()))
            for members in left.values():  # a prototype is done even if its pattern is empty, and like nothing
                alike[members[len(members) // 2]] = True
            left = {label: [row for row in members if not alike[row]] for label, members in left.items()}
            left = {label: members for label, members in left.items() if members}
            bar.advance(task, before - sum(map(len, left.values())))
    return out


def _likeness(crystals: list[Crystal], true: NDArray[np.float32], xrd: XrdSettings) -> NDArray[np.float64]:
    """Cosine of each simulated pattern with a true one of unit length, ``(n,)``."""
    parts = [
        (_unit(simulate(crystals[start : start + _AT_ONCE], xrd)[0]) * true[start : start + _AT_ONCE]).sum(axis=1)
        for start in range(0, len(crystals), _AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float64)


def _unit(patterns: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(patterns, axis=1, keepdims=True)
    return np.asarray(patterns / np.where(length > 0, length, 1.0), dtype=np.float32)


def _by_count(cell: Crystal) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The elements in order of their number of atoms, and these numbers."""
    numbers, counts = np.unique(cell.atomic_numbers, return_counts=True)
    order = np.argsort(counts, kind="stable")
    return numbers[order], counts[order]


def _assignments(
    old: tuple[NDArray[np.int64], NDArray[np.int64]], new: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> list[NDArray[np.int64]]:
    """Ways to put elements into the places of others of as many atoms: new atomic numbers by old, ``(119,)`` each.

    All of them, unless they are more than `_MOST_WAYS`: then the one that changes the elements least.
    """
    if not np.array_equal(old[1], new[1]):
        return []
    runs = equal_runs(new[1])
    if math.prod(math.factorial(len(run)) for run in runs) > _MOST_WAYS:
        costs = new[1][:, None] * element_distances()[old[0][:, None], new[0][None]]
        orders = best_ways(costs[None], new[1])
    else:
        each = itertools.product(*(itertools.permutations(run) for run in runs))
        orders = np.array([list(itertools.chain(*parts)) for parts in each], dtype=np.int64)
    ways = np.tile(np.arange(1 + len(SYMBOLS)), (len(orders), 1))
    ways[:, old[0]] = new[0][orders]
    return list(ways)


def _with_positions_of(prototype: Crystal, exchange: NDArray[np.int64], lattice: NDArray[np.float64]) -> Crystal:
    return Crystal(lattice, exchange[prototype.atomic_numbers], prototype.frac_coords, prototype.occupancies)
