"""A measured pattern, as one type for all instruments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepxrd.xrd import Wavelengths


@dataclass(frozen=True)
class Fact:
    """Something that was understood of a file.

    Attributes:
        what: such as ``axis`` or ``wavelength``.
        value: in words.
        source: what in the file, or of what was given, it was taken from.
    """

    what: str
    value: str
    source: str

    def __str__(self) -> str:
        """Both on a line."""
        return f"{self.value} ({self.source})" if self.source else self.value


@dataclass(frozen=True)
class ScanRange:
    """A stretch measured without a gap: ``two_theta_deg[start:stop]``.

    Attributes:
        start: index of its first point.
        stop: index after its last point.
        step_deg: mean distance of its points, degrees 2θ.
        seconds_per_step: counting time of a point, s; None if it was not stated.
    """

    start: int
    stop: int
    step_deg: float
    seconds_per_step: float | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """A pattern as it was measured, or a list of peaks.

    Attributes:
        two_theta_deg: ascending angles, ``(n,)``, degrees.
        counts: intensity in the unit below, ``(n,)``, freed of attenuators, all ranges at one level.
        uncertainty: standard deviation of the counts, ``(n,)``; None where neither stated nor known from counts.
        ranges: stretches between gaps, in ascending order; nothing was measured between them.
        wavelengths: None where the file does not state any and nobody gave one.
        is_peak_list: whether the points are peaks with nothing between them, and not a continuous scan.
        unit: ``counts``, ``cps``, or ``arbitrary``.
        format: of the file, in words.
        name: of this scan among several of a file; empty for an only one.
        facts: what was taken from where.
        left_out: how many points were left out, by reason.
        metadata: further words of the header.
    """

    two_theta_deg: NDArray[np.float64]
    counts: NDArray[np.float64]
    uncertainty: NDArray[np.float64] | None
    ranges: tuple[ScanRange, ...]
    wavelengths: Wavelengths | None
    is_peak_list: bool = False
    unit: str = "arbitrary"
    format: str = ""
    name: str = ""
    facts: tuple[Fact, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def measured_at(self, two_theta_deg: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether angles lie within a range, to half a step, in the shape of the angles."""
        inside = np.zeros(np.shape(two_theta_deg), dtype=bool)
        for part in self.ranges:
            first, last = self.two_theta_deg[part.start], self.two_theta_deg[part.stop - 1]
            margin = part.step_deg / 2
            inside |= (two_theta_deg >= first - margin) & (two_theta_deg <= last + margin)
        return inside
