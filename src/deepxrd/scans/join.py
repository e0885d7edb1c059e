"""Stretches of a file put together: ranges side by side, repeats averaged, and all else kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepxrd.scans.clean import Stretch, gaps
from deepxrd.scans.scan import Fact, Scan, ScanRange
from deepxrd.xrd import Wavelengths

_SAME_GRID = 0.1  # of a step
_MOST_OVERLAP = 0.5  # of the shorter of two ranges
_ALIKE = 3.0  # reduced chi-square of two repeats
_DRIFT = 0.05  # of the counts, that repeats of one sample may differ by beyond their noise
_SEAM = 1.5  # steps
_TOUCH = 1e-9  # of an angle: two that differ by less are one
_ENOUGH = 10  # points of an overlap, to bring two ranges to one level
_FEW = 10  # points; fewer amid many others of their block are mistyped angles and no range of their own
_AGAIN = "measured again by the next or previous range"
_SHARE = 4  # times as many points has what they lie amid


def joined(parts: Sequence[Stretch], *, radiation: Wavelengths | None, given: str, format_name: str) -> list[Scan]:
    """The scans of a file.

    Args:
        parts: in the order of the file.
        radiation: what a person says, which stands over what the file says.
        given: how they typed it.
        format_name: of the file, in words.
    """
    no_one_unit = _to_one_unit(parts)
    averaged, apart_because = _averaged(list(parts))
    apart_because = apart_because or no_one_unit
    pieces = _without_strays(_pieces(averaged))
    by_angle = sorted(pieces, key=lambda part: (float(part.two_theta_deg[0]), -float(part.two_theta_deg[-1])))
    if not apart_because and len(by_angle) > 1:
        apart_because = _why_not_joined(by_angle)
    groups = [[part] for part in averaged] if apart_because else [_without_overlaps(by_angle)]
    scans = []
    for place, group in enumerate(groups, 1):
        name = f"scan {place} of {len(groups)}" if len(groups) > 1 else ""
        scan = _scan(group, name=name, radiation=radiation, given=given, format_name=format_name)
        scans.append(scan if not apart_because else _with_fact(scan, Fact("kept apart", apart_because, "")))
    return scans


def _to_one_unit(parts: Sequence[Stretch]) -> str:
    """Bring counts beside counts per second to these by their times; and why some could not be."""
    if {part.unit for part in parts} != {"counts", "cps"}:
        return ""
    counted = [part for part in parts if part.unit == "counts"]
    if not all(part.block.seconds_per_step for part in counted):
        return "one is in counts of an unknown time, another in counts per second"
    for part in counted:
        seconds = part.block.seconds_per_step or 1.0
        part.counts, part.unit = part.counts / seconds, "cps"
        part.sigma = None if part.sigma is None else part.sigma / seconds
        part.facts.append(Fact("level", f"counts from {part.two_theta_deg[0]:g}° on divided by {seconds:g} s", ""))
    return ""


def _pieces(parts: Sequence[Stretch]) -> list[Stretch]:
    """Stretches cut at their gaps, where ranges of another may lie."""
    pieces: list[Stretch] = []
    for part in parts:
        breaks = [] if part.is_peak_list else gaps(part.two_theta_deg).tolist()
        cut = [part.cut(first, last) for first, last in pairwise([0, *breaks, len(part.counts)])]
        cut[0].left_out, cut[0].facts = Counter(part.left_out), list(part.facts)  # as the part may be kept as it is
        pieces += cut
    return pieces


def _without_strays(pieces: list[Stretch]) -> list[Stretch]:
    """Pieces but for those of a few points amid another of their block, as mistyped angles make them."""
    kept: list[Stretch] = []
    for piece in pieces:
        home = next((other for other in pieces if _is_stray(piece, other)), None)
        if home is None:
            kept.append(piece)
        else:
            _leave_out(piece, home, "out of order")
    return kept


def _is_stray(piece: Stretch, other: Stretch) -> bool:
    few = len(piece.counts) < _FEW and _SHARE * len(piece.counts) <= len(other.counts)
    return few and not piece.is_peak_list and piece.block is other.block and _is_inside(piece, other)


def _is_inside(one: Stretch, other: Stretch) -> bool:
    first, last = other.two_theta_deg[[0, -1]]
    return bool(one.two_theta_deg[0] >= first and one.two_theta_deg[-1] <= last)


def _leave_out(gone: Stretch, home: Stretch, reason: str) -> None:
    """Count the points of a stretch, and tell what was told of it, with another that stays."""
    home.left_out += gone.left_out
    home.left_out[reason] += len(gone.counts)
    home.facts += gone.facts


def _averaged(parts: list[Stretch]) -> tuple[list[Stretch], str]:
    """Repeats on one grid averaged where they agree within their noise; and why they were not."""
    clusters: list[list[Stretch]] = []
    for part in parts:
        home = next((cluster for cluster in clusters if _same_grid(cluster[0], part)), None)
        if home is None:
            clusters.append([part])
        else:
            home.append(part)
    if any(not _alike(cluster[0], other) for cluster in clusters for other in cluster[1:]):
        return parts, "they lie on one grid of angles, but differ by more than their noise, so they are no repeats"
    return [_mean(cluster) for cluster in clusters], ""


def _same_grid(one: Stretch, other: Stretch) -> bool:
    if len(one.counts) != len(other.counts) or one.is_peak_list or other.is_peak_list:
        return False
    if {one.unit, other.unit} == {"counts", "cps"}:  # of an unknown time
        return False
    off = float(np.abs(one.two_theta_deg - other.two_theta_deg).max())
    return off <= _SAME_GRID * max(one.step_deg, 1e-9)


def _alike(one: Stretch, other: Stretch) -> bool:
    """Whether two patterns on one grid are the same up to noise, a little drift and one factor."""
    factor = _factor(one, other)
    if factor <= 0:
        return False
    sigma = [part.sigma if part.sigma is not None else np.zeros(len(part.counts)) for part in (one, other)]
    variance = sigma[1] ** 2 + (factor * sigma[0]) ** 2 + (_DRIFT * np.abs(other.counts)) ** 2
    scale = max(float(np.abs(other.counts).mean()), 1e-12)
    variance = np.maximum(variance, (1e-3 * scale) ** 2)
    return float(np.mean((other.counts - factor * one.counts) ** 2 / variance)) < _ALIKE


def _factor(one: Stretch, other: Stretch) -> float:
    """What to multiply a pattern by for another one on its grid."""
    norm = float(one.counts @ one.counts)
    return float(one.counts @ other.counts) / norm if norm else 1.0


def _mean(cluster: list[Stretch]) -> Stretch:
    """Repeats as one, with its deviation: counts of known times added, all else averaged.

    Rates are averaged by their times. Where times are not known, each counts as much as its intensity, since one that
    was counted longer has more, and the mean is brought to the level of the first.
    """
    first = cluster[0]
    if len(cluster) == 1:
        return first
    n = len(cluster)
    seconds = [part.block.seconds_per_step or 0.0 for part in cluster]
    units = {part.unit for part in cluster}
    weights, divisor, what = [1.0] * n, 1.0, "sum"
    if not all(seconds) or units not in ({"counts"}, {"cps"}):
        factors = [_factor(first, part) for part in cluster]
        divisor, what = sum(1.0 if abs(factor - 1) <= _DRIFT else factor for factor in factors), "mean"
    else:
        first.block = replace(first.block, seconds_per_step=sum(seconds))
        if units == {"cps"}:
            weights, divisor, what = seconds, sum(seconds), "mean"
    told = Fact("repeats", f"{what} of {n} scans on one grid", "they agree within their noise")
    first.facts = [*(fact for part in cluster for fact in part.facts), told]
    first.counts = np.sum([part.counts * by for part, by in zip(cluster, weights, strict=True)], axis=0) / divisor
    deviations = [part.sigma * by for part, by in zip(cluster, weights, strict=True) if part.sigma is not None]
    first.sigma = np.sqrt(np.sum(np.square(deviations), axis=0)) / divisor if len(deviations) == n else None
    first.left_out = sum((part.left_out for part in cluster), Counter())
    return first


def _why_not_joined(parts: list[Stretch]) -> str:
    """Why ranges in order of their first angles make no single pattern; empty if they do."""
    if any(part.is_peak_list != parts[0].is_peak_list for part in parts):
        return "one is a list of peaks, another a scan"
    waves = {part.block.wavelengths.mean_angstrom for part in parts if part.block.wavelengths}
    if len(waves) > 1:
        return f"they were measured with {len(waves)} wavelengths"
    for one, other in pairwise(parts):
        lengths = [float(np.ptp(part.two_theta_deg)) for part in (one, other)]
        common = min(one.two_theta_deg[-1], other.two_theta_deg[-1]) - other.two_theta_deg[0]
        if common > _MOST_OVERLAP * min(lengths):
            return (
                f"{common:.4g}° of them cover the same angles ({other.two_theta_deg[0]:g} to "
                f"{min(one.two_theta_deg[-1], other.two_theta_deg[-1]):g}°) on different grids"
            )
    return ""


def _without_overlaps(parts: list[Stretch]) -> list[Stretch]:
    """Ranges at one level, where two overlap the points of the better counted one, in ascending order.

    Args:
        parts: by their first angles, of those that begin at one angle the longest first.
    """
    kept = parts[:1]
    for other in parts[1:]:
        one = kept[-1]
        seam = _TOUCH * abs(float(other.two_theta_deg[0]))
        only_one = one.two_theta_deg < other.two_theta_deg[0] - seam
        only_other = other.two_theta_deg > one.two_theta_deg[-1] + seam
        if not only_other.any():
            _leave_out(other, one, _AGAIN)  # whatever its precision: the other range has points on both sides
            continue
        _to_one_level(one, other)
        if not only_other.all():
            if _precision(other) <= _precision(one):
                _cut(other, only_other)
            elif only_one.any():
                _cut(one, only_one)
            else:
                _leave_out(kept.pop(), other, _AGAIN)
        kept.append(other)
    return kept


def _cut(part: Stretch, keep: NDArray[np.bool_]) -> None:
    """Keep the points of a range that no other one has."""
    part.taken(keep)
    part.left_out[_AGAIN] += int((~keep).sum())


def _precision(part: Stretch) -> tuple[float, int]:
    """How well a range was counted: counts by their deviation in the median, then, as without any, its points."""
    return 0.0 if part.sigma is None else float(np.median(np.abs(part.counts) / part.sigma)), len(part.counts)


def _to_one_level(one: Stretch, other: Stretch) -> None:
    """Bring a range to the level of the one before: by counting times, else by what both measured, else not."""
    if "cps" in {one.unit, other.unit} or one.is_peak_list:
        return
    times = [one.level_seconds or one.block.seconds_per_step, other.block.seconds_per_step]
    overlap = (other.two_theta_deg >= one.two_theta_deg[0]) & (other.two_theta_deg <= one.two_theta_deg[-1])
    if times[0] and times[1]:
        factor, why = times[0] / times[1], f"{times[1]:g} s a point, after {times[0]:g} s"
    elif overlap.sum() >= _ENOUGH:
        here = np.interp(other.two_theta_deg[overlap], one.two_theta_deg, one.counts)
        there = float(other.counts[overlap].sum())
        factor = float(here.sum()) / there if there > 0 and here.sum() > 0 else 1.0
        why = f"{overlap.sum()} points measured twice"
    else:
        if times[0] or times[1]:
            other.facts.append(Fact("level", "not known to be that of the range before", "counting time of only one"))
        return
    if abs(factor - 1) < 0.02:  # noqa: PLR2004 - nothing to report
        factor = 1.0 if not (times[0] and times[1]) else factor
    # so that a third range is brought to the first one's level as well
    other.level_seconds = times[0] or (times[1] * factor if times[1] else None)
    if factor != 1:
        other.counts = other.counts * factor
        other.sigma = None if other.sigma is None else other.sigma * factor
        at = other.two_theta_deg[0]
        other.facts.append(Fact("level", f"counts from {at:g}° on multiplied by {factor:.4g}", why))


def _scan(parts: list[Stretch], *, name: str, radiation: Wavelengths | None, given: str, format_name: str) -> Scan:
    """Stretches in order of angle as one scan."""
    two_theta = np.concatenate([part.two_theta_deg for part in parts])
    ranges: list[ScanRange] = []
    begin = 0
    for part in parts:
        breaks = [] if part.is_peak_list else [int(place) for place in gaps(part.two_theta_deg)]
        for first, last in zip([0, *breaks], [*breaks, len(part.counts)], strict=True):
            angles = part.two_theta_deg[first:last]
            step = float(np.ptp(angles)) / max(len(angles) - 1, 1)
            ranges.append(ScanRange(begin + first, begin + last, step, part.block.seconds_per_step))
            _merge_last(ranges, two_theta)
        begin += len(part.counts)
    block = parts[0].block
    stated, where = next(
        ((each.block.wavelengths, each.block.wavelengths_source) for each in parts if each.block.wavelengths),
        (None, ""),
    )
    wavelengths = radiation or stated
    source = f"given as {given}" if radiation else where
    facts = [Fact("axis", block.kind.value, block.axis_source)]
    if radiation and stated and abs(radiation.mean_angstrom - stated.mean_angstrom) > 1e-3:  # noqa: PLR2004
        said = f"the file says {stated} ({where})"
        facts.append(Fact("wavelength", f"{radiation}, where {said}", source))
    elif wavelengths:
        facts.append(Fact("wavelength", str(wavelengths), source))
    part_facts = [fact for part in parts for fact in (*part.block.facts, *part.facts)]
    facts += list(dict.fromkeys(part_facts))
    units = {part.unit for part in parts}
    sigmas = [part.sigma for part in parts if part.sigma is not None]
    return Scan(
        two_theta_deg=two_theta,
        counts=np.concatenate([part.counts for part in parts]),
        uncertainty=np.concatenate(sigmas) if len(sigmas) == len(parts) else None,
        ranges=tuple(ranges),
        wavelengths=wavelengths,
        is_peak_list=parts[0].is_peak_list,
        unit=units.pop() if len(units) == 1 else "arbitrary",
        format=format_name,
        name=name,
        facts=tuple(facts),
        left_out=dict(sum((part.left_out for part in parts), Counter())),
        metadata={**block.metadata, **({"title": block.title} if block.title else {})},
    )


def _merge_last(ranges: list[ScanRange], two_theta_deg: NDArray[np.float64]) -> None:
    """Make one of the last two ranges where nothing but a seam lies between them."""
    if len(ranges) < 2:  # noqa: PLR2004 - two
        return
    one, other = ranges[-2:]
    between = two_theta_deg[other.start] - two_theta_deg[one.stop - 1]
    alike = abs(one.step_deg - other.step_deg) < _SAME_GRID * one.step_deg
    if alike and between < _SEAM * one.step_deg and one.seconds_per_step == other.seconds_per_step:
        step = float(two_theta_deg[other.stop - 1] - two_theta_deg[one.start]) / (other.stop - one.start - 1)
        ranges[-2:] = [ScanRange(one.start, other.stop, step, one.seconds_per_step)]


def _with_fact(scan: Scan, fact: Fact) -> Scan:
    return replace(scan, facts=(*scan.facts, fact))
