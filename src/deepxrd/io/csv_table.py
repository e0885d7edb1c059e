"""Tables of text: read with any usual separator, encoding and spelling of the header; written in one way."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from deepxrd.errors import SourceError
from deepxrd.io.files import atomic_path
from deepxrd.io.text import text_encoding

_SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's own first line
_LONGEST_CELL = min(sys.maxsize, (1 << 31) - 1)  # the csv module keeps it in a C long


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a table atomically, in UTF-8 with commas; None becomes an empty cell.

    Args:
        path: of the file.
        header: names of the columns.
        rows: a cell for each column.

    Returns:
        How many rows there were.
    """
    n_rows = 0
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            n_rows += 1
    return n_rows


@dataclass(frozen=True)
class CsvTable:
    """An open table.

    Attributes:
        names: the header's cells, without blanks around them.
        rows: line in the file where each begins, and cells; lines with nothing on them are left out.
    """

    names: list[str]
    rows: Iterator[tuple[int, list[str]]]


@contextmanager
def open_csv(path: Path, wanted: Sequence[str]) -> Iterator[CsvTable]:
    """Open a table whose header holds one of the wanted columns.

    Args:
        path: the file.
        wanted: names of columns in order of preference; the separator is the one that makes one of them appear.

    Raises:
        csv.Error: a row cannot be read, or a quotation mark is never closed: it would hide all that comes after it.
    """
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(newline="", encoding=text_encoding(path), errors="replace") as stream:
        skipped, first = 0, ""
        separators: tuple[str, ...] = _SEPARATORS
        for line in stream:
            if line.strip() and not (declared := _SEPARATOR_LINE.fullmatch(line)):
                first = line
                break
            skipped += 1
            if line.strip() and declared:
                separators = (declared[1],)
        separator = _separator(path, first, separators, wanted)
        records = _records(chain([first], stream), separator, skipped)
        _, header = next(records, (0, []))
        yield CsvTable([name.strip() for name in header], ((line, row) for line, row in records if row))


def _records(lines: Iterable[str], separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Rows, and the lines of the file where they begin, counted from 1; some were skipped before these."""
    taken: list[str] = []

    def kept() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(kept(), delimiter=separator, skipinitialspace=False)
    for row in reader:
        begins = skipped + reader.line_num - len(taken) + 1
        if sum(line.count('"') for line in taken) % 2 and _is_open(taken, separator):
            msg = f"a quotation mark is opened in the row of line {begins} and never closed, which hides all after it"
            raise csv.Error(msg)
        taken.clear()
        yield begins, row


def _is_open(lines: list[str], separator: str) -> bool:
    """Whether a cell in quotation marks goes on to the end."""
    try:
        list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def find_column(names: list[str], wanted: Sequence[str]) -> int | None:
    """Place of the first wanted column that is there, whatever capitals, blanks and underscores its name has.

    Raises:
        SourceError: two columns have that name.
    """
    plain = [plain_name(name) for name in names]
    for name in wanted:
        if names.count(name) == 1:
            return names.index(name)
        if plain.count(name) > 1:
            msg = f"{plain.count(name)} columns are called {name!r}: {', '.join(names)}; keep one of them"
            raise SourceError(msg)
        if name in plain:
            return plain.index(name)
    return None


def plain_name(name: str) -> str:
    """A column's name for comparison: small letters, words joined by underscores."""
    return re.sub(r"[\s_-]+", "_", name.strip().strip("\ufeff\"'").strip().casefold())


def _separator(path: Path, header: str, separators: Sequence[str], wanted: Sequence[str]) -> str:
    """What makes a wanted column appear in the header; else what cuts it most often."""
    try:
        fitting = (s for s in separators if find_column(_header(header, s), wanted) is not None)
        return next(fitting, max(separators, key=header.count))
    except SourceError as error:
        msg = f"{path}: {error}"
        raise SourceError(msg) from error


def _header(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])
