"""Formulas from a column of a CSV or Parquet table, row by row, so that the table may be of any length."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from deepxrd.errors import SourceError
from deepxrd.io.csv_table import find_column, open_csv
from deepxrd.io.text import PACKED_MARKS

COLUMNS = (
    "formula",
    "composition",
    "reduced_formula",
    "formula_reduced",
    "pretty_formula",
    "formula_pretty",
    "chemical_formula",
    "chemical_formula_reduced",
    "compound",
)
"""Names that a column of formulas may have, the first that is there is taken; capitals and blanks do not matter."""
COLUMN = COLUMNS[0]
_ROWS_AT_ONCE = 8192
_NO_TABLES = {
    **{mark: f"packed by {by}: unpack it" for mark, by, _ in PACKED_MARKS},
    b"PK\x03\x04": "a workbook or a zip archive: save it as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old workbook: save it as CSV",
}


def read_formulas(path: Path) -> Iterator[tuple[int, str]]:
    """Where each formula stands, and its text as it was written.

    Args:
        path: ``*.parquet``, or a text table (separated by commas, semicolons or tabs) with a column ``formula``, or
            another of `COLUMNS`.

    Yields:
        The line in a CSV (the header is line 1), or the row in a Parquet table, counted from 1; and the text, empty
        where there is none.

    Raises:
        SourceError: there is no such file, it is no such table, or it has no such column of text.
    """
    if not path.is_file():
        what = "no such file:" if not path.exists() else "no file, but a folder or device:"
        msg = f"{what} {path}; give a CSV or a Parquet table with a column {COLUMN!r}"
        raise SourceError(msg)
    try:
        _refuse_packed(path)
        yield from _parquet_rows(path) if path.suffix.lower() == ".parquet" else _csv_rows(path)
    except (csv.Error, pa.ArrowException, OSError, ValueError, MemoryError) as error:
        msg = f"{path} cannot be read as a table: {error}"
        raise SourceError(msg) from error


def _refuse_packed(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(8)
    packed = next((what for magic, what in _NO_TABLES.items() if head.startswith(magic)), None)
    if packed:
        msg = f"{path} is {packed}; needed is a CSV or a Parquet table with a column {COLUMN!r}"
        raise SourceError(msg)


def _csv_rows(path: Path) -> Iterator[tuple[int, str]]:
    with open_csv(path, COLUMNS) as table:
        column = _column(path, table.names)
        for line, row in table.rows:
            yield line, row[column] if column < len(row) else ""


def _parquet_rows(path: Path) -> Iterator[tuple[int, str]]:
    with pq.ParquetFile(path) as table:
        schema = table.schema_arrow
        name = schema.names[_column(path, schema.names)]
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
            msg = f"the column {name!r} of {path} holds {kind}; it must hold text"
            raise SourceError(msg)
        number = 0
        for batch in table.iter_batches(_ROWS_AT_ONCE, columns=[name]):
            for text in batch.column(0).to_pylist():
                number += 1
                yield number, text or ""


def _column(path: Path, names: list[str]) -> int:
    try:
        column = find_column(names, COLUMNS)
    except SourceError as error:
        msg = f"{path}: {error}"
        raise SourceError(msg) from error
    if column is None:
        there = ", ".join(names) or "none"
        msg = f"{path} has no column {COLUMN!r} (nor {', '.join(COLUMNS[1:5])}); its columns are {there}"
        raise SourceError(msg)
    return column
