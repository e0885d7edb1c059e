from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepxrd.xrd import XrdSettings, normalise, smooth_reflections

_TOL = 1e-4  # of 100: float32 and Gaussians cut off at six sigma

_reflections = st.lists(st.tuples(st.floats(-1.0, 181.0), st.floats(0.01, 100.0)), min_size=1, max_size=30)
_settings = st.builds(
    XrdSettings,
    two_theta_min_deg=st.floats(0, 60),
    two_theta_max_deg=st.floats(61, 180),
    n_points=st.integers(2, 1500),
    sigma_deg=st.sampled_from([0.02, 0.1, 0.5, 2.0, 20.0]),
)


def _dense(two_theta: NDArray[np.float64], intensity: NDArray[np.float64], settings: XrdSettings) -> NDArray:
    """Every Gaussian on every point, in float64, not scaled."""
    distance = settings.two_theta_deg[None] - two_theta[:, None]
    return (intensity[:, None] * np.exp(-(distance**2) / (2 * settings.sigma_deg**2))).sum(axis=0)


def _split(pairs: list[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    two_theta, intensity = np.array(pairs).T
    return two_theta, intensity


@given(_reflections, _settings)
def test_a_pattern_is_the_exact_sum_of_gaussians(pairs: list[tuple[float, float]], settings: XrdSettings) -> None:
    dense = _dense(*_split(pairs), settings)
    if dense.max() < 1e-6:  # all of it lies beyond the cut-off
        return
    pattern = smooth_reflections(*_split(pairs), settings)
    assert pattern.dtype == np.float32
    assert pattern.shape == (settings.n_points,)
    np.testing.assert_allclose(pattern, 100 * dense / dense.max(), rtol=0, atol=_TOL)


@given(_reflections, st.floats(1e-3, 1e6), st.integers(0, 100))
def test_neither_unit_nor_order_of_the_reflections_matters(
    pairs: list[tuple[float, float]], unit: float, seed: int
) -> None:
    two_theta, intensity = _split(pairs)
    order = np.random.default_rng(seed).permutation(len(pairs))
    pattern = smooth_reflections(two_theta, intensity, XrdSettings())
    again = smooth_reflections(two_theta[order], unit * intensity[order], XrdSettings())
    np.testing.assert_allclose(again, pattern, rtol=0, atol=_TOL)


@given(_reflections)
def test_a_reflection_given_twice_counts_double(pairs: list[tuple[float, float]]) -> None:
    two_theta, intensity = _split([*pairs, (60.0, 1.0)])
    doubled = np.where(np.arange(len(intensity)) == 0, 2.0, 1.0) * intensity
    again = smooth_reflections(np.append(two_theta, two_theta[0]), np.append(intensity, intensity[0]), XrdSettings())
    np.testing.assert_allclose(again, smooth_reflections(two_theta, doubled, XrdSettings()), rtol=0, atol=_TOL)


@given(_reflections)
def test_the_largest_value_is_100_and_none_is_negative(pairs: list[tuple[float, float]]) -> None:
    pattern = smooth_reflections(*_split([*pairs, (60.0, 1.0)]), XrdSettings())
    assert pattern.max() == pytest.approx(100, abs=1e-5)
    assert pattern.min() >= 0


@pytest.mark.parametrize("place", [0.0, 180.0, -0.4, 180.4])
def test_a_reflection_at_or_just_beyond_an_edge_leaves_its_flank(place: float) -> None:
    settings = XrdSettings()
    pair = np.array([place]), np.array([1.0])
    dense = _dense(*pair, settings)
    pattern = smooth_reflections(*pair, settings)
    np.testing.assert_allclose(pattern, 100 * dense / dense.max(), rtol=0, atol=_TOL)
    assert np.argmax(pattern) == (0 if place < 90 else 1023)


@pytest.mark.parametrize("places", [[], [-50.0], [400.0, -9.0]])
def test_without_a_reflection_in_reach_a_pattern_is_zero(places: list[float]) -> None:
    pattern = smooth_reflections(np.array(places), np.ones(len(places)), XrdSettings())
    np.testing.assert_array_equal(pattern, np.zeros(1024))


def test_a_reflection_between_two_points_is_not_moved_to_one_of_them() -> None:
    settings = XrdSettings()
    step = settings.step
    pattern = smooth_reflections(np.array([100.25 * step]), np.ones(1), settings)
    expected = np.exp(-0.5 * ((0.75**2 - 0.25**2) * (step / settings.sigma_deg) ** 2))
    assert pattern[101] / pattern[100] == pytest.approx(expected, rel=1e-5)


def test_the_width_is_the_standard_deviation() -> None:
    settings = XrdSettings(sigma_deg=1.5)
    pattern = smooth_reflections(np.array([90.0]), np.ones(1), settings).astype(np.float64)
    grid = settings.two_theta_deg
    mean = (grid * pattern).sum() / pattern.sum()
    assert mean == pytest.approx(90, abs=1e-4)
    assert np.sqrt(((grid - mean) ** 2 * pattern).sum() / pattern.sum()) == pytest.approx(1.5, rel=1e-4)


def test_normalising_scales_each_pattern_by_itself_and_leaves_zeros() -> None:
    patterns = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [50.0, 200.0, 100.0], [-3.0, -1.0, -2.0]])
    expected = np.array([[0, 50, 100], [0, 0, 0], [25, 100, 50], [0, 0, 0]], dtype=np.float32)
    scaled = normalise(patterns)
    np.testing.assert_allclose(scaled, expected, rtol=1e-6)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(normalise(scaled), scaled, rtol=1e-6)
