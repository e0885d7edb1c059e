"""What a reader of one format returns: the numbers as they stand in the file, before anything is decided on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.scan import Fact
from deepxrd.xrd import Wavelengths
from deepxrd.xrd.radiation import ANODES, from_angstrom, in_angstrom, tube

MAX_POINTS = 4_000_000
"""In a scan; more is no powder pattern, or a damaged header."""
MAX_RANGES = 5_000
"""In a file; a map of reciprocal space has hundreds."""
_FEWEST_STEPS = 2
_OFF_BY = 1.5  # points: programs count the last one or not, and round the step


class Axis(Enum):
    """What the first column of a pattern is, with its unit."""

    TWO_THETA = "2θ in degrees"
    TWO_THETA_RADIANS = "2θ in radians"
    THETA = "θ in degrees"
    Q_INVERSE_ANGSTROM = "q in 1/Å"
    Q_INVERSE_NM = "q in 1/nm"
    D_ANGSTROM = "d in Å"
    D_NM = "d in nm"
    D_PM = "d in pm"


@dataclass(kw_only=True)
class Block:
    """A scan, or a range of one, as it stands in a file.

    Attributes:
        axis: first column, ``(n,)``, in file order, of the kind below.
        values: intensities, ``(n,)``.
        kind: what the axis is.
        axis_source: how that is known.
        sigma: stated standard deviations of the values, ``(n,)``.
        attenuation: factors that the values are still to be multiplied with, ``(n,)``.
        unit: ``counts``, ``cps`` or empty for unknown.
        seconds_per_step: counting time of a point, s.
        wavelengths: stated in the header.
        wavelengths_source: where; it says nothing without wavelengths.
        lines: line number of each point in a text file, ``(n,)``.
        peaks: whether the format itself says that these are peaks; None where only the points can tell.
        title: of the sample or the scan.
        facts: anything else the file says.
        metadata: of the header.
    """

    axis: NDArray[np.float64]
    values: NDArray[np.float64]
    kind: Axis = Axis.TWO_THETA
    axis_source: str
    sigma: NDArray[np.float64] | None = None
    attenuation: NDArray[np.float64] | None = None
    unit: str = ""
    seconds_per_step: float | None = None
    wavelengths: Wavelengths | None = None
    wavelengths_source: str = ""
    lines: NDArray[np.int64] | None = None
    peaks: bool | None = None
    title: str = ""
    facts: list[Fact] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


def steps(start: float, step: float, n: int) -> NDArray[np.float64]:
    """An axis of a header's start and step, ``(n,)``.

    Raises:
        ScanError: they make no axis.
    """
    if not (np.isfinite(start) and np.isfinite(step) and step) or abs(start) + abs(step) * n > 1e6:  # noqa: PLR2004
        msg = f"no axis can start at {start:g} with steps of {step:g}"
        raise ScanError(msg)
    check_count(n)
    return np.asarray(start + step * np.arange(n), dtype=np.float64)


def check_span(start: float, stop: float, step: float, n: int) -> None:
    """Raise `ScanError` unless the n points of a scan fill the range of its header, whose step is not zero."""
    said = (stop - start) / step + 1
    if abs(said - n) > _OFF_BY:
        points = f"{said:.0f} points ({start:g} to {stop:g} by {step:g})"
        msg = f"its header says {points}, and {n} follow: it is cut short, or damaged"
        raise ScanError(msg)


def tell_others(blocks: list[Block], others: Sequence[str], *, what: str, none: str) -> None:
    """Say on the first of the scans of 2θ of a file which others it holds, which are not read.

    Args:
        blocks: those that are read.
        others: what each other one is a scan of.
        what: they are of: ``drives`` or ``axes``.
        none: what to say before the others where there is no other scan.

    Raises:
        ScanError: there are only others.
    """
    kinds = ", ".join(sorted(set(others)))
    if others and not blocks:
        raise ScanError(none + kinds)
    if others:
        blocks[0].facts.append(Fact("not read", f"{len(others)} scans of other {what}", kinds))


def check_count(n: int) -> None:
    """Raise `ScanError` unless n is a number of points that a scan can have."""
    if not _FEWEST_STEPS <= n <= MAX_POINTS:
        msg = f"a scan of {n} points: it must have from {_FEWEST_STEPS} to {MAX_POINTS}"
        raise ScanError(msg)


def check_ranges(n: int) -> None:
    """Raise `ScanError` unless a file may hold n ranges."""
    if n > MAX_RANGES:
        msg = f"it holds more than {MAX_RANGES:,} ranges: split it, or if it should not, it is damaged"
        raise ScanError(msg)


def quantum(values: NDArray[np.float64]) -> float:
    """The power of ten that numbers are rounded to, down to 1e-6; 0 if they are not."""
    finite = values[np.isfinite(values)]
    for decimals in range(7):
        scaled = finite * 10.0**decimals
        if np.abs(scaled - np.round(scaled)).max(initial=0.0) < 1e-6 * 10**decimals + 1e-9:
            return float(10.0**-decimals)
    return 0.0


def stated(
    alpha1: float | None, alpha2: float | None = None, ratio: float | None = None, *, unit: str = "", anode: str = ""
) -> Wavelengths | None:
    """Wavelengths of a header's numbers, in Å where it states no unit, else of its anode's name.

    Zeros, and what is no X-ray, count as unstated. A ratio of 0, or one that Kα1 is not twice as strong as, is what the
    header says; without numbers the doublet of the anode is taken, as a tube shines with both lines.
    """
    alpha1, alpha2 = (None if length is None else in_angstrom(length, unit) for length in (alpha1, alpha2))
    if alpha1 is None:
        anode = anode.strip().capitalize()[:2]
        return tube(f"{anode}Ka") if anode in ANODES else None
    if alpha2 is None or not alpha1 < alpha2 < alpha1 * 1.02:
        lines = from_angstrom(alpha1)
        return Wavelengths(alpha1, None, 0.0) if ratio == 0 and not lines.name else lines
    if ratio is None or not 0 < ratio <= 1:
        ratio = 0.0 if ratio == 0 else None
    return Wavelengths(alpha1, alpha2, ratio)


def parse_number(text: str | None) -> float | None:
    """A finite number of a header; None for anything else."""
    try:
        value = float((text or "").strip().strip("'\"").replace(",", "."))
    except ValueError:
        return None
    return value if np.isfinite(value) and "_" not in (text or "") else None


def numbers(words: Sequence[str], *, line: int) -> list[float]:
    """The numbers of a line of data.

    Raises:
        ScanError: a word is none, naming the line.
    """
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = []
    if len(found) < len(words) or "_" in "".join(words):  # Python would read 1_000
        bad = next((word for word in words if not _is_number(word)), words[0])
        msg = f"line {line} is no data: {bad[:40]!r} is no number"
        raise ScanError(msg)
    return found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word
