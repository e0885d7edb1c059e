"""JCAMP-DX: labelled records, and a table of ordinates in plain (AFFN), packed, squeezed, difference or repeat form.

After McDonald and Wilks, *Applied Spectroscopy* 42, 151 (1988): in difference form the first ordinate of a line repeats
the last of the line before it, which is checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.block import MAX_POINTS, Axis, Block, parse_number, steps
from deepxrd.scans.files import lines_of
from deepxrd.scans.headings import axis_of, wavelengths_in

_LABEL = re.compile(r"##\s*([^=]*?)\s*=(.*)")
_BEGINS = re.compile(r"\s*##(?:\s*[^\W\d_].*)?=")
_OWN_LABEL = re.compile(
    r"[ \t]*##[ \t]*(?:TITLE|JCAMP|DATA[ _-]*TYPE|XYDATA|XYPOINTS|PEAK[ _-]*(?:TABLE|ASSIGNMENTS))[ _-]*(?:DX)?\s*=",
    re.IGNORECASE,
)
_SQUEEZED = {letter: str(digit) for digit, letter in enumerate("@ABCDEFGHI")} | {
    letter: f"-{digit}" for digit, letter in enumerate("abcdefghi", 1)
}
_DIFFERENCE = {letter: str(digit) for digit, letter in enumerate("%JKLMNOPQR")} | {
    letter: f"-{digit}" for digit, letter in enumerate("jklmnopqr", 1)
}
_REPEAT = {letter: str(digit) for digit, letter in enumerate("STUVWXYZs", 1)}
_DIGITS = r"(?:\d+\.?\d*|\.\d+)"
_PACKED = re.compile(rf"([%@A-Za-s+-]?)((?:{_DIGITS}(?:[Ee][+-]\d+)?)?)")
_PLAIN = re.compile(
    rf"([+-]?)({_DIGITS}(?:[Ee][+-]?\d+)?)"
)  # here an E without a sign is an exponent, and no squeezed 5
_TABLES = ("XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS")
_NOT_DIFFRACTION = re.compile(r"INFRARED|RAMAN|NMR|MASS|UV|NIR|CHROMATO|FLUORES", re.IGNORECASE)
_NEARLY = 1e-6


def is_jcamp(text: str) -> bool:
    """Whether a text begins with a label, and has one of those that only JCAMP-DX has; RRUFF's columns have others."""
    return bool(_BEGINS.match(text)) and any(_OWN_LABEL.match(line) for line in lines_of(text))


def read_jcamp(text: str) -> list[Block]:
    """All blocks of a file with a table of a diffraction pattern.

    Raises:
        ScanError: a line is damaged, a check fails, or there is no such table.
    """
    header: dict[str, str] = {}
    blocks: list[Block] = []
    rows: list[tuple[int, str]] = []
    table = ""
    for place, line in enumerate([*lines_of(text), "##END="], 1):
        plain = line.partition("$$")[0].rstrip()
        label = _LABEL.match(plain.strip())
        if label is None:
            if table and plain.strip():
                rows.append((place, plain.strip()))
            continue
        if table:
            blocks.append(_read_table(table, header, rows))
            table, rows = "", []
        key = re.sub(r"[\s/_-]", "", label[1]).upper()
        if key == "TITLE":
            header = {}
        header[key] = label[2].strip()
        if key in _TABLES:
            table = key
    if not blocks:
        msg = f"it is JCAMP-DX without a table of data ({', '.join(_TABLES)})"
        raise ScanError(msg)
    return blocks


def _read_table(table: str, header: Mapping[str, str], rows: list[tuple[int, str]]) -> Block:
    what = header.get("DATATYPE", "")
    if _NOT_DIFFRACTION.search(what):
        msg = f"it is JCAMP-DX of {what!r}, and no diffraction pattern"
        raise ScanError(msg)
    x_factor, y_factor = (parse_number(header.get(key)) or 1.0 for key in ("XFACTOR", "YFACTOR"))
    if table == "XYDATA":
        x, y = _ordinates(rows, header, x_factor)
    else:
        x, y = _pairs(rows)
        x = x * x_factor
    kind = axis_of(header.get("XUNITS", "")) or Axis.TWO_THETA
    units = header.get("YUNITS", "").lower()
    wave, where = wavelengths_in([f"{key}: {value}" for key, value in header.items()])
    return Block(
        axis=x,
        values=y * y_factor,
        kind=kind,
        axis_source=f"##XUNITS={header.get('XUNITS', 'not told: taken for 2θ')}",
        unit="counts" if units.startswith("count") and "/" not in units else "cps" if "cps" in units else "",
        wavelengths=wave,
        wavelengths_source=where,
        peaks=True if table.startswith("PEAK") else None,
        title=header.get("TITLE", ""),
    )


def _pairs(rows: list[tuple[int, str]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points ``x, y`` parted by blanks or semicolons."""
    x, y = [], []
    for place, line in rows:
        words = re.split(r"[\s,;]+", line.strip(" ;,"))
        found = [parse_number(word) for word in words]
        if len(found) % 2 or any(value is None for value in found):
            msg = f"line {place} holds no pairs of numbers: {line[:40]!r}"
            raise ScanError(msg)
        x += [value for value in found[::2] if value is not None]
        y += [value for value in found[1::2] if value is not None]
    return np.array(x), np.array(y)


def _ordinates(
    rows: list[tuple[int, str]], header: Mapping[str, str], x_factor: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A table ``(X++(Y..Y))``: an abscissa, then ordinates at even steps; abscissas are checked."""
    values: list[float] = []
    begins: list[tuple[int, int, float]] = []  # line, index of its first ordinate, its abscissa
    check = False
    plain = all(" " in line and set(re.findall("[A-Za-z@%]", line)) <= {"E", "e"} for _, line in rows)
    for place, line in rows:
        words = _words(line, place, _PLAIN if plain else _PACKED)
        abscissa, ordinates, ends_in_difference = _unpacked(words, place, values[-1] if check and values else None)
        begins.append((place, len(values) - int(check), abscissa * x_factor))
        values += ordinates
        check = ends_in_difference
        if len(values) > MAX_POINTS:
            msg = f"line {place}: more than {MAX_POINTS} points"
            raise ScanError(msg)
    if not values:
        msg = "its table is empty"
        raise ScanError(msg)
    said = parse_number(header.get("NPOINTS"))
    if said is not None and said != len(values):
        msg = f"##NPOINTS={said:g}, and the table holds {len(values)}: it is cut short, or damaged"
        raise ScanError(msg)
    first, last = parse_number(header.get("FIRSTX")), parse_number(header.get("LASTX"))
    step = parse_number(header.get("DELTAX"))
    start = begins[0][2] if first is None else first
    if last is not None and len(values) > 1:
        step = (last - start) / (len(values) - 1)
    elif step is None and len(begins) > 1:
        step = (begins[-1][2] - begins[0][2]) / max(begins[-1][1], 1)
    if not step:
        msg = "it has neither ##DELTAX nor ##LASTX: its axis is not known"
        raise ScanError(msg)
    axis = steps(start, step, len(values))
    for place, index, abscissa in begins:
        if index < len(axis) and abs(axis[index] - abscissa) > abs(step):
            msg = f"line {place} begins at {abscissa:g}, and its points lie at {axis[index]:g}: it is damaged"
            raise ScanError(msg)
    return axis, np.array(values)


def _unpacked(words: list[tuple[str, float]], place: int, before: float | None) -> tuple[float, list[float], bool]:
    """Abscissa and ordinates of a line, and whether it ends in difference form.

    Args:
        words: form and number of each.
        place: the line's number.
        before: the last ordinate of a line before in difference form, which this one must repeat.
    """
    if not words or words[0][0] != "plain":
        msg = f"line {place} does not begin with an abscissa"
        raise ScanError(msg)
    values: list[float] = []
    last_form, last = "plain", 0.0
    for form, value in words[1:]:
        if form in {"difference", "repeat"} and not values:
            msg = f"line {place} has a difference or a repeat before any ordinate"
            raise ScanError(msg)
        if form == "repeat":
            times = min(int(value) - 1, MAX_POINTS)
            step = last if last_form == "difference" else 0.0
            values += [values[-1] + step * i for i in range(1, times + 1)]
            continue
        values.append(values[-1] + value if form == "difference" else value)
        last_form, last = form, value
    if before is not None and values:
        if abs(values[0] - before) > _NEARLY * max(1.0, abs(before)):
            msg = f"line {place} begins with {values[0]:g}, and the line before ended with {before:g}: it is damaged"
            raise ScanError(msg)
        values = values[1:]
    return words[0][1], values, last_form == "difference"


def _words(line: str, place: int, pattern: re.Pattern[str]) -> list[tuple[str, float]]:
    """Form and number of each word of a line."""
    words: list[tuple[str, float]] = []
    at = 0
    while at < len(line):
        if line[at] in " ,\t;":
            at += 1
            continue
        match = pattern.match(line, at)
        mark, digits = (match[1], match[2]) if match else ("", "")
        forms = (("squeezed", _SQUEEZED), ("difference", _DIFFERENCE), ("repeat", _REPEAT))
        form, sign = next(((name, table[mark]) for name, table in forms if mark in table), ("plain", mark))
        value = parse_number(sign + digits)
        if match is None or value is None or match.end() == at:
            msg = f"line {place} is no data: {line[at : at + 20]!r}"
            raise ScanError(msg)
        words.append((form, value))
        at = match.end()
    return words
