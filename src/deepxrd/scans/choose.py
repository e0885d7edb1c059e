"""Which column of a table is the axis, which the intensity: by names, else by what the numbers look like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.block import Axis
from deepxrd.scans.headings import Role, axis_of, is_no_pattern, is_other_axis, roles
from deepxrd.scans.scan import Fact

UNNAMED = "nothing names it: the first column"
"""Begins the source of an axis that nothing in the file names, and that is to be checked by its numbers."""
_AXIS_KEY = re.compile(
    r"(?:x[\s_-]*(?:units?|axis|label)|scan[\s_-]*axis|axis|abscissa)\s*[:=]\s*[\"']?([^\"']+)", re.IGNORECASE
)
_PREFERRED = (
    Axis.TWO_THETA, Axis.TWO_THETA_RADIANS, Axis.Q_INVERSE_ANGSTROM, Axis.Q_INVERSE_NM, Axis.D_ANGSTROM, Axis.D_NM,
    Axis.D_PM, Axis.THETA,
)  # fmt: skip
_THREE = 3
_HIGHEST = 0.99  # quantile of the counts
_PEAKED = 1.5  # height of the peaks by the median
_NO_NOISE = 0.03
_MOST_FACTORS = 8
_TOLD = 6  # names of columns
_WITHIN = 1.6  # of the square root of counts, for a third column to be their deviation


@dataclass
class Columns:
    """What was chosen.

    Attributes:
        axis: index of its column.
        intensity: index of its column.
        uncertainty: index of its column, if there is one.
        kind: of the axis.
        axis_source: how it is known.
        unit: ``counts``, ``cps`` or empty.
        facts: what else the file says.
        factors: index of the column of an attenuator's factors, where numbers tell it.
    """

    axis: int
    intensity: int
    kind: Axis
    axis_source: str
    uncertainty: int | None = None
    unit: str = ""
    facts: list[Fact] = field(default_factory=list)
    factors: int | None = None


def choose_columns(
    table: NDArray[np.float64], names: Sequence[str], names_at: int, head: Sequence[str], *, last: bool = False
) -> Columns:
    """Choose the columns of a table.

    Args:
        table: ``(n, columns)``.
        names: of the columns; empty where there are none.
        names_at: the line they stand in.
        head: lines of the header, where an axis may be named too.
        last: whether the last column is the detector's where no name tells, as in SPEC; else the first unknown is.

    Raises:
        ScanError: names tell that there is no pattern, or no column of intensities.
    """
    columns = _by_names(table, names, names_at, last=last) if names else _by_numbers(table)
    if columns.axis_source.startswith(UNNAMED):
        _name_from_header(columns, head)
    return columns


def _by_names(table: NDArray[np.float64], names: Sequence[str], names_at: int, *, last: bool) -> Columns:
    found = roles(names)
    width = table.shape[1]
    axes = [
        (_PREFERRED.index(kind), column, kind)
        for column, name in enumerate(names)
        if (kind := _kind(name, found[column]))
    ]
    if not axes and (is_other_axis(names[0]) or any(is_no_pattern(name) for name in names)):
        msg = f"line {names_at} names the columns {', '.join(names)}: none is an angle, q or d"
        raise ScanError(msg)
    unnamed = next((column for column, name in enumerate(names) if name.strip().lower() == "x"), 0)
    _, axis, kind = min(axes, default=(0, unnamed, Axis.TWO_THETA))
    source = f"column {axis + 1} is named {names[axis]!r}" if axes else f"{UNNAMED} is called {names[axis]!r}"
    candidates = sorted(
        (rank, column) for column, (role, rank) in enumerate(found) if role is Role.INTENSITY and column != axis
    )
    facts = []
    if candidates:
        intensity = candidates[0][1]
        facts.append(
            Fact("columns", f"intensity is column {intensity + 1}, {names[intensity]!r}", f"named in line {names_at}")
        )
    elif width == 2:  # noqa: PLR2004 - the other one
        intensity = 1 - axis
        facts.append(
            Fact("columns", f"intensity is column {intensity + 1}, {names[intensity]!r}", "the only other one")
        )
    else:
        unknown = [column for column in range(width) if column != axis and _is_unknown(found, column)]
        if not unknown:
            names_told = ", ".join(name for name in names if name)
            msg = f"line {names_at} names the columns {names_told}: which are the intensities? Name one 'intensity'"
            raise ScanError(msg)
        unknown.sort(key=lambda column: column < axis)  # what stands before an axis is rather a number of the line
        intensity = unknown[-1 if last else 0]
        which = "the last" if last else "the first of no known name"
        facts.append(Fact("columns", f"intensity is column {intensity + 1}, {which}", f"names in line {names_at}"))
    sigma = next((column for column, (role, _) in enumerate(found) if role is Role.UNCERTAINTY), None)
    _tell_unread(facts, names, {axis, intensity, sigma}, names_at)
    name = names[intensity].lower() if intensity < len(names) else ""
    unit = "cps" if re.search(r"cps|/\s*s|per s|rate", name) else "counts" if re.search(r"count|cts", name) else ""
    return Columns(axis, intensity, kind, source, sigma, unit, facts)


def _tell_unread(facts: list[Fact], names: Sequence[str], read: set[int | None], names_at: int) -> None:
    """Say which named columns are of no use; one of times or attenuators may be, and says so itself."""
    rest = [
        f"{column + 1}, {name!r}"
        for column, name in enumerate(names)
        if column not in read and name and not re.search(r"time|second|atten|absorber", name, re.IGNORECASE)
    ]
    if rest:
        more = f" and {len(rest) - _TOLD} more" if len(rest) > _TOLD else ""
        facts.append(Fact("not read", f"column {'; '.join(rest[:_TOLD])}{more}", f"named in line {names_at}"))


def _is_unknown(found: Sequence[tuple[Role, int]], column: int) -> bool:
    """Whether a column has no name, or one that says nothing."""
    return column >= len(found) or found[column] == (Role.OTHER, 1)


def _kind(name: str, role: tuple[Role, int]) -> Axis | None:
    return axis_of(name) if role[0] is Role.AXIS else None


def _by_numbers(table: NDArray[np.float64]) -> Columns:
    """Two columns are axis and intensity; a first column that only counts lines is none; a third may be deviations."""
    width = table.shape[1]
    first = 0
    facts = []
    if width >= _THREE and len(table) > _THREE:
        index = table[:, 0]
        if (np.diff(index) == 1).all() and index[0] in {0, 1} and _is_axis(table[:, 1]):
            first = 1
            facts.append(Fact("column 1", "only counts the lines", "its numbers"))
    if width > first + 2 and _is_spacing(table[:, first], table[:, first + 1]):
        facts.append(Fact("columns", f"intensity is column {first + 3}", f"column {first + 2} is d of the angles"))
        return Columns(first, first + 2, Axis.TWO_THETA, f"{UNNAMED} and d beside it", facts=facts)
    columns = Columns(
        first, first + 1, Axis.TWO_THETA, f"{UNNAMED}" + (" after the index" if first else ""), facts=facts
    )
    if width > 2:  # noqa: PLR2004
        facts.append(Fact("columns", f"intensity is column {first + 2}", "nothing names them: the one after the axis"))
    if width > first + 2:
        third = table[:, first + 2]
        if _are_deviations(table[:, first + 1], third):
            columns.uncertainty = first + 2
            facts.append(
                Fact("columns", f"deviation is column {first + 3}", "its numbers go with the roots of the counts")
            )
        elif _are_factors(table[:, first + 1], third):
            columns.factors = first + 2
            facts.append(
                Fact(
                    "columns", f"an attenuator's factors are column {first + 3}", "with them the counts go on smoothly"
                )
            )
        else:
            rest = ", ".join(str(column + 1) for column in range(first + 2, width))
            facts.append(Fact("not read", f"column {rest}", "no names"))
    return columns


def _is_spacing(angles: NDArray[np.float64], column: NDArray[np.float64]) -> bool:
    """Whether numbers are the d of angles 2θ at one wavelength, to a hundredth."""
    if len(angles) < _THREE or not (np.isfinite(column).all() and (column > 0).all()):
        return False
    lengths = 2 * column * np.sin(np.radians(angles) / 2)
    return bool(lengths.min() > 0 and lengths.max() < 1.01 * lengths.min() and np.ptp(column) > 0.1 * column.max())


def _is_axis(column: NDArray[np.float64]) -> bool:
    """Whether numbers only rise, as an axis does."""
    return bool(np.isfinite(column).all() and (np.diff(column) > 0).all())


def _are_deviations(counts: NDArray[np.float64], third: NDArray[np.float64]) -> bool:
    """Whether a column is the standard deviation of counts, as Poisson has it, up to one factor.

    A second sample, or a repeat, is as steady over a flat background; so the column must grow as the root at the peaks,
    or, where there are none, have no noise of its own.
    """
    fine = np.isfinite(counts) & np.isfinite(third) & (counts > 0)
    if fine.sum() < _THREE or (third[fine] <= 0).any():
        return False
    counts, third = counts[fine], third[fine]
    spread = np.abs(np.log(third / np.sqrt(counts) / np.median(third / np.sqrt(counts))))
    if np.ptp(third) == 0 or (spread < np.log(_WITHIN)).mean() <= 0.9:  # noqa: PLR2004
        return False
    highest = counts >= np.quantile(counts, _HIGHEST)
    rise, third_rise = (float(np.log(np.median(part[highest]) / np.median(part))) for part in (counts, third))
    if rise > np.log(_PEAKED):
        return 0.3 * rise < third_rise < 0.7 * rise
    return bool(spread.mean() < _NO_NOISE)


def _are_factors(counts: NDArray[np.float64], third: NDArray[np.float64]) -> bool:
    """Whether a column holds the factors of an attenuator, as Rigaku's do: 1 but for peaks, whose steps they undo."""
    if not np.isfinite(third).all() or (third < 1).any() or len(np.unique(third)) not in range(2, _MOST_FACTORS):
        return False
    here = np.flatnonzero(np.diff(third))
    here = here[(counts[here] > 0) & (counts[here + 1] > 0)]
    if not len(here):
        return False
    step, factor = (np.log(part[here + 1] / part[here]) for part in (counts, third))
    return bool(np.abs(step + factor).mean() < 0.5 * np.abs(step).mean())


def _name_from_header(columns: Columns, head: Sequence[str]) -> None:
    """Set the kind of an unnamed axis from a key such as ``x_units: theta``, or from a ``.chi``'s second line."""
    for place, line in enumerate(head, 1):
        match = _AXIS_KEY.search(line)
        words = match[1] if match else line if place == 2 and not line.lstrip().startswith("#") else ""  # noqa: PLR2004
        kind = axis_of(words) if words else None
        if words and kind is None and is_no_pattern(words):
            msg = f"line {place} says that the axis is {words.strip()!r}, which is no angle, q or d"
            raise ScanError(msg)
        if kind is not None:
            columns.kind, columns.axis_source = kind, f"header line {place}, {words.strip()!r}"
            return
