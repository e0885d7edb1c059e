"""The LightningDataModule of networks on the one-hot: formulas and their patterns, in batches drawn by index."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from deepxrd.chem import Encoding
from deepxrd.chem.encodings import encoded
from deepxrd.data.parts import DataParts
from deepxrd.data.store import PatternStore
from deepxrd.errors import ConfigError, SelectionError

Batch = tuple[Tensor, Tensor]


class PatternDataset(Dataset[Batch]):
    """One part of a store, map-style: an index gives a sample, an array of positions a whole batch.

    Attributes:
        rows: those of the part's rows whose compositions can be encoded.
        compositions: reduced formula of each sample.

    Args:
        store: where patterns and compositions are.
        rows: the part's rows in the store.
        encoding: what stands for a formula; compositions that it cannot encode are left out.
    """

    def __init__(self, store: PatternStore, rows: NDArray[np.int64], encoding: Encoding) -> None:
        self.rows = np.array([row for row in rows if encoding.why_not(store.formulas[row]) is None], dtype=np.int64)
        formulas = [store.formulas[row] for row in self.rows]
        self.compositions = [formula.reduced for formula in formulas]
        self._patterns = store.patterns
        self._inputs = torch.from_numpy(encoded(encoding, formulas))
        self._resident: Tensor | None = None

    def to(self, device: torch.device) -> None:
        """Copy the part to a device once, so that batches are gathered there and nothing is sent in a step."""
        if self._resident is None or self._resident.device != device:
            self._inputs = self._inputs.to(device)
            self._resident = torch.from_numpy(np.asarray(self._patterns[self.rows])).to(device)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, positions: int | np.integer | NDArray[np.int64]) -> Batch:
        """Encoded formulas, the paper's ``(batch, 1, 84, 10)``, and patterns ``(batch, n_points)``, float32.

        One index gives one of each, without the batch.
        """
        if isinstance(positions, int | np.integer):
            inputs, patterns = self[np.array([range(len(self))[positions]])]
            return inputs[0], patterns[0]
        index = torch.from_numpy(positions)
        if self._resident is not None:
            index = index.to(self._resident.device, non_blocking=True)
            return self._inputs[index].float(), self._resident[index]
        return self._inputs[index].float(), torch.from_numpy(self._patterns[self.rows[positions]])


class BatchPositions(Sampler[NDArray[np.int64]]):
    """Positions of each batch; shuffled anew in each epoch by the seed and the epoch's number alone.

    A run that is resumed at epoch n thus draws the batches of an uninterrupted run's epoch n.

    Several processes share the work. In training each takes its share of every batch, so that what is learned depends
    little on their number: a last batch with fewer samples than processes is filled up by repetition, and batch norms
    see a share only, unless ``trainer.sync_batchnorm``. Where nothing is learned each takes one stretch of the order,
    and no sample comes twice.

    Args:
        n: samples.
        batch_size: of all processes together in training, of each where nothing is learned.
        seed: of the shuffling; None where nothing is learned.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(self, n: int, batch_size: int, *, seed: int | None, rank: int = 0, world_size: int = 1) -> None:
        self._n, self._batch_size, self._seed = n, batch_size, seed
        self._rank, self._world_size = rank, world_size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        n = self._n if self._seed is not None else len(self._share(np.arange(self._n)))
        return math.ceil(n / self._batch_size)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        if self._seed is None:
            order = self._share(np.arange(self._n))
            for start in range(0, len(order), self._batch_size):
                yield order[start : start + self._batch_size]
            return
        order = np.random.default_rng([self._seed, self._epoch]).permutation(self._n)
        for start in range(0, self._n, self._batch_size):
            batch = order[start : start + self._batch_size]
            yield self._share(np.resize(batch, max(len(batch), self._world_size)))

    def _share(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.array_split(positions, self._world_size)[self._rank]


class PatternDataModule(pl.LightningDataModule):
    """Serves the parts of a data set in batches.

    Args:
        data: the parts.
        batch_size: training batch; validation and test use ``eval_batch_size``, which does not change scores.
        eval_batch_size: patterns at a time where nothing is learned.
        seed: of the shuffling.
        resident: whether a GPU holds all samples while it trains, 5 KB each.
    """

    def __init__(
        self,
        data: DataParts,
        *,
        batch_size: int = 64,
        eval_batch_size: int = 256,
        seed: int = 42,
        resident: bool = True,
    ) -> None:
        super().__init__()
        self.data = data
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed
        self.resident = resident
        self._datasets: dict[str, PatternDataset] = {}

    def prepare_data(self) -> None:
        """Build the store if it is not there."""
        _ = self.data.store

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002 - Lightning's signature; all parts are cheap
        """Split the store."""
        if not self._datasets:
            datasets = {
                part: PatternDataset(self.data.store, rows, self.data.encoding) for part, rows in self.data.rows.items()
            }
            empty = [part for part, dataset in datasets.items() if not len(dataset)]
            if empty:
                msg = (
                    f"no composition of {', '.join(empty)} fits into the network's {self.data.encoding}: take a larger "
                    "data.encoding, other data, or model=candidates, which needs none"
                )
                raise SelectionError(msg)
            self._datasets = datasets

    def dataset(self, part: str) -> PatternDataset:
        """The train, val or test part."""
        self.setup()
        return self._datasets[part]

    def rows(self, part: str) -> NDArray[np.int64]:
        """Rows of the store that a part serves."""
        return self.dataset(part).rows

    def left_out(self) -> dict[str, int]:
        """How many samples of each part this network cannot read, because they do not fit into its one-hot."""
        return {part: len(rows) - len(self.rows(part)) for part, rows in self.data.rows.items()}

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
        dataset, rank, world_size = self.dataset(part), 0, 1
        if self.trainer is not None:
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
            device = self.trainer.strategy.root_device
            if self.resident and device.type != "cpu":
                dataset.to(device)
        if len(dataset) < world_size:
            msg = f"{world_size} processes cannot share {len(dataset)} {part} samples: lower trainer.devices"
            raise ConfigError(msg)
        positions = BatchPositions(len(dataset), batch_size, seed=seed, rank=rank, world_size=world_size)
        return DataLoader(dataset, sampler=positions, batch_size=None)
