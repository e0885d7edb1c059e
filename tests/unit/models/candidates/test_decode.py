"""From densities of peaks to peaks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepxrd.models.candidates.decode import decode, draw
from deepxrd.xrd import Peaks, XrdSettings, find_peaks

XRD = XrdSettings()


def _random_peaks() -> Peaks:
    rng = np.random.default_rng(0)
    angle = XRD.two_theta_deg[np.sort(rng.choice(np.arange(50, 1000, 30), (40, 12)), axis=1)]
    return Peaks.from_flat(np.repeat(np.arange(40), 12), angle.ravel(), 20 + 80 * rng.random(480), 40)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), total=st.floats(0.0, 80.0), sharp=st.floats(1.0, 20.0), sigma=st.floats(0.05, 2.0))
def test_decoded_peaks_stand_apart_and_are_found_again_as_high_as_given(
    seed: int, total: float, sharp: float, sigma: float
) -> None:
    xrd, rng = XrdSettings(sigma_deg=sigma), np.random.default_rng(seed)
    density = rng.random((3, 1024)) ** sharp
    density *= total / density.sum(axis=1, keepdims=True)
    heights = (100 * rng.random((3, 1024))).astype(np.float32)
    peaks, probability, f1 = decode(density, heights, xrd)
    found = find_peaks(draw(peaks, xrd), xrd.two_theta_deg)
    np.testing.assert_array_equal(found.two_theta_deg, peaks.two_theta_deg)
    assert (peaks.count >= 1).all()
    for row in range(3):
        points = np.searchsorted(xrd.two_theta_deg, peaks.of(row)[0] - 1e-9)
        np.testing.assert_array_equal(peaks.of(row)[1], heights[row, points])
        assert (np.diff(peaks.of(row)[0]) >= 2.0).all()
    for values in (probability, f1):
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-9


def test_a_perfect_density_gives_the_true_peaks_and_promises_a_perfect_score() -> None:
    patterns = draw(_random_peaks(), XRD)
    true = find_peaks(patterns, XRD.two_theta_deg)
    density = np.zeros(patterns.shape)
    rows, points = np.nonzero(true.valid)[0], np.rint(true.two_theta_deg[true.valid] / XRD.step).astype(int)
    density[rows, points] = 1.0
    peaks, probability, f1 = decode(density, patterns, XRD)
    np.testing.assert_array_equal(peaks.count, true.count)
    np.testing.assert_allclose(f1, 1.0)
    assert (probability[peaks.valid] == 1.0).all()


@pytest.mark.parametrize("width", [3, 12, 24, 40, 100])
def test_one_peak_of_uncertain_place_is_won_no_more_than_once(width: int) -> None:
    density = np.zeros((1, 1024))
    density[0, 200 : 200 + width] = 1 / width
    peaks, probability, f1 = decode(density, np.full((1, 1024), 50, dtype=np.float32), XRD)
    n = int(peaks.count[0])
    assert f1[0] * (n + 1) / 2 <= 1 + 1e-9  # what all guesses win together
    assert probability.sum() <= 1 + 1e-9
    if width == 3:
        assert (n, f1[0]) == (1, pytest.approx(1.0))


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), total=st.floats(0.5, 60.0))
def test_the_choice_is_that_of_whole_sums_taken_anew_for_each_peak(seed: int, total: float) -> None:
    rng = np.random.default_rng(seed)
    density = rng.random(1024) ** 8
    density *= total / density.sum()
    peaks, _, f1 = decode(density[None], np.full((1, 1024), 100.0, dtype=np.float32), XRD)
    points, promised = _greedy(density)
    np.testing.assert_array_equal(np.sort(peaks.two_theta_deg[0, : peaks.count[0]]), XRD.two_theta_deg[np.sort(points)])
    assert f1[0] == pytest.approx(promised, rel=1e-9)


def _greedy(density: NDArray[np.float64]) -> tuple[list[int], float]:
    """The same as `decode` says it, without any short cut: up to 60 peaks, then the best number of them."""
    reaches = [round(0.8 * tolerance / XRD.step) for tolerance in (2.0, 1.0, 0.5)]
    left, points, gains = [density.copy() for _ in reaches], list[int](), list[float]()
    for _ in range(60):
        hits = [
            np.minimum(1.0, np.convolve(each, np.ones(2 * r + 1), mode="same"))
            for each, r in zip(left, reaches, strict=True)
        ]
        use = np.mean(hits, axis=0)
        use[(np.abs(np.arange(1024)[:, None] - points) * XRD.step < 2.05).any(axis=1)] = -1.0
        best = int(use.argmax())
        points.append(best)
        gains.append(float(use[best]))
        for each, hit, r in zip(left, hits, reaches, strict=True):
            around = slice(max(0, best - r), best + r + 1)
            each[around] *= 1 - min(1.0, hit[best] / (each[around].sum() or 1.0))
    f1 = 2 * np.cumsum(gains) / (np.arange(1, 61) + density.sum())
    n = int(f1.argmax()) + 1
    return points[:n], float(f1[n - 1])
