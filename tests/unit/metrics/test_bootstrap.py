from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from deepxrd.errors import ConfigError
from deepxrd.metrics import (
    Interval,
    PairedDifference,
    bootstrap,
    holm,
    mean_interval,
    mean_intervals,
    paired_difference,
)

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


def _grouped(n_groups: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Values that share most of their error within groups of 1 to 6 samples, in mixed order."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(n_groups), rng.integers(1, 7, n_groups))
    rng.shuffle(member)
    return rng.normal(size=n_groups)[member] + 0.3 * rng.normal(size=len(member)), [f"g{i}" for i in member]


def test_the_interval_over_groups_is_that_of_scipys_bootstrap_of_a_ratio_of_sums() -> None:
    values, groups = _grouped(90)
    table = pd.Series(values).groupby(groups)
    expected = stats.bootstrap(
        (table.sum().to_numpy(), table.size().to_numpy()), lambda s, n, axis: s.sum(axis) / n.sum(axis), paired=True,
        vectorized=True, n_resamples=R, method="percentile", batch=500, rng=1,
    ).confidence_interval  # fmt: skip
    ours = mean_interval(values, groups=groups, n_resamples=R)
    assert ours.mean == pytest.approx(values.mean(), rel=1e-12)
    assert (ours.low, ours.high) == pytest.approx(
        (expected.low, expected.high), abs=SHARE_OF_WIDTH * (expected.high - expected.low)
    )
    alone = mean_interval(values, n_resamples=R)
    assert ours.high - ours.low > 1.5 * (alone.high - alone.low)  # what was shown before


def test_intervals_over_groups_hold_the_true_mean_as_often_as_they_say_and_others_do_not() -> None:
    """Of 300 test sets of 60 groups whose true mean is 0; four standard errors of a share, and 0.02 for 60 groups."""
    drawn = [_grouped(60, seed) for seed in range(300)]
    over_groups, over_samples = (
        [mean_interval(values, groups=names, n_resamples=300, level=0.9) for values, names in drawn_as]
        for drawn_as in (drawn, [(values, None) for values, _ in drawn])
    )
    covered, too_few = (np.mean([i.low <= 0 <= i.high for i in found]) for found in (over_groups, over_samples))
    assert covered == pytest.approx(0.9, abs=4 * np.sqrt(0.9 * 0.1 / 300) + 0.02)
    assert too_few < 0.75


def test_groups_of_one_sample_change_nothing_and_copies_of_samples_add_no_certainty() -> None:
    a, b = _skewed(25, 1), _skewed(25, 2)
    names = [f"s{i:02}" for i in range(25)]
    plain = paired_difference(a, b, n_resamples=300)
    assert paired_difference(a, b, groups=names, n_resamples=300) == plain
    thrice = paired_difference(np.repeat(a, 3), np.repeat(b, 3), groups=list(np.repeat(names, 3)), n_resamples=300)
    for one, other in zip(vars(plain).values(), vars(thrice).values(), strict=True):
        assert other == pytest.approx(one, rel=1e-9)


def test_the_p_value_over_groups_flips_whole_groups() -> None:
    """Exact over all 2^9 flips of nine groups."""
    a, groups = _grouped(9, seed=3)
    b = a + _grouped(9, seed=4)[0][: len(a)].mean() + np.random.default_rng(5).normal(0.1, 0.4, len(a))
    sums = pd.Series(b - a).groupby(groups).sum().to_numpy()
    flips = np.array(list(product((-1, 1), repeat=9)))
    exact = (np.abs(flips @ sums) >= abs(sums.sum()) - 1e-12).mean()
    found = paired_difference(a, b, groups=groups, n_resamples=R).p_value
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / R) + 1 / R)


def test_holm_corrects_as_in_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.9]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.5))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float], level: float) -> None:
    """The procedure as Holm (1979) gives it: from the smallest on, stop at the first p > level / (values left)."""
    rejected: set[int] = set()
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[place] * (len(p_values) - rank) > level:
            break
        rejected.add(place)
    assert {place for place, p in enumerate(holm(p_values)) if p <= level} == rejected


def test_as_many_groups_as_samples_are_needed() -> None:
    with pytest.raises(ConfigError, match="3 samples need as many groups, not 2"):
        mean_interval(np.ones(3), groups=["a", "b"])


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


def test_exchanging_the_models_turns_the_sign() -> None:
    a, b = _skewed(40, 1), _skewed(40, 2)
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert there.mean == -back.mean
    assert there.p_value == back.p_value
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), rel=1e-9)


def test_a_clear_difference_is_found_and_its_p_value_the_least_there_is() -> None:
    a = _skewed(60)
    for sign in (1, -1):
        found = paired_difference(a, a + sign * 0.1, n_resamples=999)
        assert 0 not in (found.low, found.high)
        assert (found.low > 0) == (found.high > 0)
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
