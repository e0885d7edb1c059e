"""The LightningDataModule: one-hot formulas and their patterns, in batches drawn by index."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from deepxrd.chem import OneHotEncoding, parse_formula
from deepxrd.data.build import ensure_store
from deepxrd.data.selection import Selection
from deepxrd.data.split import Split, indices
from deepxrd.data.store import PatternStore
from deepxrd.data.workers import BuildOptions
from deepxrd.sources import Source
from deepxrd.xrd import XrdSettings

Batch = tuple[Tensor, Tensor]


class PatternDataset(Dataset[Batch]):
    """One part of a store; indexed by an array of positions it gives a whole batch.

    Args:
        store: where patterns and compositions are.
        rows: the part's rows in the store.
    """

    def __init__(self, store: PatternStore, rows: NDArray[np.int64]) -> None:
        self.rows = rows
        self._patterns = store.patterns
        formulas = [parse_formula(text) for text in store.samples["composition"].iloc[rows]]
        self._inputs = torch.from_numpy(store.encoding.encode(formulas))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, positions: NDArray[np.int64]) -> Batch:
        """One-hot matrices ``(batch, 1, elements, counts)`` and patterns ``(batch, n_points)``, float32."""
        targets = torch.from_numpy(self._patterns[self.rows[positions]])
        return self._inputs[torch.from_numpy(positions)].float(), targets


class BatchPositions(Sampler[NDArray[np.int64]]):
    """Positions of each batch; shuffled anew in each epoch by the seed and the epoch's number alone.

    A run that is resumed at epoch n thus draws the batches of an uninterrupted run's epoch n.
    """

    def __init__(self, n: int, batch_size: int, *, seed: int | None) -> None:
        self._n, self._batch_size, self._seed = n, batch_size, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self._n / self._batch_size)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        order = np.arange(self._n)
        if self._seed is not None:
            order = np.random.default_rng([self._seed, self._epoch]).permutation(self._n)
        for start in range(0, self._n, self._batch_size):
            yield order[start : start + self._batch_size]


class PatternDataModule(pl.LightningDataModule):
    """Builds or opens the store, splits it, and serves batches.

    Args:
        source: where structures come from.
        selection: which of them.
        encoding: elements and counts of the one-hot.
        xrd: settings of the patterns.
        split: shares and seed.
        stores_dir: the folder that holds all stores.
        batch_size: training batch; validation and test use ``eval_batch_size``, which does not change scores.
        eval_batch_size: patterns at a time where nothing is learned.
        seed: of the shuffling.
        build: how to build the store.
    """

    def __init__(
        self,
        *,
        source: Source,
        selection: Selection,
        encoding: OneHotEncoding,
        xrd: XrdSettings,
        split: Split,
        stores_dir: Path,
        batch_size: int = 64,
        eval_batch_size: int = 256,
        seed: int = 42,
        build: BuildOptions | None = None,
    ) -> None:
        super().__init__()
        self.source, self.selection, self.encoding, self.xrd = source, selection, encoding, xrd
        self.split, self.stores_dir, self.build = split, stores_dir, build or BuildOptions()
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed
        self._store: PatternStore | None = None
        self._datasets: dict[str, PatternDataset] = {}

    @property
    def store(self) -> PatternStore:
        """The open store; built on first use."""
        if self._store is None:
            self._store = ensure_store(
                self.source, self.selection, self.encoding, self.xrd, root=self.stores_dir, options=self.build
            )
        return self._store

    def prepare_data(self) -> None:
        """Build the store if it is not there."""
        _ = self.store

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002 - Lightning's signature; all parts are cheap
        """Split the store."""
        if not self._datasets:
            rows = indices(self.store, self.split)
            self._datasets = {part: PatternDataset(self.store, rows[part]) for part in rows}

    def dataset(self, part: str) -> PatternDataset:
        """The train, val or test part."""
        self.setup()
        return self._datasets[part]

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches."""
        return self._loader("train", self.batch_size, seed=self.seed)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches in the store's order."""
        return self._loader("val", self.eval_batch_size)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches in the store's order."""
        return self._loader("test", self.eval_batch_size)

    def _loader(self, part: str, batch_size: int, *, seed: int | None = None) -> DataLoader[Batch]:
        dataset = self.dataset(part)
        return DataLoader(dataset, sampler=BatchPositions(len(dataset), batch_size, seed=seed), batch_size=None)
