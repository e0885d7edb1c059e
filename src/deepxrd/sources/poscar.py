"""VASP's POSCAR and CONTCAR files, read strictly: no element is ever guessed."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Crystal
from deepxrd.chem.crystal import READABLE_ATOMS
from deepxrd.chem.species import atomic_number_of
from deepxrd.errors import SourceError

TITLE_REMARK = "elements taken from the title: the file has no line of symbols (VASP 4)"
_HEAD_LINES = 7  # title, scale, three vectors, counts, the kind of coordinates
_VARIANT = re.compile(r"[_/].*")  # Sr_sv of the potential, Sr/1a2b3c of VASP 6.4


def read_poscar(text: str) -> tuple[Crystal, tuple[str, ...]]:
    """The crystal of a POSCAR, and remarks on how it was read.

    Raises:
        SourceError: it is none, or does not say which elements it holds; the message says in what line.
    """
    lines = text.rstrip().split("\n")
    if len(lines) <= _HEAD_LINES:
        msg = f"a POSCAR has more than {_HEAD_LINES} lines, this has {len(lines) if text.strip() else 0}"
        raise SourceError(msg)
    lattice = _lattice(lines)
    fields = lines[5].split()
    has_symbols = not all(field.isdecimal() for field in fields)
    counts = _counts(lines[6 if has_symbols else 5], number=7 if has_symbols else 6)
    at = 7 if has_symbols else 6
    if lines[at].strip()[:1].lower() == "s":  # selective dynamics
        at += 1
    kind = lines[at].strip()[:1].lower() if at < len(lines) else ""
    rows = [line.split() for line in lines[at + 1 : at + 1 + sum(counts)]]
    coords = _coordinates(rows, first_line=at + 2, wanted=sum(counts))
    if kind in ("c", "k"):
        coords = coords * _scale(lines[1], lattice_volume=None) @ np.linalg.inv(lattice)
    elif kind != "d":
        msg = f"line {at + 1} is neither 'Direct' nor 'Cartesian': {lines[at][:40]!r}"
        raise SourceError(msg)
    remarks: tuple[str, ...] = ()
    if has_symbols:
        symbols = [_VARIANT.sub("", field) for field in fields]
    else:
        symbols, remarks = _symbols_without_a_line(lines[0], rows, counts)
    if len(symbols) != len(counts):
        msg = f"{len(symbols)} symbols ({' '.join(symbols)}) but {len(counts)} counts"
        raise SourceError(msg)
    numbers = np.repeat([atomic_number_of(symbol) for symbol in symbols], counts)
    return Crystal(lattice, numbers.astype(np.int64), coords, np.ones(len(numbers))), remarks


def _lattice(lines: list[str]) -> NDArray[np.float64]:
    try:
        vectors = np.array([[float(x) for x in line.split()[:3]] for line in lines[2:5]], dtype=np.float64)
    except ValueError:
        vectors = np.empty(0)
    if vectors.shape != (3, 3):
        msg = "lines 3 to 5 are not three vectors of three numbers"
        raise SourceError(msg)
    if not abs(float(np.linalg.det(vectors))) > 0 or not np.isfinite(vectors).all():
        msg = "the three vectors of lines 3 to 5 make no cell"
        raise SourceError(msg)
    return vectors * _scale(lines[1], lattice_volume=abs(float(np.linalg.det(vectors))))


def _scale(line: str, *, lattice_volume: float | None) -> NDArray[np.float64] | float:
    """What line 2 multiplies lengths by: one factor, three, or a negative number that is the volume of the cell."""
    factors: list[float] = []
    for field in line.split()[:3]:  # a comment may follow
        try:
            factors.append(float(field))
        except ValueError:
            break
    if len(factors) == 3 and min(factors) > 0:  # noqa: PLR2004 - one for each axis
        return np.array(factors)
    if len(factors) in (1, 2) and math.isfinite(factors[0]) and factors[0] != 0:
        if factors[0] > 0:
            return factors[0]
        if lattice_volume:
            return float((-factors[0] / lattice_volume) ** (1 / 3))
        if lattice_volume is None:
            msg = "its Cartesian coordinates are scaled by a volume, which is not read: write a factor in line 2"
            raise SourceError(msg)
    msg = f"line 2 is no scale: {line[:40]!r}"
    raise SourceError(msg)


def _counts(line: str, *, number: int) -> list[int]:
    fields = line.split()
    if not fields or not all(field.isdecimal() and len(field) < 10 for field in fields):  # noqa: PLR2004
        msg = f"line {number} is no list of counts: {line[:40]!r}"
        raise SourceError(msg)
    counts = [int(field) for field in fields]
    if sum(counts) > READABLE_ATOMS:
        msg = f"it has {sum(counts):,} atoms, more than the {READABLE_ATOMS:,} that can be read"
        raise SourceError(msg)
    return counts


def _coordinates(rows: list[list[str]], *, first_line: int, wanted: int) -> NDArray[np.float64]:
    try:
        coords = np.array([[float(x) for x in row[:3]] for row in rows if len(row) > 2], dtype=np.float64)  # noqa: PLR2004
    except ValueError as error:
        msg = f"a coordinate from line {first_line} on is no number: {error}"
        raise SourceError(msg) from error
    if len(coords) != wanted:
        msg = f"{wanted} atoms are counted, but there are coordinates of {len(coords)}"
        raise SourceError(msg)
    return coords.reshape(-1, 3)


def _symbols_without_a_line(title: str, rows: list[list[str]], counts: list[int]) -> tuple[list[str], tuple[str, ...]]:
    """Symbols of a VASP 4 file: written behind each coordinate, or alone in the title, in number as the counts."""
    behind = [row[-1] if len(row) > 3 and row[-1] in ATOMIC_NUMBERS else "" for row in rows]  # noqa: PLR2004
    if all(behind):
        starts = np.cumsum([0, *counts])
        blocks = [set(behind[start:stop]) for start, stop in pairwise(starts)]
        if all(len(block) <= 1 for block in blocks):
            return [block.pop() if block else behind[0] for block in blocks], ()
    symbols = title.split()
    if len(symbols) == len(counts) and len(set(symbols)) == len(symbols) and set(symbols) <= ATOMIC_NUMBERS.keys():
        return symbols, (TITLE_REMARK,)
    msg = f"it has no line of symbols (VASP 4), and its title {title[:40]!r} does not name {len(counts)} elements"
    raise SourceError(msg)
