"""One part of a build: some hundred structures, each tried by its symmetry and held against its own pattern."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.chem.symmetry import KEPT_NARROWER_SYMPREC_ANGSTROM
from deepxrd.errors import DeepXRDError
from deepxrd.library import decode
from deepxrd.library.container import Arrays, write_container
from deepxrd.library.encode import Entry, encode, fact_bits
from deepxrd.library.symmetry import find_asymmetric_unit, quiet_moyo, without_symmetry
from deepxrd.library.tables import ARRAY_TYPES, Tables
from deepxrd.sources import ReadFailure, StructureRecord
from deepxrd.xrd import XrdSettings, simulate

COSINE_AT_LEAST = 0.9999
ROUND_TRIP = XrdSettings(two_theta_min_deg=4.0, two_theta_max_deg=91.0, n_points=1741, sigma_deg=0.1)
"""The pattern that must survive: a laboratory's view, Cu Kα, with narrow lines; 1° more at each end, see below."""

COMPARED = slice(20, -20)
"""5–90°: a reflection just beyond the simulated range is left out, and one at its very end would come and go."""

_BELIEVED = 0.99  # a group whose pattern is less alike is no finding but a slip of the search

_WORDS = {"true": True, "1": True, "false": False, "0": False}


def encode_part(items: Sequence[StructureRecord | ReadFailure], source: int, *, held_out: bool, path: Path) -> int:
    """Keep some structures in a file of their own, in a worker process.

    Args:
        items: records and failures of one source, in its order.
        source: place of the source in the library's list.
        held_out: whether they may be shown to users and used for nothing else.
        path: where to write.

    Returns:
        How many items there were.
    """
    failed = [(item.name, item.reason) for item in items if isinstance(item, ReadFailure)]
    records = [item for item in items if isinstance(item, StructureRecord)]
    entries, cosines, reasons = kept(records, source, held_out=held_out)
    header = {
        "tried": len(items),
        "failed": [*failed, *reasons],  # pairs: names may come twice
        "least_cosine": float(min(cosines, default=1.0)),
        "undetermined": sum(entry.undetermined for entry in entries),
    }
    nothing = {name: np.empty(0, types.split()[-1]) for name, types in ARRAY_TYPES.items()}
    arrays = encode(entries) if entries else nothing
    write_container(path, header, arrays)
    return len(items)


def kept(
    records: Sequence[StructureRecord], source: int, *, held_out: bool
) -> tuple[list[Entry], list[float], list[tuple[str, str]]]:
    """The entries of all records that can be kept, the cosines of their patterns, and names and reasons of the others.

    Args:
        records: some hundreds at once are simulated together.
        source: place of the source in the library's list.
        held_out: whether they may be shown to users and used for nothing else.
    """
    with warnings.catch_warnings(), quiet_moyo():
        warnings.simplefilter("ignore")
        return _keep(records, source, held_out=held_out)


def _keep(
    records: Sequence[StructureRecord], source: int, *, held_out: bool
) -> tuple[list[Entry], list[float], list[tuple[str, str]]]:
    patterns, reasons = simulate([record.crystal for record in records], ROUND_TRIP)
    failed: list[tuple[str, str]] = []
    entries: list[Entry] = []
    originals = []
    for record, pattern, reason in zip(records, patterns, reasons, strict=True):
        entry = _entry(record, source, held_out=held_out)
        if isinstance(entry, str) or reason is not None:
            failed.append((record.material_id, entry if isinstance(entry, str) else str(reason)))
            continue
        entries.append(entry)
        originals.append((record, pattern))
    if not entries:
        return [], [], failed
    cosines = _cosines(entries, [pattern for _, pattern in originals])
    for attempt in (KEPT_NARROWER_SYMPREC_ANGSTROM, None):
        odd = np.flatnonzero(~(cosines >= COSINE_AT_LEAST)).tolist()
        if not odd:
            break
        for i in odd:
            entries[i] = _again(entries[i], originals[i][0].crystal, attempt, float(cosines[i]))
        cosines[odd] = _cosines([entries[i] for i in odd], [originals[i][1] for i in odd])
    return entries, cosines.tolist(), failed


def _entry(record: StructureRecord, source: int, *, held_out: bool) -> Entry | str:
    """The entry of a record, or why there can be none."""
    icsd = _WORDS.get(str(record.provenance.get("icsd")).lower())
    try:
        formula = record.crystal.formula
    except DeepXRDError as error:
        return str(error)
    found = find_asymmetric_unit(record.crystal)
    return Entry(
        record.material_id,
        formula,
        found or without_symmetry(record.crystal),
        record.energy_above_hull,
        fact_bits(held_out=held_out, icsd=icsd, ground_state=record.ground_state),
        source,
        undetermined=found is None,
    )


def _again(entry: Entry, crystal: Crystal, symprec_angstrom: float | None, cosine: float) -> Entry:
    """The same structure by the symmetry of a narrower tolerance, or without any."""
    found = None if symprec_angstrom is None else find_asymmetric_unit(crystal, symprec_angstrom=symprec_angstrom)
    unit = found or without_symmetry(crystal)
    first = entry.exception or (entry.unit.space_group if cosine >= _BELIEVED else unit.space_group, cosine)
    return replace(entry, unit=unit, exception=first)


def _cosines(entries: Sequence[Entry], originals: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Cosine of each entry's pattern, as it will be read back, with that of the original."""
    rebuilt = decode.crystals(_tables(encode(entries)), np.arange(len(entries)), primitive=True)
    patterns = simulate(rebuilt, ROUND_TRIP)[0][:, COMPARED].astype(np.float64)
    true = np.stack(originals)[:, COMPARED].astype(np.float64)
    length = np.linalg.norm(patterns, axis=1) * np.linalg.norm(true, axis=1)
    return np.asarray((patterns * true).sum(axis=1) / np.where(length > 0, length, 1.0))


def _tables(arrays: Arrays) -> Tables:
    return Tables(arrays, n_sources=256, name="a part of a library")
