"""The tasks of a worker for tables of formulas: read one, predict a part of it, join the parts, show some rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepxrd.errors import ConfigError, SourceError
from deepxrd.io import limits
from deepxrd.io.files import atomic_path
from deepxrd.io.formula_table import read_formulas
from deepxrd.prediction.known import WithKnownPhases
from deepxrd.prediction.screening_part import is_finished, part_schema, skipped_rows, write_part, write_skipped

if TYPE_CHECKING:
    from deepxrd.serve.worker import Loaded

PARQUET, TABLE, SKIPPED = "results.parquet", "results.csv", "skipped.csv"
ROWS_PER_PART = 32
"""Rows behind each part: what a kill can cost, and how long others wait for the worker."""
_MOST_SHOWN = 200


def read_table(loaded: Loaded, path: Path, shown_name: str, most_rows: int) -> list[tuple[int, str]]:  # noqa: ARG001
    """The formulas of a table, each with its line.

    Raises:
        SourceError: it is no table of formulas, or has too many rows.
    """
    rows: list[tuple[int, str]] = []
    try:
        for line, text in read_formulas(path):
            rows.append((line, text[: limits.FORMULA_CHARACTERS + 1]))
            if len(rows) > most_rows:
                break
    except SourceError as error:
        raise SourceError(str(error).replace(str(path), shown_name)) from None
    if len(rows) > most_rows:
        msg = f"{shown_name} has more than {most_rows:,} rows: split it, or screen it by the command deepxrd predict"
        raise SourceError(msg)
    return rows


def screen_part(loaded: Loaded, rows: Sequence[tuple[int, str]], part: Path) -> int:
    """Predict some rows, with the known phases of each, unless an earlier server did; returns how many were skipped.

    Raises:
        StoreError: the part is there, but was changed or cut off since.
    """
    if not is_finished(part):
        predictor = WithKnownPhases(loaded.predictor, loaded.libraries)
        write_part(predictor, rows, part, part_schema(predictor))
    return sum(1 for _ in skipped_rows([part]))


def join_parts(loaded: Loaded, parts: Sequence[Path], folder: Path) -> None:  # noqa: ARG001
    """Join parts to one Parquet table, a CSV of it without patterns, and a list of the rows that were skipped."""
    schema = pq.read_schema(parts[0]).remove_metadata()
    with (
        atomic_path(folder / PARQUET) as parquet,
        pq.ParquetWriter(parquet, schema, compression="zstd") as writer,
        atomic_path(folder / TABLE) as table,
    ):
        for number, part in enumerate(parts):
            rows = pq.read_table(part)
            writer.write_table(rows.replace_schema_metadata(None))
            plain = rows.select(_plain(rows.schema)).to_pandas()
            plain.to_csv(table, mode="a", index=False, header=number == 0, float_format="%.6g")
    write_skipped(parts, folder / SKIPPED)


def some_rows(loaded: Loaded, table: Path, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Some rows of joined results, filtered and sorted, without patterns.

    Args:
        loaded: not needed; all tasks have it.
        table: the Parquet table.
        asked: the values of `deepxrd.serve.schemas.RowsQuestion`.

    Raises:
        ConfigError: there is no such column, or it holds no numbers.
    """
    sort, least = asked["sort"], asked["least"]
    schema = pq.read_schema(table)
    names = _plain(schema)
    for name in [*([sort] if sort else []), *least]:
        if name not in names:
            msg = f"there is no column {name[:60]!r}: its columns are {', '.join(names)}"
            raise ConfigError(msg)
    rows = pq.read_table(table, columns=names)
    if asked["contains"]:
        found = [pc.match_substring(rows[name], asked["contains"], ignore_case=True) for name in ("typed", "formula")]
        rows = rows.filter(pc.or_(*found))
    for name, value in least.items():
        if not pa.types.is_floating(schema.field(name).type) and not pa.types.is_integer(schema.field(name).type):
            msg = f"the column {name!r} holds no numbers: filter by another"
            raise ConfigError(msg)
        rows = rows.filter(pc.greater_equal(rows[name], value))
    if sort:
        rows = rows.sort_by([(sort, "descending" if asked["descending"] else "ascending")])
    shown = rows.slice(asked["first"], min(asked["n"], _MOST_SHOWN)).to_pandas()
    return {"columns": names, "n_rows": len(rows), "rows": list(_values(shown))}


def _plain(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if not pa.types.is_fixed_size_list(field.type)]


def _values(rows: pd.DataFrame) -> Iterator[list[Any]]:
    for row in rows.itertuples(index=False):
        yield [_value(value) for value in row]


def _value(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return float(f"{plain:.6g}") if np.isfinite(plain) else None
    return plain
