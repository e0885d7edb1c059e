"""The line above a table that names its columns."""

from __future__ import annotations

import re
from collections.abc import Collection

from deepxrd.scans.dialect import Dialect
from deepxrd.scans.headings import Role, is_other_axis, roles, states_wavelength
from deepxrd.scans.remarks import Row

LABELS = re.compile(r"#L\s+(.*)")
"""Of SPEC."""


def column_names(
    head: list[Row], width: int, dialect: Dialect, *, more: bool = False, dropped: Collection[int] = ()
) -> tuple[list[str], int]:
    """Names of the columns from the nearest line above them that has as many cells, and its number; else none.

    Args:
        head: lines above the numbers.
        width: number of columns, without the empty ones.
        dialect: of the numbers.
        more: whether a line of names may go on behind the columns.
        dropped: the empty columns.
    """
    lines = [(place, line) for place, line in head if line.strip()]
    labels = [(place, match[1]) for place, line in lines if (match := LABELS.match(line))]
    if labels:
        place, text = labels[-1]
        for parts in (re.split(r"\s{2,}|\t", text.strip()), text.split()):
            if len(parts) == width:
                return parts, place
    units: list[str] | None = None
    for place, line in reversed(lines[-6:]):
        cells = _beside_empty(line, width, dialect, dropped) or _cells(line, width, dialect, more=more)
        if cells is None or any(map(states_wavelength, cells)):
            continue
        if all(role is Role.OTHER for role, _ in roles(cells)) or all(_is_unit(cell) for cell in cells):
            as_a_table = (dialect.separator or "\t") in line or bool(re.search(r"[(\[]", cells[0]))
            if place == lines[-1][0] and as_a_table and is_other_axis(cells[0]):
                return cells, place
            units = units or cells
            continue
        if units is not None:
            cells = [f"{cell} {unit}" for cell, unit in zip(cells, units, strict=False)]
        return cells + [""] * (width - len(cells)), place
    return [], 0


def _beside_empty(line: str, width: int, dialect: Dialect, dropped: Collection[int]) -> list[str] | None:
    """The cells of a line of names that leaves out empty columns; None if it is none."""
    if not dropped:
        return None
    cells = dialect.cells(line, width + len(dropped))
    kept = [cell for place, cell in enumerate(cells) if place not in dropped]
    return kept if len(kept) == width and all(_is_name(cell) for cell in kept) else None


def _cells(line: str, width: int, dialect: Dialect, *, more: bool) -> list[str] | None:
    """The cells of a line of names; None if it is none."""
    plain = re.sub(r"^\s*(?:[#!%'*&$>;@]|//|-->)+\s*(?:-->)?", "", line).strip()
    splits = [Dialect(separator).split(plain) for separator in (dialect.separator or ",", "\t", ";", ",")]
    with_units = re.sub(r"\s+([(\[][^)\]]*[)\]])", lambda match: re.sub(r"\s", "", match[1]), plain)
    splits += [re.split(r"\s{2,}", plain), with_units.split()]
    # pandas writes no name over its index
    splits = [["index", *cells[1:]] if len(cells) == width and not cells[0].strip() else cells for cells in splits]
    named = [cells for cells in splits if all(_is_name(cell) for cell in cells)]
    for cells in named:
        if len(cells) == width:
            return cells
    for cells in named:
        if more and len(cells) > width and {Role.AXIS, Role.INTENSITY} <= {role for role, _ in roles(cells[:width])}:
            return cells[:width]
    for cells in named:
        found = {role for role, _ in roles(cells)}
        if 2 <= len(cells) < width and {Role.AXIS, Role.INTENSITY} <= found:  # noqa: PLR2004 - further columns unnamed
            return cells
    return None


def _is_name(cell: str) -> bool:
    """Whether a cell may be the name of a column, and neither a number nor a key such as ``x_units:``."""
    return bool(re.search(r"[^\W\d]|°", cell)) and not cell.endswith((":", "="))


def _is_unit(cell: str) -> bool:
    return bool(
        re.fullmatch(r"[(\[]?(?:deg\w*|°|counts?|cps|a\.?u\.?|Å\S*|A\S*|nm\S*|1/\S+|s|sec\w*)[)\]]?", cell.strip())
    )
