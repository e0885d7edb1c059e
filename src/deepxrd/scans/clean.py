"""From the numbers of a file to points in ascending order: dummies left out, attenuators undone, seams cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.axes import in_two_theta
from deepxrd.scans.block import Axis, Block, quantum
from deepxrd.scans.scan import Fact
from deepxrd.xrd import Wavelengths

_DUMMIES = (2.0**32 - 1, 2.0**32 - 2, 2.0**31 - 1, 2.0**63, 2.0**64, 3.4028234663852886e38)
"""What detectors write for pixels without a count."""
_NO_COUNTS = 1e30
"""No detector counts so many, and their squares are near the end of what a number can be."""
_NEGATIVE_DUMMIES = (-1.0, -2.0, -9999.0, -999.0)
_MOST_TURNS = 0.05  # of the points; beyond, an axis is unordered
_IRREGULAR = 0.25  # change from one step to the next, by the step
_GAP = 2.2  # steps
_SUSPECT = 1.5  # steps: worth a closer look
_NEAR = 5  # points on each side whose steps a gap is held against
_ROUNDING = 2.1  # quanta
_FEWEST_IN_SEGMENT = 3
_WIDEST_STEP_DEG = 1.5  # with wider ones a scan would miss whole peaks
_LONGEST_PEAK_LIST = 5_000


@dataclass(eq=False)
class Stretch:
    """Points of a block in ascending order of angle, ``(n,)`` each.

    Attributes:
        two_theta_deg: strictly ascending.
        counts: attenuators undone.
        sigma: their standard deviations, where known.
        block: what they come from.
        unit: ``counts``, ``cps`` or ``arbitrary``.
        is_peak_list: whether these are peaks.
        left_out: points, by reason.
        facts: of what was done.
        level_seconds: counting time of a point whose level the counts were brought to; None for their own.
    """

    two_theta_deg: NDArray[np.float64]
    counts: NDArray[np.float64]
    sigma: NDArray[np.float64] | None
    block: Block
    unit: str
    is_peak_list: bool
    left_out: Counter[str] = field(default_factory=Counter)
    facts: list[Fact] = field(default_factory=list)
    level_seconds: float | None = None

    @property
    def step_deg(self) -> float:
        """Median distance of points, degrees."""
        return float(np.median(np.diff(self.two_theta_deg))) if len(self.two_theta_deg) > 1 else 0.0

    def cut(self, first: int, last: int) -> Stretch:
        """Points from one index to another, without what was told or left out."""
        sigma = None if self.sigma is None else self.sigma[first:last]
        return Stretch(
            self.two_theta_deg[first:last], self.counts[first:last], sigma, self.block, self.unit, self.is_peak_list
        )  # fmt: skip

    def taken(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> None:
        """Keep some points only."""
        self.two_theta_deg, self.counts = self.two_theta_deg[chosen], self.counts[chosen]
        self.sigma = None if self.sigma is None else self.sigma[chosen]


def stretches(block: Block, *, axis: Axis | None, radiation: Wavelengths | None) -> list[Stretch]:
    """The stretches of a block: one, or several where its axis goes back and begins anew.

    Args:
        block: as read.
        axis: what a person says that the axis is.
        radiation: what a person says that it was measured with.

    Raises:
        ScanError: it has no points that can be used, or two intensities at one angle.
    """
    angles = in_two_theta(block, axis=axis, wavelengths=radiation or block.wavelengths)
    values = np.asarray(block.values, dtype=np.float64)
    factors, too_large = _factors(block, values)
    left_out, keep = _unusable(angles, values, too_large)
    if keep.sum() < 2:  # noqa: PLR2004 - a scan
        reasons = "".join(f", {n} {reason}" for reason, n in left_out.items())
        msg = (
            f"it has {len(values)} point{'' if len(values) == 1 else 's'}{reasons}: two that can be used are the least"
        )
        raise ScanError(msg)
    unit = _unit(block, values[keep])
    sigma = _sigma(block, values, factors, unit, whole=_are_whole(values[keep]))
    lines = block.lines[keep] if block.lines is not None else None
    angles, counts, factors = angles[keep], (values * factors)[keep], factors[keep]
    sigma = None if sigma is None else sigma[keep]
    facts: list[Fact] = []
    if (factors != 1).any():
        n = int((factors != 1).sum())
        facts.append(Fact("attenuation", f"{n} points multiplied by factors up to {factors.max():g}", "file"))
    if np.median(np.diff(angles)) < 0:
        angles, counts = angles[::-1], counts[::-1]
        sigma = None if sigma is None else sigma[::-1]
        lines = None if lines is None else lines[::-1]
        facts.append(Fact("order", "turned round, as angles descend in the file", ""))
    angles = angles + 0.0  # -0 is 0
    whole = Stretch(angles, counts, sigma, block, unit, is_peak_list=False, left_out=left_out, facts=facts)
    if block.peaks:
        whole.is_peak_list = True
        return [_added_up(whole)]
    parts = _parts(whole, lines)
    for part in parts:
        part.is_peak_list = _is_peak_list(part)
    return parts


def gaps(two_theta_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of points before which nothing was measured for more than about two steps.

    A step is held against the larger median of those on its left and right, since steps may grow smoothly, as those of
    an axis in q do, or change from one range to the next.
    """
    steps = np.diff(two_theta_deg)
    if len(steps) < _FEWEST_IN_SEGMENT:
        return np.zeros(0, dtype=np.int64)
    allowed = _ROUNDING * _coarsest(two_theta_deg)
    neighbour_step = np.minimum(np.append(np.inf, steps[:-1]), np.append(steps[1:], np.inf))
    suspects = np.flatnonzero((steps > _SUSPECT * np.minimum(neighbour_step, np.median(steps))) & (steps > allowed))
    found = []
    for place in suspects:
        sides = [steps[max(0, place - _NEAR) : place], steps[place + 1 : place + 1 + _NEAR]]
        usual = max(float(np.median(side)) for side in sides if len(side))
        if steps[place] > max(_GAP * usual, usual + allowed):
            found.append(place + 1)
    return np.array(found, dtype=np.int64)


def _coarsest(two_theta_deg: NDArray[np.float64]) -> float:
    """What angles are rounded to at their larger end, where programs that keep four digits have one decimal less."""
    return quantum(two_theta_deg[len(two_theta_deg) // 2 :])


def _factors(block: Block, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What to multiply values by, and where that makes no counts, as the factor of a damaged file may be any number."""
    factors = np.ones(len(values)) if block.attenuation is None else block.attenuation
    with np.errstate(over="ignore", invalid="ignore"):
        too_large = ~((np.abs(values * factors) < _NO_COUNTS) & (factors < _NO_COUNTS))
    return np.where(too_large, 1.0, factors), too_large


def _unusable(
    angles: NDArray[np.float64], values: NDArray[np.float64], too_large: NDArray[np.bool_]
) -> tuple[Counter[str], NDArray[np.bool_]]:
    """How many points are left out, by reason, and which are kept.

    Args:
        angles: 2θ, degrees.
        values: as they stand in the file.
        too_large: where factors of attenuators leave no counts.
    """
    left_out: Counter[str] = Counter()
    keep = np.ones(len(values), dtype=bool)
    with np.errstate(invalid="ignore"):
        dummy = np.isin(values, _DUMMIES) | (np.abs(values) >= _NO_COUNTS)
        usual = values[np.isfinite(values) & ~dummy]
        for mark in _NEGATIVE_DUMMIES:
            if (usual == mark).any() and not ((usual < 0) & ~np.isin(usual, _NEGATIVE_DUMMIES)).any():
                dummy |= values == mark
        reasons = (
            ("without a number", ~np.isfinite(values)),
            ("without an angle", ~np.isfinite(angles)),
            ("at angles below 0°", angles < 0),
            ("with a dummy instead of counts", dummy),
            ("with too large a factor of an attenuator", too_large),
        )
    for reason, bad in reasons:
        fresh = bad & keep
        if fresh.any():
            left_out[reason] = int(fresh.sum())
            keep &= ~bad
    return left_out, keep


def _unit(block: Block, values: NDArray[np.float64]) -> str:
    """Counts where the file says so or all are whole numbers beyond a normalised hundred; cps where it says so."""
    unit = block.unit.lower()
    if "cps" in unit or "/s" in unit:
        return "cps"
    if unit.startswith("count"):
        return "counts"
    return "counts" if _are_whole(values) and values.max(initial=0.0) > 100 else "arbitrary"  # noqa: PLR2004


def _are_whole(values: NDArray[np.float64]) -> bool:
    """Whether numbers can be counts as a detector has them, and not scaled or smoothed ones."""
    fine = values[np.isfinite(values)]
    return bool((fine == np.round(fine)).all() and (fine >= 0).all())


def _sigma(
    block: Block, values: NDArray[np.float64], factors: NDArray[np.float64], unit: str, *, whole: bool
) -> NDArray[np.float64] | None:
    """Stated deviations, else the roots of counts, under attenuators those of what the detector saw."""
    if block.sigma is not None:
        fine = np.isfinite(block.sigma) & (block.sigma > 0)
        if fine.any():
            filled = np.where(fine, block.sigma, block.sigma[fine].max())  # a deviation of 0 would claim certainty
            return np.asarray(filled * factors, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        if unit == "counts" and whole:
            return np.asarray(np.sqrt(np.maximum(values, 1)) * factors, dtype=np.float64)
        if unit == "cps" and block.seconds_per_step:
            seconds = block.seconds_per_step
            return np.asarray(np.sqrt(np.maximum(values * seconds, 1)) / seconds * factors, dtype=np.float64)
    return None


def _parts(whole: Stretch, lines: NDArray[np.int64] | None) -> list[Stretch]:
    """Cut where the axis goes back; sort where it has no order."""
    steps = np.diff(whole.two_theta_deg)
    turns = np.flatnonzero(steps <= 0)
    if not len(turns):
        return [whole]
    starts = np.concatenate([[0], turns + 1, [len(whole.counts)]])
    lengths = np.diff(starts)
    if len(turns) > max(1, _MOST_TURNS * len(steps)) or lengths.min() < _FEWEST_IN_SEGMENT:
        return [_sorted(whole, lines)]
    parts = [whole.cut(first, last) for first, last in pairwise(starts.tolist())]
    for part in parts:
        part.facts = list(whole.facts)
    parts[0].left_out = whole.left_out
    return parts


def _sorted(whole: Stretch, lines: NDArray[np.int64] | None) -> Stretch:
    """Points in order, the same point twice taken once.

    Raises:
        ScanError: two different intensities at one angle, with the line of the second.
    """
    order = np.argsort(whole.two_theta_deg, kind="stable")
    whole.taken(order)
    same = np.flatnonzero(np.diff(whole.two_theta_deg) == 0)
    differ = same[whole.counts[same] != whole.counts[same + 1]]
    if len(differ):
        line = "" if lines is None else f" (line {lines[order][differ[0] + 1]})"
        at = whole.two_theta_deg[differ[0]]
        msg = f"it has two intensities at 2θ = {at:g}°{line}: give one pattern a file, with angles of enough decimals"
        raise ScanError(msg)
    if len(same):
        keep = np.ones(len(whole.counts), dtype=bool)
        keep[same + 1] = False
        whole.taken(keep)
        whole.left_out["given twice"] = len(same)
    whole.facts = [fact for fact in whole.facts if fact.what != "order"]  # turned round or not, it had none
    whole.facts.append(Fact("order", "sorted by angle, as the file has no order", ""))
    return whole


def _added_up(peaks: Stretch) -> Stretch:
    """Peaks in order, those at one angle as one with the sum of their intensities."""
    angles, home = np.unique(peaks.two_theta_deg, return_inverse=True)
    if len(angles) < len(peaks.counts):
        n = len(peaks.counts) - len(angles)
        peaks.facts.append(Fact("peaks", f"{n} at the angle of another added to it", "reflections that coincide"))
        peaks.counts, peaks.sigma = np.bincount(home, peaks.counts).astype(np.float64), None
        peaks.two_theta_deg = angles
    elif (np.diff(peaks.two_theta_deg) < 0).any():
        peaks.taken(np.argsort(peaks.two_theta_deg))
    return peaks


def _is_peak_list(part: Stretch) -> bool:
    """Whether points are peaks: the format says so, or their distances are no steps: wide, or jumping about."""
    if part.block.peaks is not None:
        return part.block.peaks
    steps = np.diff(part.two_theta_deg)
    if len(steps) and float(np.median(steps)) > _WIDEST_STEP_DEG:
        return True
    if len(steps) < _FEWEST_IN_SEGMENT or len(steps) > _LONGEST_PEAK_LIST:
        return False
    jumps = np.abs(np.diff(steps))
    allowed = max(_IRREGULAR * float(np.median(steps)), _ROUNDING * _coarsest(part.two_theta_deg))
    return bool(np.median(jumps) > allowed)
