"""Sietronics ``.cpi``: ten lines of header, then a count in each line."""

from __future__ import annotations

import numpy as np

from deepxrd.errors import ScanError
from deepxrd.scans.block import Block, check_span, numbers, parse_number, stated, steps
from deepxrd.scans.files import lines_of


def read_cpi(text: str) -> list[Block]:
    """The scan of a file: start, end, step, anode, wavelength, date, seconds a step, title, ``SCANDATA``, counts.

    Raises:
        ScanError: a line is damaged, or the counts do not fill the range.
    """
    rows = [line.strip() for line in lines_of(text)]
    marker = next((place for place, row in enumerate(rows) if row.upper().startswith("SCANDATA")), None)
    first = next((place for place, row in enumerate(rows) if row), 0)
    head = rows[first + 1 : marker]
    start, end, step = (parse_number(row) for row in [*head, "", "", ""][:3])
    if marker is None or start is None or end is None or not step:
        msg = "it lacks a start, an end, a step or the line SCANDATA: the file is damaged"
        raise ScanError(msg)
    values = [
        value for place, row in enumerate(rows[marker + 1 :], marker + 2) for value in numbers(row.split(), line=place)
    ]
    check_span(start, end, step, len(values))
    anode, length, date, seconds, title = [*head[3:], "", "", "", "", ""][:5]
    lines = stated(parse_number(length), anode=anode)
    return [
        Block(
            axis=steps(start, step, len(values)),
            values=np.array(values),
            axis_source="the header's start and step",
            unit="counts",
            seconds_per_step=parse_number(seconds) or None,
            wavelengths=lines,
            wavelengths_source="header" if parse_number(length) else "anode",
            title=title,
            metadata={"anode": anode, "date": date},
        )
    ]
