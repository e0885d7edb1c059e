"""Bruker ``.raw`` version 4 (``RAW4.00``): a chain of segments, each of a type and a length, then ranges.

After a preamble of 61 bytes come segments of metadata; a type of 0 or 160 begins a range: 160 bytes of header, segments
of its own (drives), and records whose first four bytes are the intensity. The places are those that the readers of
GSAS-II and of the FAIRmat project agree on; the size of a record and the chain's end are held against the file.
"""

from __future__ import annotations

from deepxrd.errors import ScanError
from deepxrd.scans.binary import Fields
from deepxrd.scans.block import Block, check_ranges, stated, steps, tell_others
from deepxrd.scans.bruker_raw import ONLY_OTHERS
from deepxrd.xrd import Wavelengths

_PREAMBLE, _RANGE_HEADER, _FLOAT = 61, 160, 4  # bytes
_RANGE_TYPES = {0, 160}
_VARIABLE, _SOURCE, _DRIVE = 10, 30, 50
_SCANS_OF_TWO_THETA = {"locked coupled", "unlocked coupled", "detector scan", "2theta", "psd fix scan"}


def read_version_4(data: bytes) -> list[Block]:
    """All ranges of a file, those that are scans of 2θ.

    Raises:
        ScanError: the file is damaged, or none of its ranges is a scan of 2θ.
    """
    reading = _Reading(Fields(data))
    place = _PREAMBLE
    while place + 8 <= len(data) and data[place:].strip(b"\0"):
        place = reading.take(place)
        check_ranges(reading.n_ranges)
    tell_others(reading.blocks, reading.others, what="drives", none=ONLY_OTHERS)
    if not reading.blocks:
        msg = "it holds no scan"
        raise ScanError(msg)
    return reading.blocks


class _Reading:
    """What has been read so far."""

    def __init__(self, fields: Fields) -> None:
        self.blocks: list[Block] = []
        self.others: list[str] = []
        self._fields = fields
        self._lines: Wavelengths | None = None
        self._metadata = {"date": fields.text(12, 12), "time": fields.text(24, 10)}

    @property
    def n_ranges(self) -> int:
        """Ranges so far, of any drive."""
        return len(self.blocks) + len(self.others)

    def take(self, place: int) -> int:
        """Read the segment at a place; returns where the next begins."""
        fields, metadata = self._fields, self._metadata
        kind, size = fields.u32(place), max(fields.u32(place + 4), 8)
        if kind in _RANGE_TYPES:
            return self._range(place)
        if kind == _VARIABLE:
            metadata[fields.text(place + 12, 24).lower()] = fields.text(place + 36, max(0, size - 36))
        elif kind == _SOURCE:
            metadata["anode"] = fields.text(place + 116, 4)
            wave = [fields.f64(place + at) for at in (80, 88, 104)]
            self._lines = stated(*wave, anode=metadata["anode"])
        return place + size

    def _range(self, place: int) -> int:
        fields = self._fields
        kind = fields.text(place + 32, 24)
        n, record, extra = fields.u32(place + 88), fields.u32(place + 136), fields.u32(place + 140)
        if record < _FLOAT or record % _FLOAT:
            msg = f"a range with records of {record} bytes, at byte {place}: the file is damaged"
            raise ScanError(msg)
        start = place + _RANGE_HEADER + extra
        values = fields.floats(start, n, stride=record)
        if kind.lower() not in _SCANS_OF_TWO_THETA:
            self.others.append(kind or "of no name")
            return start + n * record
        lines = self._lines or stated(fields.f64(place + 112))
        self.blocks.append(
            Block(
                axis=steps(fields.f64(place + 72), fields.f64(place + 80), n),
                values=values,
                axis_source=f"the header's start and step of a scan {kind!r}",
                unit="counts",
                seconds_per_step=_seconds(fields.f32(place + 92)),
                wavelengths=lines,
                wavelengths_source="header",
                title=self._metadata.get("sampleid", ""),
                metadata=self._metadata,
            )
        )
        return start + n * record


def _seconds(written: float) -> float | None:
    """Counting time of a point, s; newer files have it in milliseconds, and no point takes two minutes."""
    if not 0 < written < 1e8:  # noqa: PLR2004
        return None
    return written / 1000 if written > 120 else written  # noqa: PLR2004
