"""Siemens and Bruker ``.uxd``: keys ``_NAME=value``, then numbers after a marker such as ``_2THETACOUNTS``."""

from __future__ import annotations

import re

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, check_ranges, numbers, parse_number, quantum, stated, steps, tell_others
from deepxrd.scans.files import lines_of
from deepxrd.scans.scan import Fact

_MARKER = re.compile(r"_(2THETA|D|THETA)?-?(COUNTS?|CPS|I|INTENSITY)(TIME)?\s*$", re.IGNORECASE)
_DRIVES = {"COUPLED", "2THETA", "TWOTHETA", "LOCKEDCOUPLED", "UNLOCKEDCOUPLED", "DETECTOR", "THETA-2THETA", "LOCKED"}
_OTHER_DRIVES = {"THETA", "OMEGA", "ROCKING", "ROCKINGCURVE", "PHI", "CHI", "KHI", "PSI", "X", "Y", "Z"}


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
    reading = _Reading()
    for place, line in enumerate(lines_of(text), 1):
        word = line.strip(" \t\x1a")  # the last is the end of a file of DOS
        if word:
            reading.take(place, word)
    reading.close()
    tell_others(reading.blocks, reading.others, what="drives", none="it holds no scan of 2θ, only of ")
    if not reading.blocks:
        msg = "it holds no scan of 2θ"
        raise ScanError(msg)
    return reading.blocks


class _Reading:
    """What has been read so far."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.others: list[str] = []
        self._header: dict[str, str] = {}
        self._marker: re.Match[str] | None = None
        self._rows: list[list[float]] = []
        self._places: list[int] = []

    def take(self, place: int, word: str) -> None:
        """A line: a key, a marker, a comment or numbers."""
        if not word.startswith(("_", ";", "#")):
            if self._marker is None:
                msg = f"line {place} has numbers before a marker such as _2THETACOUNTS says what they are"
                raise ScanError(msg)
            self._rows.append(numbers(_cells(word), line=place))
            self._places.append(place)
            return
        if self._rows and word[0] == "_":
            self.close()
        marker = _MARKER.fullmatch(word)
        key, sign, value = word[1:].partition("=")
        if marker:
            self._marker = marker
        elif sign and word[0] == "_":
            self._header[key.strip().upper()] = value.strip().strip("'\"")

    def close(self) -> None:
        """End a range; its counting time is not that of the next one, which may be counted longer."""
        if self._marker is not None and self._rows:
            column, drive = (self._marker[1] or "").upper(), self._header.get("DRIVE", "").upper().replace(" ", "")
            if column == "D" or self._marker[2].upper().startswith("I"):
                self.others.append(self._marker[0])
            elif drive in _OTHER_DRIVES or (not column and drive and drive not in _DRIVES):
                self.others.append(drive)
            else:
                self.blocks.append(self._block(column, self._marker))
            check_ranges(len(self.blocks) + len(self.others))
        self._rows, self._places, self._marker = [], [], None
        self._header.pop("STEPTIME", None)

    def _block(self, column: str, marker: re.Match[str]) -> Block:
        header = self._header
        seconds = parse_number(header.get("STEPTIME"))
        wave = [parse_number(header.get(key)) for key in ("WL1", "WL2", "WLRATIO")]
        lines = stated(*wave, unit=header.get("WL_UNIT", ""), anode=header.get("ANODE", ""))
        block = Block(
            axis=np.empty(0),
            values=np.empty(0),
            axis_source=f"marker {marker[0]}",
            unit="cps" if marker[2].upper() == "CPS" else "counts",
            seconds_per_step=seconds if seconds and seconds > 0 else None,
            wavelengths=lines,
            wavelengths_source="_WL1" if wave[0] else "_ANODE",
            peaks=False,
            title=header.get("SAMPLE", ""),
            metadata={key.lower(): header[key] for key in ("DATEMEASURED", "ANODE", "DRIVE") if header.get(key)},
        )
        start, step = parse_number(header.get("START")), parse_number(header.get("STEPSIZE"))
        if column:
            self._fill(block, twice=column == "THETA", timed=bool(marker[3]))
            if column == "2THETA":
                _unrounded(block, start, step)
        elif start is None or step is None:
            msg = f"{marker[0]} without _START and _STEPSIZE: its axis is not known"
            raise ScanError(msg)
        else:
            block.values = np.array([value for row in self._rows for value in row], dtype=np.float64)
            block.axis = steps(start, step, len(block.values))
            block.axis_source = "_START and _STEPSIZE"
        return block

    def _fill(self, block: Block, *, twice: bool, timed: bool) -> None:
        """Angles and counts of two columns, and times of a third."""
        width = 3 if timed else 2
        pairs = zip(self._places, self._rows, strict=True)
        bad = next(((place, len(row)) for place, row in pairs if len(row) != width), None)
        if bad is not None:
            stand = "angle, intensity and time" if timed else "angle and intensity"
            msg = f"line {bad[0]} has {bad[1]} number{'s' if bad[1] > 1 else ''}, where {stand} stand"
            raise ScanError(msg)
        table = np.array(self._rows, dtype=np.float64)
        block.axis, block.values = table[:, 0] * (2.0 if twice else 1.0), table[:, 1]
        block.lines = np.array(self._places)
        if timed and table[:, 2].min() > 0:
            times = table[:, 2]
            block.seconds_per_step = float(times.max())
            if np.ptp(times) > 0:
                told = f"from {times.min():g} to {times.max():g} s, set to one"
                block.facts.append(Fact("counting time", told, f"marker {self._marker[0] if self._marker else ''}"))
                block.attenuation = None if block.unit == "cps" else times.max() / times


def _cells(line: str) -> list[str]:
    """Numbers of a line; commas without a blank beside them are decimal where blanks part the numbers."""
    if re.search(r"\d\s+\d", line) and "." not in line and not re.search(r",\s|\s,|,[^\s,]*,", line):
        return line.replace(",", ".").split()
    return line.replace(",", " ").split()


def _unrounded(block: Block, start: float | None, step: float | None) -> None:
    """Take angles from the header where the listed ones are those, rounded."""
    if start is None or not step or len(block.axis) < 2:  # noqa: PLR2004 - a step
        return
    even = np.asarray(start + step * np.arange(len(block.axis)), dtype=np.float64)
    if np.isfinite(block.axis).all() and np.abs(even - block.axis).max() <= quantum(block.axis[len(block.axis) // 2 :]):
        block.axis = even
        block.axis_source += ", unrounded by _START and _STEPSIZE"
