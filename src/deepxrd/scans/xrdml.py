"""PANalytical ``.xrdml``, schemas 1.x and 2.x: elements by their local names, since each version has a namespace."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, check_count, check_ranges, numbers, parse_number, stated
from deepxrd.scans.files import local_name, parse_xml
from deepxrd.scans.scan import Fact
from deepxrd.xrd import Wavelengths
from deepxrd.xrd.radiation import in_angstrom


def read_xrdml(data: bytes) -> list[Block]:
    """All scans of 2θ of a file.

    Raises:
        ScanError: it is damaged, or holds no scan of 2θ.
    """
    root = parse_xml(data)
    if local_name(root) != "xrdMeasurements":
        msg = f"it is XML, but of <{local_name(root)[:40]}>, which is no format of a diffractometer known here"
        raise ScanError(msg)
    blocks: list[Block] = []
    others: list[str] = []
    sample = " ".join(filter(None, (_text(root, "sample", part) for part in ("id", "name"))))
    for measurement in _children(root, "xrdMeasurement"):
        for scan in _children(measurement, "scan"):
            check_ranges(len(blocks) + len(others))
            block = _read_scan(scan, measurement)
            if block is None:
                others.append(scan.get("scanAxis", "no axis"))
            else:
                block.title = sample
                blocks.append(block)
    if not blocks:
        kinds = f"only scans of {', '.join(sorted(set(others)))}" if others else "no scan"
        msg = f"it holds {kinds}, and none of 2θ"
        raise ScanError(msg)
    if others:
        blocks[0].facts.append(Fact("not read", f"{len(others)} scans without 2θ", ", ".join(sorted(set(others)))))
    return blocks


def _read_scan(scan: ET.Element, measurement: ET.Element) -> Block | None:
    """A scan; None if 2θ stands still or is not told."""
    points = next(_children(scan, "dataPoints"), None)
    if points is None:
        return None
    values, element = _intensities(points)
    axis = _two_theta(points, len(values))
    if axis is None:
        return None
    factors = _list(points, "beamAttenuationFactors")
    facts = []
    if factors is not None:
        if len(factors) != len(values):
            msg = f"a scan with {len(values)} intensities and {len(factors)} attenuation factors: it is damaged"
            raise ScanError(msg)
        if element == "intensities" and _already_applied(values, factors):
            facts.append(Fact("attenuation", "factors are in the intensities already", "all are their multiples"))
            factors = None
    seconds = parse_number(_text(points, "commonCountingTime"))
    times = _list(points, "countingTimes")
    if times is not None and len(times) == len(values) and np.ptp(times) > 0 and times.min() > 0:
        facts.append(Fact("counting time", f"from {times.min():g} to {times.max():g} s, set to one", "countingTimes"))
        factors = (factors if factors is not None else 1.0) * times.max() / times
        seconds = float(times.max())
    wave = next(_children(measurement, "usedWavelength"), None)
    tube = next((element for element in measurement.iter() if local_name(element) == "anodeMaterial"), None)
    anode = (tube.text or "").strip() if tube is not None else ""
    lines, where = _wavelengths(wave, anode)
    metadata = {"anode": anode, "scan axis": scan.get("scanAxis", ""), "status": scan.get("status", "")}
    if wave is not None:
        metadata["intended wavelength"] = wave.get("intended", "")
    return Block(
        axis=axis,
        values=values,
        axis_source=f"positions of 2Theta, scan axis {scan.get('scanAxis', 'not told')}",
        attenuation=factors,
        unit="cps" if _unit(points, element) == "cps" else "counts",
        seconds_per_step=seconds,
        wavelengths=lines,
        wavelengths_source=where,
        facts=facts,
        metadata=metadata,
    )


def _wavelengths(wave: ET.Element | None, anode: str) -> tuple[Wavelengths | None, str]:
    """What was used, and where it stands; all lines of the tube are listed, whichever of them was intended."""
    beta = _length(wave, "kBeta")
    if wave is not None and beta and "beta" in wave.get("intended", "").lower():
        return Wavelengths(beta, None, 0.0), "usedWavelength, K-Beta intended"
    alpha1, alpha2 = (_length(wave, f"kAlpha{line}") for line in (1, 2))
    lines = stated(alpha1, alpha2, parse_number(_text(wave, "ratioKAlpha2KAlpha1")), anode=anode)
    return lines, "usedWavelength" if alpha1 else "anodeMaterial"


def _intensities(points: ET.Element) -> tuple[NDArray[np.float64], str]:
    for element in ("counts", "intensities"):
        values = _list(points, element)
        if values is not None:
            check_count(len(values))
            return values, element
    msg = "a scan without counts or intensities"
    raise ScanError(msg)


def _two_theta(points: ET.Element, n: int) -> NDArray[np.float64] | None:
    """Angles of a scan, ``(n,)``; None if it is no scan of 2θ."""
    for positions in _children(points, "positions"):
        if positions.get("axis") != "2Theta":
            continue
        listed = _list(positions, "listPositions")
        if listed is not None:
            if len(listed) != n:
                msg = f"a scan with {n} intensities and {len(listed)} angles: it is damaged"
                raise ScanError(msg)
            return listed
        ends = [parse_number(_text(positions, end)) for end in ("startPosition", "endPosition")]
        if ends[0] is not None and ends[1] is not None and ends[0] != ends[1]:
            return np.linspace(ends[0], ends[1], n)
    return None


def _already_applied(values: NDArray[np.float64], factors: NDArray[np.float64]) -> bool:
    """Whether intensities under an attenuator are multiples of its factor, as raw counts hardly are."""
    under = (factors > 1) & (values > 0)
    if not under.any():
        return False
    raw = values[under] / factors[under]
    return bool((np.abs(raw - raw.round()) < 1e-6 * np.maximum(raw, 1)).mean() > 0.9)  # noqa: PLR2004


def _children(element: ET.Element | None, name: str) -> Iterator[ET.Element]:
    return (child for child in ([] if element is None else element) if local_name(child) == name)


def _text(element: ET.Element | None, *path: str) -> str:
    for name in path:
        element = next(_children(element, name), None)
    return "" if element is None else (element.text or "").strip()


def _unit(points: ET.Element, name: str) -> str:
    return next((child.get("unit", "") for child in _children(points, name)), "")


def _length(wave: ET.Element | None, name: str) -> float | None:
    """A wavelength in Å, whatever unit it is written in."""
    element = next(_children(wave, name), None)
    value = None if element is None else parse_number(element.text)
    return None if element is None or value is None else in_angstrom(value, element.get("unit", ""))


def _list(points: ET.Element, name: str) -> NDArray[np.float64] | None:
    element = next(_children(points, name), None)
    if element is None:
        return None
    try:
        return np.array(numbers((element.text or "").split(), line=0), dtype=np.float64)
    except ScanError:
        msg = f"<{name}> holds something that is no number"
        raise ScanError(msg) from None
