"""Volumes of substituted structures, learned from pairs of structures of one kind."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from deepxrd.chem import Formula
from deepxrd.io.tensors import read_tensors
from deepxrd.models.candidates.lightgbm_text import read_trees
from deepxrd.models.candidates.trees import Trees

N_FOLDS = 2
FILE = "volumes.safetensors"
OLD_FILES = tuple(f"volumes-{fold}.txt.gz" for fold in range(N_FOLDS))
"""LightGBM's text, compressed, as folders of earlier versions hold it."""
_MOST_OLD_BYTES = 1 << 26  # of a text
_LARGEST = 1e3  # sum of the trees' largest values: far beyond what is learned
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

    trees: tuple[Trees | None, ...]

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
        import lightgbm  # a second to import, and nothing but learning needs it

        sound = np.abs(correction) < _MOST
        trees: list[Trees | None] = []
        for each in range(N_FOLDS):
            chosen = sound & (fold != each)
            if not chosen.any():
                trees.append(None)
                continue
            data = lightgbm.Dataset(features[chosen], correction[chosen])
            learned = lightgbm.train({**_PARAMETERS, "seed": seed}, data, num_boost_round=_ROUNDS)
            trees.append(read_trees(learned.model_to_string()))
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
        found = np.where(learned, each[fold, np.arange(len(fold))], each.mean(axis=0))
        return np.asarray(np.clip(found, -1.0, 1.0))  # far beyond what is learned: trees may be a stranger's

    def save(self, folder: Path) -> None:
        """Write the trees as plain arrays."""
        arrays = [trees.to_arrays(f"{fold}.") for fold, trees in enumerate(self.trees) if trees]
        save_file({name: each for part in arrays for name, each in part.items()}, folder / FILE)

    @classmethod
    def load(cls, folder: Path, n_features: int) -> Self:
        """Read what `save` wrote, or what earlier versions wrote.

        Args:
            folder: with the files.
            n_features: columns of what will be predicted.

        Raises:
            ValueError: it holds no such trees.
            OSError: it cannot be read.
        """
        found = _read_arrays(folder / FILE) if (folder / FILE).is_file() else _read_texts(folder)
        for trees in found:
            if trees is not None:
                trees.check(n_features, largest=_LARGEST)
        return cls(found)


def _read_arrays(file: Path) -> tuple[Trees | None, ...]:
    arrays = read_tensors(file)
    there = {name.partition(".")[0] for name in arrays}
    return tuple(Trees.from_arrays(arrays, f"{fold}.") if str(fold) in there else None for fold in range(N_FOLDS))


def _read_texts(folder: Path) -> tuple[Trees | None, ...]:
    texts = []
    for name in OLD_FILES:
        unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            text = unpack.decompress((folder / name).read_bytes(), _MOST_OLD_BYTES)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if not unpack.eof:
            msg = f"{name} is cut off, or unpacks to more than {_MOST_OLD_BYTES} bytes"
            raise ValueError(msg)
        texts.append(text.decode())
    return tuple(read_trees(text) if text else None for text in texts)


def _predict(trees: Trees | None, features: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.zeros(len(features)) if trees is None else trees.predict(features)
