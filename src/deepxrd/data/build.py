"""Build a pattern store: source → selection → patterns, in parallel, in parts that survive a kill."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import delayed
from numpy.typing import NDArray

from deepxrd.chem import numbers_of_elements
from deepxrd.data.held_out import refuse_held_out, refused_compositions
from deepxrd.data.selection import Selected, Selection, select
from deepxrd.data.store import MANIFEST, PATTERNS, SAMPLES, PatternStore, content_values, store_id
from deepxrd.data.workers import BuildOptions, workers
from deepxrd.errors import SelectionError, SourceError
from deepxrd.io.files import atomic_path, file_hash, locked, write_json
from deepxrd.io.progress import progress_bar
from deepxrd.io.provenance import versions
from deepxrd.sources import ReadFailure, Source, StructureRecord
from deepxrd.sources.base import reasons_by_name
from deepxrd.xrd import XrdSettings, check_device, engine_identity, simulate

_log = logging.getLogger(__name__)
PART_SIZE = 512  # samples per file of work: enough to simulate at once, few enough that a kill loses seconds


def ensure_store(
    source: Source,
    selection: Selection,
    xrd: XrdSettings,
    *,
    root: Path,
    options: BuildOptions | None = None,
) -> PatternStore:
    """Open the store for these inputs, building it first if it is not there.

    The store's folder is named by a hash of its inputs, so a changed setting gives another store and an unchanged one
    is reused. A build that was killed resumes where it stopped. Two processes that want the same store build it once.
    Compositions that are held out (`deepxrd.data.held_out`) are never in it.

    Args:
        source: where structures come from.
        selection: which of them.
        xrd: settings of the patterns.
        root: the folder that holds all stores.
        options: processes and tolerance for unreadable entries.

    Raises:
        SourceError: the source is missing, empty, or too much of it cannot be read.
        SelectionError: nothing is left after the selection, or a store that is there has compositions held out.
        StoreError: a store is there but damaged.
    """
    options = options or BuildOptions()
    fingerprint = source.fingerprint()
    refused = refused_compositions(source, fingerprint)
    inputs = {
        "source": fingerprint,
        "selection": selection.to_dict(),
        "encoding": None if selection.box is None else selection.box.to_dict(),
        "xrd": xrd.to_dict(),
        "simulated_by": engine_identity(xrd),
        "limits": options.limits.to_dict(),
    }
    numbers = numbers_of_elements(selection.n_elements)
    what = selection.stoichiometry or ("any" if numbers is None else f"{'-'.join(map(str, numbers))}-element")
    path = root / f"{source.name}-{what}-{store_id(inputs)}"
    with locked(root / f".{path.name}.lock"):
        if not path.exists():
            _build(source, selection, xrd, inputs=inputs, refused=refused, path=path, options=options)
    store = PatternStore.open(path)
    refuse_held_out(store.formulas, refused, where=str(path))
    return store


def _build(
    source: Source,
    selection: Selection,
    xrd: XrdSettings,
    *,
    inputs: dict[str, Any],
    refused: frozenset[str],
    path: Path,
    options: BuildOptions,
) -> None:
    if options.backend == "loky":  # the workers of a cluster have devices of their own
        check_device(options.device, xrd)
    partial = path.with_name(f"{path.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    for left_by_a_kill in partial.glob(".*"):
        left_by_a_kill.unlink()
    with progress_bar() as bar:
        task = bar.add_task("Reading structures", total=len(source))
        selected = select(
            bar.track(source, task_id=task),
            selection,
            refused=refused,
            max_failed_share=options.max_failed_share,
            limits=options.limits,
        )
        task = bar.add_task("Simulating patterns", total=len(selected.positions))
        jobs = _parts_to_do(source, selected, partial)
        bar.advance(task, sum(pq.read_metadata(part).num_rows for part in partial.glob("part-*.parquet")))
        with workers(options, len(selected.positions)) as parallel:
            simulate_part = delayed(_simulate_part)
            for done in parallel(simulate_part(records, xrd, part, options) for records, part in jobs):
                bar.advance(task, done)
    counts = _assemble(partial, xrd, selected)
    write_json(
        partial / MANIFEST,
        {
            "id": store_id(inputs),
            "inputs": inputs,
            "counts": counts,
            "citation": source.citation,
            "versions": versions(("deepxrd", "pymatgen", "numpy", "pyarrow")),
            "values": content_values(partial),
            "files": {name: file_hash(partial / name) for name in (PATTERNS, SAMPLES)},
        },
    )
    if selected.failures:
        first, n = selected.failures[0], len(selected.failures)
        told = "%d of %d entries of the source cannot be read and are left out, first %s: %s (more in %s)"
        _log.warning(told, n, selected.n_read, first.name, first.reason, path / MANIFEST)
    for part in partial.glob("part-*.parquet"):
        part.unlink()
    partial.replace(path)


def _parts_to_do(source: Source, selected: Selected, partial: Path) -> Iterator[tuple[list[StructureRecord], Path]]:
    """The selected records in the source's order, in fixed parts; parts that are on disk already are passed over.

    Raises:
        SourceError: one of them is not there any more.
    """
    of = {position: composition for composition, position in selected.positions.items()}
    positions = sorted(of)
    parts = [positions[start : start + PART_SIZE] for start in range(0, len(positions), PART_SIZE)]
    paths = [partial / f"part-{number:06d}.parquet" for number in range(len(parts))]
    missing = [(part, path) for part, path in zip(parts, paths, strict=True) if not path.exists()]
    records = iter(source.at([position for part, _ in missing for position in part]))
    for part, path in missing:
        yield [_the_same(next(records, None), of[position]) for position in part], path


def _the_same(record: StructureRecord | ReadFailure | None, composition: str) -> StructureRecord:
    """The record, if it is the one that was selected."""
    if isinstance(record, StructureRecord) and record.crystal.formula.reduced == composition:
        return record
    why = f" ({record.name}: {record.reason})" if isinstance(record, ReadFailure) else ""
    msg = (
        f"the structure of {composition} was read a moment ago and is not there any more{why}: if nothing has changed "
        "its source, the method `at` of that source does not give what iteration does"
    )
    raise SourceError(msg)


def _simulate_part(records: list[StructureRecord], xrd: XrdSettings, part: Path, options: BuildOptions) -> int:
    """Simulate one part in a worker process and write it; a pattern that fails is written with its reason."""
    crystals = [record.crystal for record in records]
    patterns, failures = simulate(crystals, xrd, max_reflections=options.max_reflections, device=options.device)
    rows = [_row(*row) for row in zip(records, patterns, failures, strict=True)]
    with atomic_path(part) as temporary:
        pd.DataFrame(rows).to_parquet(temporary, index=False)
    return len(rows)


def _row(record: StructureRecord, pattern: NDArray[np.float32], failure: str | None) -> dict[str, Any]:
    crystal, formula = record.crystal, record.crystal.formula
    return {
        "composition": formula.reduced,
        "stoichiometry": formula.anonymous,
        "material_id": record.material_id,
        "n_sites": len(crystal.atomic_numbers),
        "formation_energy_per_atom": record.formation_energy_per_atom,
        "created_at": record.provenance.get("created_at"),
        "lattice": crystal.lattice.ravel(),
        "atomic_numbers": crystal.atomic_numbers.astype(np.int16),
        "frac_coords": crystal.frac_coords.ravel(),
        "occupancies": crystal.occupancies,
        "pattern": pattern.tobytes(),
        "failure": failure,
    }


_SCHEMA = pa.schema(
    [
        ("composition", pa.string()),
        ("stoichiometry", pa.string()),
        ("material_id", pa.string()),
        ("n_sites", pa.int32()),
        ("formation_energy_per_atom", pa.float64()),
        ("created_at", pa.string()),
        ("lattice", pa.list_(pa.float64())),
        ("atomic_numbers", pa.list_(pa.int16())),
        ("frac_coords", pa.list_(pa.float64())),
        ("occupancies", pa.list_(pa.float64())),
    ]
)


def _assemble(partial: Path, xrd: XrdSettings, selected: Selected) -> dict[str, Any]:
    """Write the patterns and samples of all parts into one file each, a part in memory at a time."""
    parts = sorted(partial.glob("part-*.parquet"))
    failures = pd.concat([pd.read_parquet(part, columns=["material_id", "failure"]) for part in parts]).dropna()
    failed = reasons_by_name(zip(failures["material_id"], failures["failure"], strict=True))
    n_samples = len(selected.positions) - len(failures)
    if n_samples == 0:
        msg = f"no pattern could be simulated; first reasons: {list(failed.items())[:5]}"
        raise SelectionError(msg)
    with atomic_path(partial / PATTERNS) as patterns_file, atomic_path(partial / SAMPLES) as samples_file:
        # Written in a row and not through a memory map: on a full disk a map ends the process without a word.
        header = {"descr": "<f4", "fortran_order": False, "shape": (n_samples, xrd.n_points)}
        with patterns_file.open("wb") as stream, pq.ParquetWriter(samples_file, _SCHEMA) as writer:
            np.lib.format.write_array_header_1_0(stream, header)
            for part in parts:
                table = pd.read_parquet(part)
                table = table[table["failure"].isna()]
                stream.write(b"".join(table["pattern"]))
                writer.write_table(pa.Table.from_pandas(table[_SCHEMA.names], _SCHEMA, preserve_index=False))
    return {**selected.counts(), "simulation_failed": failed, "samples": n_samples}
