"""One intensity a line under a header that gives start and step, by keys or in lines of their own."""

from __future__ import annotations

import re

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, check_span, parse_number, steps
from deepxrd.scans.files import lines_of
from deepxrd.scans.headings import seconds_in, wavelengths_in

_FEWEST = 20  # points
_KEY = re.compile(
    r"^\W*(?:scan|range|data|measurement)?[\s_]*(start|stop|end|step)(?!\W*(?:time|date|mode))[^\d+\-.=:]*[=:,;\t ]\s*"
    r"([+-]?\d+(?:[.,]\d+)?)\s*(?:°|deg\w*)?\s*$",
    re.IGNORECASE,
)
_ORDERS = ((0, 1, 2), (0, 2, 1))  # places of start, stop and step


def find_listed(text: str) -> tuple[int, float, float] | None:
    """Index of the line of the first intensity, start and step; None if this is no such text.

    Raises:
        ScanError: its keys say another number of points.
    """
    lines = [line.strip() for line in lines_of(text)]
    while lines and not lines[-1]:
        lines.pop()
    first = len(lines)
    while first and (parse_number(lines[first - 1]) is not None):
        first -= 1
    n = len(lines) - first
    commas = sum("," in line for line in lines[first:])
    if n < _FEWEST or 0 < commas < n:  # marks of thousands, or of decimals
        return None
    keys = {match[1].lower(): parse_number(match[2]) for line in lines[:first] if (match := _KEY.match(line))}
    start, step, stop = keys.get("start"), keys.get("step"), keys.get("stop", keys.get("end"))
    if start is not None and step:
        if stop is not None:
            check_span(start, stop, step, n)
        return first, start, step
    numbers = [parse_number(line) or 0.0 for line in lines[first : first + 3]]
    for order in _ORDERS:
        start, stop, step = (numbers[place] for place in order)
        if not 0 < step < stop - start:
            continue
        above = n - ((stop - start) / step + 1)
        if abs(above - round(above)) < 1e-3 and round(above) in {3, 4}:  # noqa: PLR2004 - to the point; and a time
            return first + round(above), start, step
    return None


def read_listed(text: str) -> list[Block]:
    """The scan of a text.

    Raises:
        ScanError: it is none of these.
    """
    found = find_listed(text)
    if found is None:
        msg = "no header gives start and step of the counts below it"
        raise ScanError(msg)
    first, start, step = found
    lines = lines_of(text)
    values = [value for line in lines[first:] if (value := parse_number(line)) is not None]
    wave, where = wavelengths_in(lines[:first])
    return [
        Block(
            axis=steps(start, step, len(values)),
            values=np.array(values),
            axis_source=f"start and step above line {first + 1}",
            seconds_per_step=seconds_in(lines[:first]),
            wavelengths=wave,
            wavelengths_source=where,
        )
    ]
