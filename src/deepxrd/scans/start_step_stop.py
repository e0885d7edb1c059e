"""Counts without angles: FullProf's INSTRM 0, DBWS, RIET7, LHPM, DMC: start, step and stop in a line, then counts."""

from __future__ import annotations

import math

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, numbers, parse_number, stated, steps
from deepxrd.scans.files import lines_of
from deepxrd.scans.headings import wavelengths_in
from deepxrd.scans.scan import Fact

_WITHIN_LINES = 8
_FEWEST_POINTS = 20
_NEARLY, _ROUNDED = 0.02, 0.3  # points, as far as a stop of few decimals may be off
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
        if step <= 0 or not _FEWEST_POINTS <= points <= 1e7 or abs(points - round(points)) > _ROUNDED:  # noqa: PLR2004
            continue
        words = [words for _, words in _body(lines, place)]
        n, found = round(points), sum(map(len, words))
        after = words[0] if words else []
        if parse_number(after[0] if after else "") is None:
            continue
        if len(after) == 2 and found == 2 * n:  # noqa: PLR2004 - angles and counts under a line on their range
            continue
        if found in {n, 2 * n}:
            return place, start, step, n
        one_wide = 1 == len(after) < len(line.split())
        alone = sum(parse_number(word) is not None for word in line.split()) == 3  # noqa: PLR2004 - no row of a table
        certain = alone and abs(points - n) <= _NEARLY
        if certain and ((len(after) > _PAIR and len(line.split()) <= len(after)) or one_wide):
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
    body = _body(lines, place)
    values = [value for row, words in body for value in numbers(words, line=row)]
    below = [(row, line) for row, line in enumerate(lines[body[-1][0] :], body[-1][0] + 1) if line.strip()]
    facts = [Fact("not read", f"text from line {below[0][0]} on", "after the last of the counts")] if below else []
    wave, where = wavelengths_in(lines[: place + 1])
    twice = len(values) == 2 * n
    by_columns = len(lines[place].split()) > 3 and parse_number(lines[place].split()[2]) is None  # noqa: PLR2004 - DBWS
    title = lines[place][24:].strip() if by_columns else " ".join(lines[place].split()[3:])
    return [
        Block(
            axis=steps(start, step, n),
            values=np.array(values[:n]),
            axis_source=f"start, step and stop of line {place + 1}",
            sigma=np.array(values[n:]) if twice else None,
            wavelengths=wave,
            wavelengths_source=where,
            title=title or (lines[0].strip() if place else ""),
            facts=facts + ([Fact("uncertainty", "the second half of the numbers", "")] if twice else []),
        )
    ]


def _body(lines: list[str], place: int) -> list[tuple[int, list[str]]]:
    """Number and words of each line of counts after a header, up to one that does not begin with a number."""
    body: list[tuple[int, list[str]]] = []
    for row, line in enumerate(lines[place + 1 :], place + 2):
        words = line.replace(",", " ").split()
        if words and parse_number(words[0]) is None:
            break
        if words:
            body.append((row, words))
    return body


def read_mdi(text: str) -> list[Block]:
    """The scan of a Jade ``.mdi``: a title; start, step, seconds, anode, wavelength, stop and number; counts.

    Raises:
        ScanError: a line is damaged, or another number of counts follows.
    """
    lines = lines_of(text)
    start, step, seconds, anode, length, _, said = lines[1].split()[:7]
    values = [
        value for row, line in enumerate(lines[2:], 3) for value in numbers(line.replace(",", " ").split(), line=row)
    ]
    first, width, n = parse_number(start), parse_number(step), parse_number(said)
    if first is None or width is None or n != len(values):
        msg = f"line 2 says {said} points, and {len(values)} numbers follow: it is cut short, or damaged"
        raise ScanError(msg)
    wave = stated(parse_number(length), anode=anode)
    return [
        Block(
            axis=steps(first, width, len(values)),
            values=np.array(values),
            axis_source="start and step of line 2",
            seconds_per_step=parse_number(seconds) or None,
            wavelengths=wave,
            wavelengths_source="line 2",
            title=lines[0].strip(),
        )
    ]


def is_mdi(text: str) -> bool:
    """Whether the second line is that of a Jade ``.mdi``."""
    words = [line.split() for line in lines_of(text[:2000])[1:2]]
    if not words or len(words[0]) < 7:  # noqa: PLR2004 - as described above
        return False
    kinds = [parse_number(word) is not None for word in words[0][:7]]
    return kinds == [True, True, True, False, True, True, True] and words[0][3].isalpha()


def _three(line: str) -> tuple[float, float, float] | None:
    """The first three numbers of a line, by blanks or by columns of eight (DBWS); None if there are none."""
    for words in (line.replace(",", " ").split()[:3], [line[first : first + 8] for first in (0, 8, 16)]):
        found = [parse_number(word) for word in words]
        if len(found) == 3 and all(value is not None and math.isfinite(value) for value in found):  # noqa: PLR2004
            start, step, stop = (value for value in found if value is not None)
            if step:
                return start, step, stop
    return None
