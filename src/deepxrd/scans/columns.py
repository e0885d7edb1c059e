"""Text of columns: ``.xy .xye .csv .dat .txt .chi``, SPEC scans, tables of other programs. Strict: no line is skipped.

What stands before the first line of numbers is the header. From there on each line must be data, a comment, or the
beginning of another scan; any other is an error with its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, check_ranges
from deepxrd.scans.choose import UNNAMED, Columns, choose_columns
from deepxrd.scans.column_names import LABELS, column_names
from deepxrd.scans.dialect import Dialect, find_dialect, looks_numeric
from deepxrd.scans.files import lines_of
from deepxrd.scans.headings import Role, roles, seconds_in, wavelengths_in
from deepxrd.scans.remarks import Row, cut_remarks, n_words
from deepxrd.scans.scan import Fact
from deepxrd.scans.wrapped import unwrapped

_COMMENT = ("#", "!", "%", "'", "*", "&", "$", ">", "//", ";", "@")
_SCAN = re.compile(r"#S\s+\d+")
_LEADING = re.compile(r"\s*-?\d+(?:[.,]\d+)?")
_END = re.compile(r"(?:end|eof|##end=?|\x1a)\b.*|\x1a", re.IGNORECASE)
_ATTENUATOR = re.compile(r"attenuat|absorber|\batten\b", re.IGNORECASE)
_FACTOR = re.compile(r"factor", re.IGNORECASE)
_SCALE = re.compile(r"(sqrt|√|log10|log|lg|ln)[\s_]*[(\[]", re.IGNORECASE)
_MOST_SCALED = 1e4  # a root; a logarithm is far below
_EVEN_STEPS, _UNEVEN, _APART = 6, 0.1, 5.0  # steps, what one may differ by, steps
_SURE = 3  # lines of numbers one after the other, at which a header has ended
_MOST_ACROSS = 10  # columns for each line: with more, a pattern lies on its side
_SAMPLE = 2_000  # lines that the dialect is found on; all have to follow it


@dataclass
class _Part:
    """A scan of a text: its own header lines, its lines of numbers, and comments among these."""

    head: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)


def read_columns(text: str) -> list[Block]:
    """All scans of a text of columns.

    Raises:
        ScanError: a line is no data, columns are not told apart, or there is no pattern.
    """
    lines = list(enumerate(lines_of(text), 1))
    remarks = cut_remarks(lines)
    head, parts, below = _parts(lines)
    dialect = find_dialect([row for part in parts for row in part.rows][:_SAMPLE])
    _refuse_skipped_data(head, parts[0].rows[0], dialect)
    check_ranges(len(parts))
    blocks = [_block(head + part.head, part, dialect, more_names=remarks.are_columns) for part in parts]
    if below:
        blocks[-1].facts.append(Fact("not read", f"text from line {below} on", "after the last of the data"))
    blocks[0].facts += remarks.told()
    if remarks.are_indices:
        for block in blocks:
            block.peaks = True
    return blocks


def _parts(lines: list[Row]) -> tuple[list[Row], list[_Part], int]:
    """The header, the scans after it, and the number of the line at which text follows the last; 0 for none.

    Raises:
        ScanError: there are no lines of numbers, or one among them is no data.
    """
    begin = _first_data(lines)
    head = lines[:begin]
    inner = max((place for place, (_, line) in enumerate(head) if _SCAN.match(line)), default=len(head))
    parts = [_Part(head=head[inner:])]
    names = {line.strip() for _, line in head if line.strip() and not _is_comment(line)}
    below = 0
    for index, (place, line) in enumerate(lines[begin:], begin):
        word = line.strip()
        if looks_numeric(line):
            parts[-1].rows.append((place, line))
        elif not word or (_is_comment(line) and not _SCAN.match(line)):
            _note(parts, (place, line))
        elif _END.fullmatch(word):
            break
        elif _SCAN.match(line) or (word in names and parts[-1].rows):
            parts.append(_Part(head=[(place, line)]))
        elif not parts[-1].rows:
            parts[-1].head.append((place, line))
        elif not any(looks_numeric(line) for line in _from(lines, index)) and not word[0].isdecimal():
            below = place
            break
        elif _begins_anew(_from(lines, index), names, parts[-1].rows):
            parts.append(_Part(head=[(place, line)]))
        else:
            msg = f"line {place} is no data: {word[:60]!r}"
            raise ScanError(msg)
    parts = [part for part in parts if part.rows]
    return head[:inner], parts, below


def _note(parts: list[_Part], comment: Row) -> None:
    """Put a comment before the numbers, among them, or, where it states a counting time, before the next ones."""
    if parts[-1].rows and seconds_in([comment[1]]):
        parts.append(_Part(head=[comment]))
    elif comment[1].strip():
        (parts[-1].notes if parts[-1].rows else parts[-1].head).append(comment)


def _from(lines: list[Row], index: int) -> Iterator[str]:
    """The texts of lines from one on."""
    return (lines[at][1] for at in range(index, len(lines)))


def _begins_anew(after: Iterator[str], names: set[str], rows: list[Row]) -> bool:
    """Whether text among data is the header of another scan: it repeats the first one's, or the axis goes back."""
    found: list[str] = []
    for line in after:
        if looks_numeric(line):
            found.append(line)
        elif found and line.strip():
            return False
        elif line.strip() in names:
            return True
        if len(found) == _SURE:
            first, last, now = (_leading(row) for row in (rows[0][1], rows[-1][1], found[0]))
            return (now - last) * (last - first) < 0
    return False


def _leading(line: str) -> float:
    """The number at the beginning of a line; NaN if it is not plain."""
    match = _LEADING.match(line)
    return float(match[0].replace(",", ".")) if match else float("nan")


def _first_data(lines: list[Row]) -> int:
    """Index of the first line of numbers that others follow."""
    content = [(index, line) for index, (_, line) in enumerate(lines) if line.strip() and not _is_comment(line)]
    several = [looks_numeric(line) and n_words(line) > 1 for _, line in content]
    for place, (index, line) in enumerate(content):
        if not all(several[place : place + _SURE]):
            continue
        after = len(content) - place - 1
        if after >= _SURE and re.split(r"[\s,]+", line.strip())[0] == str(after):
            continue  # the number of points, as in a .chi
        return index
    shown = next((line.strip() for _, line in content), "")[:60]
    msg = f"it has no lines of two numbers or more; it begins with {shown!r}"
    raise ScanError(msg)


def _refuse_skipped_data(head: list[Row], first: Row, dialect: Dialect) -> None:
    """Raise `ScanError` if a line of the header is data, parted from the rest by one that is not."""
    width = len(dialect.split(first[1]))
    for index, (_, line) in enumerate(head):
        cells = dialect.split(line)
        if not (
            looks_numeric(line) and len(cells) == width > 1 and all(dialect.number(cell) is not None for cell in cells)
        ):
            continue
        bad = next(((at, row) for at, row in head[index + 1 :] if row.strip() and not _is_comment(row)), None)
        if bad is not None and not looks_numeric(bad[1]):
            msg = f"line {bad[0]} is no data: {bad[1].strip()[:60]!r}"
            raise ScanError(msg)


def _block(head: list[Row], part: _Part, dialect: Dialect, *, more_names: bool) -> Block:
    """A scan of the header that holds for it, and its rows; there may be names of columns that were cut off."""
    rows = part.rows
    facts = [Fact("text", dialect.in_words(), "")]
    width = _width(rows, dialect)
    if len(rows) * _MOST_ACROSS < width:
        msg = f"it has {len(rows)} lines of {width} numbers: give angles and intensities as columns, a point a line"
        raise ScanError(msg)
    if len(dialect.split(rows[0][1])) != width:  # start, step and stop above angles and counts
        facts.append(Fact("not read", f"line {rows[0][0]}, which has another number of columns", "taken for a header"))
        rows = rows[1:]
    elif _is_apart(rows):
        facts.append(
            Fact("not read", f"line {rows[0][0]}, whose number is no step of the others", "taken for a header")
        )
        rows = rows[1:]
    table, short = _table(rows, width, dialect)
    empty = np.flatnonzero(np.isnan(table).all(axis=0)).tolist()
    if empty and width - len(empty) >= 2:  # noqa: PLR2004 - axis and intensity
        facts.append(Fact("columns", f"{len(empty)} of {width} are empty, and not counted here", ""))
        table, width = np.delete(table, empty, axis=1), width - len(empty)
    else:
        empty = []
    names, names_at = column_names(head, width, dialect, more=more_names, dropped=empty)
    flat = unwrapped(table) if sum(map(bool, names)) <= 2 else None  # noqa: PLR2004 - of angle and intensity
    if flat is not None:
        facts.append(Fact("columns", f"an angle, then the intensities of {width - 1} steps", "its numbers"))
        return _plain_block(flat[0], flat[1], head, facts)
    if short:
        raise ScanError(short)
    columns = choose_columns(
        table, names, names_at, [line for _, line in head], last=any(LABELS.match(line) for _, line in head)
    )
    facts += columns.facts
    wave, where = wavelengths_in(line for _, line in head + part.notes)
    if wave is None and where:
        facts.append(Fact("wavelength", "not used", where))
    return Block(
        axis=table[:, columns.axis],
        values=_as_measured(table[:, columns.intensity], names, columns, facts),
        kind=columns.kind,
        axis_source=columns.axis_source,
        sigma=None if columns.uncertainty is None else table[:, columns.uncertainty],
        unit=columns.unit,
        seconds_per_step=_seconds(table, names, columns) or seconds_in(line for _, line in reversed(head)),
        attenuation=_attenuation(table, names, facts) if columns.factors is None else table[:, columns.factors],
        wavelengths=wave,
        wavelengths_source=where,
        lines=np.array([place for place, _ in rows]),
        peaks=True if any(role is Role.PEAK for role, _ in roles(names)) else None,
        facts=facts,
    )


def _table(rows: list[Row], width: int, dialect: Dialect) -> tuple[NDArray[np.float64], str]:
    """The numbers of lines ``(n, width)``, and what is to be said against a last line that is shorter; NaN fills it.

    Raises:
        ScanError: a line has another number of columns, or something that is no number.
    """
    table = np.empty((len(rows), width))
    short = ""
    for index, (place, line) in enumerate(rows):
        cells = dialect.cells(line, width)
        if len(cells) != width:
            msg = f"line {place} has {len(cells)} columns, and the others have {width}: {line.strip()[:60]!r}"
            if index + 1 < len(rows) or not 1 < len(cells) < width:
                raise ScanError(msg)
            short = msg
            cells += ["nan"] * (width - len(cells))
        for column, cell in enumerate(cells):
            value = dialect.number(cell)
            if value is None:
                msg = f"line {place} is no data: {cell[:40]!r} is no number"
                raise ScanError(msg)
            table[index, column] = value
    return table, short


def _is_apart(rows: list[Row]) -> bool:
    """Whether a first line stands before even steps and is none, as where it gives a range, or a step and a time."""
    first, *others = (_leading(line) for _, line in rows[: _EVEN_STEPS + 2])
    widths = np.diff(others)
    if len(widths) < _EVEN_STEPS or not widths[0] or np.abs(widths / widths[0] - 1).max() > _UNEVEN:
        return False
    step = float(abs(widths[0]))
    if first == others[0]:  # the range from which to which
        stop = _leading(" ".join(re.split(r"[\s;,]+", rows[0][1].strip())[1:]))
        return abs(stop - _leading(rows[-1][1])) < step
    return abs(others[0] - first) > _APART * step


def _plain_block(axis: NDArray[np.float64], values: NDArray[np.float64], head: list[Row], facts: list[Fact]) -> Block:
    """A scan of which nothing is known but its points and its header."""
    wave, where = wavelengths_in(line for _, line in head)
    return Block(
        axis=axis,
        values=values,
        axis_source=UNNAMED,
        wavelengths=wave,
        wavelengths_source=where,
        facts=facts,
    )


def _width(rows: list[Row], dialect: Dialect) -> int:
    """Number of columns: the first line's, unless it alone differs and has the three of start, step and stop."""
    first, *others = (len(dialect.split(line)) for _, line in rows[:10])
    three = 3
    width = others[0] if first == three and others and set(others) == {2} else first
    if width < 2:  # noqa: PLR2004 - axis and intensity
        msg = f"line {rows[0][0]} has one column: it must have an axis and intensities"
        raise ScanError(msg)
    return width


def _as_measured(
    values: NDArray[np.float64], names: list[str], columns: Columns, facts: list[Fact]
) -> NDArray[np.float64]:
    """Intensities that a column of their logarithms or roots stands for, ``(n,)``, by its name; else as they are."""
    name = names[columns.intensity] if columns.intensity < len(names) else ""
    match = _SCALE.match(name.strip())
    if match is None or (np.abs(values[np.isfinite(values)]) > _MOST_SCALED).any():
        return values
    what = match[1].lower()
    columns.unit = ""
    if what in {"sqrt", "√"}:
        facts.append(Fact("intensity", f"column {name!r} squared", "its name"))
        return values**2
    base = np.e if what == "ln" else 10.0
    facts.append(Fact("intensity", f"column {name!r} taken for a logarithm to base {base:.4g} and undone", "its name"))
    return np.asarray(base**values)


def _seconds(table: np.ndarray, names: list[str], columns: Columns) -> float | None:
    """Counting time of a point, where a column of one value is named so."""
    for column, name in enumerate(names):
        if (
            column != columns.intensity
            and re.search(r"time|second", name, re.IGNORECASE)
            and np.ptp(table[:, column]) == 0
        ):
            return float(table[0, column]) or None
    return None


def _attenuation(table: np.ndarray, names: list[str], facts: list[Fact]) -> np.ndarray | None:
    """Factors from a column of attenuation factors, ``(n,)``; a column that only tells the attenuator gets a fact."""
    for column, name in enumerate(names):
        values = table[:, column]
        if not _ATTENUATOR.search(name) or np.ptp(values) == 0:
            continue
        if _FACTOR.search(name) and (values >= 1).all():
            return np.asarray(values)
        facts.append(Fact("attenuation", f"column {column + 1}, {name!r}, is not used", "no factors of 1 or more"))
    return None


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_COMMENT)
