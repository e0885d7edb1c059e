"""Gradient-boosted trees that were learned in folds, so that what they say of their own compositions is honest."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.models.candidates.lightgbm_text import read_trees
from deepxrd.models.candidates.trees import Trees

N_FOLDS = 2
_COMMON: dict[str, Any] = {
    "num_leaves": 63,  # `Trees` holds no more than 64
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    "deterministic": True,
    "force_row_wise": True,  # what LightGBM chooses by itself depends on how fast the machine is at the moment
    "verbosity": -1,
}


def folds(formulas: Sequence[Formula]) -> NDArray[np.int64]:
    """The fold of each composition, ``(n,)``; it depends on the composition alone."""
    return np.array([zlib.crc32(each.reduced.encode()) % N_FOLDS for each in formulas], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class FoldedTrees:
    """Trees of which each fold's were learned from all other folds.

    Compositions that were learned from get predictions of trees that did not see them; others get the mean of all.
    So what a network learns to expect of them holds for new compositions too.

    Attributes:
        trees: for each fold, or None where there was nothing to learn from, which predicts zero.
        most: predictions beyond this are cut, since trees may be a stranger's.
    """

    trees: tuple[Trees | None, ...]
    most: float

    @classmethod
    def none(cls, most: float) -> Self:
        """Trees that predict zero."""
        return cls((None,) * N_FOLDS, most)

    @classmethod
    def fit(
        cls,
        features: NDArray[np.float32],
        wanted: NDArray[np.generic],
        fold: NDArray[np.int64],
        *,
        most: float,
        seed: int,
        rounds: int,
        **parameters: Any,
    ) -> Self:
        """Learn.

        Args:
            features: ``(n, n_features)``.
            wanted: what to predict, ``(n,)``.
            fold: of the composition, ``(n,)``.
            most: predictions beyond this are cut.
            seed: of the drawing of rows and columns.
            rounds: trees.
            parameters: LightGBM's, such as its objective.
        """
        import lightgbm  # a second to import, and nothing but learning needs it

        trees: list[Trees | None] = []
        for each in range(N_FOLDS):
            chosen = fold != each
            if not chosen.any():
                trees.append(None)
                continue
            data = lightgbm.Dataset(features[chosen], wanted[chosen])
            learned = lightgbm.train({**_COMMON, **parameters, "seed": seed}, data, num_boost_round=rounds)
            trees.append(read_trees(learned.model_to_string()))
        return cls(tuple(trees), most)

    def predict(
        self, features: NDArray[np.float32], fold: NDArray[np.int64], learned: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """What the trees say, before any link function, ``(n,)``.

        Args:
            features: as in `fit`.
            fold: of each composition, ``(n,)``.
            learned: whether the composition was among those learned from, ``(n,)``.
        """
        out = np.zeros(len(features))
        for each, trees in enumerate(self.trees):
            if trees is None:
                continue
            for rows, part in ((learned & (fold == each), 1.0), (~learned, 1 / N_FOLDS)):
                if rows.any():
                    out[rows] += part * trees.predict(features[rows])
        return np.clip(out, -self.most, self.most)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays by name, as a file keeps them."""
        parts = [trees.to_arrays(f"{prefix}{fold}.") for fold, trees in enumerate(self.trees) if trees]
        return {name: each for part in parts for name, each in part.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, *, n_features: int, most: float) -> Self:
        """What `to_arrays` gave.

        Raises:
            ValueError: they are no such trees.
        """
        found: list[Trees | None] = []
        for fold in range(N_FOLDS):
            start = f"{prefix}{fold}."
            there = any(name.startswith(start) for name in arrays)
            trees = Trees.from_arrays(arrays, start) if there else None
            if trees is not None:
                trees.check(n_features, largest=_LARGEST)
            found.append(trees)
        return cls(tuple(found), most)


_LARGEST = 1e3  # sum of the trees' largest values: far beyond what is learned
