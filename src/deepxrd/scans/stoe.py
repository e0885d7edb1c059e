"""Stoe's binary ``.raw`` of WinXPOW, ``RAW_1.06Powdat``: its layout was not published, so a file must bear itself out.

The places are those that two independent public readers agree on (xrdpattern, and the converter of Chemotion). A range
stands at a multiple of 512 bytes: a header with its number of points and angles, and 512 bytes further its counts. It
is read only where exactly one place of the file holds such a header.
"""

from __future__ import annotations

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.binary import Fields
from deepxrd.scans.block import Block, stated

_RECORD = 512
_N_AT, _START_AT, _STOP_AT = 0x22, 0x2C, 0x34  # bytes from a range's header
_WAVELENGTHS_AT = (322, 326)
_FEWEST, _LONGEST_DEG = 20, 180.0
_COARSEST_DEG, _FINEST_DEG = 1.0, 5e-4


def read_stoe(data: bytes) -> list[Block]:
    """The scan of a file.

    Raises:
        ScanError: no place of it, or more than one, holds a range.
    """
    fields = Fields(data)
    places = [place for place in range(_RECORD, len(data) - 2 * _RECORD, _RECORD) if _is_range(fields, place)]
    if len(places) != 1:
        what = "several places that may be ranges" if places else "no range"
        msg = f"{what} in a binary Stoe .raw, whose layout is not public: export it as text, .xyd or .xy"
        raise ScanError(msg)
    place = places[0]
    n = fields.u16(place + _N_AT)
    lengths = sorted(length for at in _WAVELENGTHS_AT if 0.2 < (length := fields.f32(at)) < 3)  # noqa: PLR2004 - Å
    lines = stated(*lengths) if lengths else None
    return [
        Block(
            axis=np.linspace(fields.f32(place + _START_AT), fields.f32(place + _STOP_AT), n),
            values=np.frombuffer(data, dtype="<i4", count=n, offset=place + _RECORD).astype(np.float64),
            axis_source="the start and stop of the only range",
            wavelengths=lines,
            wavelengths_source="header",
            title=fields.text(0x20, 80),
        )
    ]


def _is_range(fields: Fields, place: int) -> bool:
    """Whether a header with angles that can be stands at a place, and as many counts, none negative, after it."""
    n, start, stop = fields.u16(place + _N_AT), fields.f32(place + _START_AT), fields.f32(place + _STOP_AT)
    if n < _FEWEST or place + _RECORD + 4 * n > len(fields) or not -_LONGEST_DEG < start < stop <= _LONGEST_DEG:
        return False
    if not _FINEST_DEG < (stop - start) / (n - 1) < _COARSEST_DEG:
        return False
    counts = np.frombuffer(fields.data, dtype="<i4", count=n, offset=place + _RECORD)
    return bool(counts.min() >= 0 and counts.any())
