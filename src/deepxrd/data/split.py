"""Train, validation and test: by composition, so that two structures of one composition never straddle a border."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.data.store import PatternStore
from deepxrd.errors import ConfigError, SelectionError
from deepxrd.files import atomic_path, value_hash

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """A random split by composition.

    Each composition draws a number from a hash of the seed and its own name, and the number says where it goes. So a
    composition stays in its part when the data grow, and a test composition of one data set is no training composition
    of another with the same seed. The price: the shares hold on average, not to the sample.

    Attributes:
        seed: another seed, another split.
        train: share of the compositions to learn from.
        val: share to stop early and choose by; the rest is for the test.
    """

    seed: int = 42
    train: float = 0.7
    val: float = 0.1

    def __post_init__(self) -> None:
        if not (self.train > 0 and self.val > 0 and self.train + self.val < 1):
            msg = f"shares of {self.train:g} train and {self.val:g} val leave no room for all three parts"
            raise ConfigError(msg)

    def assign(self, compositions: Sequence[str]) -> NDArray[np.str_]:
        """The part of each composition, ``(n,)``: train, val or test."""
        drawn = np.array([_draw(self.seed, composition) for composition in compositions])
        return np.array(PARTS)[np.searchsorted([self.train, self.train + self.val], drawn, side="right")]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def indices(store: PatternStore, split: Split) -> dict[str, NDArray[np.int64]]:
    """Rows of the store in each part; the assignment is written beside the store's other files on first use.

    Raises:
        SelectionError: a part is empty.
    """
    path = store.path / "splits" / f"random-{value_hash(split.to_dict())[:8]}.parquet"
    if not path.is_file():
        compositions = store.samples["composition"]
        table = pd.DataFrame({"composition": compositions, "part": split.assign(compositions.tolist())})
        with atomic_path(path) as temporary:
            table.to_parquet(temporary, index=False)
    part = pd.read_parquet(path)["part"].to_numpy()
    rows = {name: np.flatnonzero(part == name) for name in PARTS}
    empty = [name for name in PARTS if not len(rows[name])]
    if empty:
        msg = f"with {len(store)} samples and seed {split.seed} no sample falls to {', '.join(empty)}: use more data"
        raise SelectionError(msg)
    return rows


def _draw(seed: int, composition: str) -> float:
    """An even number in [0, 1), the same for ever for one seed and composition."""
    digest = hashlib.sha256(f"{seed}:{composition}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
