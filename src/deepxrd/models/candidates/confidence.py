"""How sure: probabilities of candidates and of peaks, and expected scores, set right on the validation part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SIZES = 6
"""Numbers of elements that are told apart: 1 to 5, and 6 or more."""
AGREES_F1 = 0.75
"""Mean F1 over the tolerances from which a candidate whose elements share sites counts as right.

No structure that shares sites is among those learned from, so its prototype cannot be compared."""
_LEAST = 1e-6  # of a share or a probability before its logarithm is taken
_RIDGE = 1e-3  # pulls offsets of rare numbers of elements towards the common ones
_LARGEST = 50.0
_FIRST = 3 + SIZES
_SHAPES = {
    "structure": _FIRST, "space_group": _FIRST, "crystal_system": _FIRST, "second": 4, "score": 1 + SIZES, "peaks": 2,
    "cell": 3,
}  # fmt: skip
_COVERED = 0.9


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of n compositions with k candidates each before their probabilities are.

    Attributes:
        mask: where there are candidates, ``(n, k)``.
        shared: where the elements of a candidate share sites, or its stoichiometry is a near one, ``(n, k)``; of a
            formula that is written as a solid solution, where they do not.
        odds: logarithm of the odds that the ranking gives, ``(n, k)``.
        share: what the networks give, ``(n, k)``.
        distance: of the nearest template, ``(n,)``.
        size: number of elements, ``(n,)``.
    """

    mask: Bools
    shared: Bools
    odds: Floats
    share: Floats
    distance: Floats
    size: NDArray[np.int64]

    @property
    def size_class(self) -> NDArray[np.int64]:
        """Place of each composition among the `SIZES` numbers of elements, ``(n,)``."""
        return np.clip(self.size, 1, SIZES) - 1


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came true of n compositions with k candidates each.

    Attributes:
        known: whether a structure is known, ``(n,)``.
        structure: candidates that are the most stable known structure, ``(n, k)``.
        space_group: candidates that have its space group, ``(n, k)``.
        crystal_system: candidates that have its crystal system, ``(n, k)``.
        fits: candidates whose pattern agrees with the true one, ``(n, k)``; looked at where elements share sites.
        raw_f1, true_f1: expected and true F1 of the decoded peaks, mean over the tolerances, ``(n,)`` each.
        raw_peak, there: probability of each of m decoded peaks, and whether there is a true one near, ``(m,)`` each.
        cell_off: by how many standard deviations cell parameters and volumes of right candidates are off,
            ``(n_right, 7)``; not a number where a parameter is fixed.
    """

    known: Bools
    structure: Bools
    space_group: Bools
    crystal_system: Bools
    fits: Bools
    raw_f1: Floats
    true_f1: Floats
    raw_peak: Floats
    there: Bools
    cell_off: Floats


@dataclass(frozen=True, eq=False)
class Confidence:
    """Multinomial logits over the candidates and "none of these", and logistic corrections; a few numbers in all.

    Attributes:
        structure: for candidates of the composition's own stoichiometry, that one is the true structure: weights of the
            ranking's odds and of the logarithm of the networks' share; for none of them, the weight of
            ln(1 + distance), and an offset for each number of elements.
        space_group: likewise, that one has the true space group, which several may have.
        crystal_system: likewise.
        second: for candidates whose elements share sites: weights of the logarithm of the share and of the odds; for
            none of them, an offset and the weight of the distance. They share what the first leave.
        score: of the expected F1's odds: a factor, and an offset for each number of elements.
        peaks: of a peak's odds: a factor and an offset.
        cell: what standard deviations of edges, of angles, and of volumes are multiplied by, so that the true values
            are within 1.645 of them, as those of a normal distribution are, in 90 %.
    """

    structure: Floats
    space_group: Floats
    crystal_system: Floats
    second: Floats
    score: Floats
    peaks: Floats
    cell: Floats

    @classmethod
    def plain(cls) -> Self:
        """Nothing set right yet: the ranking's odds, and scores, peaks and deviations as they are."""
        first = np.zeros(_FIRST)
        first[0] = 1.0
        score = np.zeros(_SHAPES["score"])
        score[0] = 1.0
        return cls(first, first, first, np.array([1.0, 0.0, 0.0, 0.0]), score, np.array([1.0, 0.0]), np.ones(3))

    @classmethod
    def fit(cls, evidence: Evidence, outcome: Outcome) -> Self:
        """Learn by maximum likelihood from compositions that nothing else was learned from."""
        plain, own = cls.plain(), evidence.mask & ~evidence.shared

        def of(hit: Bools) -> Floats:
            return _fitted(lambda w: -_picked(_first(w, evidence), hit & own)[outcome.known].mean(), plain.structure)

        left = (evidence.shared & evidence.mask).any(axis=1) & ~(outcome.structure & own).any(axis=1)
        second = plain.second
        if left.any():
            fits = outcome.fits & ~own
            second = _fitted(lambda w: -_picked(_second(w, evidence), fits)[left].mean(), second)
        score = _fitted(
            lambda w: _entropy(_score(w, outcome.raw_f1, evidence.size_class), outcome.true_f1), plain.score
        )
        peaks = plain.peaks
        if len(outcome.raw_peak):
            peaks = _fitted(lambda w: _entropy(_peak(w, outcome.raw_peak), outcome.there), peaks)
        return cls(
            of(outcome.structure), of(outcome.space_group), of(outcome.crystal_system), second, score, peaks,
            _spread_factors(outcome.cell_off),
        )  # fmt: skip

    def candidates(self, evidence: Evidence, what: str = "structure") -> Floats:
        """A probability for each candidate, ``(n, k)``; what is missing to 1 is that of none of them.

        Args:
            evidence: of n compositions.
            what: that it is the true ``structure``; or its part in the probability of its ``space_group`` or
                ``crystal_system``, to be summed over the candidates that have the same.
        """
        own = np.exp(_first(getattr(self, what), evidence))
        shared = np.exp(_second(self.second, evidence)) * own[:, -1:]
        out: Floats = np.where(evidence.shared, shared[:, :-1], own[:, :-1])
        return np.where(evidence.mask, out, 0.0)

    def expected_f1(self, raw: Floats, size_class: NDArray[np.int64]) -> Floats:
        """The expected F1 set right, ``(n,)``; zero stays zero."""
        return np.where(raw > 0, _logistic(_score(self.score, raw, size_class)), 0.0)

    def peak_probability(self, raw: Floats) -> Floats:
        """Probabilities of peaks set right; zero stays zero."""
        return np.where(raw > 0, _logistic(_peak(self.peaks, raw)), 0.0)

    def to_arrays(self) -> dict[str, Floats]:
        """The numbers by name, as a file keeps them."""
        return {f"confidence.{name}": getattr(self, name) for name in _SHAPES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `to_arrays` gave.

        Raises:
            ValueError: they are no such numbers.
        """
        found = {name: np.asarray(arrays[f"confidence.{name}"], dtype=np.float64) for name in _SHAPES}
        for name, values in found.items():
            if values.shape != (_SHAPES[name],) or not (np.abs(values) <= _LARGEST).all():
                msg = f"confidence.{name} must be {_SHAPES[name]} numbers from {-_LARGEST:g} to {_LARGEST:g}"
                raise ValueError(msg)
        return cls(**found)


def _first(weights: Floats, evidence: Evidence) -> Floats:
    """Logarithms of probabilities of own candidates and of none, ``(n, k + 1)``."""
    none = weights[2] * np.log1p(evidence.distance) + weights[3:][evidence.size_class]
    value = weights[0] * evidence.odds + weights[1] * np.log(np.maximum(evidence.share, _LEAST))
    return _softmax(value, evidence.mask & ~evidence.shared, none)


def _second(weights: Floats, evidence: Evidence) -> Floats:
    """The same of candidates that share sites, given that none of the first is right."""
    none = weights[2] + weights[3] * np.log1p(evidence.distance)
    value = weights[0] * np.log(np.maximum(evidence.share, _LEAST)) + weights[1] * evidence.odds
    return _softmax(value, evidence.mask & evidence.shared, none)


def _softmax(value: Floats, there: Bools, none: Floats) -> Floats:
    joined = np.concatenate([np.where(there, value, -np.inf), none[:, None]], axis=1)
    return np.asarray(joined - np.logaddexp.reduce(joined, axis=1, keepdims=True))


def _picked(log: Floats, right: Bools) -> Floats:
    """Logarithm of the probability of what is right, of none if nothing is, ``(n,)``."""
    wanted = np.concatenate([right, ~right.any(axis=1, keepdims=True)], axis=1)
    return np.asarray(np.logaddexp.reduce(np.where(wanted, log, -np.inf), axis=1))


def _score(weights: Floats, raw: Floats, size_class: NDArray[np.int64]) -> Floats:
    return np.asarray(weights[0] * _logit(raw) + weights[1:][size_class])


def _peak(weights: Floats, raw: Floats) -> Floats:
    return np.asarray(weights[0] * _logit(raw) + weights[1])


def _logit(values: Floats) -> Floats:
    clipped = np.clip(values, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _logistic(values: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)))


def _entropy(logit: Floats, wanted: NDArray[Any]) -> float:
    """Mean cross-entropy of what is wanted, from 0 to 1."""
    return float((np.logaddexp(0.0, logit) - wanted * logit).mean())


def _spread_factors(off: Floats) -> Floats:
    """Of edges, of angles and of volumes, whose deviations then hold `_COVERED` of what is off by ``off`` of them."""
    normal = float(torch.special.ndtri(torch.tensor((1 + _COVERED) / 2, dtype=torch.float64)))
    factors = []
    for part in (off[:, :3], off[:, 3:6], off[:, 6:]):
        values = np.abs(part[np.isfinite(part)])
        factors.append(float(np.clip(np.quantile(values, _COVERED) / normal, 0.1, 20.0)) if len(values) else 1.0)
    return np.array(factors)


def _fitted(loss: Callable[[Floats], float], start: Floats) -> Floats:
    def with_ridge(weights: Floats) -> float:
        return float(loss(weights) + _RIDGE * ((weights - start) ** 2).sum())

    from scipy.optimize import minimize  # to predict needs none of it

    found = minimize(with_ridge, start, method="L-BFGS-B", bounds=[(-_LARGEST, _LARGEST)] * len(start))
    return np.asarray(found.x)
