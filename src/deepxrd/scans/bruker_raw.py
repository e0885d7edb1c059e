"""Siemens and Bruker ``.raw``, versions 1 to 3: little-endian records of headers and four-byte counts.

Layout of versions 1 and 2 as the Diffrac-AT manual has it, of version 3 (``RAW1.01``) after appendix A of the manual of
DIFFRAC^plus XCH; the places below are bytes from the start of a file or of a range's header.
"""

from __future__ import annotations

from deepxrd.errors import ScanError
from deepxrd.scans.binary import Fields
from deepxrd.scans.block import Block, check_ranges, stated, steps, tell_others

_HEADER_1, _FILE_HEADER_2, _FILE_HEADER_3, _RANGE_HEADER_3 = 156, 256, 712, 304
_SMALLEST_HEADER_2 = 48
_PLAIN_RECORD = 4
_OTHER_DRIVES = {
    3: "rocking curve", 4: "chi", 5: "phi", 6: "x", 7: "y", 8: "z", 9: "aux1", 10: "aux2", 11: "aux3", 12: "psi",
    13: "hkl", 14: "reciprocal space",
}  # fmt: skip
"""Scan types of version 3 in which 2θ stands still, or does not run alone."""
_AXIS = "the header's start and step"
ONLY_OTHERS = "it holds only scans of other drives: "


def read_version_1(data: bytes) -> list[Block]:
    """Version 1, ``RAW`` and a blank: ranges one after the other, each with a header of 156 bytes.

    Raises:
        ScanError: the file is damaged.
    """
    fields, place = Fields(data), 0
    blocks: list[Block] = []
    while True:
        if data[place : place + 4] != b"RAW ":
            place -= 4  # the ranges after the first lack the mark in old files
        n = fields.u32(place + 4)
        lines = stated(fields.f32(place + 72), fields.f32(place + 76))
        blocks.append(
            Block(
                axis=steps(fields.f32(place + 24), fields.f32(place + 12), n),
                values=fields.floats(place + _HEADER_1, n),
                axis_source=_AXIS,
                unit="counts",
                seconds_per_step=_positive(fields.f32(place + 8)),
                wavelengths=lines,
                wavelengths_source="header",
                title=fields.text(place + 40, 32),
            )
        )
        check_ranges(len(blocks))
        more = fields.u32(place + 152)
        place += _HEADER_1 + 4 * n
        if not more:
            return blocks


def read_version_2(data: bytes) -> list[Block]:
    """Version 2, ``RAW2``: a header of 256 bytes, then ranges with headers that state their own size.

    Raises:
        ScanError: the file is damaged.
    """
    fields, place = Fields(data), _FILE_HEADER_2
    blocks: list[Block] = []
    anode = fields.text(188, 2)
    lines = stated(fields.f32(190), fields.f32(194), fields.f32(198), anode=anode)
    for _ in range(fields.u16(4)):
        size, n = fields.u16(place), fields.u16(place + 2)
        if size < _SMALLEST_HEADER_2:
            msg = f"a range's header of {size} bytes, at byte {place}: the file is damaged"
            raise ScanError(msg)
        blocks.append(
            Block(
                axis=steps(fields.f32(place + 16), fields.f32(place + 12), n),
                values=fields.floats(place + size, n),
                axis_source=_AXIS,
                unit="counts",
                seconds_per_step=_positive(fields.f32(place + 8)),
                wavelengths=lines,
                wavelengths_source="header",
                title=fields.text(8, 32),
                metadata={"date": fields.text(168, 20), "anode": anode},
            )
        )
        place += size + 4 * n
    return blocks


def read_version_3(data: bytes) -> list[Block]:
    """Version 3, ``RAW1.01``: a header of 712 bytes, ranges of 304 bytes, supplementary headers, records.

    Raises:
        ScanError: the file is damaged.
    """
    fields, place = Fields(data), _FILE_HEADER_3
    blocks: list[Block] = []
    anode = fields.text(608, 4)
    lines = stated(fields.f64(624), fields.f64(632), fields.f64(648), unit=fields.text(656, 4), anode=anode)
    metadata = {"date": f"{fields.text(16, 10)} {fields.text(26, 10)}", "site": fields.text(108, 218), "anode": anode}
    metadata["comment"] = fields.text(386, 160)
    n_ranges = fields.u32(12)
    check_ranges(n_ranges)
    others: list[str] = []
    for _ in range(n_ranges):
        size, n = fields.u32(place), fields.u32(place + 4)
        if size != _RANGE_HEADER_3:
            msg = f"a range's header of {size} bytes instead of {_RANGE_HEADER_3}, at byte {place}: the file is damaged"
            raise ScanError(msg)
        record = fields.u32(place + 252) or _PLAIN_RECORD
        if record % 4:
            msg = f"records of {record} bytes, at byte {place}: the file is damaged"
            raise ScanError(msg)
        start = place + size + fields.u32(place + 256)
        other = _OTHER_DRIVES.get(fields.u32(place + 196))
        if other:
            others.append(other)
            place = start + n * record
            continue
        blocks.append(
            Block(
                axis=steps(fields.f64(place + 16), fields.f64(place + 176), n),
                values=fields.floats(start, n, stride=record),
                axis_source=_AXIS,
                unit="counts",
                seconds_per_step=_positive(fields.f32(place + 192)),
                wavelengths=lines,
                wavelengths_source="header",
                title=fields.text(326, 60).strip("_ "),
                metadata=metadata,
            )
        )
        place = start + n * record
    tell_others(blocks, others, what="drives", none=ONLY_OTHERS)
    return blocks


def _positive(seconds: float) -> float | None:
    return seconds if 0 < seconds < 1e7 else None  # noqa: PLR2004 - s: four months
