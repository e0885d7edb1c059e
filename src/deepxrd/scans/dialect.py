"""How the numbers of a text are parted and pointed: one separator and one decimal mark for a whole file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deepxrd.errors import ScanError

_QUOTED = re.compile(r'"([^"]*)"')
_DECIMAL = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?"
_NUMBER = re.compile(rf"{_DECIMAL}|[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_COMMA_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_POINT_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[ \u2009\u202f'’]\d{3})+(?:[.,]\d*)?")  # 1 234,5 and 1'234.5
_GROUP_MARK = re.compile(r"(?<=\d)[ \u2009\u202f'’](?=\d{3}(?!\d))")
_MISSING = {"", "-", "--", "na", "n/a", "n.a.", "null", "none", "*"}
_BLANKS_WITHIN = re.compile(r"[^\s,;] +[^\s,;]")  # tabs and blanks both part columns
_LEADING_ZERO = re.compile(r"0\d+")


@dataclass(frozen=True)
class Dialect:
    """Separator and decimal mark of a file.

    Attributes:
        separator: ``,``, ``;``, a tab, or empty for blanks.
        comma_is_decimal: whether commas in numbers are decimal marks.
        thousands: whether numbers have marks between thousands.
    """

    separator: str
    comma_is_decimal: bool = False
    thousands: bool = False

    def split(self, line: str) -> list[str]:
        """The cells of a line."""
        if not self.separator:
            return line.split()
        if '"' in line:
            held: list[str] = []

            def hold(match: re.Match[str]) -> str:
                held.append(match[1])
                return f"\0{len(held) - 1}\0"

            cells = _QUOTED.sub(hold, line).split(self.separator)
            cells = [re.sub("\0(\\d+)\0", lambda match: held[int(match[1])], cell) for cell in cells]
        else:
            cells = line.split(self.separator)
        cells = [cell.strip() for cell in cells]
        while len(cells) > 1 and not cells[-1]:  # a separator at the end of a line
            cells.pop()
        return cells

    def cells(self, line: str, width: int) -> list[str]:
        """The cells of a line; missing ones at its end are empty where their separators are there."""
        cells = self.split(line)
        if self.separator and len(cells) < width <= line.count(self.separator) + 1:
            cells += [""] * (width - len(cells))
        return cells

    def number(self, cell: str) -> float | None:
        """The number in a cell, without a unit's sign behind it; NaN where it is missing, None if it is no number."""
        cell = cell.rstrip("°%")
        if cell.lower() in _MISSING:
            return float("nan")
        cell = _ungrouped(cell) if self.separator else cell
        if self.thousands:
            pattern, mark = (_POINT_THOUSANDS, ".") if self.comma_is_decimal else (_COMMA_THOUSANDS, ",")
            cell = cell.replace(mark, "") if pattern.fullmatch(cell) else cell
        if self.comma_is_decimal:
            if "." in cell:
                return None
            cell = cell.replace(",", ".")
        return float(cell.lower().replace("d", "e")) if _NUMBER.fullmatch(cell) else None

    def in_words(self) -> str:
        """For people."""
        parted = {",": "commas", ";": "semicolons", "\t": "tabs", "": "blanks"}[self.separator]
        marks = ", decimal commas" if self.comma_is_decimal else ""
        return f"columns parted by {parted}{marks}{', marks between thousands' if self.thousands else ''}"


def looks_numeric(line: str) -> bool:
    """Whether a line begins with a number and has nothing but numbers, marks and words for missing ones."""
    plain = line.strip()
    if not plain or not re.match(r"[\"+\-.,]*\d|[\"]?nan\b", plain, re.IGNORECASE):
        return False
    rest = re.sub(r"(?i)(?<=[\d.,])[ed](?=[+-]?\d)|nan|inf(?:inity)?", "", plain)
    return not re.search(r"[^\W\d_]|[#:=(\[{@/\\<>!]", rest)


def find_dialect(rows: Sequence[tuple[int, str]]) -> Dialect:
    """The dialect of lines of numbers.

    Args:
        rows: numbers of lines, and the lines.

    Raises:
        ScanError: commas may be one thing or another.
    """
    text = "\n".join(row for _, row in rows)
    bare = _QUOTED.sub(lambda match: match[1].replace(",", "\1").replace(";", "\2"), text)
    if ";" in bare:
        separator = ";"
    elif "\t" in bare.strip():
        by_tabs = _most(rows, lambda row: "\t" in row.strip() and not _has_blanks(row))
        separator = "\t" if by_tabs else ""
    elif "," in bare and not _most(rows, lambda row: len(row.split()) > 1 and not re.search(r",\s|\s,", row)):
        separator = ","
    else:
        separator = ""
    plain = Dialect(separator)
    cells = [(place, column, _ungrouped(cell)) for place, row in rows for column, cell in enumerate(plain.split(row))]
    with_comma = [item for item in cells if "," in item[2]]
    if not with_comma:
        _refuse_doubled_commas(separator, cells)
        return plain
    with_point = [item for item in cells if "." in item[2]]
    if all(_COMMA_THOUSANDS.fullmatch(cell) for _, _, cell in with_comma):
        return _thousands_or_decimals(separator, cells, with_comma, with_point)
    if with_point:
        thousands = all(_POINT_THOUSANDS.fullmatch(cell) for _, _, cell in with_point)
        if thousands and _in_all_cells(",", cells, with_comma):
            return Dialect(separator, comma_is_decimal=True, thousands=True)
        (place, _, cell), (other, _, pointed) = with_comma[0], with_point[0]
        msg = f"line {place} has {cell!r}, while line {other} has {pointed!r}: one decimal mark a file"
        raise ScanError(msg)
    return Dialect(separator, comma_is_decimal=True)


def _thousands_or_decimals(
    separator: str,
    cells: list[tuple[int, int, str]],
    with_comma: list[tuple[int, int, str]],
    with_point: list[tuple[int, int, str]],
) -> Dialect:
    """What commas before three digits are: thousands beside decimal points, decimals where a whole column has them.

    Raises:
        ScanError: both are possible.
    """
    everywhere = _in_all_cells(",", cells, with_comma)
    if with_point and everywhere and all(_POINT_THOUSANDS.fullmatch(cell) for _, _, cell in with_point):
        if not _in_all_cells(".", cells, with_point):
            return Dialect(separator, comma_is_decimal=True, thousands=True)
    elif with_point:
        return Dialect(separator, thousands=True)
    elif everywhere:
        return Dialect(separator, comma_is_decimal=True)
    place, _, cell = with_comma[0]
    msg = f"line {place} has {cell!r}, thousands or decimals: write thousands without marks"
    raise ScanError(msg)


def _in_all_cells(mark: str, cells: list[tuple[int, int, str]], marked: list[tuple[int, int, str]]) -> bool:
    """Whether columns that have a mark in some cells have it in all, as a decimal mark but no other would be."""
    columns = {column for _, column, _ in marked}
    return all(mark in cell for _, column, cell in cells if column in columns and cell)


def _refuse_doubled_commas(separator: str, cells: list[tuple[int, int, str]]) -> None:
    """Raise `ScanError` where a comma seems to be decimal mark and separator at once: ``10,025,147``."""
    if separator != "," or any("." in cell for _, _, cell in cells):
        return
    doubled = [(place, cell) for place, column, cell in cells if column and _LEADING_ZERO.fullmatch(cell)]
    if doubled:
        msg = f"line {doubled[0][0]} has ',{doubled[0][1]}': commas part columns and decimals alike; part columns by ;"
        raise ScanError(msg)


def _has_blanks(row: str) -> bool:
    """Whether a cell of a line of tabs has a blank within, other than between thousands, which no axis has."""
    first, *others = (cell.strip() for cell in row.split("\t"))
    return any(_BLANKS_WITHIN.search(cell) for cell in (first, *map(_ungrouped, others)))


def _ungrouped(cell: str) -> str:
    """A number without blanks or apostrophes between its thousands."""
    return _GROUP_MARK.sub("", cell) if _GROUPED.fullmatch(cell) else cell


def _most(rows: Sequence[tuple[int, str]], test: Callable[[str], bool]) -> bool:
    return 2 * sum(test(row) for _, row in rows) > len(rows)
