"""Gradient-boosted trees that were learned in folds, so that what they say of their own compositions is honest."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.io.files import atomic_path

N_FOLDS = 2
_COMMON: dict[str, Any] = {
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.6,
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
    """

    trees: tuple[lightgbm.Booster | None, ...]

    @classmethod
    def fit(
        cls,
        features: NDArray[np.float32],
        wanted: NDArray[np.floating],
        fold: NDArray[np.int64],
        *,
        seed: int,
        rounds: int,
        **parameters: Any,
    ) -> Self:
        """Learn.

        Args:
            features: ``(n, n_features)``.
            wanted: what to predict, ``(n,)``.
            fold: of the composition, ``(n,)``.
            seed: of the drawing of rows and columns.
            rounds: trees.
            parameters: LightGBM's, such as its objective.
        """
        trees: list[lightgbm.Booster | None] = []
        for each in range(N_FOLDS):
            chosen = fold != each
            if not chosen.any():
                trees.append(None)
                continue
            data = lightgbm.Dataset(features[chosen], wanted[chosen])
            learned = lightgbm.train({**_COMMON, **parameters, "seed": seed}, data, num_boost_round=rounds)
            # through text, so that what is used now is to the last bit what a file will give back
            trees.append(lightgbm.Booster(model_str=learned.model_to_string()))
        return cls(tuple(trees))

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
                    out[rows] += part * np.asarray(trees.predict(features[rows], raw_score=True))
        return out

    def save(self, folder: Path, name: str) -> None:
        """Write the trees as LightGBM's text, compressed, one file a fold."""
        for fold, trees in enumerate(self.trees):
            text = trees.model_to_string() if trees else ""
            with atomic_path(folder / f"{name}-{fold}.txt.gz") as temporary:
                temporary.write_bytes(gzip.compress(text.encode(), mtime=0))  # the same trees, the same bytes

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Read what `save` wrote."""
        files = [folder / f"{name}-{fold}.txt.gz" for fold in range(N_FOLDS)]
        texts = [gzip.decompress(file.read_bytes()).decode() for file in files]
        return cls(tuple(lightgbm.Booster(model_str=text) if text else None for text in texts))
