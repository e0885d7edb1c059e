"""Scans made ready, and their backgrounds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.errors import ScanError
from deepxrd.matching.background import background_of, snip
from deepxrd.matching.observed import observe
from deepxrd.scans.scan import Fact, Scan, ScanRange
from deepxrd.xrd.radiation import Wavelengths, tube

ANGLE = np.linspace(10, 90, 4001)
PLACES, HEIGHTS = np.array([22.8, 32.4, 40.0, 46.5, 57.8, 67.9]), np.array([20.0, 100.0, 35.0, 50.0, 40.0, 25.0])


def lines(angle: np.ndarray, sigma: float = 0.05) -> np.ndarray:
    return (HEIGHTS * np.exp(-0.5 * ((angle[:, None] - PLACES) / sigma) ** 2)).sum(axis=1)


def background(angle: np.ndarray) -> np.ndarray:
    return 30 + 60 * np.exp(-(angle - 10) / 20) + 10 * np.exp(-0.5 * ((angle - 25) / 6) ** 2)


def scan(angle: np.ndarray, counts: np.ndarray, **more: object) -> Scan:
    ranges = (ScanRange(0, len(angle), float(angle[1] - angle[0])),)
    return Scan(angle, counts, None, **{"ranges": ranges, "wavelengths": tube("CuKa"), **more})  # type: ignore[arg-type]


def test_snip_is_what_its_definition_says_point_by_point() -> None:
    counts = np.random.default_rng(0).uniform(0, 50, 60)
    level = np.log(np.log(np.sqrt(counts + 1) + 1) + 1)
    for reach in range(7, 0, -1):
        before = level.copy()
        for i in range(reach, len(level) - reach):
            level[i] = min(before[i], (before[i - reach] + before[i + reach]) / 2)
    expected = (np.exp(np.exp(level) - 1) - 1) ** 2 - 1
    np.testing.assert_allclose(snip(counts, half_width=7), expected, rtol=1e-12, atol=1e-12)


@given(st.lists(st.floats(-10, 1e6), min_size=1, max_size=30), st.integers(1, 40))
def test_snip_is_never_above_the_counts(counts: list[float], half_width: int) -> None:
    positive = np.maximum(np.array(counts), 0)
    assert np.all(snip(np.array(counts), half_width=half_width) <= positive * (1 + 1e-9) + 1e-9)


def test_the_background_runs_under_the_lines_and_takes_a_hump_of_glass() -> None:
    found = background_of(ANGLE, lines(ANGLE, 0.2) + background(ANGLE))
    np.testing.assert_allclose(found, background(ANGLE), atol=1.0)  # of lines up to 100, and a hump of 10


def test_a_hump_of_glass_nearly_half_as_high_as_the_lines_is_background() -> None:
    hump = 150 + 4000 * np.exp(-0.5 * ((ANGLE - 24) / 3.8) ** 2)
    found = background_of(ANGLE, 100 * lines(ANGLE) + hump)
    np.testing.assert_allclose(found, hump, atol=80)  # of 4,000; SNIP alone loses 500


@pytest.mark.parametrize("level", [20.0, 500.0])
def test_noise_has_no_mean_above_the_background(level: float) -> None:
    counts = np.random.default_rng(0).poisson(level, len(ANGLE)).astype(float)
    found = background_of(ANGLE, counts, variance_per_count=1.0)
    smoothed = np.sqrt(level * 0.02 / (2 * np.sqrt(np.pi) * 0.15))
    assert (counts - found).mean() == pytest.approx(0.0, abs=0.35 * smoothed)  # without the correction 1.3


@pytest.mark.parametrize("waves", [tube("CuKa"), tube("MoKa"), Wavelengths(1.0)])
def test_lines_stand_at_their_spacings_for_any_radiation(waves: Wavelengths) -> None:
    d_inverse = 2 * np.sin(np.radians(PLACES / 2)) / 1.54056
    angle = np.linspace(4, 100, 20001)
    at = np.degrees(2 * np.arcsin(d_inverse * waves.kalpha1_angstrom / 2))
    counts = (HEIGHTS * np.exp(-0.5 * ((angle[:, None] - at) / 0.03) ** 2)).sum(axis=1)
    view = observe(scan(angle, counts + 1, wavelengths=waves)).view(0.0006, 0.0002)
    p = view.pattern
    peaks = np.flatnonzero((p[1:-1] > p[:-2]) & (p[1:-1] >= p[2:]) & (p[1:-1] > 5)) + 1
    np.testing.assert_allclose(view.x[peaks], d_inverse, atol=0.0003)


@given(st.floats(0.5, 1e4))
def test_the_unit_of_counts_does_not_matter(factor: float) -> None:
    counts = 1e3 * lines(ANGLE) + background(ANGLE)
    one, other = (observe(scan(ANGLE, f * counts)).view(0.002, 0.0004) for f in (1.0, factor))
    np.testing.assert_allclose(one.pattern, other.pattern, atol=0.5)


@pytest.mark.parametrize("taken_off", [100.0, 130.0, 1000.0])
def test_a_background_that_was_taken_off_too_far_does_not_matter(taken_off: float) -> None:
    counts = np.random.default_rng(0).poisson(20 * lines(ANGLE) + 100).astype(float)
    one, other = (observe(scan(ANGLE, counts - off)) for off in (0.0, taken_off))
    np.testing.assert_allclose(other.view(0.002, 0.0004).pattern, one.view(0.002, 0.0004).pattern, atol=1.0)
    assert np.median(other.noise) == pytest.approx(np.median(one.noise), rel=0.2)
    np.testing.assert_allclose(other.background, one.background - taken_off, atol=4.0)


def test_counts_without_a_background_have_next_to_no_noise_in_it() -> None:
    """Where nearly all points are zero, each with a deviation of one count, as files of simulated patterns are read."""
    counts = np.round((10 * HEIGHTS / (1 + ((ANGLE[:, None] - PLACES) / 0.06) ** 2)).sum(axis=1))
    found = observe(replace(scan(ANGLE, counts), uncertainty=np.sqrt(np.maximum(counts, 1))))
    assert np.median(found.noise) < 1
    assert np.median(found.background) < 1


@pytest.mark.parametrize("step", [0.01, 0.05, 0.1, 0.3])
def test_noise_is_told_at_any_distance_of_points(step: float) -> None:
    angle = np.arange(20, 90, step)
    told, found = [], []
    for seed in range(4):
        counts = np.random.default_rng(seed).poisson(lines(angle, 0.2) + 400).astype(float)
        view = observe(scan(angle, counts)).view(0.005, 0.001)
        calm = view.inside & (np.abs(np.degrees(2 * np.arcsin(view.x * 0.77028))[:, None] - PLACES).min(axis=1) > 2)
        told.append(np.median(view.noise[calm]))
        found.append(view.pattern[calm].std())
    assert np.mean(told) == pytest.approx(np.mean(found), rel=0.35)  # the background takes a part of it


@pytest.mark.parametrize(("waves", "said"), [(Wavelengths(1.54056), "Cu"), (Wavelengths(1.789), "Co")])
def test_the_first_line_alone_is_a_doublet_perhaps(waves: Wavelengths, said: str) -> None:
    """Many programs write Kα1 only, whatever was measured; the cell is then 0.1 % too short, and was with no word."""
    assert observe(scan(ANGLE, lines(ANGLE) + 1, wavelengths=waves)).remarks == (
        f"the wavelength is that of Kα1 alone: if Kα2 was not taken away, the radiation {said} takes both",
    )
    known = replace(waves, ratio=0.0)
    assert observe(scan(ANGLE, lines(ANGLE) + 1, wavelengths=known)).remarks == ()


def test_lines_that_stand_close_by_a_short_wavelength_are_no_background() -> None:
    d_inverse = np.arange(0.2, 1.0, 0.03)
    heights = np.random.default_rng(0).uniform(5, 100, len(d_inverse))
    angle = np.arange(1.0, 12.0, 0.004)
    at = np.degrees(2 * np.arcsin(d_inverse * 0.1))
    clean = (heights * np.exp(-0.5 * ((angle[:, None] - at) / 0.01) ** 2)).sum(axis=1)
    found = observe(scan(angle, 100 * clean + 50, wavelengths=Wavelengths(0.2, ratio=0.0)))
    assert np.sqrt(((found.background - 50) ** 2).mean()) < 25  # of lines up to 10,000; 124 by what is right for copper


def test_a_second_line_whose_intensity_nobody_states_is_left_out_and_that_is_said() -> None:
    """Files of some makers name both lines behind a monochromator, too, which lets only one pass."""
    found = observe(scan(ANGLE, lines(ANGLE) + 1, wavelengths=Wavelengths(1.540593, 1.544414)))
    assert found.lines == ((1.0, 1.0),)
    assert [each for each in found.remarks if "does not state how strong its Kα2 is" in each]
    absent = observe(scan(ANGLE, lines(ANGLE) + 1, wavelengths=Wavelengths(1.540593, 1.544414, 0.0)))
    assert absent.lines == ((1.0, 1.0),)
    assert absent.remarks == ()


def test_stretches_too_short_to_compare_are_refused() -> None:
    kept = np.flatnonzero(ANGLE % 4 < 0.5)
    starts = [0, *(np.flatnonzero(np.diff(kept) > 1) + 1).tolist(), len(kept)]
    ranges = tuple(ScanRange(first, last, 0.02) for first, last in pairwise(starts))
    found = observe(scan(ANGLE[kept], (100 * lines(ANGLE) + 50)[kept], ranges=ranges))
    with pytest.raises(ScanError, match=r"wider than 0\.01 1/Å"):
        found.view(0.005, 0.001)


def test_nothing_is_compared_in_a_gap() -> None:
    kept = (ANGLE < 30) | (ANGLE > 50)
    n = int((ANGLE < 30).sum())
    ranges = (ScanRange(0, n, 0.02), ScanRange(n, int(kept.sum()), 0.02))
    found = observe(scan(ANGLE[kept], (100 * lines(ANGLE) + 50)[kept], ranges=ranges))
    view = found.view(0.001, 0.0002)
    gap = (found.two_theta_deg > 30.1) & (found.two_theta_deg < 49.9)
    assert gap.any()
    assert not view.inside[gap].any()
    assert view.inside[(found.two_theta_deg > 12) & (found.two_theta_deg < 29)].all()


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (scan(ANGLE, lines(ANGLE), is_peak_list=True), "a list of 4001 peaks"),
        (scan(ANGLE[:20], lines(ANGLE)[:20]), "20 points, too few"),
        (scan(np.linspace(10, 14, 400), np.ones(400)), "measure more, or check the radiation"),
        (scan(ANGLE, np.full(4001, 7.0)), "stands out of its background"),
    ],
)
def test_what_is_no_pattern_is_refused(made: Scan, told: str) -> None:
    with pytest.raises(ScanError, match=told):
        observe(made)


def test_what_the_file_holds_and_is_not_used_is_said() -> None:
    assert observe(scan(ANGLE, lines(ANGLE) + 1)).remarks == ()
    facts = (Fact("wavelength", "not used", "line 1 says 15.4"), Fact("axis", "2θ", ""))
    left_out = {"without a number": 45, "given twice": 1}
    found = observe(scan(ANGLE, lines(ANGLE) + 1, wavelengths=None, facts=facts, left_out=left_out))
    assert found.remarks == (
        "points left out: 45 without a number, 1 given twice",
        "wavelength of the file not used (line 1 says 15.4)",
    )
    facts = (
        Fact("angles", "computed from q in 1/Å for CuKa", "giving a radiation sets others"),
        Fact("angles", "of the records, in centidegrees", ""),
    )
    assert observe(scan(ANGLE, lines(ANGLE) + 1, facts=facts)).remarks == (
        "the file states no radiation: angles are computed from q in 1/Å for CuKa (giving a radiation sets others)",
    )
    used = observe(scan(ANGLE, lines(ANGLE) + 1, facts=(Fact("wavelength", "1.54 Å", "line 1"),)))
    assert used.remarks == ()


def test_an_unknown_radiation_is_copper_and_said_to_be_assumed() -> None:
    found = observe(scan(ANGLE, lines(ANGLE) + 1, wavelengths=None))
    assert found.wavelength_is_assumed
    assert found.wavelength_angstrom == pytest.approx(1.54056)
