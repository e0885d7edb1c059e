"""Text behind the numbers of a line: comments, indices of reflections, names of phases. It is cut off, and told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from deepxrd.scans.dialect import looks_numeric
from deepxrd.scans.scan import Fact

Row = tuple[int, str]
"""Line number and text."""
_MARK = re.compile(r"#|!|//")
_WORDS = re.compile(r"[\s;,]+")
_TEXT = re.compile(r"(?<=[\s;,\"'])(?:[^\W\d_]|[(\[{<])")
_SEPARATOR = re.compile(r"[\s;,]+[\"']?$")
_EXPONENT = re.compile(r"(?<=[\d.])[ed](?=[+-]?\d)", re.IGNORECASE)
_INDICES = re.compile(r"\(\s*-?\d")
_FEWEST = 3  # lines


@dataclass
class Remarks:
    """What was cut off.

    Attributes:
        rows: the lines' numbers and texts.
        are_columns: whether all lines of numbers have one, so that names may go on behind the columns that are read.
    """

    rows: list[Row] = field(default_factory=list)
    are_columns: bool = False

    @property
    def are_indices(self) -> bool:
        """Whether they are indices of reflections in brackets, which only lists of peaks have."""
        return self.are_columns and any(_INDICES.match(text) for _, text in self.rows[:_FEWEST])

    def told(self) -> list[Fact]:
        """What to say of them."""
        if not self.rows:
            return []
        (place, text), n = self.rows[0], len(self.rows)
        lines = f"{n} lines, the first" if n > 1 else "a line"
        return [Fact("not read", f"behind the numbers of {lines}: {text[:40]!r}", f"line {place}")]


def n_words(line: str) -> int:
    """How many words or numbers a line has, however they are parted."""
    return len(_WORDS.split(line.strip(" \t;,")))


def cut_remarks(lines: list[Row]) -> Remarks:
    """Take comments behind numbers off the lines, or any text where no line has but numbers."""
    remarks = _cut(lines, _MARK)
    if not any(looks_numeric(line) and n_words(line) > 1 for _, line in lines):
        columns = _cut(lines, _TEXT)
        if len(columns.rows) >= _FEWEST:
            columns.are_columns = True
            return columns
    return remarks


def _cut(lines: list[Row], mark: re.Pattern[str]) -> Remarks:
    """Cut lines off at a mark that two numbers or more stand before; all of them, or none where they are too few."""
    remarks = Remarks()
    for index, (place, line) in enumerate(lines):
        found = mark.search(_EXPONENT.sub("0", line))
        before = _SEPARATOR.sub("", line[: found.start()]) if found else ""
        if found and looks_numeric(before) and n_words(before) > 1:
            lines[index] = (place, before)
            remarks.rows.append((place, line[found.start() :].lstrip("#!/ ").rstrip()))
    return remarks
