from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance as scipy_distance
from torch import Tensor

from deepxrd.metrics import (
    all_distances,
    cosine_distance,
    jensen_shannon_distance,
    jensen_shannon_divergence,
    mean_squared_error,
    mean_squared_log_error,
    pearson_distance,
    wasserstein_distance,
    weighted_profile_r,
)

_TOL = 1e-6
_HALF_TOL = 1e-4  # the inputs are rounded alike on both sides; sums are in float32

_Distance = Callable[[Tensor, Tensor], Tensor]
_seeds = st.integers(0, 2**32 - 1)
_both = pytest.mark.parametrize("distance", [cosine_distance, pearson_distance])


def _pair(seed: int, n: int = 4, n_points: int = 1024) -> tuple[Tensor, Tensor]:
    """Patterns with sharp peaks, from 0 to 100, float64; not independent of each other."""
    rng = np.random.default_rng(seed)
    true = 100 * rng.random((n, n_points)) ** 20
    true[:, 0] = 100
    predicted = 0.5 * true + 100 * rng.random((n, n_points)) ** 10 - 3
    return torch.from_numpy(predicted), torch.from_numpy(true)


@given(_seeds, st.integers(5, 50))
def test_distances_are_those_of_scipy(seed: int, n_points: int) -> None:
    predicted, true = _pair(seed, n_points=n_points)
    pairs = list(zip(predicted.numpy(), true.numpy(), strict=True))
    for ours, theirs in (
        (cosine_distance, scipy_distance.cosine),
        (pearson_distance, scipy_distance.correlation),
        (mean_squared_error, lambda a, b: ((a - b) ** 2).mean()),
    ):
        expected = [theirs(a, b) for a, b in pairs]
        np.testing.assert_allclose(ours(predicted, true), expected, rtol=_TOL, atol=_TOL)


@given(_seeds)
def test_single_precision_costs_no_more_than_a_millionth(seed: int) -> None:
    predicted, true = _pair(seed)
    for distance in (cosine_distance, pearson_distance):
        single = distance(predicted.float(), true.float())
        assert single.dtype == torch.float32
        np.testing.assert_allclose(single, distance(predicted, true), rtol=0, atol=_TOL)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("distance", [cosine_distance, pearson_distance, mean_squared_error])
def test_sums_are_wide_whatever_the_precision_of_the_input(distance: _Distance, dtype: torch.dtype) -> None:
    predicted, true = (x.to(dtype) for x in _pair(0))
    ours = distance(predicted, true)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), distance(predicted.double(), true.double()), rtol=_HALF_TOL, atol=_TOL)


@_both
@given(seed=_seeds, scale=st.floats(1e-3, 1e3))
def test_distances_are_blind_to_scale(distance: _Distance, seed: int, scale: float) -> None:
    predicted, true = _pair(seed)
    torch.testing.assert_close(distance(scale * predicted, true), distance(predicted, true), rtol=0, atol=1e-9)
    torch.testing.assert_close(distance(predicted, scale * true), distance(predicted, true), rtol=0, atol=1e-9)


@given(_seeds, st.floats(-500, 500))
def test_pearson_is_blind_to_an_offset_and_cosine_is_not(seed: int, offset: float) -> None:
    predicted, true = _pair(seed)
    torch.testing.assert_close(
        pearson_distance(predicted + offset, true), pearson_distance(predicted, true), rtol=0, atol=1e-9
    )
    if abs(offset) > 10:
        assert not torch.allclose(cosine_distance(predicted + offset, true), cosine_distance(predicted, true))


@_both
@given(seed=_seeds)
def test_distances_are_symmetric_from_0_to_2_and_0_for_equal_patterns(distance: _Distance, seed: int) -> None:
    predicted, true = _pair(seed)
    torch.testing.assert_close(distance(predicted, true), distance(true, predicted), rtol=0, atol=1e-12)
    torch.testing.assert_close(distance(true, true), torch.zeros(4).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(distance(-true, true), torch.full((4,), 2.0).double(), rtol=0, atol=1e-12)


def test_leading_dimensions_stay() -> None:
    predicted, true = _pair(3, n=6)
    shaped = pearson_distance(predicted.reshape(2, 3, -1), true.reshape(2, 3, -1))
    torch.testing.assert_close(shaped.flatten(), pearson_distance(predicted, true))


@_both
@pytest.mark.parametrize("which", ["predicted", "true", "both"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_zero_pattern_is_at_distance_1_with_finite_gradients(
    distance: _Distance, which: str, dtype: torch.dtype
) -> None:
    predicted, true = (x.to(dtype) for x in _pair(1))
    predicted[0] *= which == "true"
    true[0] *= which == "predicted"
    predicted.requires_grad_()
    result = distance(predicted, true)
    result.sum().backward()
    assert result[0] == 1
    assert torch.isfinite(predicted.grad).all()
    assert predicted.grad[1:].abs().max() > 0


@pytest.mark.parametrize("value", [1.0, 0.1, 33.3, 100.0 / 3, 99.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("both", [False, True], ids=["predicted", "both"])
@pytest.mark.parametrize("n_points", [851, 1024])
def test_a_constant_pattern_has_no_correlation(
    value: float,
    dtype: torch.dtype,
    both: bool,  # noqa: FBT001 - a parameter
    n_points: int,
) -> None:
    predicted, true = (x.to(dtype) for x in _pair(2, n_points=n_points))
    predicted[0] = value
    true[0] = 0.7 * value if both else true[0]
    predicted.requires_grad_()
    result = pearson_distance(predicted, true)
    result.sum().backward()
    assert result[0].item() == pytest.approx(1, abs=1e-3)
    assert torch.isfinite(predicted.grad).all()


@_both
def test_gradients_are_those_of_finite_differences(distance: _Distance) -> None:
    predicted, true = _pair(5, n=2, n_points=7)
    assert torch.autograd.gradcheck(lambda x: distance(x, true), predicted.requires_grad_())


def _rwp(a: np.ndarray, b: np.ndarray) -> float:
    weight = 1 / np.maximum(b, 10)
    return float(np.sqrt((weight * (b - a) ** 2).sum() / (weight * b**2).sum()))


@given(_seeds, st.integers(5, 50))
def test_the_further_distances_are_those_of_scipy_and_numpy(seed: int, n_points: int) -> None:
    predicted, true = _pair(seed, n_points=n_points)
    predicted = predicted.clamp_min(0)
    grid = torch.linspace(10, 90, n_points, dtype=torch.float64) ** 2 / 90  # uneven
    pairs = list(zip(predicted.numpy(), true.numpy(), strict=True))
    for ours, theirs in (
        (mean_squared_log_error, lambda a, b: ((np.log1p(a) - np.log1p(b)) ** 2).mean()),
        (jensen_shannon_distance, scipy_distance.jensenshannon),
        (jensen_shannon_divergence, lambda a, b: scipy_distance.jensenshannon(a, b) ** 2),
        (weighted_profile_r, _rwp),
        (
            lambda a, b: wasserstein_distance(a, b, grid),
            lambda a, b: stats.wasserstein_distance(grid.numpy(), grid.numpy(), a, b),
        ),
    ):
        expected = [theirs(a, b) for a, b in pairs]
        np.testing.assert_allclose(ours(predicted, true), expected, rtol=_TOL, atol=_TOL)


@given(_seeds)
def test_single_precision_is_enough_for_sums_over_a_pattern(seed: int) -> None:
    predicted, true = _pair(seed)
    degrees = torch.linspace(0, 180, 1024, dtype=torch.float64)
    for distance in (
        mean_squared_log_error,
        jensen_shannon_divergence,
        weighted_profile_r,
        lambda a, b: wasserstein_distance(a, b, degrees),
    ):
        single = distance(predicted.float(), true.float())
        assert single.dtype == torch.float32
        np.testing.assert_allclose(single, distance(predicted, true), rtol=_HALF_TOL, atol=_TOL)


def _spike(at: int, n_points: int = 181, height: float = 100.0) -> Tensor:
    pattern = torch.zeros(1, n_points, dtype=torch.float64)
    pattern[0, at] = height
    return pattern


def test_the_wasserstein_distance_of_a_shift_is_the_shift_in_degrees() -> None:
    grid = torch.linspace(0, 180, 181, dtype=torch.float64)
    for shift in (0, 1, 17, 140):
        moved = _spike(20 + shift, height=3.0)  # heights do not matter, only where intensity is
        assert wasserstein_distance(moved, _spike(20), grid).item() == pytest.approx(shift, abs=1e-9)


def test_patterns_that_share_nothing_are_at_the_largest_divergence() -> None:
    assert jensen_shannon_divergence(_spike(3), _spike(9)).item() == pytest.approx(np.log(2), rel=1e-8)
    assert jensen_shannon_distance(_spike(3), _spike(9)).item() == pytest.approx(np.sqrt(np.log(2)), rel=1e-8)


def test_rwp_weighs_strong_lines_less_and_is_one_for_an_empty_prediction() -> None:
    true = _spike(50) + _spike(90, height=10)
    at_strong, at_weak = true + _spike(50, height=5), true + _spike(90, height=5)
    assert weighted_profile_r(at_weak, true).item() > 2 * weighted_profile_r(at_strong, true).item()
    assert weighted_profile_r(0 * true, true).item() == pytest.approx(1, rel=1e-12)
    empty = torch.zeros_like(true)
    assert weighted_profile_r(empty, empty).item() == 0
    assert weighted_profile_r(true, empty).item() == 1


def test_distributions_of_nothing_are_even_and_negative_values_count_as_nothing() -> None:
    grid = torch.linspace(0, 180, 181, dtype=torch.float64)
    nothing, even = torch.zeros(1, 181, dtype=torch.float64), torch.ones(1, 181, dtype=torch.float64)
    for distance in (jensen_shannon_divergence, lambda a, b: wasserstein_distance(a, b, grid)):
        torch.testing.assert_close(distance(nothing, _spike(7)), distance(even, _spike(7)))
        torch.testing.assert_close(distance(_spike(9) - _spike(60), _spike(7)), distance(_spike(9), _spike(7)))


def test_the_log_error_of_negative_values_mirrors_that_of_positive_ones() -> None:
    predicted, true = _pair(4)
    zero = torch.zeros_like(true)
    torch.testing.assert_close(mean_squared_log_error(-predicted, zero), mean_squared_log_error(predicted, zero))
    assert (mean_squared_log_error(-true, true) > mean_squared_log_error(zero, true)).all()


def test_all_distances_stand_under_their_names() -> None:
    predicted, true = (x.float().numpy() for x in _pair(6))
    degrees = np.linspace(0, 180, 1024)
    scores = all_distances(predicted, true, degrees)
    assert set(scores) == {
        "cosine_distance", "pearson_distance", "mse", "msle", "jsd", "js_distance", "rwp", "wasserstein_deg",
    }  # fmt: skip
    a, b = predicted[2].astype(float), true[2].astype(float)
    positive = np.maximum(a, 0)
    assert scores["msle"][2] == pytest.approx(((np.sign(a) * np.log1p(abs(a)) - np.log1p(b)) ** 2).mean())
    assert scores["jsd"][2] == pytest.approx(scipy_distance.jensenshannon(positive, b) ** 2)
    assert scores["js_distance"][2] == pytest.approx(scipy_distance.jensenshannon(positive, b))
    assert scores["rwp"][2] == pytest.approx(_rwp(a, b))
    expected = stats.wasserstein_distance(degrees, degrees, positive, b)
    assert scores["wasserstein_deg"][2] == pytest.approx(expected)
