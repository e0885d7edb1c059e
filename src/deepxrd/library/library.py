"""A library of structures: opened in a moment, searched without an object per structure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Crystal, Formula, formula_from_amounts, parse_formula
from deepxrd.errors import LibraryError
from deepxrd.library import decode
from deepxrd.library.asymmetric import AsymmetricUnit
from deepxrd.library.container import Arrays, read_container
from deepxrd.library.encode import split_id
from deepxrd.library.prototype import Prototype
from deepxrd.library.space_groups import symbol
from deepxrd.library.tables import (
    ARRAY_TYPES,
    GROUND_STATE_SHIFT,
    HELD_OUT,
    ICSD_SHIFT,
    NO_NUMBER,
    Index,
    Tables,
    ragged,
)

_YES_NO = {0: None, 1: False, 2: True}


@dataclass(frozen=True)
class SourceFacts:
    """Where entries of a library came from.

    Attributes:
        name: of the source.
        citation, licence: empty if unknown.
        held_out: whether its entries may be shown to users and used for nothing else.
    """

    name: str
    citation: str
    licence: str
    held_out: bool


@dataclass(frozen=True, eq=False)
class Phase:
    """One entry, with what is known of it.

    Attributes:
        library: name of the library.
        row: its place there.
        material_id: the source's name for it.
        formula: the reduced formula.
        space_group: number of the space group found at 0.01 Å.
        symbol: short Hermann-Mauguin symbol.
        prototype: name of the prototype, such as ``221:a|b|c``.
        cell: a, b, c in Å, alpha, beta, gamma in degrees of the conventional cell.
        setting: symbol of the group that this cell belongs to: ``symbol``, but for a structure that is slightly less
            symmetric and so is kept as it is.
        energy_above_hull: eV per atom, None where unknown.
        known_from_experiment, ground_state: None where unknown.
        held_out: whether it may be shown and used for nothing else.
        source: where it came from, with licence and citation.
    """

    library: str
    row: int
    material_id: str
    formula: Formula
    space_group: int
    symbol: str
    prototype: str
    cell: tuple[float, ...]
    setting: str
    energy_above_hull: float | None
    known_from_experiment: bool | None
    ground_state: bool | None
    held_out: bool
    source: SourceFacts


class Library:
    """Structures of one file. Entries are named by their rows, 0 to ``len(library) - 1``.

    The entries of a composition stand together, that of least energy above the hull first.

    Args:
        arrays: as in `deepxrd.library.tables`.
        header: what the file says of itself.
        name: what to call the library in tables and errors.

    Raises:
        LibraryError: the arrays or the header do not fit together.
    """

    def __init__(self, arrays: Arrays, header: Mapping[str, Any], *, name: str) -> None:
        self.header = dict(header)
        self.name = name
        self.sources = _sources(header, name)
        self.tables = Tables(arrays, n_sources=len(self.sources), name=name)

    @classmethod
    def open(cls, path: Path) -> Library:
        """Open a library file.

        Raises:
            LibraryError: there is no such file, or it is damaged; the message says what is wrong with it.
        """
        header, arrays = read_container(path, ARRAY_TYPES)
        return cls(arrays, header, name=str(header.get("name") or path.name))

    def __len__(self) -> int:
        return len(self.tables)

    def find_formula(self, formula: Formula | str) -> Index:
        """Entries of a composition, the most stable first.

        Raises:
            FormulaError: the text is no formula.
        """
        wanted = parse_formula(formula) if isinstance(formula, str) else formula
        counts = dict(sorted((ATOMIC_NUMBERS[symbol], count) for symbol, count in wanted.counts))
        mask = _mask(counts)
        tables = self.tables
        for composition in np.flatnonzero((tables.element_masks == mask[:, None]).all(axis=0)).tolist():
            part = slice(tables.element_start[composition], tables.element_start[composition + 1])
            if tables.arrays["element_count"][part].tolist() == list(counts.values()):
                return np.arange(tables.composition_start[composition], tables.composition_start[composition + 1])
        return np.zeros(0, dtype=np.int64)

    def find_elements(self, elements: Iterable[str], *, subsets: bool = True) -> Index:
        """Entries made of these elements.

        Args:
            elements: symbols.
            subsets: whether a phase may lack some of them, as phases of a reaction's product do.

        Raises:
            LibraryError: a symbol is no element.
        """
        elements = list(elements)  # what is gone through twice
        unknown = [symbol for symbol in elements if symbol not in ATOMIC_NUMBERS]
        if unknown:
            msg = f"{unknown[0]!r} is no element: give symbols such as Ca, W and O"
            raise LibraryError(msg)
        mask = _mask([ATOMIC_NUMBERS[symbol] for symbol in elements])[:, None]
        masks = self.tables.element_masks
        fits = ((masks & ~mask) == 0).all(axis=0) if subsets else (masks == mask).all(axis=0)
        found = np.flatnonzero(fits)
        starts = self.tables.composition_start[found]
        return ragged(starts, self.tables.composition_start[found + 1] - starts)

    def find_prototype(self, prototype: Prototype, *, elements: Sequence[str] = ()) -> Index:
        """Entries of a prototype.

        Args:
            prototype: space group and Wyckoff letters, in any choice of axes and origin.
            elements: which element is on each of the prototype's lists of letters; any if it is empty.
        """
        tables = self.tables
        a = tables.arrays
        runs = np.array(prototype.runs, dtype=np.int64)
        alike = (tables.group_of_prototype == prototype.space_group) & (a["prototype_runs"] == len(runs))
        candidates = np.flatnonzero(alike)
        within = tables.run_start[candidates][:, None] + np.arange(len(runs))
        columns = [a[name][within] for name in ("run_slot", "run_letter", "run_count")]
        same = np.logical_and.reduce([(c == runs[:, i]).all(axis=1) for i, c in enumerate(columns)])
        rows: Index = np.flatnonzero(np.isin(a["prototype"], candidates[same]))
        if not elements or not len(rows):
            return rows
        numbers = a["slot_number"][tables.slot_start[rows][:, None] + np.arange(prototype.n_elements)]
        wanted = np.array([[ATOMIC_NUMBERS[elements[i]] for i in order] for order in prototype.assignments])
        fits = (numbers[:, None] == wanted[None]).all(axis=2).any(axis=1)
        return np.asarray(rows[fits])

    def find_id(self, material_id: str) -> Index:
        """Entries of this name, from any source."""
        prefix, number = split_id(material_id)
        start, text = self.tables.prefix_start, self.tables.arrays["prefix_text"].tobytes()
        wanted = prefix.encode()
        lengths = np.diff(start)
        places = [i for i in np.flatnonzero(lengths == len(wanted)).tolist() if text[start[i] : start[i + 1]] == wanted]
        a = self.tables.arrays
        return np.asarray(np.flatnonzero(np.isin(a["id_prefix"], places) & (a["id_number"] == number)))

    def crystals(self, rows: Index, *, primitive: bool = True) -> list[Crystal]:
        """Structures of entries, in primitive or in conventional cells of the standard setting."""
        return decode.crystals(self.tables, np.asarray(rows, dtype=np.int64), primitive=primitive)

    def asymmetric_unit(self, row: int) -> AsymmetricUnit:
        """One entry by its symmetry, for a CIF."""
        return decode.asymmetric_unit(self.tables, row)

    def ids(self, rows: Index) -> list[str]:
        """The sources' names of entries."""
        a, start = self.tables.arrays, self.tables.prefix_start
        out = []
        for prefix, number in zip(a["id_prefix"][rows].tolist(), a["id_number"][rows].tolist(), strict=True):
            text = a["prefix_text"][start[prefix] : start[prefix + 1]].tobytes().decode(errors="replace")
            out.append(text if number == NO_NUMBER else f"{text}{number}")
        return out

    def formulas(self, rows: Index) -> list[Formula]:
        """Reduced formulas of entries."""
        tables = self.tables
        out = []
        for composition in tables.composition_of(np.asarray(rows, dtype=np.int64)).tolist():
            part = slice(tables.element_start[composition], tables.element_start[composition + 1])
            numbers, counts = (tables.arrays[name][part].tolist() for name in ("element_number", "element_count"))
            out.append(formula_from_amounts({SYMBOLS[z - 1]: n for z, n in zip(numbers, counts, strict=True)}))
        return out

    def space_groups(self, rows: Index) -> NDArray[np.int64]:
        """Space groups found at 0.01 Å, ``(n,)``, also of entries that are kept in another for their patterns' sake."""
        a = self.tables.arrays
        groups = self.tables.group_of_prototype[a["prototype"][rows]].copy()
        if len(a["exception_entry"]):
            place = np.minimum(np.searchsorted(a["exception_entry"], rows), len(a["exception_entry"]) - 1)
            odd = a["exception_entry"][place] == rows
            groups[odd] = a["exception_group"][place[odd]]
        return groups

    def settings(self, rows: Index) -> NDArray[np.int64]:
        """Groups whose standard settings entries are kept in, ``(n,)``: of most the one found, else a subgroup."""
        return np.asarray(self.tables.group_of_prototype[self.tables.arrays["prototype"][rows]])

    def sources_of(self, rows: Index) -> list[SourceFacts]:
        """Where entries came from."""
        return [self.sources[source] for source in self.tables.arrays["source"][rows].tolist()]

    def energies_above_hull(self, rows: Index) -> NDArray[np.float32]:
        """Energies in eV per atom, ``(n,)``, not a number where unknown."""
        return np.asarray(self.tables.arrays["energy_above_hull"][rows])

    def held_out(self, rows: Index) -> NDArray[np.bool_]:
        """Which entries may be shown and used for nothing else, ``(n,)``."""
        return np.asarray(self.tables.arrays["facts"][rows] & HELD_OUT > 0)

    def held_out_formulas(self) -> frozenset[str]:
        """Reduced formulas that are never to be trained, validated or scored on."""
        rows = np.flatnonzero(self.held_out(np.arange(len(self))))
        first = self.tables.composition_start[np.unique(self.tables.composition_of(rows))]
        return frozenset(formula.reduced for formula in self.formulas(first))

    def experiment_counts(self) -> tuple[int, int, int]:
        """How many entries are known from experiment, how many are not, and of how many that is not recorded."""
        not_recorded, no, yes = np.bincount(self.tables.arrays["facts"] >> ICSD_SHIFT & 3, minlength=3)[:3].tolist()
        return yes, no, not_recorded

    def prototype(self, row: int) -> Prototype:
        """The prototype of an entry, as it is kept."""
        tables = self.tables
        number = int(tables.arrays["prototype"][row])
        part = slice(tables.run_start[number], tables.run_start[number + 1])
        columns = [tables.arrays[name][part].tolist() for name in ("run_slot", "run_letter", "run_count")]
        return Prototype.from_runs(int(tables.group_of_prototype[number]), list(zip(*columns, strict=True)))

    def phases(self, rows: Index) -> list[Phase]:
        """All that is known of some entries."""
        rows = np.asarray(rows, dtype=np.int64)
        a = self.tables.arrays
        facts, sources = a["facts"][rows].tolist(), a["source"][rows].tolist()
        columns = zip(
            rows.tolist(),
            self.ids(rows),
            self.formulas(rows),
            self.space_groups(rows).tolist(),
            self.settings(rows).tolist(),
            decode.cells(self.tables, rows).tolist(),
            self.energies_above_hull(rows).tolist(),
            facts,
            sources,
            strict=True,
        )
        return [
            Phase(
                library=self.name,
                row=row,
                material_id=material_id,
                formula=formula,
                space_group=number,
                symbol=symbol(number),
                prototype=self.prototype(row).label,
                cell=tuple(cell),
                setting=symbol(setting),
                energy_above_hull=None if np.isnan(energy) else energy,
                known_from_experiment=_YES_NO.get(bits >> ICSD_SHIFT & 3),
                ground_state=_YES_NO.get(bits >> GROUND_STATE_SHIFT & 3),
                held_out=bool(bits & HELD_OUT),
                source=self.sources[source],
            )
            for row, material_id, formula, number, setting, cell, energy, bits, source in columns
        ]


def _mask(numbers: Iterable[int]) -> NDArray[np.uint64]:
    """Elements as bits, those up to 64 and those above."""
    low = high = 0
    for z in numbers:
        low |= (1 << (z - 1)) & 0xFFFFFFFFFFFFFFFF
        high |= (1 << (z - 1)) >> 64
    return np.array([low, high], dtype=np.uint64)


def _sources(header: Mapping[str, Any], name: str) -> tuple[SourceFacts, ...]:
    try:
        return tuple(
            SourceFacts(str(each["name"]), str(each["citation"]), str(each["licence"]), each["held_out"] is True)
            for each in header["sources"]
        )
    except (KeyError, TypeError) as error:
        msg = f"{name} is no sound library: its header does not say where its structures came from"
        raise LibraryError(msg) from error
