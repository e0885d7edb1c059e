"""Siemens and Bruker ``.uxd``: keys ``_NAME=value``, then numbers after a marker such as ``_2THETACOUNTS``."""

from __future__ import annotations

import re

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.block import MAX_BLOCKS, Block, number, numbers, quantum, stated, steps
from deepxrd.scans.files import lines_of

_MARKER = re.compile(r"_(2THETA|D|THETA)?-?(COUNTS?|CPS|I|INTENSITY)(TIME)?\s*$", re.IGNORECASE)
_DRIVES = {"COUPLED", "2THETA", "TWOTHETA", "LOCKEDCOUPLED", "UNLOCKEDCOUPLED", "DETECTOR", "THETA-2THETA", "LOCKED"}


def is_uxd(text: str) -> bool:
    """Whether a text has a marker of data of this format, before any line of numbers."""
    for line in lines_of(text[:100_000]):
        word = line.strip()
        if _MARKER.fullmatch(word) or word.upper().startswith("_FILEVERSION"):
            return True
        if word and word[0] not in "_;#":
            return False
    return False


def read_uxd(text: str) -> list[Block]:
    """All ranges of a file; the keys of a range hold for the next ones until they are set anew.

    Raises:
        ScanError: a line is damaged, or no range is a scan of 2θ.
    """
    header: dict[str, str] = {}
    rows: list[list[float]] = []
    places: list[int] = []
    blocks: list[Block] = []
    others: list[str] = []
    kind: re.Match[str] | None = None

    def close() -> None:
        if kind is not None and rows:
            _add(kind, header, rows, places, blocks, others)

    for place, line in enumerate(lines_of(text), 1):
        word = line.strip()
        if word.startswith(("_", ";", "#")):
            if rows:
                close()
                rows, places, kind = [], [], None
                header.pop("STEPTIME", None)  # of the range that ended: another may be counted longer
            marker = _MARKER.fullmatch(word)
            key, sign, value = word[1:].partition("=")
            if marker:
                kind = marker
            elif sign and word[0] == "_":
                header[key.strip().upper()] = value.strip().strip("'\"")
        elif word:
            if kind is None:
                msg = f"line {place} has numbers before a marker such as _2THETACOUNTS says what they are"
                raise ScanError(msg)
            rows.append(numbers(word.replace(",", " ").split(), line=place))
            places.append(place)
    close()
    if not blocks:
        msg = f"it holds no scan of 2θ{', only of ' + ', '.join(sorted(set(others))) if others else ''}"
        raise ScanError(msg)
    return blocks[:MAX_BLOCKS]


def _add(
    kind: re.Match[str],
    header: dict[str, str],
    rows: list[list[float]],
    places: list[int],
    blocks: list[Block],
    others: list[str],
) -> None:
    marker, column = kind[0], (kind[1] or "").upper()
    drive = header.get("DRIVE", "").upper().replace(" ", "")
    if column == "D" or kind[2].upper().startswith("I") or (not column and drive and drive not in _DRIVES):
        others.append(marker if column else drive)
        return
    seconds = number(header.get("STEPTIME"))
    unit = 10.0 if header.get("WL_UNIT", "A").lower().startswith("n") else 1.0
    wave = [number(header.get(key)) for key in ("WL1", "WL2")]
    lines = stated(
        *(value if value is None else unit * value for value in wave),
        number(header.get("WLRATIO")),
        anode=header.get("ANODE", ""),
    )
    block = Block(
        axis=np.empty(0),
        values=np.empty(0),
        axis_source=f"marker {marker}",
        unit="cps" if kind[2].upper() == "CPS" else "counts",
        seconds_per_step=seconds if seconds and seconds > 0 else None,
        wavelengths=lines,
        wavelengths_source=("_WL1" if wave[0] else "_ANODE") if lines else "",
        title=header.get("SAMPLE", ""),
        metadata={key.lower(): header[key] for key in ("DATEMEASURED", "ANODE", "DRIVE") if header.get(key)},
    )
    if column:
        bad = next((place for place, row in zip(places, rows, strict=True) if len(row) < 2), None)  # noqa: PLR2004
        if bad is not None:
            msg = f"line {bad} has one number after {marker}, where angle and intensity stand"
            raise ScanError(msg)
        table = np.array([row[:2] for row in rows])
        block.axis, block.values = table.T * (np.array([[2.0], [1.0]]) if column == "THETA" else 1.0)
        block.lines = np.array(places)
        block.peaks = False
        if column == "2THETA":
            _unrounded(block, number(header.get("START")), number(header.get("STEPSIZE")))
    else:
        start, step = number(header.get("START")), number(header.get("STEPSIZE"))
        if start is None or step is None:
            msg = f"{marker} without _START and _STEPSIZE: its axis is not known"
            raise ScanError(msg)
        block.values = np.array([value for row in rows for value in row])
        block.axis = steps(start, step, len(block.values))
        block.axis_source = "_START and _STEPSIZE"
    blocks.append(block)


def _unrounded(block: Block, start: float | None, step: float | None) -> None:
    """Take angles from the header where the listed ones are those, rounded."""
    if start is None or not step or len(block.axis) < 2:  # noqa: PLR2004 - a step
        return
    even = start + step * np.arange(len(block.axis))
    if np.abs(even - block.axis).max() <= quantum(block.axis[len(block.axis) // 2 :]):
        block.axis = even
        block.axis_source += ", unrounded by _START and _STEPSIZE"
