"""Workbooks of spreadsheets, ``.xlsx``: a sheet's cells as a text of columns, a row a line.

After ECMA-376, part 1, chapter 18: a zip of XML, numbers as values of cells, most texts in a table that sheets share.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block
from deepxrd.scans.columns import read_columns
from deepxrd.scans.files import Archive, local_name, natural, parse_xml
from deepxrd.scans.scan import Fact

_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_SHARED = "xl/sharedStrings.xml"
_PLACE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_MOST_ROWS, _MOST_CELLS = 2_000_000, 20_000_000


def is_xlsx(archive: Archive) -> bool:
    """Whether a zip is a workbook."""
    return any(_SHEET.fullmatch(name) for name in archive.names)


def read_xlsx(archive: Archive) -> list[Block]:
    """The scans of the first sheet that holds any.

    Raises:
        ScanError: no sheet does, with the reason for the first.
    """
    shared = [_text(item) for item in parse_xml(archive.read(_SHARED))] if _SHARED in archive.names else []
    sheets = sorted((name for name in archive.names if _SHEET.fullmatch(name)), key=natural)
    why = ""
    for place, name in enumerate(sheets, 1):
        try:
            blocks = read_columns(_lines(parse_xml(archive.read(name)), shared))
        except ScanError as error:
            why = why or f"sheet {place}: {error}"
            continue
        if len(sheets) > 1:
            blocks[0].facts.append(Fact("sheet", f"{place} of {len(sheets)}", "the first that holds a scan"))
        return blocks
    raise ScanError(why or "a workbook without sheets")


def _lines(sheet: ET.Element, shared: list[str]) -> str:
    """The cells of a sheet, parted by tabs, with an empty line for each row that is left out.

    Raises:
        ScanError: a row lies beyond those that a sheet has, or it has too many cells.
    """
    lines: list[str] = []
    n_cells = 0
    for row in (element for element in sheet.iter() if local_name(element) == "row"):
        number = int(row.get("r", len(lines) + 1))
        if not len(lines) < number <= _MOST_ROWS:
            msg = f"a row of number {number} after {len(lines)}: the file is damaged"
            raise ScanError(msg)
        cells: list[str] = []
        for cell in (element for element in row if local_name(element) == "c"):
            place = _PLACE.fullmatch(cell.get("r", ""))
            column = _column(place[1]) if place else len(cells)
            n_cells += max(1, column - len(cells))
            if n_cells > _MOST_CELLS:
                msg = f"a sheet of more than {_MOST_CELLS} cells, which no scan fills"
                raise ScanError(msg)
            cells += [""] * (column - len(cells))
            cells.append(_value(cell, shared))
        lines += [""] * (number - len(lines) - 1)
        lines.append("\t".join(cells))
    return "\n".join(lines)


def _value(cell: ET.Element, shared: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell)
    value = next((child.text or "" for child in cell if local_name(child) == "v"), "").strip()
    if kind == "s" and value.isdecimal():
        return shared[int(value)] if int(value) < len(shared) else ""
    return " ".join(value.split()) if kind in {"n", "str"} else ""


def _text(element: ET.Element) -> str:
    """All text of an element on a line; a tab in it would be another cell."""
    return " ".join("".join(part.text or "" for part in element.iter() if local_name(part) == "t").split())


def _column(letters: str) -> int:
    """The place of a column, from 0, of its letters."""
    place = 0
    for letter in letters:
        place = 26 * place + ord(letter) - ord("A") + 1
    return place - 1
