"""GSAS powder data: a title, then banks, each a ``BANK`` line and records of one of the types STD, ESD, FXYE, FXY, ALT.

After "Powder data file formats" in Larson and Von Dreele, *General Structure Analysis System*, LAUR 86-748. Only banks
of constant steps in 2θ are patterns in angle; those of time of flight or of energy are refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, check_count, check_ranges, numbers, parse_number, steps
from deepxrd.scans.files import lines_of
from deepxrd.scans.headings import wavelengths_in
from deepxrd.scans.scan import Fact

_CENTI = 100.0  # GSAS writes angles in hundredths of a degree
_LEAST_END_DEG = 2.0  # no powder pattern ends before it, and where one seems to, a program forgot the hundredths
_A_POINT_A_RECORD = {"FXYE", "FXY"}
_CONSTANT = {"CONS", "CONST"}
_OTHER = {
    "SLOG": "time of flight", "LOG6": "time of flight", "RALF": "time of flight", "TIME_MAP": "time of flight",
    "LPSD": "time of flight", "COND": "points of any angle", "CONQ": "q", "EDS": "energy",
}  # fmt: skip
_FIELD, _RECORD = 8, 80
_FEWEST_WORDS = 5
Record = tuple[int, str]
"""Line number and text."""


def is_gsas(text: str) -> bool:
    """Whether a line begins with ``BANK`` and a number, within the first 200."""
    return any(_is_bank(line) for line in lines_of(text[:100_000])[:200])


def read_gsas(text: str) -> list[Block]:
    """All banks of constant steps.

    Raises:
        ScanError: a record is damaged, or there is no bank of angles.
    """
    head: list[str] = []
    banks: list[tuple[Record, list[Record]]] = []
    for place, line in enumerate(lines_of(text), 1):
        if _is_bank(line):
            banks.append(((place, line), []))
        elif not banks:
            head.append(line)
        elif line.strip() and not line.startswith("#"):
            banks[-1][1].append((place, line))
    title = head[0].strip() if head else ""
    lines, where = wavelengths_in(head)
    blocks = []
    check_ranges(len(banks))
    for bank, records in banks:
        block = _read_bank(bank, records)
        block.title, block.wavelengths, block.wavelengths_source = title, lines, where
        blocks.append(block)
    return blocks


def _is_bank(line: str) -> bool:
    words = line.split()
    return len(words) > _FEWEST_WORDS and words[0].upper() == "BANK" and words[1].isdecimal()


def _read_bank(bank: Record, records: list[Record]) -> Block:
    place, line = bank
    words = line.split()
    kind = words[4].upper()
    form = words[-1].upper() if parse_number(words[-1]) is None else "STD"
    if kind not in _CONSTANT:
        msg = f"line {place} is a bank of {_OTHER.get(kind, 'an unknown kind')} ({kind}), not of steps in 2θ (CONS)"
        raise ScanError(msg)
    said, start = parse_number(words[2]), parse_number(words[5])
    step = parse_number(words[6]) if len(words) > 6 else None  # noqa: PLR2004
    if not said or start is None or not step:
        msg = f"line {place} has no number of points, start and step"
        raise ScanError(msg)
    n = int(said)
    check_count(n)
    if form not in _FORMS:
        msg = f"line {place} is a bank of the unknown type {form[:20]!r}: known are {', '.join(_FORMS)}"
        raise ScanError(msg)
    values, sigma, angles = _FORMS[form](records, n)
    if len(values) != n:
        msg = f"line {place} says {n} points, and {len(values)} follow: it is cut short, or damaged"
        raise ScanError(msg)
    source = f"BANK line {place}, hundredths of a degree"
    facts: list[Fact] = []
    unit = _CENTI
    if step > 0 and (start + n * step) / _CENTI < _LEAST_END_DEG:
        unit, source = 1.0, f"BANK line {place}, in degrees: in hundredths it would end below {_LEAST_END_DEG:g}°"
    axis = steps(start / unit, step / unit, n)
    if angles is not None:
        axis, facts = _listed(axis, angles, step / unit)
    if form in _A_POINT_A_RECORD and len(records) > n:
        facts.append(Fact("not read", f"{len(records) - n} records after the {n} points", f"line {records[n][0]}"))
    return Block(
        axis=axis,
        values=values,
        axis_source=source,
        sigma=sigma,
        unit="counts" if form == "STD" else "",
        facts=[Fact("type of records", form, f"line {place}"), *facts],
    )


def _listed(
    from_header: NDArray[np.float64], angles: NDArray[np.float64], step_deg: float
) -> tuple[NDArray[np.float64], list[Fact]]:
    """The angles of the records; they may be in degrees where a program forgot the hundredths."""
    for factor, unit in ((1 / _CENTI, "hundredths of a degree"), (1.0, "degrees")):
        if abs(factor * angles[0] - from_header[0]) <= abs(step_deg):
            return factor * angles, [Fact("angles", f"of the records, in {unit}", "")]
    msg = (
        f"its records begin at {angles[0]:g} and its BANK line at {100 * from_header[0]:g}: which is right is not known"
    )
    raise ScanError(msg)


_Read = tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.float64] | None]


def _std(records: list[Record], n: int) -> _Read:
    """Ten fields of a record: two columns for the number of detectors, six for the mean of their counts."""
    values, detectors = [], []
    for place, field in _fields(records, n):
        values.append(_fixed(field[2:], place))
        detectors.append(_fixed(field[:2], place) or 1.0)
    counts = np.array(values)
    return counts, np.sqrt(np.maximum(counts, 1) / np.array(detectors)), None


def _esd(records: list[Record], n: int) -> _Read:
    """Five pairs of a record, eight columns for each intensity and each standard deviation."""
    values = [_fixed(field, place) for place, field in _fields(records, 2 * n)]
    pairs = np.array(values[: len(values) // 2 * 2]).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1], None


def _fxye(records: list[Record], n: int) -> _Read:
    """A point in each record: angle, intensity, and for FXYE its standard deviation."""
    rows = [numbers(line.split(), line=place) for place, line in records[:n]]
    width = min((len(row) for row in rows), default=0)
    if width < 2:  # noqa: PLR2004 - angle and intensity
        place = next((place for (place, _), row in zip(records, rows, strict=False) if len(row) < 2), 0)  # noqa: PLR2004
        msg = f"line {place} has less than an angle and an intensity"
        raise ScanError(msg)
    table = np.array([row[:width] for row in rows])
    return table[:, 1], table[:, 2] if width > 2 else None, table[:, 0]  # noqa: PLR2004 - with a deviation


def _alt(records: list[Record], n: int) -> _Read:
    """Four points of a record, F8.0, F7.4 and F5.4: the angle is the header's, which needs no unit."""
    values: list[float] = []
    sigma: list[float] = []
    for place, line in records:
        for first in range(0, _RECORD, 20):
            if len(values) < n and line[first : first + 20].strip():
                values.append(_fixed(line[first + 8 : first + 15], place, decimals=4))
                sigma.append(_fixed(line[first + 15 : first + 20], place, decimals=4))
    return np.array(values), np.array(sigma), None


_FORMS: dict[str, Callable[[list[Record], int], _Read]] = {
    "STD": _std, "ESD": _esd, "FXYE": _fxye, "FXY": _fxye, "ALT": _alt,
}  # fmt: skip


def _fields(records: list[Record], n: int) -> list[Record]:
    """The first n fields of eight columns; the last record may be filled up with zeros or blanks."""
    fields: list[Record] = []
    for place, line in records:
        padded = line.rstrip().expandtabs()
        width = min(_RECORD, math.ceil(len(padded) / _FIELD) * _FIELD)
        fields += [(place, padded[first : first + _FIELD]) for first in range(0, width, _FIELD)]
        if len(fields) >= n:
            break
    return fields[:n]


def _fixed(field: str, place: int, *, decimals: int = 0) -> float:
    """A number as Fortran reads it: blank is 0, and without a point the last places are decimals."""
    word = field.strip()
    if not word:
        return 0.0
    value = numbers([word], line=place)[0]
    return value if "." in word or "e" in word.lower() else value / 10**decimals
