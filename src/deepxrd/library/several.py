"""Several libraries searched as one: that of the package, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepxrd.chem import Crystal, Formula
from deepxrd.errors import LibraryError
from deepxrd.library.asymmetric import AsymmetricUnit
from deepxrd.library.library import Library, Phase
from deepxrd.library.prototype import Prototype
from deepxrd.library.tables import Index


@dataclass(frozen=True, eq=False)
class Found:
    """Entries of several libraries.

    Attributes:
        libraries: all that were searched.
        part: which of them each entry is from, ``(n,)``.
        rows: its place there, ``(n,)``.
    """

    libraries: tuple[Library, ...]
    part: Index
    rows: Index

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: Sequence[int]) -> Found:
        """Some of the entries, by ascending places."""
        chosen = np.array(places, dtype=np.int64)
        return Found(self.libraries, self.part[chosen], self.rows[chosen])

    def phases(self) -> list[Phase]:
        """All that is known of the entries."""
        return [phase for library, rows in self._by_library() for phase in library.phases(rows)]

    def crystals(self, *, primitive: bool = True) -> list[Crystal]:
        """Their structures, in primitive or in conventional cells of the standard setting."""
        return [
            crystal for library, rows in self._by_library() for crystal in library.crystals(rows, primitive=primitive)
        ]

    def asymmetric_units(self) -> list[AsymmetricUnit]:
        """Their structures by symmetry, for CIFs."""
        return [library.asymmetric_unit(row) for library, rows in self._by_library() for row in rows.tolist()]

    def _by_library(self) -> list[tuple[Library, Index]]:
        """Rows of each library; they stand together, in the order of the libraries."""
        return [(library, self.rows[self.part == i]) for i, library in enumerate(self.libraries)]


class Libraries:
    """Several libraries searched as one. What is found comes in their order.

    Args:
        libraries: at least one.

    Raises:
        LibraryError: there is none.
    """

    def __init__(self, libraries: Sequence[Library]) -> None:
        if not libraries:
            msg = "no library to search: name at least one"
            raise LibraryError(msg)
        self.libraries = tuple(libraries)

    @classmethod
    def open(cls, paths: Iterable[Path]) -> Libraries:
        """Open several files.

        Raises:
            LibraryError: one of them is missing or damaged.
        """
        return cls([Library.open(path) for path in paths])

    def __len__(self) -> int:
        return sum(len(library) for library in self.libraries)

    def find_formula(self, formula: Formula | str) -> Found:
        """Entries of a composition, see `Library.find_formula`."""
        return self._found(lambda library: library.find_formula(formula))

    def find_elements(self, elements: Sequence[str], *, subsets: bool = True) -> Found:
        """Entries made of these elements, see `Library.find_elements`."""
        return self._found(lambda library: library.find_elements(elements, subsets=subsets))

    def find_prototype(self, prototype: Prototype, *, elements: Sequence[str] = ()) -> Found:
        """Entries of a prototype, see `Library.find_prototype`."""
        return self._found(lambda library: library.find_prototype(prototype, elements=elements))

    def find_id(self, material_id: str) -> Found:
        """Entries of a name, see `Library.find_id`."""
        return self._found(lambda library: library.find_id(material_id))

    def held_out_formulas(self) -> frozenset[str]:
        """Reduced formulas that are never to be trained, validated or scored on."""
        return frozenset().union(*(library.held_out_formulas() for library in self.libraries))

    def _found(self, search: Callable[[Library], Index]) -> Found:
        rows = [search(library) for library in self.libraries]
        part = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
        return Found(self.libraries, part, np.concatenate(rows))
