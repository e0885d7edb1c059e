"""Structures from one Parquet table of plain arrays: the schema of the project's Materials Project snapshots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal, lattice_from_parameters
from deepxrd.chem.crystal import are_surely_sound
from deepxrd.errors import SourceError
from deepxrd.io.csv_table import find_column
from deepxrd.sources.base import ReadFailure, StructureRecord

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_CELL = ("a", "b", "c", "alpha", "beta", "gamma")
_REQUIRED = ("material_id", *_CELL, "atomic_numbers", "frac_coords")
_OPTIONAL = ("formation_energy_per_atom", "ground_state", "created_at", "icsd", "e_above_hull")
_ROWS_AT_ONCE = 4096


def open_table(path: Path) -> pq.ParquetFile:
    """Open the table and check its columns.

    Raises:
        SourceError: no Parquet file, or columns are missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        msg = f"cannot read {path} as Parquet: {error}"
        raise SourceError(msg) from error
    there = _columns(path, table.schema_arrow.names)
    missing = [column for column in _REQUIRED if column not in there]
    if missing:
        msg = f"{path} lacks the columns {', '.join(missing)}; needed are {', '.join(_REQUIRED)}"
        raise SourceError(msg)
    _check_types(path, table.schema_arrow, there)
    return table


def _check_types(path: Path, schema: pa.Schema, there: dict[str, str]) -> None:
    """Raise `SourceError` where a column holds other values than its name says."""
    import pyarrow.types as kinds

    def is_number(kind: pa.DataType) -> bool:
        return bool(kinds.is_floating(kind) or kinds.is_integer(kind))

    def is_text(kind: pa.DataType) -> bool:
        return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_dictionary(kind))

    def is_list(kind: pa.DataType) -> bool:
        return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))

    wanted: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
        **dict.fromkeys((*_CELL, "formation_energy_per_atom"), ("numbers", is_number)),
        "atomic_numbers": ("lists of whole numbers", lambda kind: is_list(kind) and kinds.is_integer(kind.value_type)),
        "frac_coords": ("lists of numbers", lambda kind: is_list(kind) and is_number(kind.value_type)),
        "material_id": ("text", lambda kind: is_text(kind) or kinds.is_integer(kind)),
        "ground_state": ("true or false", kinds.is_boolean),
    }
    for name, (words, fits) in wanted.items():
        if name not in there:
            continue
        kind = schema.field(there[name]).type
        if not (fits(kind) or (name in _OPTIONAL and kinds.is_null(kind))):
            msg = f"the column {there[name]!r} of {path} holds {kind}; it must hold {words}"
            raise SourceError(msg)


def _columns(path: Path, names: list[str]) -> dict[str, str]:
    """What each column that is known here is called in the table; capitals and blanks do not matter."""
    try:
        places = {column: find_column(names, [column]) for column in (*_REQUIRED, *_OPTIONAL)}
    except SourceError as error:
        msg = f"{path}: {error}"
        raise SourceError(msg) from error
    return {column: names[place] for column, place in places.items() if place is not None}


def read_records(path: Path, rows: Collection[int] | None = None) -> Iterator[StructureRecord | ReadFailure]:
    """Yield a record per row, a few thousand rows in memory at a time.

    Args:
        path: of the table.
        rows: those wanted, counted from 0; None for all.

    Raises:
        SourceError: the table is damaged, or its columns hold other things than they should.
    """
    wanted = None if rows is None else np.unique(np.fromiter(rows, dtype=np.int64))
    with open_table(path) as table:
        there = _columns(path, table.schema_arrow.names)
        names, start = {name: column for column, name in there.items()}, 0
        try:
            for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(names)):
                named, stop = batch.rename_columns([names[name] for name in batch.schema.names]), start + len(batch)
                if wanted is not None:
                    named = named.take(wanted[(wanted >= start) & (wanted < stop)] - start)
                yield from _records_of(named)
                start = stop
        except Exception as error:  # damaged pages and foreign columns can break Arrow and numpy in any way
            msg = f"{path} cannot be read as a table of structures: {type(error).__name__}: {str(error)[:300]}"
            raise SourceError(msg) from error


def _records_of(batch: pa.RecordBatch) -> Iterator[StructureRecord | ReadFailure]:
    cell = np.stack([_numbers(batch.column(c)) for c in _CELL], axis=1)
    lattices = lattice_from_parameters(cell[:, :3], cell[:, 3:])
    ids = batch.column("material_id").to_pylist()
    numbers, values = _lists(batch.column("atomic_numbers"), _whole), _lists(batch.column("frac_coords"))
    even = np.array([len(coords) == 3 * len(there) for there, coords in zip(numbers, values, strict=True)], dtype=bool)
    coords = [some.reshape(-1, 3) if fits else some for some, fits in zip(values, even, strict=True)]
    sound = np.zeros(len(ids), dtype=bool)
    rows = np.flatnonzero(even)
    sound[rows] = are_surely_sound(lattices[rows], [numbers[row] for row in rows], [coords[row] for row in rows])
    optional = {c: batch.column(c).to_pylist() for c in _OPTIONAL if c in batch.schema.names}
    for row, material_id in enumerate(map(str, ids)):
        if not even[row]:
            yield ReadFailure(material_id, f"{len(numbers[row])} atoms but {len(coords[row])} coordinates")
            continue
        crystal = Crystal(lattices[row], numbers[row], coords[row], np.ones(len(numbers[row])))
        reason = None if sound[row] else crystal.why_unusable()
        if reason is not None:
            yield ReadFailure(material_id, reason)
        else:
            yield _record(material_id, crystal, {c: facts[row] for c, facts in optional.items()})


def _record(material_id: str, crystal: Crystal, facts: dict[str, Any]) -> StructureRecord:
    return StructureRecord(
        material_id,
        crystal,
        facts.get("formation_energy_per_atom"),
        facts.get("ground_state"),
        {c: str(facts[c]) for c in ("created_at", "icsd") if facts.get(c) is not None},
        energy_above_hull=facts.get("e_above_hull"),
    )


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """A column as float64; nulls are not a number."""
    import pyarrow as pa

    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Atomic numbers; what is none becomes 0, which no element has."""
    sound = np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 1000)  # noqa: PLR2004 - any bound will do
    return np.where(sound, values, 0).astype(np.int64)


def _lists(column: pa.Array, of: Callable[[NDArray[np.float64]], NDArray[Any]] = np.asarray) -> list[NDArray[Any]]:
    """The rows of a list column as arrays, of what a function makes of the numbers; a null row is empty."""
    import pyarrow as pa

    plain = column.cast(pa.large_list(pa.float64()))
    offsets = plain.offsets.to_numpy()
    values = of(_numbers(plain.values))
    return [values[start:stop] for start, stop in pairwise(offsets)]
