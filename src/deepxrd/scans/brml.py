"""Bruker ``.brml``: a zip of XML, a ``RawData<n>.xml`` for each scan, whose ``DataViews`` say what its columns are."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, check_count, check_ranges, check_span, numbers, parse_number, stated, steps
from deepxrd.scans.files import Archive, natural, parse_xml
from deepxrd.scans.scan import Fact
from deepxrd.xrd.radiation import in_angstrom

_RAW = re.compile(r"(?:^|/)RawData\d*\.xml$")
_KIND = "{http://www.w3.org/2001/XMLSchema-instance}type"
_TWO_THETA = {"twotheta", "2theta"}
_FEWEST_COLUMNS = 2


def is_brml(archive: Archive) -> bool:
    """Whether a zip is one of these."""
    return any(_RAW.search(name) for name in archive.names)


def read_brml(archive: Archive) -> list[Block]:
    """All scans of 2θ of a file, in the order of its list.

    Raises:
        ScanError: it is damaged, or holds no scan of 2θ.
    """
    blocks: list[Block] = []
    why: list[str] = []
    names = _order(archive)
    check_ranges(len(names))
    for name in names:
        root = parse_xml(archive.read(name))
        routes = [route for route in root.iter("DataRoute") if route.find("Datum") is not None]
        measured = [route for route in routes if route.get("RouteFlag", "Measured") == "Measured"] or routes
        for route in measured:
            try:
                blocks.append(_read_route(root, route, name))
            except ScanError as error:
                why.append(str(error))
    if not blocks:
        msg = f"it holds no scan of 2θ with counts: {why[0] if why else 'no data at all'}"
        raise ScanError(msg)
    if why:
        blocks[0].facts.append(Fact("not read", f"{len(why)} scans", why[0]))
    return blocks


def _order(archive: Archive) -> list[str]:
    """Names of the scans' members: those that the first ``DataContainer.xml`` lists, else all in natural order."""
    present = sorted((name for name in archive.names if _RAW.search(name)), key=natural)
    for container in sorted((name for name in archive.names if name.endswith("DataContainer.xml")), key=natural):
        listed = [
            (text.text or "").strip()
            for group in parse_xml(archive.read(container)).iter("RawDataReferenceList")
            for text in group.iter("string")
        ]
        if listed and all(name in present for name in listed):
            return listed
    return present


def _read_route(root: ET.Element, route: ET.Element, name: str) -> Block:
    rows = [
        numbers((datum.text or "").replace(",", " ").split(), line=place)
        for place, datum in enumerate(route.findall("Datum"), 1)
    ]
    width = len(rows[0])
    if len(rows) == 1 and (still := _still(route, rows[0])):
        return _with_tube(root, still)
    check_count(len(rows))
    uneven = next((place for place, row in enumerate(rows, 1) if len(row) != width), None)
    if uneven is not None or width < _FEWEST_COLUMNS:
        msg = f"{name}: datum {uneven or 1} has {len(rows[(uneven or 1) - 1])} columns, the first has {width}"
        raise ScanError(msg)
    table = np.array(rows, dtype=np.float64)
    columns, source = _columns(route, width, name)
    factors = table[:, columns["absorber"]] if "absorber" in columns else None
    values = table[:, columns["counts"]]
    seconds = parse_number(route.findtext(".//ScanInformation/TimePerStep"))
    if seconds is None and "time" in columns:
        seconds = float(np.median(table[:, columns["time"]])) or None
    block = Block(
        axis=table[:, columns["two_theta"]],
        values=values,
        axis_source=source,
        unit="counts",
        seconds_per_step=seconds,
    )
    if factors is not None and np.ptp(factors) > 0 and factors.min() > 0:
        # the stored counts are corrected already, so that their noise is that of fewer counts
        block.sigma = np.sqrt(np.maximum(values / factors, 1)) * factors
        block.facts.append(Fact("attenuation", f"absorber up to {factors.max():g}, in the counts already", name))
    return _with_tube(root, block)


def _with_tube(root: ET.Element, block: Block) -> Block:
    """A block with the wavelengths of the tube."""
    lines = stated(
        _length(root, "WaveLengthAlpha1") or _length(root, "WaveLength"),
        _length(root, "WaveLengthAlpha2"),
        _value(root, "WaveLengthRatio"),
        anode=next((element.text or "" for element in root.iter("TubeMaterial")), ""),
    )
    block.wavelengths, block.wavelengths_source = lines, "the tube's data"
    return block


def _still(route: ET.Element, row: list[float]) -> Block | None:
    """The pattern that a detector took at rest, all channels in one row over a scale of 2θ; None if it is no such.

    Raises:
        ScanError: the scale has another number of channels.
    """
    scale = next((info for info in route.iter("ScaleAxisInfo") if info.get("AxisId", "").lower() in _TWO_THETA), None)
    if scale is None:
        return None
    start, stop, width = (parse_number(scale.findtext(end)) for end in ("Start", "Stop", "Increment"))
    if start is None or stop is None or not width:
        return None
    frames = (view for view in route.iter("RawDataView") if view.get(_KIND, "").endswith("RecordedRawDataView"))
    view = max(frames, key=lambda view: int(view.get("Length", "1")), default=None)
    first, n = (int(view.get("Start", "0")), int(view.get("Length", "1"))) if view is not None else (0, 0)
    if n < 2 or first + n > len(row):  # noqa: PLR2004 - a step
        return None
    check_span(start, stop, width, n)
    return Block(
        axis=steps(start, width, n),
        values=np.array(row[first : first + n]),
        axis_source="the scale of a detector at rest",
        unit="counts",
        seconds_per_step=parse_number(route.findtext(".//ScanInformation/TimePerStep")) or None,
    )


def _columns(route: ET.Element, width: int, name: str) -> tuple[dict[str, int], str]:
    """Which column is what, and how that is known.

    Raises:
        ScanError: a column of 2θ or of counts is missing, or a datum is a whole frame of a detector.
    """
    found: dict[str, int] = {}
    for view in route.iter("RawDataView"):
        for key, place in _of_view(view, name):
            found.setdefault(key, place)
    source = "DataViews"
    if not found:
        found, source = _by_axes(route, width), "the order of its axes, counts after them"
    missing = [key for key in ("two_theta", "counts") if found.get(key, width) >= width or found[key] < 0]
    if missing:
        axes = ", ".join(info.get("AxisId", "?") for info in route.iter("ScanAxisInfo")) or "no axis"
        msg = f"{name} has no column of {' and of '.join(missing).replace('two_theta', '2θ')}; it is a scan of {axes}"
        raise ScanError(msg)
    return {key: place for key, place in found.items() if 0 <= place < width}, source


def _of_view(view: ET.Element, name: str) -> list[tuple[str, int]]:
    """The columns of a view that are of use, with what they are."""
    start, length = int(view.get("Start", "0")), int(view.get("Length", "1"))
    kind, logic = view.get(_KIND, ""), view.get("LogicName", "")
    if kind.endswith("FixedRawDataView"):
        return [({"MeasuredTime": "time", "AbsorptionFactor": "absorber"}.get(logic, ""), start)]
    if kind.endswith("VaryingRawDataView"):
        return [
            ("two_theta", start + place)
            for place, field in enumerate(view.iter("FieldDefinitions"))
            if {field.get("FieldName", "").lower(), field.get("AxisId", "").lower()} & _TWO_THETA
            or field.get("TwoTheta")
        ]
    if not kind.endswith("RecordedRawDataView"):
        return []
    if length > 1:
        msg = f"{name} holds whole frames of a detector, {length} channels each, and no pattern"
        raise ScanError(msg)
    recording = view.find("Recording")
    what = (recording.get("LogicName", "") if recording is not None else "").lower()
    return [] if "temp" in what or "hum" in what else [("counts", start)]


def _by_axes(route: ET.Element, width: int) -> dict[str, int]:
    """Columns of older files without views: time, absorber, the scan's axes, counts, and what else was recorded."""
    names = [(info.get("AxisId") or info.get("AxisName") or "").lower() for info in route.iter("ScanAxisInfo")]
    place = next((place for place, axis in enumerate(names) if axis in _TWO_THETA), None)
    return {} if place is None else {"time": 0, "two_theta": 2 + place, "counts": min(2 + len(names), width - 1)}


def _value(root: ET.Element, name: str) -> float | None:
    return next((parse_number(element.get("Value") or element.text) for element in root.iter(name)), None)


def _length(root: ET.Element, name: str) -> float | None:
    """A wavelength in Å."""
    element = next(root.iter(name), None)
    value = None if element is None else parse_number(element.get("Value") or element.text)
    return None if element is None or value is None else in_angstrom(value, element.get("Unit", ""))
