"""From asymmetric units to the arrays of a library, each entry with a prototype and a composition of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Formula
from deepxrd.errors import LibraryError
from deepxrd.library.asymmetric import FREE_CELL_PARAMETERS, AsymmetricUnit
from deepxrd.library.container import Arrays
from deepxrd.library.space_groups import crystal_family, space_group
from deepxrd.library.symmetry import COORDINATE_STEPS, element_order
from deepxrd.library.tables import CELL_UNIT, GROUND_STATE_SHIFT, HELD_OUT, ICSD_SHIFT, NO_NUMBER

_NUMBERED = re.compile(r"(.*?)(0|[1-9]\d{0,8})", re.DOTALL | re.ASCII)
_LARGEST_CODE = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class Entry:
    """One structure on its way into a library.

    Attributes:
        material_id: the source's name for it.
        formula: its reduced formula.
        unit: how it is kept.
        energy_above_hull: eV per atom, or None where unknown.
        facts: bits, see `fact_bits`.
        source: place in the list of sources.
        exception: the space group found and the cosine of its pattern there with the original's, if it is kept in
            another.
        undetermined: whether no symmetry could be determined, so that it is kept in P1.
    """

    material_id: str
    formula: Formula
    unit: AsymmetricUnit
    energy_above_hull: float | None
    facts: int
    source: int
    exception: tuple[int, float] | None = None
    undetermined: bool = False


def fact_bits(*, held_out: bool, icsd: bool | None, ground_state: bool | None) -> int:
    """Three facts in one byte, as `tables` has them."""
    known = {None: 0, False: 1, True: 2}
    return HELD_OUT * held_out | known[icsd] << ICSD_SHIFT | known[ground_state] << GROUND_STATE_SHIFT


def encode(entries: Sequence[Entry]) -> Arrays:
    """The arrays of a library of these entries, in this order.

    Raises:
        LibraryError: a cell is longer than a file can hold.
    """
    n = len(entries)
    arrays: Arrays = {
        "composition_entries": np.ones(n, dtype=np.uint32),
        "composition_elements": np.array([len(entry.formula.counts) for entry in entries], dtype=np.uint8),
        "prototype": np.arange(n, dtype=np.uint32),
        "energy_above_hull": _energies(entries),
        "facts": np.array([entry.facts for entry in entries], dtype=np.uint8),
        "source": np.array([entry.source for entry in entries], dtype=np.uint8),
        "prototype_group": np.array([entry.unit.space_group for entry in entries], dtype=np.uint8),
    }
    compositions = [sorted((ATOMIC_NUMBERS[s], count) for s, count in entry.formula.counts) for entry in entries]
    arrays["element_number"] = np.array([z for each in compositions for z, _ in each], dtype=np.uint8)
    arrays["element_count"] = np.array([count for each in compositions for _, count in each], dtype=np.uint32)
    runs = [_runs(entry.unit) for entry in entries]
    arrays["prototype_runs"] = np.array([len(each) for each in runs], dtype=np.uint32)
    for column, name in enumerate(("run_slot", "run_letter", "run_count")):
        values = [run[column] for each in runs for run in each]
        arrays[name] = np.array(values, dtype=np.uint32 if name == "run_count" else np.uint8)
    slots = [z for entry in entries for z in element_order(entry.unit)]
    arrays["slot_number"] = np.array(slots, dtype=np.uint8)
    arrays["cell"] = np.concatenate([_cell_codes(entry) for entry in entries])
    arrays["coordinate"] = np.concatenate([_coordinate_codes(entry.unit) for entry in entries])
    occupancies = np.concatenate([entry.unit.occupancies for entry in entries])
    arrays["occupancy_site"] = np.flatnonzero(occupancies != 1.0).astype(np.uint32)
    arrays["occupancy"] = np.minimum(occupancies[arrays["occupancy_site"]], 1.0).astype(np.float32)
    exceptions = [(i, *entry.exception) for i, entry in enumerate(entries) if entry.exception is not None]
    for column, (name, kind) in enumerate(
        (("exception_entry", np.uint32), ("exception_group", np.uint8), ("exception_cosine", np.float32))
    ):
        arrays[name] = np.array([each[column] for each in exceptions], dtype=kind)
    arrays.update(encode_ids([entry.material_id for entry in entries]))
    return arrays


def encode_ids(ids: Sequence[str]) -> Arrays:
    """Ids as a prefix and a number, such as ``mp-`` and 149; one without a number at its end is a prefix alone."""
    split = [_NUMBERED.fullmatch(text) for text in ids]
    prefixes = [match[1] if match else text for match, text in zip(split, ids, strict=True)]
    texts = {text: text.encode() for text in sorted(set(prefixes))}
    place = {text: i for i, text in enumerate(texts)}
    return {
        "id_prefix": np.array([place[text] for text in prefixes], dtype=np.uint32),
        "id_number": np.array([int(match[2]) if match else NO_NUMBER for match in split], dtype=np.uint32),
        "prefix_length": np.array([len(text) for text in texts.values()], dtype=np.uint32),
        "prefix_text": np.frombuffer(b"".join(texts.values()), dtype=np.uint8),
    }


def split_id(text: str) -> tuple[str, int]:
    """Prefix and number of an id, as `encode_ids` has them."""
    match = _NUMBERED.fullmatch(text)
    return (match[1], int(match[2])) if match else (text, NO_NUMBER)


def _energies(entries: Sequence[Entry]) -> NDArray[np.float32]:
    values = [np.nan if entry.energy_above_hull is None else entry.energy_above_hull for entry in entries]
    return np.array(values, dtype=np.float32)


def _runs(unit: AsymmetricUnit) -> list[tuple[int, int, int]]:
    """Slot of the element, letter's code and number of sites, for each run of alike sites."""
    slots = {z: slot for slot, z in enumerate(element_order(unit))}
    pairs = zip((slots[z] for z in unit.atomic_numbers.tolist()), unit.letters, strict=True)
    return [(slot, ord(letter), sum(1 for _ in same)) for (slot, letter), same in groupby(pairs)]


def _cell_codes(entry: Entry) -> NDArray[np.uint32]:
    free = list(FREE_CELL_PARAMETERS[crystal_family(entry.unit.space_group)])
    codes = np.round(entry.unit.cell[free] / CELL_UNIT)
    if not (codes <= _LARGEST_CODE).all():
        msg = f"{entry.material_id} has a cell of {entry.unit.cell[:3].max():.0f} Å, longer than a library can hold"
        raise LibraryError(msg)
    return codes.astype(np.uint32)


def _coordinate_codes(unit: AsymmetricUnit) -> NDArray[np.uint16]:
    """Free parameters of all sites, site by site."""
    group = space_group(unit.space_group)
    kinds = group.stacked.place[np.frombuffer(unit.letters.encode(), dtype=np.uint8)]
    free = np.take_along_axis(unit.frac_coords, group.stacked.pivots[kinds], axis=1)
    is_free = np.arange(3) < group.stacked.n_free[kinds][:, None]
    return (np.round(free[is_free] * COORDINATE_STEPS).astype(np.int64) % COORDINATE_STEPS).astype(np.uint16)
