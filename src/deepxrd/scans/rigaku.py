"""Rigaku ``.ras`` (text), ``.rasx`` (zip), and ``.asc``/``.dat`` (text with ``*TYPE``)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, check_ranges, numbers, parse_number, stated, steps, tell_others
from deepxrd.scans.files import Archive, decode_leniently, lines_of, natural, parse_xml
from deepxrd.scans.scan import Fact

_PROFILE = re.compile(r"(?:^|/)Profile\d*\.txt$")
_WITH_ATTENUATOR = 3  # columns
_NO_AXIS = "it holds no scan of 2θ, only of "


def is_rasx(archive: Archive) -> bool:
    """Whether a zip is a ``.rasx``."""
    return any(_PROFILE.search(name) for name in archive.names)


def read_ras(text: str) -> list[Block]:
    """All ranges of a ``.ras``: a header ``*KEY "value"``, then lines of angle, intensity and attenuator factor.

    Raises:
        ScanError: a line is damaged, or no range is a scan of 2θ.
    """
    header: dict[str, str] = {}
    rows: list[list[float]] | None = None
    blocks: list[Block] = []
    others: list[str] = []
    first = 0
    for place, line in enumerate(lines_of(text), 1):
        word = line.strip()
        if word.startswith("*"):
            key, _, value = word[1:].partition(" ")
            if key == "RAS_HEADER_START":
                header = {}
            elif key == "RAS_INT_START":
                rows, first = [], place + 1
            elif key == "RAS_INT_END":
                _close(rows, header, first, blocks, others)
                rows = None
            else:
                header[key] = value.strip().strip('"')
        elif word and rows is not None:
            rows.append(_row(word.split(), place))
    if rows and (last := _close(rows, header, first, blocks, others)):
        last.facts.append(Fact("end", "the mark of the data's end is missing: it may be cut short", "*RAS_INT_END"))
    return _told(blocks, others)


def read_rasx(archive: Archive) -> list[Block]:
    """All profiles of a ``.rasx``, each with its conditions of measurement.

    Raises:
        ScanError: a member is damaged, or no profile is a scan of 2θ.
    """
    blocks: list[Block] = []
    others: list[str] = []
    names = sorted((name for name in archive.names if _PROFILE.search(name)), key=natural)
    check_ranges(len(names))
    for name in names:
        folder, _, leaf = name.rpartition("/")
        number_ = re.sub(r"\D", "", leaf)
        header: dict[str, str] = {}
        for spelling in ("MesurementConditions", "MeasurementConditions"):  # the first is the maker's
            conditions = f"{folder}/{spelling}{number_}.xml".lstrip("/")
            if conditions in archive.names:
                header = _conditions(parse_xml(archive.read(conditions)))
        rows = [
            _row(line.split(), place)
            for place, line in enumerate(lines_of(decode_leniently(archive.read(name))), 1)
            if line.strip() and line.strip()[0] not in "*#"
        ]
        _close(rows, header, 1, blocks, others)
    return _told(blocks, others)


def _told(blocks: list[Block], others: list[str]) -> list[Block]:
    """The scans of 2θ of a file, with a word on those that are none.

    Raises:
        ScanError: there are only such.
    """
    tell_others(blocks, others, what="axes", none=_NO_AXIS)
    if not blocks:
        raise ScanError(_NO_AXIS + "nothing")
    return blocks


def read_rigaku_text(text: str) -> list[Block]:
    """All groups of an ``.asc`` or ``.dat``: ``*KEY = value``, then counts parted by commas after ``*COUNT``.

    Raises:
        ScanError: a line is damaged, or a header is no axis.
    """
    header: dict[str, str] = {}
    values: list[float] = []
    groups: list[tuple[dict[str, str], list[float]]] = []
    in_counts = False
    for place, line in enumerate(lines_of(text), 1):
        word = line.strip()
        if word.startswith("*"):
            key, _, value = (part.strip() for part in word[1:].partition("="))
            in_counts = key == "COUNT"
            if key in {"BEGIN", "END", "EOF"} and values:
                groups.append((dict(header), values))
                values = []
            else:
                header[key] = value
        elif word and not word.startswith("#") and (in_counts or word[0].isdecimal()):  # a memo may have several lines
            values += numbers(word.replace(",", " ").split(), line=place)
    if values:
        groups.append((header, values))
    check_ranges(len(groups))
    others = [axis for header, _ in groups if (axis := header.get("SCAN_AXIS", "")) and not _is_two_theta(axis)]
    blocks = [_group(*group) for group in groups if group[0].get("SCAN_AXIS", "") not in others]
    return _told(blocks, others)


def _is_two_theta(axis: str) -> bool:
    """Whether 2θ is among the axes that a name tells."""
    return "2" in axis or "two" in axis.lower()


def _row(words: list[str], place: int) -> list[float]:
    row = numbers(words, line=place)
    if len(row) < 2:  # noqa: PLR2004 - angle and intensity
        msg = f"line {place} has {len(row)} number, not angle and intensity"
        raise ScanError(msg)
    return [*row[:3], *([1.0] if len(row) < _WITH_ATTENUATOR else [])]


def _close(
    rows: list[list[float]] | None, header: Mapping[str, str], first: int, blocks: list[Block], others: list[str]
) -> Block | None:
    """Make a block of a range's rows, or note the axis it is a scan of and return None."""
    axis_name = header.get("MEAS_SCAN_AXIS_X_INTERNAL") or header.get("MEAS_SCAN_AXIS_X", "")
    plain = re.sub(r"[\s_-]", "", axis_name).lower().replace("θ", "theta")
    if axis_name and not ("twotheta" in plain or "2theta" in plain):
        others.append(axis_name)
        return None
    if not rows:
        msg = "a range without data"
        raise ScanError(msg)
    table = np.array(rows, dtype=np.float64)
    wave = [parse_number(header.get(f"HW_XG_WAVE_LENGTH_ALPHA{i}")) for i in (1, 2)]
    unit, anode = header.get("HW_XG_WAVE_LENGTH_UNIT", ""), header.get("HW_XG_TARGET_NAME", "")
    lines = stated(*wave, unit=unit, anode=anode)
    block = Block(
        axis=table[:, 0],
        values=table[:, 1],
        axis_source=f"scan axis {axis_name}" if axis_name else "the format's first column",
        unit=header.get("MEAS_SCAN_UNIT_Y", "").lower(),
        seconds_per_step=_seconds(*(header.get(f"MEAS_SCAN_{key}", "") for key in ("SPEED", "SPEED_UNIT", "STEP"))),
        wavelengths=lines,
        wavelengths_source="*HW_XG_WAVE_LENGTH" if wave[0] else "*HW_XG_TARGET_NAME",
        lines=first + np.arange(len(table)),
        title=header.get("FILE_SAMPLE", "").strip(),
        metadata={
            key: header[key]
            for key in ("MEAS_SCAN_START_TIME", "HW_XG_TARGET_NAME", "MEAS_COND_XG_WAVE_TYPE", "MEAS_COND_OPT_ATTR")
            if header.get(key)
        },
    )
    if (table[:, 2] != 1).any() and (table[:, 2] > 0).all():
        block.attenuation = table[:, 2]
    blocks.append(block)
    return block


def _seconds(speed: str, unit: str, step: str) -> float | None:
    """Counting time of a point, s: what a speed in seconds is, and what one in degrees a minute makes of a step."""
    value, width = parse_number(speed), parse_number(step)
    if not value or value < 0:
        return None
    if unit.lower().startswith("s"):
        return value
    return 60 * width / value if unit.lower().endswith("min") and width and width > 0 else None


def _conditions(root: ET.Element) -> dict[str, str]:
    """The header of a ``.rasx`` profile under the names of a ``.ras``."""
    header: dict[str, str] = {}
    for pair in root.iter("RASHeader"):
        for entry in pair:
            parts = [(child.text or "").strip() for child in entry]
            if len(parts) == 2:  # noqa: PLR2004 - key and value
                header[parts[0].lstrip("*")] = parts[1]
    for tag, key in (
        ("AxisName", "MEAS_SCAN_AXIS_X_INTERNAL"),
        ("IntensityUnit", "MEAS_SCAN_UNIT_Y"),
        ("TargetName", "HW_XG_TARGET_NAME"),
        ("WavelengthKalpha1", "HW_XG_WAVE_LENGTH_ALPHA1"),
        ("WavelengthKalpha2", "HW_XG_WAVE_LENGTH_ALPHA2"),
        ("SampleName", "FILE_SAMPLE"),
    ):
        text = next((element.text or "" for element in root.iter(tag)), "").strip()
        if text:
            header[key] = text
    for tag, key in (("Speed", "SPEED"), ("SpeedUnit", "SPEED_UNIT"), ("Step", "STEP")):
        text = root.findtext(f".//ScanInformation/{tag}", "").strip()  # an axis of the optics may have these, too
        if text:
            header[f"MEAS_SCAN_{key}"] = text
    return header


def _group(header: Mapping[str, str], values: list[float]) -> Block:
    start, step = parse_number(header.get("START")), parse_number(header.get("STEP"))
    if start is None or step is None:
        msg = "a group without *START and *STEP: its axis is not known"
        raise ScanError(msg)
    said = parse_number(header.get("COUNT"))
    if said is not None and said != len(values):
        msg = f"a group says *COUNT = {said:g}, and {len(values)} numbers follow: it is cut short, or damaged"
        raise ScanError(msg)
    axis_name = header.get("SCAN_AXIS", "")
    wave = [parse_number(header.get(key)) for key in ("WAVE_LENGTH1", "WAVE_LENGTH2")]
    lines = stated(*wave, anode=header.get("TARGET", ""))
    unit = header.get("YUNIT", "").lower()
    return Block(
        axis=steps(start, step, len(values)),
        values=np.array(values, dtype=np.float64),
        axis_source="*START and *STEP" + (f" of {axis_name}" if axis_name else ""),
        unit="counts" if unit.startswith("count") else unit,
        seconds_per_step=_seconds(header.get("SPEED", ""), header.get("SPEED_DIM", ""), header.get("STEP", "")),
        wavelengths=lines,
        wavelengths_source="*WAVE_LENGTH1" if wave[0] else "*TARGET",
        title=header.get("SAMPLE", ""),
    )
