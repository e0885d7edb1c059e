"""Gradient-boosted trees as plain arrays, evaluated for many rows at once.

Each tree has at most 64 leaves, numbered from left to right, and a row has a 64-bit word for it. A node whose test
fails takes the leaves on its left out of the word; the lowest leaf that is left in the end is where the row arrives
(QuickScorer: Lucchese et al., SIGIR 2015, doi 10.1145/2766462.2767733). Whatever the arrays hold, within the bounds
that :meth:`Trees.check` asks for, this ends, and with a leaf of the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 64
_MOST_TREES = 100_000
_FEW = 256  # rows for which tables of words, 60 MB, are not worth making
_ROWS_AT_ONCE = 64  # so that the words of all trees stay in a core's cache
_ZERO = np.float32(1e-35)
_ALL = np.uint64(2**64 - 1)


@dataclass(frozen=True, eq=False)
class Trees:
    """t trees with m nodes in all, one tree after the other; their values are summed.

    Attributes:
        n_leaves: of each tree, ``(t,)``; it has one node less.
        feature: whose value a node tests, ``(m,)``.
        threshold: the test is failed by larger values, ``(m,)``.
        first: first leaf that a row cannot reach any more after a failed test, ``(m,)``.
        past: the leaf after the last of these, ``(m,)``.
        leaf_value: of all leaves, ``(n_leaves.sum(),)``.
    """

    n_leaves: NDArray[np.uint8]
    feature: NDArray[np.uint16]
    threshold: NDArray[np.float64]
    first: NDArray[np.uint8]
    past: NDArray[np.uint8]
    leaf_value: NDArray[np.float64]

    def check(self, n_features: int, *, largest: float) -> None:
        """Make sure that the arrays are trees.

        Args:
            n_features: columns of the rows that will be predicted.
            largest: what the sum of the trees' largest values may be, absolute.

        Raises:
            ValueError: they are none; the message says why.
        """
        kinds = {"n_leaves": "u1", "feature": "u2", "threshold": "f8", "first": "u1", "past": "u1", "leaf_value": "f8"}
        for name, kind in kinds.items():
            if getattr(self, name).dtype != np.dtype(kind) or getattr(self, name).ndim != 1:
                msg = f"{name} of its trees is no list of {np.dtype(kind)}"
                raise ValueError(msg)
        leaves = self.n_leaves.astype(np.int64)
        if not 1 <= len(leaves) <= _MOST_TREES or leaves.min() < 1 or leaves.max() > MOST_LEAVES:
            msg = f"its trees are too many, or have not 1 to {MOST_LEAVES} leaves"
            raise ValueError(msg)
        n_nodes = int((leaves - 1).sum())
        lengths = [len(self.leaf_value) - int(leaves.sum())]
        lengths += [len(each) - n_nodes for each in (self.feature, self.threshold, self.first, self.past)]
        if any(lengths):
            msg = "its trees have more or fewer nodes than leaves ask for"
            raise ValueError(msg)
        last = np.repeat(leaves - 1, leaves - 1)
        if n_nodes and not ((self.first < self.past) & (self.past <= last) & (self.feature < n_features)).all():
            msg = f"its trees have nodes out of range, or test more than {n_features} features"
            raise ValueError(msg)
        if not (np.isfinite(self.threshold).all() and np.isfinite(self.leaf_value).all()):
            msg = "its trees hold values that are not finite"
            raise ValueError(msg)
        starts = np.cumsum(leaves) - leaves
        if np.maximum.reduceat(np.abs(self.leaf_value), starts).sum() > largest:
            msg = f"its trees may give more than {largest:g}"
            raise ValueError(msg)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the leaves that each row arrives at, ``(n,)``.

        Args:
            features: ``(n, n_features)``, finite.
        """
        features = np.where(np.abs(features) > _ZERO, features, np.float32(0))  # as LightGBM learned them
        if len(features) <= _FEW and "_tables" not in vars(self):
            return np.array([self._value(self._walk(row)) for row in features])
        out = np.empty(len(features))
        places = {f: np.searchsorted(edges, features[:, f].astype(np.float64)) for f, edges, _ in self._tables}
        for start in range(0, len(features), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            reached = np.full((len(features[rows]), len(self.n_leaves)), _ALL)
            for f, _, words in self._tables:
                reached &= words[places[f][rows]]
            out[rows] = self._value(reached)
        return out

    def _value(self, reached: NDArray[np.uint64]) -> NDArray[np.float64]:
        """The sum over trees of the lowest leaves left in words ``(..., t)``."""
        lowest = reached & (~reached + np.uint64(1))
        leaf = np.bitwise_count(lowest - np.uint64(1))
        value: NDArray[np.float64] = self.leaf_value[self._starts + leaf].sum(axis=-1)
        return value

    def _walk(self, row: NDArray[np.float32]) -> NDArray[np.uint64]:
        """What one row ``(n_features,)`` leaves of each tree, ``(t,)``, node by node."""
        words = np.full(len(self.n_leaves), _ALL)
        failed = np.flatnonzero(row[self.feature] > self.threshold)
        np.bitwise_and.at(words, self._tree[failed], self._left[failed])
        return words

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays by name, as a file keeps them."""
        return {f"{prefix}{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Self:
        """What `to_arrays` gave; not checked."""
        return cls(**{field.name: arrays[f"{prefix}{field.name}"] for field in fields(cls)})

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """Where the leaves of each tree begin, ``(t,)``."""
        leaves = self.n_leaves.astype(np.int64)
        return np.cumsum(leaves) - leaves

    @cached_property
    def _tree(self) -> NDArray[np.int64]:
        """The tree of each node, ``(m,)``."""
        return np.repeat(np.arange(len(self.n_leaves)), self.n_leaves.astype(np.int64) - 1)

    @cached_property
    def _left(self) -> NDArray[np.uint64]:
        """The leaves that a failed test of each node leaves, as bits, ``(m,)``."""
        one = np.uint64(1)
        return ~(((one << self.past.astype(np.uint64)) - one) ^ ((one << self.first.astype(np.uint64)) - one))

    @cached_property
    def _tables(self) -> list[tuple[int, NDArray[np.float64], NDArray[np.uint64]]]:
        """For each feature that is tested: its k thresholds, ascending, and words ``(k + 1, t)``.

        Row i of the words is what is left of each tree where i of the thresholds lie below the value.
        """
        tables = []
        for f in np.unique(self.feature).tolist():
            nodes = np.flatnonzero(self.feature == f)
            edges, place = np.unique(self.threshold[nodes], return_inverse=True)
            words = np.full((len(edges) + 1, len(self.n_leaves)), _ALL)
            np.bitwise_and.at(words, (place + 1, self._tree[nodes]), self._left[nodes])
            tables.append((f, edges, np.bitwise_and.accumulate(words, axis=0)))
        return tables
