from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from deepxrd.errors import ConfigError
from deepxrd.metrics import Interval, PairedDifference, bootstrap, mean_interval, mean_intervals, paired_difference

# Two bootstraps of R resamples differ by chance. The end of an interval is a quantile, with the standard error
# sqrt(p (1 - p) / R) / density: 2.7 σ / sqrt(R) at 95 %, which for R = 20,000 is 0.5 % of the width of 3.9 σ.
# Between two that is 0.7 %, and about the same at 80 %; here are five to six of them.
SHARE_OF_WIDTH = 0.04
R = 20_000

_values = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e3, 1e3))


def _skewed(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(1.5, 0.2, n)


@pytest.mark.parametrize("n", [12, 80, 700])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_interval_is_that_of_scipys_percentile_bootstrap(n: int, level: float) -> None:
    values = _skewed(n)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=R, method="percentile", confidence_level=level, batch=500, rng=1
    ).confidence_interval
    ours = mean_interval(values, n_resamples=R, level=level)
    tolerance = SHARE_OF_WIDTH * (expected.high - expected.low)
    assert ours.mean == pytest.approx(values.mean(), rel=1e-12)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=tolerance)


def test_the_paired_interval_is_that_of_scipys_paired_bootstrap() -> None:
    a = _skewed(150)
    b = a + np.random.default_rng(2).normal(0.01, 0.05, len(a))
    expected = stats.bootstrap(
        (a, b), lambda x, y, axis: y.mean(axis) - x.mean(axis), paired=True, vectorized=True, n_resamples=R,
        method="percentile", batch=500, rng=1,
    ).confidence_interval  # fmt: skip
    ours = paired_difference(a, b, n_resamples=R)
    assert (ours.low, ours.high) == pytest.approx(
        (expected.low, expected.high), abs=SHARE_OF_WIDTH * (expected.high - expected.low)
    )
    separate = mean_interval(b, n_resamples=R)
    assert ours.high - ours.low < 0.5 * (separate.high - separate.low)  # what the samples have in common has cancelled


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.35, 0.6])
def test_the_p_value_is_that_of_scipys_exact_permutation_test(shift: float) -> None:
    a = np.random.default_rng(3).normal(size=11)
    b = a + np.random.default_rng(4).normal(shift, 0.6, len(a))
    exact = stats.permutation_test(
        (a, b), lambda x, y: (y - x).mean(), permutation_type="samples", n_resamples=np.inf, vectorized=False
    ).pvalue
    standard_error = np.sqrt(exact * (1 - exact) / R)
    assert paired_difference(a, b, n_resamples=R).p_value == pytest.approx(exact, abs=4 * standard_error + 1 / R)


def test_flips_that_lie_exactly_as_far_from_zero_count_whatever_the_rounding() -> None:
    """Scores in tenths, which floats hold inexactly; the exact p value in whole numbers, over all 2^10 flips."""
    tenths = np.array([1, 2, -1, 3, 0, 2, -2, 1, 3, -1])
    flips = np.array(list(product((-1, 1), repeat=10)))
    exact = (np.abs(flips @ tenths) >= abs(tenths.sum())).mean()
    without_ties = (np.abs(flips @ tenths) > abs(tenths.sum())).mean()
    tolerance = 4 * np.sqrt(exact * (1 - exact) / R)
    assert exact - without_ties > 3 * tolerance
    assert paired_difference(0.3 * np.ones(10), 0.3 + tenths / 10, n_resamples=R).p_value == pytest.approx(
        exact, abs=tolerance
    )


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    """Of 400 simulated test sets; four standard errors of a share of 400, and 0.01 for skew at n = 100."""
    rng = np.random.default_rng(5)
    true_mean = 1.5 * 0.2
    found = [mean_interval(rng.gamma(1.5, 0.2, 100), n_resamples=400, seed=i, level=0.9) for i in range(400)]
    covered = np.mean([interval.low <= true_mean <= interval.high for interval in found])
    assert covered == pytest.approx(0.9, abs=4 * np.sqrt(0.9 * 0.1 / 400) + 0.01)


def test_p_values_of_equal_models_are_uniform() -> None:
    rng = np.random.default_rng(6)
    p = [paired_difference(*rng.normal(size=(2, 60)), n_resamples=300, seed=i).p_value for i in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_all_scores_at_once_are_each_score_alone_and_share_their_resamples() -> None:
    scores = {"x": _skewed(50, 1), "y": _skewed(50, 2), "twice x": 2 * _skewed(50, 1) + 3}
    together = mean_intervals(scores, seed=4)
    for name, values in scores.items():
        alone = mean_interval(values, seed=4)
        ends = [(i.mean, i.low, i.high) for i in (alone, together[name])]
        np.testing.assert_allclose(*ends, rtol=1e-12)
    assert together["twice x"].low == pytest.approx(2 * together["x"].low + 3, rel=1e-12)


def test_the_size_of_a_chunk_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = _skewed(37, 1), _skewed(37, 2)
    whole = mean_interval(a, n_resamples=501), paired_difference(a, b, n_resamples=501)
    monkeypatch.setattr(bootstrap, "_NUMBERS_AT_ONCE", 37 * 16)
    small = mean_interval(a, n_resamples=501), paired_difference(a, b, n_resamples=501)
    for one, other in zip(whole, small, strict=True):
        np.testing.assert_allclose(list(vars(one).values()), list(vars(other).values()), rtol=1e-12)


@given(_values, st.integers(0, 5))
def test_the_same_seed_gives_the_same_and_the_interval_lies_within_the_values(values: np.ndarray, seed: int) -> None:
    interval = mean_interval(values, n_resamples=50, seed=seed)
    assert interval == mean_interval(values, n_resamples=50, seed=seed)
    slack = 1e-12 * np.abs(values).max()
    assert values.min() - slack <= interval.low <= interval.high <= values.max() + slack


def test_another_seed_draws_otherwise() -> None:
    assert mean_interval(_skewed(30), seed=0) != mean_interval(_skewed(30), seed=1)


@given(_values, st.floats(0.1, 10), st.floats(-100, 100))
def test_the_interval_follows_the_scale_of_the_score(values: np.ndarray, scale: float, shift: float) -> None:
    plain, other = (mean_interval(v, n_resamples=50) for v in (values, scale * values + shift))
    tolerance = 1e-9 * (1 + np.abs(values).max())
    assert (other.low - shift) / scale == pytest.approx(plain.low, abs=tolerance * (1 + 100 / scale))
    assert (other.high - shift) / scale == pytest.approx(plain.high, abs=tolerance * (1 + 100 / scale))


def test_the_order_of_samples_matters_no_more_than_the_seed() -> None:
    values = _skewed(300)
    plain = mean_interval(values, n_resamples=R)
    shuffled = mean_interval(np.random.default_rng(9).permutation(values), n_resamples=R)
    tolerance = SHARE_OF_WIDTH * (plain.high - plain.low)
    assert (plain.low, plain.high) == pytest.approx((shuffled.low, shuffled.high), abs=tolerance)


@given(_values)
def test_equal_models_do_not_differ(values: np.ndarray) -> None:
    assert paired_difference(values, values.copy(), n_resamples=20) == PairedDifference(0.0, 0.0, 0.0, 1.0)
    assert not paired_difference(values, values.copy(), n_resamples=20).is_real


def test_exchanging_the_models_turns_the_sign() -> None:
    a, b = _skewed(40, 1), _skewed(40, 2)
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert there.mean == -back.mean
    assert there.p_value == back.p_value
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), rel=1e-9)


def test_a_clear_difference_is_real_and_its_p_value_the_least_there_is() -> None:
    a = _skewed(60)
    for sign in (1, -1):
        found = paired_difference(a, a + sign * 0.1, n_resamples=999)
        assert found.is_real
        assert found.mean == pytest.approx(sign * 0.1)
        assert found.p_value == pytest.approx(1 / 1000)


def test_one_sample_has_a_point_for_an_interval() -> None:
    assert mean_interval(np.array([0.25])) == Interval(0.25, 0.25, 0.25)


def test_no_scores_have_no_intervals() -> None:
    assert mean_intervals({}) == {}


@pytest.mark.parametrize(
    ("scores", "named"),
    [
        ({"f1": np.zeros(0)}, "f1.*shape \\(0,\\)"),
        ({"f1": np.zeros((2, 2))}, "f1.*shape \\(2, 2\\)"),
        ({"f1": np.zeros(3), "mse": np.zeros(4)}, "'f1': 3, 'mse': 4"),
        ({"f1": np.array([0.0, np.nan])}, "f1.*nan for sample 1"),
        ({"f1": np.array([np.inf, 0.0])}, "f1.*inf for sample 0"),
    ],
)
def test_unusable_scores_are_named(scores: dict[str, np.ndarray], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        mean_intervals(scores)


def test_unusable_pairs_and_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="'a': 2, 'b': 3"):
        paired_difference(np.zeros(2), np.zeros(3))
    with pytest.raises(ConfigError, match=r"level.* 95\b"):
        mean_interval(np.ones(3), level=95)
    with pytest.raises(ConfigError, match="not 0 and"):
        mean_interval(np.ones(3), n_resamples=0)
