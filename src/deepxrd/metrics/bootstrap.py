"""How sure a mean score is, and a difference of two: bootstrap over groups of samples (Efron and Tibshirani 1993).

A test set is a draw from all materials one could have asked for. Drawing again from it, with replacement and as many,
shows how far its mean would have moved with another draw. Compounds of one chemical system are alike, and so are the
errors of a model on them: it is systems that are drawn, each with all of its samples (Davison and Hinkley 1997, section
3.8), else intervals would be too narrow. None of it tells of the seed of a training, which only other trainings do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ConfigError

SIGNIFICANT_AT = 0.05
"""Below this, a p value that is corrected for the number of comparisons is called significant."""
_NUMBERS_AT_ONCE = 4_000_000  # of one array of resamples: 32 MB
_ROUNDING = 1e-12  # of the sum of magnitudes: sums in another order differ by less


@dataclass(frozen=True)
class Interval:
    """A mean over samples with its confidence interval, in the unit of the score."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference of two models on the same samples, its confidence interval, and a two-sided p value.

    Of several differences the p values must be corrected before one is called significant: see :func:`holm`.
    """

    mean: float
    low: float
    high: float
    p_value: float


def mean_interval(
    values: NDArray[np.floating],
    *,
    groups: Sequence[str] | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of one score; see :func:`mean_intervals`, whose result for this score alone is the same.

    Args:
        values: the score of each sample, ``(n_samples,)``.
        groups: the group of each sample; None if each is a group of its own.
        n_resamples: how often the groups are drawn again.
        seed: the same seed draws the same.
        level: share of test sets whose interval shall hold the true mean.

    Raises:
        ConfigError: no samples, values that are not finite, or a level outside 0 to 1.
    """
    scores = {"values": values}
    return mean_intervals(scores, groups=groups, n_resamples=n_resamples, seed=seed, level=level)["values"]


def mean_intervals(
    scores: dict[str, NDArray[np.floating]],
    *,
    groups: Sequence[str] | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Mean of each score with its percentile interval (Efron and Tibshirani 1993, chapter 13).

    All scores see the same resamples. A resample is the number of times c_g that each group g was drawn; its mean is
    Σ c_g s_g / Σ c_g n_g, with the sum s_g of the group's values and the number n_g of its samples. So the means of all
    scores are one product of matrices, divided by another.

    Args:
        scores: the value of each sample, ``(n_samples,)``, by name of the score.
        groups: the group of each sample, such as its chemical system; None if each is a group of its own.
        n_resamples: how often the groups are drawn again.
        seed: the same seed draws the same.
        level: share of test sets whose interval shall hold the true mean.

    Raises:
        ConfigError: no samples, unequal numbers of them or of groups, values that are not finite, or a level outside
            0 to 1.
    """
    _check_settings(n_resamples, level)
    values = _matrix(scores)
    if not scores:
        return {}
    means = values.mean(axis=0)
    # deviations are small, and so summed without loss
    sums, sizes = _group_sums(values - means, groups)
    draws = _draws(len(sums), n_resamples, np.random.default_rng(seed))
    resampled = np.concatenate([counts @ sums / (counts @ sizes)[:, None] for counts in draws])
    low, high = means + _percentiles(resampled, level)
    return {name: Interval(float(means[i]), float(low[i]), float(high[i])) for i, name in enumerate(scores)}


def paired_difference(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    *,
    groups: Sequence[str] | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> PairedDifference:
    """Mean of b minus a over samples that both have scored: positive where b is higher.

    The interval is that of :func:`mean_intervals` for the differences: drawing samples keeps a and b of one sample
    together, and what makes a sample hard for both cancels. The p value is that of a permutation test (Efron and
    Tibshirani 1993, chapter 15), for pairs by flipping the signs of differences at random (Fisher 1935), all of a group
    at once: how often a mean at least as far from zero would come about if it did not matter which model is which. The
    draw as it was counts among the flips, so p is never below 1 / (n_resamples + 1).

    Args:
        a: a score of each sample by one model, ``(n_samples,)``.
        b: by the other, the samples in the same order.
        groups: the group of each sample, such as its chemical system; None if each is a group of its own.
        n_resamples: how often groups are drawn again, and their signs flipped.
        seed: the same seed draws the same.
        level: share of test sets whose interval shall hold the true difference.

    Raises:
        ConfigError: no samples, unequal numbers of them or of groups, values that are not finite, or a level outside
            0 to 1.
    """
    pair = _matrix({"a": a, "b": b})
    difference = pair[:, 1] - pair[:, 0]
    interval = mean_interval(difference, groups=groups, n_resamples=n_resamples, seed=seed, level=level)
    observed = abs(difference.sum()) - _ROUNDING * np.abs(difference).sum()
    sums = _group_sums(difference[:, None], groups)[0][:, 0]
    rng = np.random.default_rng([seed, 1])  # another stream than that of the interval
    n_as_far = sum(int((np.abs(signs @ sums) >= observed).sum()) for signs in _signs(len(sums), n_resamples, rng))
    return PairedDifference(interval.mean, interval.low, interval.high, (n_as_far + 1) / (n_resamples + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number (Holm 1979): each may be held against 5 %, in the same order.

    Of m values the k-th smallest is multiplied by m − k + 1, made no less than those before it, and at most 1. So the
    chance that even one of m differences that are none is called significant at 5 % is at most 5 %, whatever the
    dependence between them.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return [float(each) for each in adjusted]


def _group_sums(
    values: NDArray[np.float64], groups: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums ``(n_groups, n_scores)`` of ``(n_samples, n_scores)``, and samples of each group, ``(n_groups,)``."""
    if groups is None:
        return values, np.ones(len(values))
    if len(groups) != len(values):
        msg = f"{len(values)} samples need as many groups, not {len(groups)}"
        raise ConfigError(msg)
    names, member = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, member, values)
    return sums, np.bincount(member, minlength=len(names)).astype(np.float64)


def _draws(n: int, n_resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """How often each of n samples is drawn, ``(some, n)`` float64, until there are ``n_resamples`` rows in all."""
    for rows in _chunks(n, n_resamples):
        drawn = rng.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _signs(n: int, n_resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Random signs ±1, ``(some, n)`` float64, until there are ``n_resamples`` rows in all."""
    for rows in _chunks(n, n_resamples):
        yield 2 * rng.integers(0, 2, size=(rows, n), dtype=np.int8).astype(np.float64) - 1


def _chunks(n: int, n_resamples: int) -> Iterator[int]:
    most = max(1, _NUMBERS_AT_ONCE // n)
    yield from (min(most, n_resamples - start) for start in range(0, n_resamples, most))


def _percentiles(resampled: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Lower and upper end of what holds the level of ``(n_resamples, n_scores)``: ``(2, n_scores)``."""
    return np.asarray(np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0))


def _check_settings(n_resamples: int, level: float) -> None:
    if n_resamples < 1 or not 0 < level < 1:
        msg = f"an interval needs at least 1 resample and a level within 0 to 1, not {n_resamples} and {level}"
        raise ConfigError(msg)


def _matrix(scores: dict[str, NDArray[np.floating]]) -> NDArray[np.float64]:
    """All scores side by side, ``(n_samples, n_scores)`` float64, or a `ConfigError` that says what is wrong."""
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    for name, values in columns.items():
        if values.ndim != 1 or not values.size:
            msg = f"the score {name!r} needs one value per sample, not an array of shape {values.shape}"
            raise ConfigError(msg)
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            msg = f"the score {name!r} is {values[wrong[0]]} for sample {wrong[0]}: a mean needs finite values"
            raise ConfigError(msg)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"scores of the same samples must be equally many, not {lengths}"
        raise ConfigError(msg)
    return np.stack(list(columns.values()), axis=1) if columns else np.zeros((0, 0))
