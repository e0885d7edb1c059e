"""Kβ lines of a tube without a filter: found where Bragg's law puts them, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deepxrd.matching.kbeta import LEAST_SHARE, kbeta_ratio, kbeta_share
from deepxrd.matching.observed import observe
from deepxrd.scans.scan import Scan, ScanRange
from deepxrd.xrd import Wavelengths
from deepxrd.xrd.radiation import ANODES, WAVELENGTHS_ANGSTROM, tube

D_ANGSTROM = np.array([3.905, 2.761, 2.255, 1.953, 1.594, 1.381])
HEIGHTS = np.array([30.0, 100.0, 35.0, 50.0, 40.0, 25.0])
ANGLE = np.arange(10.0, 90.0, 0.01)
_MOST_COUNTS = 20_000.0
X = np.arange(0.15, 1.0, 0.0002)
TUBE, RATIO = tube("CuKa"), 1.39222 / 1.54056


def bragg(d: np.ndarray, wavelength_angstrom: float) -> np.ndarray:
    """2θ in degrees of spacings: λ = 2 d sin θ, by hand."""
    return np.degrees(2 * np.arcsin(wavelength_angstrom / (2 * d)))


def measured(anode: str, share: float, *, seed: int = 0) -> Scan:
    """Counts with noise of a tube whose Kβ has a share of Kα; its angles by Bragg's law."""
    waves = tube(f"{anode}Ka")
    assert waves.kalpha2_angstrom is not None
    counts = np.full(len(ANGLE), 40.0)
    parts = (
        (waves.kalpha1_angstrom, 2 / 3),
        (waves.kalpha2_angstrom, 1 / 3),
        (WAVELENGTHS_ANGSTROM[f"{anode}Kb1"], share),
    )
    for length, part in parts:
        at = bragg(D_ANGSTROM, length)
        seen = np.isfinite(at)
        shape = np.exp(-0.5 * ((ANGLE[:, None] - at[seen]) / 0.05) ** 2)
        counts += _MOST_COUNTS / 100 * part * (HEIGHTS[seen] * shape).sum(axis=1)
    noisy = np.random.default_rng(seed).poisson(counts).astype(float)
    return Scan(ANGLE, noisy, None, ranges=(ScanRange(0, len(ANGLE), 0.01),), wavelengths=waves)


def pattern(places: np.ndarray, heights: np.ndarray, share: float) -> np.ndarray:
    """Doublets on the grid in 1/d, each with a companion."""
    assert TUBE.kalpha2_angstrom is not None
    second = TUBE.kalpha2_angstrom / TUBE.kalpha1_angstrom
    parts = ((1.0, 2 / 3), (second, 1 / 3), (RATIO, share))
    made = [part * heights * np.exp(-0.5 * ((X[:, None] - at * places) / 0.001) ** 2) for at, part in parts]
    return np.asarray(sum(made).sum(axis=1))


def test_copper_kbeta_stands_where_braggs_law_puts_it() -> None:
    """Kβ of (110) of SrTiO3 at 29.19° with Kα1 at 32.41°: the places that every diffractionist knows."""
    at = bragg(D_ANGSTROM[1:2], 1.54056 * RATIO)[0]
    assert at == pytest.approx(29.20, abs=0.02)
    seen = observe(measured("Cu", 0.1))
    place = int(np.argmin(np.abs(seen.two_theta_deg - at)))
    near = slice(place - 8, place + 9)
    tallest = seen.two_theta_deg[near][seen.intensity[near].argmax()]
    assert tallest == pytest.approx(at, abs=0.05)
    ratio, strength = seen.further_lines[0]
    alpha1 = 2 * np.sin(np.radians(bragg(D_ANGSTROM[1:2], 1.54056)[0] / 2)) / 1.54056
    assert ratio * alpha1 == pytest.approx(2 * np.sin(np.radians(at / 2)) / 1.54056, rel=1e-4)
    assert strength == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize("anode", ["Cu", "Co", "Fe", "Mo"])
@pytest.mark.parametrize("share", [0.05, 0.15])
def test_the_share_of_a_tube_without_a_filter_is_found(anode: str, share: float) -> None:
    seen = observe(measured(anode, share))
    assert seen.kbeta == pytest.approx(share, rel=0.15)
    assert len(seen.lines) == 3


@pytest.mark.parametrize("share", [0.0, 0.005])
def test_behind_a_filter_or_a_monochromator_there_is_none(share: float) -> None:
    seen = observe(measured("Cu", share))
    assert seen.kbeta == 0
    assert len(seen.lines) == 2


@pytest.mark.parametrize("waves", [tube("CuKa1"), Wavelengths(1.0), Wavelengths(1.39222)])
def test_a_single_line_has_no_kbeta_beside_it(waves: Wavelengths) -> None:
    assert kbeta_ratio(waves) is None


@pytest.mark.parametrize("anode", ANODES)
def test_kbeta_of_each_tube_is_a_tenth_shorter_than_kalpha(anode: str) -> None:
    ratio = kbeta_ratio(tube(f"{anode}Ka"))
    assert ratio is not None
    assert 0.88 < ratio < 0.92  # Moseley: (3/4) / (8/9) = 0.84, and screening brings it nearer


@given(st.floats(0.03, 0.3), st.floats(1e-3, 1e6))
def test_the_unit_of_counts_does_not_matter(share: float, unit: float) -> None:
    places, everywhere = 1 / D_ANGSTROM, np.ones(len(X), dtype=bool)
    found = kbeta_share(X, unit * pattern(places, HEIGHTS, share), everywhere, TUBE)
    assert found == pytest.approx(share, rel=0.15)


@settings(max_examples=60)
@given(st.lists(st.floats(0.2, 0.95), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_lines_without_companions_have_no_kbeta(places: list[float], random: object) -> None:
    at = np.array(places)
    apart = np.abs(at[:, None] - RATIO * at[None, :])
    assume(apart.min() > 0.008)  # no line happens to stand where another's Kβ would
    heights = np.random.default_rng(random.randrange(2**32)).uniform(10, 100, len(at))  # type: ignore[attr-defined]
    assert kbeta_share(X, pattern(at, heights, 0.0), np.ones(len(X), dtype=bool), TUBE) == 0


@given(st.floats(0.0, 0.8 * LEAST_SHARE))
def test_what_a_filter_leaves_is_not_counted(share: float) -> None:
    assert kbeta_share(X, pattern(1 / D_ANGSTROM, HEIGHTS, share), np.ones(len(X), dtype=bool), TUBE) == 0


def test_companions_that_were_not_measured_tell_nothing() -> None:
    """Of two strong lines with a place for a companion, or fewer, nothing is concluded."""
    measured_at = X > 0.55
    whole = pattern(1 / D_ANGSTROM, HEIGHTS, 0.1)
    assert kbeta_share(X, np.where(measured_at, whole, 0.0), measured_at, TUBE) == 0
    assert kbeta_share(X, pattern(1 / D_ANGSTROM[:2], HEIGHTS[:2], 0.1), np.ones(len(X), dtype=bool), TUBE) == 0


def test_a_line_without_a_companion_is_enough_to_tell_that_the_others_stand_there_by_chance() -> None:
    whole = pattern(1 / D_ANGSTROM[:5], HEIGHTS[:5], 0.1)
    alone = pattern(np.array([0.83]), np.array([70.0]), 0.0)
    everywhere = np.ones(len(X), dtype=bool)
    assert kbeta_share(X, whole, everywhere, TUBE) > 0
    assert kbeta_share(X, whole + alone, everywhere, TUBE) == 0
