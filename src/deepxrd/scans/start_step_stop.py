"""Counts without angles: FullProf's INSTRM 0, DBWS, RIET7, LHPM, DMC: start, step and stop in a line, then counts."""

from __future__ import annotations

import math

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, number, numbers, steps
from deepxrd.scans.files import lines_of
from deepxrd.scans.headings import wavelengths_in
from deepxrd.scans.scan import Fact

_WITHIN_LINES = 8
_FEWEST_POINTS = 20
_NEARLY = 0.02  # points
_PAIR = 3  # columns: lines of two or three numbers may as well be a scan with angles


def find_header(text: str) -> tuple[int, float, float, int] | None:
    """Line index, start, step and number of points of a line that the numbers after it bear out; None if there is none.

    Raises:
        ScanError: a line can be nothing else, but another number of counts follows.
    """
    lines = lines_of(text)
    for place, line in enumerate(lines[:_WITHIN_LINES]):
        header = _three(line)
        if header is None:
            continue
        start, step, stop = header
        points = (stop - start) / step + 1
        if step <= 0 or not _FEWEST_POINTS <= points <= 1e7 or abs(points - round(points)) > _NEARLY:  # noqa: PLR2004
            continue
        words = [row.replace(",", " ").split() for row in lines[place + 1 :]]
        n, found = round(points), sum(map(len, words))
        after = next((row for row in words if row), [])
        if number(after[0] if after else "") is None:
            continue
        if found in {n, 2 * n}:
            return place, start, step, n
        one_wide = 1 == len(after) < len(line.split())
        if (len(after) > _PAIR and len(line.split()) <= len(after)) or one_wide:
            msg = (
                f"line {place + 1} says {start:g} to {stop:g} by {step:g}, which is {n} points, and {found} numbers "
                "follow: it is cut short, or damaged"
            )
            raise ScanError(msg)
    return None


def read_start_step_stop(text: str) -> list[Block]:
    """The scan of a file; if twice as many numbers follow, the second half are standard deviations.

    Raises:
        ScanError: a line is damaged.
    """
    header = find_header(text)
    if header is None:
        msg = "no line gives start, step and stop of the counts after it"
        raise ScanError(msg)
    place, start, step, n = header
    lines = lines_of(text)
    values = [
        value
        for row, line in enumerate(lines[place + 1 :], place + 2)
        for value in numbers(line.replace(",", " ").split(), line=row)
    ]
    wave, where = wavelengths_in(lines[: place + 1])
    twice = len(values) == 2 * n
    title = " ".join(lines[place].split()[3:]) or (lines[0].strip() if place else "")
    return [
        Block(
            axis=steps(start, step, n),
            values=np.array(values[:n]),
            axis_source=f"start, step and stop of line {place + 1}",
            sigma=np.array(values[n:]) if twice else None,
            wavelengths=wave,
            wavelengths_source=where,
            title=title,
            facts=[Fact("uncertainty", "the second half of the numbers", "")] if twice else [],
        )
    ]


def _three(line: str) -> tuple[float, float, float] | None:
    """The first three numbers of a line, by blanks or by columns of eight (DBWS); None if there are none."""
    for words in (line.replace(",", " ").split()[:3], [line[first : first + 8] for first in (0, 8, 16)]):
        found = [number(word) for word in words]
        if len(found) == 3 and all(value is not None and math.isfinite(value) for value in found):  # noqa: PLR2004
            start, step, stop = (value for value in found if value is not None)
            if step:
                return start, step, stop
    return None
