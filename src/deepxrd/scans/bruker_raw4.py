"""Bruker ``.raw`` version 4 (``RAW4.00``): a chain of segments, each of a type and a length, then ranges.

After a preamble of 61 bytes come segments of metadata; a type of 0 or 160 begins a range: 160 bytes of header, segments
of its own (drives), and records whose first four bytes are the intensity. The places are those that the readers of
GSAS-II and of the FAIRmat project agree on; the size of a record and the chain's end are held against the file.
"""

from __future__ import annotations

from deepxrd.errors import ScanError
from deepxrd.scans.binary import Fields
from deepxrd.scans.block import MAX_BLOCKS, Block, stated, steps
from deepxrd.scans.scan import Fact
from deepxrd.xrd import Wavelengths

_PREAMBLE, _RANGE_HEADER = 61, 160
_RANGE_TYPES = {0, 160}
_VARIABLE, _SOURCE, _DRIVE = 10, 30, 50
_SCANS_OF_TWO_THETA = {"locked coupled", "unlocked coupled", "detector scan", "2theta", "psd fix scan"}


def read_version_4(data: bytes) -> list[Block]:
    """All ranges of a file, those that are scans of 2θ.

    Raises:
        ScanError: the file is damaged, or none of its ranges is a scan of 2θ.
    """
    fields, place = Fields(data), _PREAMBLE
    metadata = {"date": fields.text(12, 12), "time": fields.text(24, 10)}
    lines: Wavelengths | None = None
    blocks: list[Block] = []
    others: list[str] = []
    while place + 8 <= len(data) and len(blocks) + len(others) < MAX_BLOCKS:
        kind, size = fields.u32(place), max(fields.u32(place + 4), 8)
        if kind in _RANGE_TYPES:
            if not data[place:].strip(b"\0"):  # padding after the last range
                break
            place = _read_range(fields, place, lines, metadata, blocks, others)
            continue
        if kind == _VARIABLE:
            metadata[fields.text(place + 12, 24).lower()] = fields.text(place + 36, max(0, size - 36))
        elif kind == _SOURCE:
            metadata["anode"] = fields.text(place + 116, 4)
            lines = stated(
                fields.f64(place + 80), fields.f64(place + 88), fields.f64(place + 104), anode=metadata["anode"]
            )
        place += size
    if not blocks:
        what = f"only scans of other drives: {', '.join(sorted(set(others)))}" if others else "no scan"
        msg = f"it holds {what}"
        raise ScanError(msg)
    if others:
        blocks[0].facts.append(Fact("not read", f"{len(others)} scans of other drives", ", ".join(sorted(set(others)))))
    return blocks


def _read_range(
    fields: Fields,
    place: int,
    lines: Wavelengths | None,
    metadata: dict[str, str],
    blocks: list[Block],
    others: list[str],
) -> int:
    """Add the range at a place to the blocks, or its kind to the others; returns where the next segment begins."""
    kind = fields.text(place + 32, 24)
    n, record, extra = fields.u32(place + 88), fields.u32(place + 136), fields.u32(place + 140)
    if record < 4 or record % 4:  # noqa: PLR2004 - bytes of a float
        msg = f"a range with records of {record} bytes, at byte {place}: the file is damaged"
        raise ScanError(msg)
    start = place + _RANGE_HEADER + extra
    values = fields.floats(start, n, stride=record)
    if kind.lower() not in _SCANS_OF_TWO_THETA:
        others.append(kind or "of no name")
        return start + n * record
    used = stated(fields.f64(place + 112))
    blocks.append(
        Block(
            axis=steps(fields.f64(place + 72), fields.f64(place + 80), n),
            values=values,
            axis_source=f"the header's start and step of a scan {kind!r}",
            unit="counts",
            seconds_per_step=_seconds(fields.f32(place + 92)),
            wavelengths=lines or used,
            wavelengths_source="header" if lines or used else "",
            title=metadata.get("sampleid", ""),
            metadata=metadata,
        )
    )
    return start + n * record


def _seconds(written: float) -> float | None:
    """Counting time of a point, s; newer files have it in milliseconds, and no point takes two minutes."""
    if not 0 < written < 1e8:  # noqa: PLR2004
        return None
    return written / 1000 if written > 120 else written  # noqa: PLR2004
