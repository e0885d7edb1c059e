"""Formulas from a column of a CSV or Parquet table, row by row, so that the table may be of any length."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from deepxrd.errors import SourceError

COLUMN = "formula"
_ROWS_AT_ONCE = 8192


def read_formulas(path: Path) -> Iterator[tuple[int, str]]:
    """Where each formula stands, and its text as it was written.

    Args:
        path: ``*.parquet``, or a CSV in UTF-8, with a column ``formula``.

    Yields:
        The line in a CSV (the header is line 1), or the row in a Parquet table, counted from 1; and the text, empty
        where there is none.

    Raises:
        SourceError: there is no such file, it is no such table, or it has no such column of text.
    """
    if not path.is_file():
        msg = f"no such file: {path}; give a CSV or a Parquet table with a column {COLUMN!r}"
        raise SourceError(msg)
    try:
        yield from _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
    except (csv.Error, pa.ArrowException) as error:
        msg = f"{path} cannot be read as a table: {error}"
        raise SourceError(msg) from error


def _csv_rows(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        reader = csv.reader(stream)
        column = _column(path, next(reader, []))
        for row in reader:
            if row:  # a line with nothing on it is no row
                yield reader.line_num, row[column] if column < len(row) else ""


def _parquet_rows(path: Path) -> Iterator[tuple[int, str]]:
    with pq.ParquetFile(path) as table:
        _column(path, table.schema_arrow.names)
        kind = table.schema_arrow.field(COLUMN).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            msg = f"the column {COLUMN!r} of {path} holds {kind}; it must hold text"
            raise SourceError(msg)
        number = 0
        for batch in table.iter_batches(_ROWS_AT_ONCE, columns=[COLUMN]):
            for text in batch.column(0).to_pylist():
                number += 1
                yield number, text or ""


def _column(path: Path, names: list[str]) -> int:
    if COLUMN not in names:
        msg = f"{path} has no column {COLUMN!r}; its columns are {', '.join(names) or 'none'}"
        raise SourceError(msg)
    if names.count(COLUMN) > 1:
        msg = f"{path} has {names.count(COLUMN)} columns {COLUMN!r}: leave only one, or name the others differently"
        raise SourceError(msg)
    return names.index(COLUMN)
