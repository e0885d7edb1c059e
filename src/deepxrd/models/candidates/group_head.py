"""Probabilities of space groups: what candidates say weighed against what the composition alone says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system_places
from deepxrd.models.candidates.candidates import N_CANDIDATES, Candidates
from deepxrd.models.candidates.folded import FoldedTrees, folds
from deepxrd.models.candidates.group_net import N_GROUPS, N_NETS, GroupNet, group_shares
from deepxrd.models.candidates.templates import Templates

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Bools = NDArray[np.bool_]

_LIKELIEST = 14
"""Space groups that the composition alone makes likeliest are looked at too, beside those of the candidates."""
_N_FEATURES = 26
_TREES: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.04,
    "num_leaves": 15,
    "min_data_in_leaf": 80,
    "rounds": 200,
    "most": 30.0,
}
_LEAST, _FAR, _NO_ODDS = 1e-4, 9.0, -20.0
_START = (1.0, 0.0, -2.0, 0.0)
_LARGEST, _RIDGE = 50.0, 1e-4


@dataclass(frozen=True, eq=False)
class GroupEvidence:
    """What the candidates say of space groups, of n compositions with k candidates each; all ``(n, k)``.

    Attributes:
        group: space group of each candidate, 0 where there is none.
        odds: logarithm of the odds that the ranking gives.
        share: what the networks give.
        probability: that it is the true structure.
        group_part, system_part: its part in the probability of its space group and crystal system.
        shared: whether its elements share sites.
        distance: of the nearest template, not finite where there is none.
    """

    group: Index
    odds: Floats
    share: Floats
    probability: Floats
    group_part: Floats
    system_part: Floats
    shared: Bools
    distance: Floats

    @classmethod
    def of(cls, templates: Templates, found: Candidates) -> Self:
        """Of candidates that a model has weighed.

        Raises:
            TypeError: no network was asked about them.
        """
        parts = found.space_group_part, found.crystal_system_part
        if parts[0] is None or parts[1] is None or found.share is None or found.probability is None:
            msg = "these candidates have no probabilities yet: take those of a model's predictions"
            raise TypeError(msg)
        distance = np.append(found.found.distance[:, 0], np.inf)[found.place].astype(np.float64)
        return cls(
            found.groups(templates),
            found.odds,
            found.share,
            found.probability,
            parts[0],
            parts[1],
            found.shared,
            distance,
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Of several lists of compositions as of one."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def summed(self, values: Floats) -> Floats:
        """Sums over the candidates of each space group, ``(n, 230)``."""
        out = np.zeros((len(self.group), N_GROUPS))
        row, column = np.nonzero(self.group)
        np.add.at(out, (row, self.group[row, column] - 1), values[row, column])
        return out

    def largest(self, values: Floats, least: float) -> Floats:
        """The largest value among the candidates of each space group, ``least`` where it has none, ``(n, 230)``."""
        out = np.full((len(self.group), N_GROUPS), least)
        row, column = np.nonzero(self.group)
        np.maximum.at(out, (row, self.group[row, column] - 1), values[row, column])
        return out

    def systems(self) -> Floats:
        """Probabilities of crystal systems, ``(n, 7)``: space groups first, then what is said of systems alone."""
        groups = self.summed(self.group_part)
        systems = self.summed(self.system_part) @ SYSTEM_OF_GROUP
        # where it is none of these space groups, the system is what the candidates say of systems alone
        return np.asarray(groups @ SYSTEM_OF_GROUP + (1 - groups.sum(axis=1, keepdims=True)) * systems)


SYSTEM_OF_GROUP: Floats = np.eye(len(CRYSTAL_SYSTEMS))[crystal_system_places(np.arange(1, N_GROUPS + 1))]
"""1 where a space group is of a crystal system, ``(230, 7)``."""


@dataclass(frozen=True, eq=False)
class GroupHead:
    """A multinomial logit over the space groups that come into question, and "another".

    Trees give each space group's odds from what candidates and the composition say of it; another one is as the
    composition alone has it. Learned from compositions that nothing else was learned from.

    Attributes:
        nets: space groups from the composition alone.
        trees: odds of one space group of one composition.
        weights: of the trees' odds and of the logarithm of the composition's probability; an offset for another group,
            and the weight of the logarithm of its probability, ``(4,)``.
    """

    nets: tuple[GroupNet, ...]
    trees: FoldedTrees
    weights: Floats

    @classmethod
    def fit(
        cls,
        nets: Sequence[GroupNet],
        evidence: GroupEvidence,
        formulas: Sequence[Formula],
        true_group: Index,
        *,
        seed: int,
    ) -> Self:
        """Learn from n compositions that nothing was learned from.

        Args:
            nets: have learned.
            evidence: of the compositions.
            formulas: the compositions.
            true_group: space group of each, 0 where it is not known, ``(n,)``.
            seed: of what is drawn.
        """
        from scipy.optimize import minimize  # to predict needs none of it

        alone = group_shares(nets, formulas, np.zeros(len(formulas), dtype=bool)).astype(np.float64)
        row, column = np.nonzero(_looked_at(evidence, alone))
        features = _features(evidence, alone, row, column, _sizes(formulas))
        right, fold = column + 1 == true_group[row], folds(formulas)[row]
        known = true_group[row] > 0
        trees = FoldedTrees.fit(features[known], right[known].astype(np.float64), fold[known], seed=seed, **_TREES)
        odds = trees.predict(features, fold, np.ones(len(row), dtype=bool))
        hit = np.full(len(formulas), -1)
        hit[row[right]] = np.flatnonzero(right)
        there = np.flatnonzero(true_group > 0)

        def loss(weights: Floats) -> float:
            of_listed, of_another = _logit(weights, odds, alone, row, column)
            picked = np.where(hit >= 0, of_listed[hit], of_another)[there]
            return float(-np.log(np.maximum(picked, _LEAST)).mean() + _RIDGE * (weights**2).sum())

        if not len(there):
            return cls(tuple(nets), trees, np.array(_START))
        found = minimize(loss, np.array(_START), method="L-BFGS-B", bounds=[(-_LARGEST, _LARGEST)] * len(_START))
        return cls(tuple(nets), trees, np.asarray(found.x, dtype=np.float64))

    def probability(self, evidence: GroupEvidence, formulas: Sequence[Formula], learned: Bools) -> Floats:
        """Of space groups 1 to 230, ``(n, 230)``; each row sums up to 1.

        Args:
            evidence: of n compositions.
            formulas: the compositions.
            learned: whether each is among those that the networks have learned from, ``(n,)``.
        """
        alone = group_shares(self.nets, formulas, learned).astype(np.float64)
        listed = _looked_at(evidence, alone)
        row, column = np.nonzero(listed)
        features = _features(evidence, alone, row, column, _sizes(formulas))
        odds = self.trees.predict(features, folds(formulas)[row], np.zeros(len(row), dtype=bool))
        of_listed, of_another = _logit(self.weights, odds, alone, row, column)
        left = np.where(listed, 0.0, alone)
        out = of_another[:, None] * left / np.maximum(left.sum(axis=1, keepdims=True), 1e-300)
        out[row, column] = of_listed
        return np.asarray(out)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, as a file keeps them."""
        nets = {
            f"net.{place}.{name}": values.numpy()
            for place, net in enumerate(self.nets)
            for name, values in net.state_dict().items()
        }
        return {**nets, **self.trees.to_arrays("trees."), "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `to_arrays` gave.

        Raises:
            ValueError: they are no such arrays.
        """
        weights = np.asarray(arrays["weights"], dtype=np.float64)
        if weights.shape != (len(_START),) or not (np.abs(weights) <= _LARGEST).all():
            msg = f"the weights of space groups must be {len(_START)} numbers from {-_LARGEST:g} to {_LARGEST:g}"
            raise ValueError(msg)
        nets = []
        for place in range(N_NETS):
            start = f"net.{place}."
            nets.append(
                GroupNet.with_weights({k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)})
            )
        trees = FoldedTrees.from_arrays(arrays, "trees.", n_features=_N_FEATURES, most=_TREES["most"])
        return cls(tuple(nets), trees, weights)


def _looked_at(evidence: GroupEvidence, alone: Floats) -> Bools:
    """Space groups that come into question, ``(n, 230)``."""
    out = evidence.summed(np.ones(evidence.group.shape)) > 0
    np.put_along_axis(out, np.argsort(-alone, axis=1, kind="stable")[:, :_LIKELIEST], values=True, axis=1)
    return out


def _sizes(formulas: Sequence[Formula]) -> Index:
    return np.array([len(formula.counts) for formula in formulas], dtype=np.int64)


def _features(evidence: GroupEvidence, alone: Floats, row: Index, column: Index, sizes: Index) -> NDArray[np.float32]:
    """Of space group ``column + 1`` of each composition ``row``: what is said of it, and how much is said at all."""
    there = evidence.group > 0
    groups, systems = evidence.summed(evidence.group_part), evidence.systems()
    distance = np.where(there & np.isfinite(evidence.distance), np.minimum(evidence.distance, _FAR), _FAR)
    rank = np.argsort(np.lexsort((-evidence.share, -evidence.probability, ~there), axis=1), axis=1)
    of_group = [
        np.log(groups + _LEAST),
        np.log(alone + 1e-6),
        np.log(evidence.summed(evidence.share) + _LEAST),
        evidence.largest(np.maximum(evidence.odds, _NO_ODDS), _NO_ODDS),
        np.log(evidence.summed(evidence.probability) + _LEAST),
        np.log(evidence.largest(evidence.probability, 0.0) + _LEAST),
        evidence.summed(np.ones(there.shape)),
        -evidence.largest(-distance, -_FAR),
        -evidence.largest(-rank.astype(np.float64), -float(N_CANDIDATES)),
        systems @ SYSTEM_OF_GROUP.T,
        alone @ SYSTEM_OF_GROUP @ SYSTEM_OF_GROUP.T,
        groups @ SYSTEM_OF_GROUP @ SYSTEM_OF_GROUP.T,
        evidence.largest(evidence.shared.astype(np.float64), -1.0),
        evidence.largest(evidence.share, 0.0),
        _ranks(alone),
        _ranks(groups),
    ]
    of_all = [
        sizes, groups.max(axis=1), alone.max(axis=1), groups.sum(axis=1),
        -(alone * np.log(alone + 1e-9)).sum(axis=1), evidence.probability.sum(axis=1), distance.min(axis=1),
        there.sum(axis=1),
    ]  # fmt: skip
    own = [column + 1, crystal_system_places(column + 1)]
    columns = [each[row, column] for each in of_group] + own + [each[row] for each in of_all]
    return np.stack(columns, axis=1).astype(np.float32)


def _ranks(values: Floats) -> Floats:
    return np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1).astype(np.float64)


def _logit(weights: Floats, odds: Floats, alone: Floats, row: Index, column: Index) -> tuple[Floats, Floats]:
    """Probabilities of the listed space groups, ``(m,)``, and of another one, ``(n,)``."""
    value = weights[0] * odds + weights[1] * np.log(alone[row, column] + 1e-6)
    left = np.maximum(1 - np.bincount(row, alone[row, column], len(alone)), 0.0)
    none = weights[2] + weights[3] * np.log(left + _LEAST)
    most = none.copy()
    np.maximum.at(most, row, value)
    each, other = np.exp(value - most[row]), np.exp(none - most)
    total = np.bincount(row, each, len(alone)) + other
    return each / total[row], other / total
