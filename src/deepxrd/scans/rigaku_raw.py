"""Rigaku's binary ``.raw``, which begins with ``FI``: its layout was never published, so a file must bear itself out.

The places of angles, numbers and counts are those that two independent public readers found (a branch of xylib, and
converters of owners of such files). A range is read only where its start, stop and step, its number of points, and the
length of the file agree; any other file is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.binary import Fields
from deepxrd.scans.block import Block, check_ranges, stated, steps
from deepxrd.scans.scan import Fact

_EXPORT = "a binary Rigaku .raw of a layout that is not known here: export it as .ras, .rasx or .asc"
_LONGEST_DEG, _WIDEST_DEG = 180.0, 1.0
_ROUNDED = 0.2  # points
_ANGLES_AT, _COUNT_AT, _DATA_AT = 826, 1018, 1022  # bytes from the mark PI of a range


@dataclass(frozen=True)
class _Layout:
    """Where a file has its wavelengths and its first range: start, stop and step as floats, then counts; bytes."""

    wavelengths: int
    angles: int
    data: int


_NEW = _Layout(1212, 2962, 3158)
_OLD = (_Layout(984, 3004, 3074), _Layout(984, 3004, 3058))


def read_rigaku_raw(data: bytes) -> list[Block]:
    """All ranges of a file.

    Raises:
        ScanError: its header, its numbers of points and its length do not agree.
    """
    fields = Fields(data)
    if len(data) > _NEW.data and _n_points(fields, _NEW.angles) == fields.u32(_NEW.data - 4):
        return _ranges(fields)
    for layout in _OLD:
        n = _n_points(fields, layout.angles) if len(data) > layout.data else 0
        if n and layout.data + 4 * n == len(data):
            return [_block(fields, layout, layout.angles, layout.data, n)]
    msg = f"it is {_EXPORT}"
    raise ScanError(msg)


def _ranges(fields: Fields) -> list[Block]:
    """The ranges of the newer layout, each with a number of points of its own."""
    place = _NEW.angles - _ANGLES_AT
    blocks: list[Block] = []
    while True:
        check_ranges(len(blocks))
        n = _n_points(fields, place + _ANGLES_AT)
        if not n or n != fields.u32(place + _COUNT_AT):
            msg = f"its range {len(blocks) + 1} does not hold as many points as its header says: it is {_EXPORT}"
            raise ScanError(msg)
        blocks.append(_block(fields, _NEW, place + _ANGLES_AT, place + _DATA_AT, n))
        place += _DATA_AT + 4 * n
        if fields.data[place : place + 2] != b"PI":
            break
    if fields.data[place:].strip(b"\0"):
        blocks[0].facts.append(Fact("not read", f"{len(fields) - place} bytes after the last range", ""))
    return blocks


def _n_points(fields: Fields, place: int) -> int:
    """How many points the start, stop and step at a place make; 0 where they are none."""
    start, stop, step = (fields.f32(place + 4 * i) for i in range(3))
    if not (np.isfinite([start, stop, step]).all() and 0 < step < _WIDEST_DEG and -_LONGEST_DEG < start < stop):
        return 0
    points = (stop - start) / step + 1
    return round(points) if stop <= _LONGEST_DEG and abs(points - round(points)) < _ROUNDED else 0


def _block(fields: Fields, layout: _Layout, angles_at: int, data_at: int, n: int) -> Block:
    values = fields.floats(data_at, n)
    lines = stated(*(fields.f64(layout.wavelengths + 8 * i) for i in range(2)))
    return Block(
        axis=steps(fields.f32(angles_at), fields.f32(angles_at + 8), n),
        values=values,
        axis_source="the header's start and step, which its length bears out; the format does not name the axis",
        wavelengths=lines,
        wavelengths_source="header",
    )
