"""Crystals, entries and libraries made up for tests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Crystal
from deepxrd.library.asymmetric import AsymmetricUnit, full_cells
from deepxrd.library.container import Arrays
from deepxrd.library.encode import Entry, encode, fact_bits
from deepxrd.library.library import Library
from deepxrd.library.merge import merge
from deepxrd.library.space_groups import crystal_family, space_group
from deepxrd.library.symmetry import sorted_unit
from deepxrd.library.tables import Tables
from deepxrd.sources import ReadFailure, StructureRecord

SOURCES = [{"name": "made up", "citation": "nobody", "licence": "CC0", "held_out": False}]
CELLS = {
    "triclinic": [5.1, 6.3, 7.7, 81.0, 97.0, 108.0],
    "monoclinic": [5.1, 6.3, 7.7, 101.0],
    "orthorhombic": [5.1, 6.3, 7.7],
    "tetragonal": [5.1, 7.7],
    "hexagonal": [5.1, 7.7],
    "cubic": [6.3],
}


def make_unit(number: int, sites: Sequence[tuple[str, str, Sequence[float]]], scale: float = 1.0) -> AsymmetricUnit:
    """An asymmetric unit from (element, letter, free parameters) in a cell of the group's family."""
    group = space_group(number)
    coords = []
    for _, letter, free in sites:
        position = group.positions[group.index[letter]]
        coords.append(position.linear @ np.array(free[: position.n_free]) + position.shift)
    cell = np.array([CELLS[crystal_family(number)]])
    cell[0, : min(3, cell.shape[1])] *= scale
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol, _, _ in sites])
    letters = "".join(letter for _, letter, _ in sites)
    coordinates = np.array(coords, dtype=np.float64).reshape(-1, 3)
    return sorted_unit(
        AsymmetricUnit(number, full_cells(number, cell)[0], numbers, letters, coordinates, np.ones(len(sites)))
    )


def make_entry(unit: AsymmetricUnit, material_id: str, *, energy: float | None = None, held_out: bool = False) -> Entry:
    facts = fact_bits(held_out=held_out, icsd=None, ground_state=None)
    return Entry(material_id, unit.to_crystal().formula, unit, energy, facts, 0)


def make_arrays(entries: Sequence[Entry]) -> Arrays:
    return merge([Tables(encode(entries), n_sources=1, name="made up")])


def make_library(entries: Sequence[Entry], name: str = "made up") -> Library:
    return Library(make_arrays(entries), {"sources": SOURCES}, name=name)


def cosines(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    a, b = first.astype(np.float64), second.astype(np.float64)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@dataclass
class ListSource:
    """A source of records that stand in memory; calls ``before`` ahead of each."""

    records: Sequence[StructureRecord | ReadFailure]
    before: Callable[[int], None] = lambda _: None
    name: str = "list"
    citation: str = "nobody"
    mark: str = "1"

    def fingerprint(self) -> dict[str, str]:
        return {"mark": self.mark, "n": str(len(self.records))}

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[StructureRecord | ReadFailure]:
        for i, record in enumerate(self.records):
            self.before(i)
            yield record


def shared_site_crystal() -> Crystal:
    """A perovskite (Ca,Sr)TiO3 with two elements on one site, and one oxygen in ten missing."""
    coords = np.array([[0, 0, 0], [0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in ("Ca", "Sr", "Ti", "O", "O", "O")])
    return Crystal(3.87 * np.eye(3), numbers, coords, np.array([0.25, 0.75, 1.0, 0.9, 0.9, 0.9]))
