"""Many small libraries to one: entries in order, each composition and each prototype once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deepxrd.library.container import Arrays
from deepxrd.library.encode import encode_ids
from deepxrd.library.tables import NO_NUMBER, Index, Tables, narrow, ragged

_Key = TypeVar("_Key", bound=tuple[object, ...])


def merge(parts: Sequence[Tables]) -> Arrays:
    """The arrays of all entries of all parts.

    Compositions are in order of their elements, the entries of one in order of energy above the hull, where that is
    known, then of their ids; so the order does not depend on how entries were dealt out to the parts.
    """
    entry = {name: _joined(parts, name) for name in ("energy_above_hull", "facts", "source")}
    ids = [text for part in parts for text in all_ids(part)]
    entry_ids = encode_ids(ids)
    compositions = [key for part in parts for key in _compositions(part)]
    prototypes = [key for part in parts for key in _prototypes(part)]
    known, composition = _ranked(compositions)
    distinct, prototype = _ranked(prototypes)
    order = np.lexsort((entry_ids["id_number"], entry_ids["id_prefix"], entry["energy_above_hull"], composition))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    out: Arrays = {
        "composition_entries": narrow(np.bincount(composition)),
        "composition_elements": np.array([len(key) for key in known], dtype=np.uint8),
        "element_number": np.array([z for key in known for z, _ in key], dtype=np.uint8),
        "element_count": narrow(np.array([count for key in known for _, count in key])),
        "prototype": narrow(prototype[order]),
        "id_prefix": narrow(entry_ids["id_prefix"][order]),
        "id_number": entry_ids["id_number"][order],
        **{name: values[order] for name, values in entry.items()},
        "cell": _reordered(parts, "cell", [part.cell_start for part in parts], order),
        "coordinate": _reordered(parts, "coordinate", [part.coordinate_start for part in parts], order),
        "slot_number": _reordered(parts, "slot_number", [part.slot_start for part in parts], order),
        "prototype_group": np.array([group for group, _ in distinct], dtype=np.uint8),
        "prototype_runs": narrow(np.array([len(runs) for _, runs in distinct])),
        "run_slot": np.array([slot for _, runs in distinct for slot, _, _ in runs], dtype=np.uint8),
        "run_letter": np.array([letter for _, runs in distinct for _, letter, _ in runs], dtype=np.uint8),
        "run_count": narrow(np.array([count for _, runs in distinct for _, _, count in runs])),
        **_occupancies(parts, order),
        **_exceptions(parts, place),
        "prefix_length": narrow(entry_ids["prefix_length"]),
        "prefix_text": entry_ids["prefix_text"],
    }
    return out


def all_ids(part: Tables) -> list[str]:
    """The ids of all entries, as text."""
    text = part.arrays["prefix_text"].tobytes()
    prefixes = [text[start:stop].decode(errors="replace") for start, stop in pairwise(part.prefix_start.tolist())]
    pairs = zip(part.arrays["id_prefix"].tolist(), part.arrays["id_number"].tolist(), strict=True)
    return [prefixes[prefix] + ("" if number == NO_NUMBER else str(number)) for prefix, number in pairs]


def _joined(parts: Sequence[Tables], name: str) -> NDArray[np.generic]:
    return np.concatenate([part.arrays[name] for part in parts])


def _reordered(parts: Sequence[Tables], name: str, starts: list[Index], order: Index) -> NDArray[np.generic]:
    """Values of all entries in the new order."""
    lengths = np.concatenate([np.diff(each) for each in starts])
    begin = np.cumsum(lengths) - lengths
    return _joined(parts, name)[ragged(begin[order], lengths[order])]


def _ranked(keys: list[_Key]) -> tuple[list[_Key], Index]:
    """Distinct keys in order, and for each key its place there."""
    distinct = sorted(set(keys))
    rank = {key: i for i, key in enumerate(distinct)}
    return distinct, np.array([rank[key] for key in keys], dtype=np.int64)


def _compositions(part: Tables) -> list[tuple[tuple[int, int], ...]]:
    """Atomic numbers and counts of each entry."""
    a = part.arrays
    pairs = list(zip(a["element_number"].tolist(), a["element_count"].tolist(), strict=True))
    each = [tuple(pairs[start:stop]) for start, stop in pairwise(part.element_start.tolist())]
    return [each[i] for i in np.repeat(np.arange(len(each)), a["composition_entries"]).tolist()]


def _prototypes(part: Tables) -> list[tuple[int, tuple[tuple[int, int, int], ...]]]:
    """Space group and runs of sites of each entry."""
    a = part.arrays
    columns = (a["run_slot"].tolist(), a["run_letter"].tolist(), a["run_count"].tolist())
    runs = list(zip(*columns, strict=True))
    bounds = pairwise(part.run_start.tolist())
    groups = a["prototype_group"].tolist()
    each = [(group, tuple(runs[start:stop])) for group, (start, stop) in zip(groups, bounds, strict=True)]
    return [each[i] for i in a["prototype"].tolist()]


def _occupancies(parts: Sequence[Tables], order: Index) -> Arrays:
    lengths = np.concatenate([np.diff(part.site_start) for part in parts])
    old_start = np.cumsum(lengths) - lengths
    new_start = np.empty_like(old_start)
    new_start[order] = np.cumsum(lengths[order]) - lengths[order]
    shift = np.cumsum([0, *(part.site_start[-1] for part in parts)])
    sites = np.concatenate([part.arrays["occupancy_site"] + shift[i] for i, part in enumerate(parts)]).astype(np.int64)
    owner = np.searchsorted(old_start, sites, side="right") - 1
    moved = new_start[owner] + sites - old_start[owner]
    by_place = np.argsort(moved)
    return {
        "occupancy_site": moved[by_place].astype(np.uint32),
        "occupancy": _joined(parts, "occupancy")[by_place],
    }


def _exceptions(parts: Sequence[Tables], place: Index) -> Arrays:
    shift = np.cumsum([0, *(len(part) for part in parts)])
    rows = np.concatenate([part.arrays["exception_entry"] + shift[i] for i, part in enumerate(parts)]).astype(np.int64)
    moved = place[rows]
    by_place = np.argsort(moved)
    return {
        "exception_entry": moved[by_place].astype(np.uint32),
        "exception_group": _joined(parts, "exception_group")[by_place],
        "exception_cosine": _joined(parts, "exception_cosine")[by_place],
    }
