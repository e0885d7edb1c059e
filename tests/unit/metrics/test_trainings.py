"""Differences over several trainings: against simulated ones, and where formulas are known."""

from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from deepxrd.errors import ConfigError
from deepxrd.metrics.trainings import difference_over_trainings


def made(rng: np.random.Generator, shape: tuple[int, int], luck: float, of_sample: float, noise: float) -> Any:
    """Differences whose true mean is zero."""
    n_pairs, n_samples = shape
    pairs, samples = luck * rng.normal(size=(n_pairs, 1)), of_sample * rng.normal(size=(1, n_samples))
    return pairs + samples + noise * rng.normal(size=shape)


@pytest.mark.parametrize(
    ("luck", "of_sample", "noise"), [(1.0, 0.0, 1.0), (0.3, 1.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
)
@pytest.mark.parametrize("n_pairs", [3, 12])
def test_differences_that_are_none_are_called_significant_as_often_as_was_said(
    luck: float, of_sample: float, noise: float, n_pairs: int
) -> None:
    """At most 5 % of 800, within three standard errors; and with luck alone no less than half as often."""
    rng, n = np.random.default_rng(3), 800
    groups = [str(i) for i in range(60)]
    found = [
        difference_over_trainings(made(rng, (n_pairs, 60), luck, of_sample, noise), groups=groups) for _ in range(n)
    ]
    share = np.mean([each.p_value < 0.05 for each in found])
    outside = np.mean([not each.low <= 0 <= each.high for each in found])
    assert share == outside
    assert share < 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
    if luck == 1:
        assert share > 0.025


def test_where_the_samples_agree_it_is_students_test_of_the_pairs() -> None:
    shifts = np.array([0.1, 0.3, -0.05, 0.2])
    found = difference_over_trainings(np.repeat(shifts[:, None], 50, axis=1), groups=[str(i) for i in range(50)])
    reference = stats.ttest_1samp(shifts, 0)
    assert found.mean == pytest.approx(shifts.mean())
    # the cells count 50 times as many clusters, whose correction is 200 / 199 in place of 4 / 3
    assert found.p_value == pytest.approx(reference.pvalue, rel=0.02)
    interval = reference.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=0.02)


def test_samples_of_one_group_count_as_one() -> None:
    rng = np.random.default_rng(5)
    few = made(rng, (4, 20), 0.1, 1.0, 0.2)
    names = [str(i) for i in range(20)]
    once = difference_over_trainings(few, groups=names)
    thrice = difference_over_trainings(np.repeat(few, 3, axis=1), groups=np.repeat(names, 3).tolist())
    assert astuple(thrice) == pytest.approx(astuple(once))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 6), st.integers(2, 30), st.floats(-5, 5), st.floats(0.01, 100), st.integers(0, 999))
def test_sign_unit_and_order_do_not_matter(n_pairs: int, n: int, shift: float, unit: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, groups = shift + rng.normal(size=(n_pairs, n)), [str(i) for i in range(n)]
    found = difference_over_trainings(values, groups=groups)
    back = difference_over_trainings(-unit * values[::-1, ::-1], groups=groups[::-1])
    assert found.low <= found.mean <= found.high
    assert back.p_value == pytest.approx(found.p_value, rel=1e-6)
    assert (back.low, back.high) == pytest.approx((-unit * found.high, -unit * found.low), rel=1e-6, abs=1e-9)


def test_differences_that_never_change_are_certain() -> None:
    groups = ["a", "b", "c"]
    assert difference_over_trainings(np.full((2, 3), 0.5), groups=groups).p_value == 0.0
    assert difference_over_trainings(np.zeros((2, 3)), groups=groups).p_value == 1.0


@pytest.mark.parametrize(("shape", "groups"), [((1, 3), ["a", "b", "c"]), ((3, 2), ["a", "a"])])
def test_one_pair_or_one_group_tells_of_no_spread(shape: tuple[int, int], groups: list[str]) -> None:
    with pytest.raises(ConfigError, match="takes 2 pairs and 2 groups"):
        difference_over_trainings(np.zeros(shape), groups=groups)
