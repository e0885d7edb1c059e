"""How sure a mean score is, and a difference of two: bootstrap over samples (Efron and Tibshirani 1993).

A test set is a draw from all materials one could have asked for. Drawing again from it, with replacement and as many,
shows how far its mean would have moved with another draw. It says nothing of the seed of a training, which only other
trainings do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ConfigError

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
    """Mean difference of two models on the same samples, its confidence interval, and a two-sided p value."""

    mean: float
    low: float
    high: float
    p_value: float

    @property
    def is_real(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0


def mean_interval(
    values: NDArray[np.floating], *, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of one score; see :func:`mean_intervals`, whose result for this score alone is the same.

    Args:
        values: the score of each sample, ``(n_samples,)``.
        n_resamples: how often the samples are drawn again.
        seed: the same seed draws the same.
        level: share of test sets whose interval shall hold the true mean.

    Raises:
        ConfigError: no samples, values that are not finite, or a level outside 0 to 1.
    """
    return mean_intervals({"values": values}, n_resamples=n_resamples, seed=seed, level=level)["values"]


def mean_intervals(
    scores: dict[str, NDArray[np.floating]], *, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Mean of each score with its percentile interval (Efron and Tibshirani 1993, chapter 13).

    All scores see the same resamples. A resample is the number of times that each sample was drawn, so that its means
    of all scores are one product of matrices.

    Args:
        scores: the value of each sample, ``(n_samples,)``, by name of the score.
        n_resamples: how often the samples are drawn again.
        seed: the same seed draws the same.
        level: share of test sets whose interval shall hold the true mean.

    Raises:
        ConfigError: no samples, unequal numbers of them, values that are not finite, or a level outside 0 to 1.
    """
    _check_settings(n_resamples, level)
    values = _matrix(scores)
    if not scores:
        return {}
    means = values.mean(axis=0)
    deviations = values - means  # small, and so summed without loss
    draws = _draws(len(values), n_resamples, np.random.default_rng(seed))
    resampled = np.concatenate([counts @ deviations / len(values) for counts in draws])
    low, high = means + _percentiles(resampled, level)
    return {name: Interval(float(means[i]), float(low[i]), float(high[i])) for i, name in enumerate(scores)}


def paired_difference(
    a: NDArray[np.floating], b: NDArray[np.floating], *, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> PairedDifference:
    """Mean of b minus a over samples that both have scored: positive where b is higher.

    The interval is that of :func:`mean_intervals` for the differences: drawing samples keeps a and b of one sample
    together, and what makes a sample hard for both cancels. The p value is that of a permutation test (Efron and
    Tibshirani 1993, chapter 15), for pairs by flipping the signs of differences at random (Fisher 1935): how often a
    mean at least as far from zero would come about if it did not matter which model is which. The draw as it was counts
    among the flips, so p is never below 1 / (n_resamples + 1).

    Args:
        a: a score of each sample by one model, ``(n_samples,)``.
        b: by the other, the samples in the same order.
        n_resamples: how often samples are drawn again, and signs flipped.
        seed: the same seed draws the same.
        level: share of test sets whose interval shall hold the true difference.

    Raises:
        ConfigError: no samples, unequal numbers of them, values that are not finite, or a level outside 0 to 1.
    """
    pair = _matrix({"a": a, "b": b})
    difference = pair[:, 1] - pair[:, 0]
    interval = mean_interval(difference, n_resamples=n_resamples, seed=seed, level=level)
    observed = abs(difference.sum()) - _ROUNDING * np.abs(difference).sum()
    rng = np.random.default_rng([seed, 1])  # another stream than that of the interval
    n_as_far = sum(
        int((np.abs(signs @ difference) >= observed).sum()) for signs in _signs(len(difference), n_resamples, rng)
    )
    return PairedDifference(interval.mean, interval.low, interval.high, (n_as_far + 1) / (n_resamples + 1))


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
