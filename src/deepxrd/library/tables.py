"""The arrays of a library: what each is, where the parts of each entry begin, and whether they fit together."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS
from deepxrd.errors import LibraryError
from deepxrd.library.asymmetric import FREE_CELL_PARAMETERS
from deepxrd.library.container import Arrays
from deepxrd.library.space_groups import N_GROUPS, crystal_family, free_parameters, multiplicities
from deepxrd.xrd.packing import ragged_arange

ARRAY_TYPES = {
    # one value per composition; the entries of a composition stand together
    "composition_entries": "u1 u2 u4",  # how many entries it has
    "composition_elements": "u1",  # how many elements
    # one per element of each composition, by atomic number
    "element_number": "u1",
    "element_count": "u1 u2 u4",  # atoms in the reduced formula
    # one per entry; least energy above the hull first, then by id
    "prototype": "u1 u2 u4",
    "id_prefix": "u1 u2 u4",
    "id_number": "u4",  # NO_NUMBER: the prefix is the whole id
    "energy_above_hull": "f4",  # eV per atom, not a number where unknown
    "facts": "u1",  # bits, see below
    "source": "u1",  # place in the header's list
    # parts of entries, one entry after the other
    "cell": "u4",  # free parameters of the conventional cell in 1e-6 Å and 1e-6 degrees
    "coordinate": "u2",  # free parameters of each site in 1/65520 of the cell's edge
    "slot_number": "u1",  # atomic number of each element, in the order of the prototype
    # prototypes: runs of sites on one Wyckoff position and of one element
    "prototype_group": "u1",
    "prototype_runs": "u1 u2 u4",
    "run_slot": "u1",
    "run_letter": "u1",
    "run_count": "u1 u2 u4",
    # sites that are shared or partly filled, by place among the sites of all entries
    "occupancy_site": "u4",
    "occupancy": "f4",
    # entries whose pattern was not kept by the symmetry found, by place among all entries
    "exception_entry": "u4",
    "exception_group": "u1",  # the space group found, which is not the one it is kept in
    "exception_cosine": "f4",  # of the pattern in that group with the original's
    # texts of ids
    "prefix_length": "u1 u2 u4",
    "prefix_text": "u1",
}
"""The arrays of a library file, and the types that each may have."""

NO_NUMBER = 0xFFFFFFFF
CELL_UNIT = 1e-6
HELD_OUT, ICSD_SHIFT, GROUND_STATE_SHIFT = 1, 1, 3
"""Bits of ``facts``: 0 held out; 1 and 2 known from experiment, 3 and 4 ground state: 0 unknown, 1 no, 2 yes."""

LARGEST_CELL = 20_000
"""Atoms in a primitive cell: a file that asks for more is refused."""

Index = NDArray[np.int64]


def ragged(starts: Index, lengths: Index) -> Index:
    """``start .. start + length - 1`` for each pair, end to end.

    Example:
        >>> ragged(np.array([5, 0]), np.array([2, 3])).tolist()
        [5, 6, 0, 1, 2]
    """
    return np.repeat(starts, lengths) + ragged_arange(np.asarray(lengths))


def narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers in the narrowest unsigned type that holds them."""
    largest = int(values.max()) if len(values) else 0
    return values.astype(np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.uint32)


class Tables:
    """The arrays of one library, checked, with the places where each entry's parts begin.

    Args:
        arrays: as in `ARRAY_TYPES`.
        n_sources: length of the header's list of sources.
        name: what to call the library in an error.

    Attributes:
        element_masks: the elements of each composition as bits, those up to 64 and those above,
            ``(2, n_compositions)``.

    Raises:
        LibraryError: sizes or values do not fit together.
    """

    def __init__(self, arrays: Arrays, *, n_sources: int, name: str) -> None:
        self.arrays = arrays
        self._name = name
        self._check_columns(n_sources)
        self.composition_start = _starts(arrays["composition_entries"])
        self.element_start = _starts(arrays["composition_elements"])
        self.prefix_start = _starts(arrays["prefix_length"])
        self._prototypes()
        prototype = arrays["prototype"]
        self.slot_start = _starts(self.prototype_slots[prototype])
        self.cell_start = _starts(_N_CELL[self.group_of_prototype[prototype]])
        self.coordinate_start = _starts(self.prototype_free[prototype])
        self._check_sums()
        self.element_masks = _element_masks(arrays["element_number"], self.element_start[:-1])

    def __len__(self) -> int:
        return len(self.arrays["prototype"])

    @cached_property
    def site_start(self) -> Index:
        """First site of each entry among the sites of all, and one past the last, ``(n + 1,)``."""
        return _starts(self.prototype_sites[self.arrays["prototype"]])

    def composition_of(self, rows: Index) -> Index:
        """The composition of each entry."""
        return np.searchsorted(self.composition_start, rows, side="right") - 1

    def _prototypes(self) -> None:
        """Sites, elements and free parameters of each prototype."""
        a = self.arrays
        self.group_of_prototype = a["prototype_group"].astype(np.int64)
        self.run_start = _starts(a["prototype_runs"])
        if self.run_start[-1] != len(a["run_slot"]) or len(a["run_slot"]) != len(a["run_letter"]):
            self._refuse("runs of sites")
        if len(a["run_letter"]) != len(a["run_count"]) or (a["prototype_runs"] == 0).any():
            self._refuse("runs of sites")
        group_of_run = np.repeat(self.group_of_prototype, a["prototype_runs"])
        if (group_of_run < 1).any() or (group_of_run > N_GROUPS).any() or (a["run_letter"] > 127).any():  # noqa: PLR2004 - ASCII
            self._refuse("space groups or Wyckoff letters")
        free = free_parameters()[group_of_run, a["run_letter"]]
        if (free > 3).any() or (a["run_count"] == 0).any():  # noqa: PLR2004 - dimensions
            self._refuse("Wyckoff letters")
        count, start = a["run_count"].astype(np.int64), self.run_start[:-1]
        self.prototype_sites = _sums(count, start)
        self.prototype_free = _sums(count * free, start)
        atoms = _sums(count * multiplicities()[group_of_run, a["run_letter"]], start)
        if len(atoms) and (atoms.max() > 4 * LARGEST_CELL or count.max() > LARGEST_CELL):
            self._refuse(f"a prototype of {atoms.max()} atoms")
        self.prototype_slots = np.maximum.reduceat(a["run_slot"].astype(np.int64), start) + 1 if len(start) else start
        first = a["run_slot"][start] if len(start) else a["run_slot"]
        step = np.diff(a["run_slot"].astype(np.int64))
        inside = np.ones(len(step), dtype=bool)
        inside[self.run_start[1:-1] - 1] = False
        if (first != 0).any() or ((step < 0) | (step > 1))[inside].any():
            self._refuse("elements of prototypes")

    def _check_columns(self, n_sources: int) -> None:
        a = self.arrays
        n = len(a["prototype"])
        if n == 0:
            msg = f"{self._name} holds no structure: build it from a source that has some"
            raise LibraryError(msg)
        columns = ("id_prefix", "id_number", "energy_above_hull", "facts", "source")
        odd = [name for name in columns if len(a[name]) != n]
        if odd or len(a["composition_entries"]) != len(a["composition_elements"]):
            self._refuse(", ".join(odd) or "compositions")
        if (a["composition_entries"] == 0).any() or (a["composition_elements"] == 0).any():
            self._refuse("compositions")
        if a["source"].max() >= n_sources or a["id_prefix"].max() >= len(a["prefix_length"]):
            self._refuse("sources or ids")
        if a["prototype"].max() >= len(a["prototype_group"]):
            self._refuse("prototypes")
        for name in ("element_number", "slot_number"):
            if len(a[name]) == 0 or a[name].min() < 1 or a[name].max() > len(SYMBOLS):
                self._refuse(name)
        if (a["element_count"] == 0).any():
            self._refuse("element_count")

    def _check_sums(self) -> None:
        """Each list of parts must end where its array does."""
        a = self.arrays
        for what, starts, values in (
            ("composition_entries", self.composition_start, a["prototype"]),
            ("element_number", self.element_start, a["element_number"]),
            ("element_count", self.element_start, a["element_count"]),
            ("prefix_text", self.prefix_start, a["prefix_text"]),
            ("slot_number", self.slot_start, a["slot_number"]),
            ("cell", self.cell_start, a["cell"]),
            ("coordinate", self.coordinate_start, a["coordinate"]),
        ):
            if starts[-1] != len(values):
                self._refuse(what)
        for where, limit, columns in (
            ("occupancy_site", int(self.prototype_sites[a["prototype"]].sum()), ("occupancy",)),
            ("exception_entry", len(self), ("exception_group", "exception_cosine")),
        ):
            places = a[where].astype(np.int64)
            if (np.diff(places) <= 0).any() or (len(places) and places[-1] >= limit):
                self._refuse(where)
            if any(len(a[name]) != len(places) for name in columns):
                self._refuse(where)
        if len(a["occupancy"]) and not ((a["occupancy"] > 0) & (a["occupancy"] <= 1)).all():
            self._refuse("occupancy")

    def _refuse(self, what: str) -> None:
        msg = f"{self._name} is no sound library: its arrays do not fit together ({what}); build it anew"
        raise LibraryError(msg)


_N_CELL = np.array([0, *(len(FREE_CELL_PARAMETERS[crystal_family(n)]) for n in range(1, N_GROUPS + 1))])


def _element_masks(numbers: NDArray[np.uint8], starts: Index) -> NDArray[np.uint64]:
    """The elements of each composition as bits, those up to 64 and those above, ``(2, n_compositions)``."""
    bits = np.zeros((2, 119), dtype=np.uint64)
    for z in range(1, 119):
        bits[(z - 1) // 64, z] = np.uint64(1 << ((z - 1) % 64))
    return np.stack([np.bitwise_or.reduceat(half[numbers], starts) for half in bits])


def _starts(lengths: NDArray[Any]) -> Index:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _sums(values: Index, starts: Index) -> Index:
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0, dtype=np.int64)
