"""Philips: ``.udf`` (text), and ``.rd``/``.sd`` (binary, versions V3 and V5)."""

from __future__ import annotations

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.binary import Fields
from deepxrd.scans.block import Block, check_count, check_span, numbers, parse_number, stated, steps
from deepxrd.scans.files import lines_of

_DATA_AT = {b"V3RD": 250, b"V5RD": 810}
_ANODES = ("Cu", "Mo", "Fe", "Cr")


def read_udf(text: str) -> list[Block]:
    """The scan of a ``.udf``: lines ``Key, value, /``, then counts parted by commas after ``RawScan``, up to a ``/``.

    Raises:
        ScanError: a line is damaged, or the counts do not fill the range.
    """
    header: dict[str, list[str]] = {}
    values: list[float] = []
    in_data = False
    for place, line in enumerate(lines_of(text), 1):
        word = line.strip()
        if not in_data:
            key, *rest = (part.strip() for part in word.rstrip("/").rstrip().rstrip(",").split(","))
            header[key] = rest
            in_data = key in {"RawScan", "ScanData", "RawScanCounts"}
            continue
        values += numbers(word.rstrip("/").replace(",", " ").split(), line=place)
        if word.endswith("/"):
            break
    ends = [parse_number(part) for part in header.get("DataAngleRange", [])]
    step = _first(header, "ScanStepSize")
    if len(ends) != 2 or ends[0] is None or ends[1] is None or not step:  # noqa: PLR2004 - start and end
        msg = "it has no DataAngleRange and ScanStepSize: its axis is not known"
        raise ScanError(msg)
    check_span(ends[0], ends[1], step, len(values))
    wave = [_first(header, f"{name}{line}") for line in (1, 2) for name in ("LabdaAlpha", "LambdaAlpha")]
    alpha1, alpha2 = wave[0] or wave[1], wave[2] or wave[3]
    anode = " ".join(header.get("Anode", []))
    lines = stated(alpha1, alpha2, _first(header, "RatioAlpha21"), anode=anode)
    return [
        Block(
            axis=steps(ends[0], step, len(values)),
            values=np.array(values),
            axis_source="DataAngleRange and ScanStepSize",
            unit="counts",
            seconds_per_step=_first(header, "ScanStepTime"),
            wavelengths=lines,
            wavelengths_source="LabdaAlpha1" if alpha1 else "Anode",
            title=" ".join(header.get("SampleIdent", [])),
            metadata={"anode": anode, "date": " ".join(header.get("FileDateTime", []))},
        )
    ]


def read_rd(data: bytes) -> list[Block]:
    """The scan of an ``.rd`` or ``.sd``: start, step and end as doubles at byte 214, counts packed into two bytes.

    A packed number p stands for the whole part of 0.01 p², as the maker's description has it.

    Raises:
        ScanError: the file is cut short, or its header makes no axis.
    """
    fields = Fields(data)
    step, start, end = (fields.f64(place) for place in (214, 222, 230))
    if not (np.isfinite([step, start, end]).all() and step > 0 and end > start):
        msg = f"its header says {start:g} to {end:g}° by {step:g}: the file is damaged"
        raise ScanError(msg)
    points = (end - start) / step + 1
    check_count(round(min(points, 1e9)))
    n, first = round(points), _DATA_AT[data[:4]]
    if first + 2 * n > len(data):
        msg = f"its header says {n} points, and it holds {(len(data) - first) // 2}: it is cut short"
        raise ScanError(msg)
    packed = np.frombuffer(data, dtype="<u2", count=n, offset=first).astype(np.float64)
    anode = data[85]
    lines = stated(None, anode=_ANODES[anode]) if anode < len(_ANODES) else None
    return [
        Block(
            axis=steps(start, step, n),
            values=np.floor(0.01 * packed**2),
            axis_source="the header's start and step",
            unit="counts",
            wavelengths=lines,
            wavelengths_source="anode",
            title=fields.text(146, 20),
        )
    ]


def _first(header: dict[str, list[str]], key: str) -> float | None:
    return parse_number(header.get(key, [""])[0]) if header.get(key) else None
