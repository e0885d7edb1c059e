"""Volumes of substituted structures, learned from pairs of structures of one kind."""

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
_MOST = 0.4  # of the logarithm: a pair further from additive volumes than by half is odd, and would teach nothing
_ROUNDS = 600
_PARAMETERS: dict[str, Any] = {
    "objective": "l1",
    "learning_rate": 0.06,
    "num_leaves": 63,
    "min_data_in_leaf": 20,
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
class TemplateVolumes:
    """Corrects additive volumes: predicts the logarithm of true over additive ratio of volumes per atom.

    Compositions that were learned from get predictions of trees that did not see them (the other fold); others get the
    mean of both. So what the network learns to expect of volumes holds for new compositions too.

    Attributes:
        trees: gradient-boosted trees (LightGBM, mean absolute error), one for each fold, learned from all others; None
            where there was nothing to learn from, which corrects nothing.
    """

    trees: tuple[lightgbm.Booster | None, ...]

    @classmethod
    def fit(
        cls, features: NDArray[np.float32], correction: NDArray[np.float64], fold: NDArray[np.int64], *, seed: int
    ) -> Self:
        """Learn from pairs of structures of one kind.

        Args:
            features: of the exchange, ``(n_pairs, n_features)``.
            correction: ln(V / V_template) less its additive estimate, volumes per atom, ``(n_pairs,)``.
            fold: of the composition, ``(n_pairs,)``.
            seed: of the drawing of rows and columns.
        """
        sound = np.abs(correction) < _MOST
        trees: list[lightgbm.Booster | None] = []
        for each in range(N_FOLDS):
            chosen = sound & (fold != each)
            if not chosen.any():
                trees.append(None)
                continue
            data = lightgbm.Dataset(features[chosen], correction[chosen])
            learned = lightgbm.train({**_PARAMETERS, "seed": seed}, data, num_boost_round=_ROUNDS)
            # through text, so that what is used now is to the last bit what a file will give back
            trees.append(lightgbm.Booster(model_str=learned.model_to_string()))
        return cls(tuple(trees))

    def predict(
        self, features: NDArray[np.float32], fold: NDArray[np.int64], learned: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """The correction of each exchange, ``(n,)``.

        Args:
            features: as in `fit`.
            fold: of each composition, ``(n,)``.
            learned: whether the composition was among those learned from, ``(n,)``.
        """
        if not len(features):
            return np.zeros(0)
        each = np.stack([_predict(trees, features) for trees in self.trees])
        return np.where(learned, each[fold, np.arange(len(fold))], each.mean(axis=0))

    def save(self, folder: Path) -> None:
        """Write the trees as LightGBM's text, compressed, one file a fold."""
        for fold, trees in enumerate(self.trees):
            text = trees.model_to_string() if trees else ""
            with atomic_path(folder / f"volumes-{fold}.txt.gz") as temporary:
                temporary.write_bytes(gzip.compress(text.encode(), mtime=0))  # the same trees, the same bytes

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        files = [folder / f"volumes-{fold}.txt.gz" for fold in range(N_FOLDS)]
        texts = [gzip.decompress(file.read_bytes()).decode() for file in files]
        return cls(tuple(lightgbm.Booster(model_str=text) if text else None for text in texts))


def _predict(trees: lightgbm.Booster | None, features: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.zeros(len(features)) if trees is None else np.asarray(trees.predict(features), dtype=np.float64)
