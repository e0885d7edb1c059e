"""Train, validation and test: by composition, so that two structures of one composition never straddle a border."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.chem import chemical_systems
from deepxrd.data.split_file import FileParts, read_parts
from deepxrd.data.store import PatternStore
from deepxrd.errors import ConfigError, SelectionError
from deepxrd.io.files import atomic_path, value_hash

PARTS = ("train", "val", "test")
NO_PART = "none"
BY = ("composition", "chemical_system", "time", "file")
_RECORD = "parts:"  # before the hash of what a file assigns, in place of its name


@dataclass(frozen=True)
class Split:
    """What is learned from, and what is left to be predicted.

    Each composition draws a number from a hash of the seed and a name, and the number says where it goes. So a
    composition stays in its part when the data grow, and a test composition of one data set is no training composition
    of another with the same seed. The price: the shares hold on average, not to the sample.

    ``by`` says what the test asks for:

    - ``composition``: the name is the composition's own: new compositions, some of well-known chemical systems (the
      paper's split);
    - ``chemical_system``: the name is the set of elements, so that all compositions of a system are in one part: new
      chemical systems;
    - ``time``: entries made on the day `before` or later are for the test, earlier ones are dealt out to train and val
      by their composition: what a model of that day would have made of later discoveries. Entries without a date are
      in no part;
    - ``file``: a file says it, see :func:`deepxrd.data.split_file.read_parts`. Samples that it does not name are in no
      part.

    Attributes:
        seed: another seed, another split.
        train: share of the compositions to learn from.
        val: share to stop early and choose by; the rest is for the test. By time, train and val share what is earlier.
        by: ``composition``, ``chemical_system``, ``time`` or ``file``.
        before: a day, such as ``2018-01-01``; for ``time`` alone.
        file: a table or a folder of three; for ``file`` alone. Where a run has noted it, a hash of what it assigns.
    """

    seed: int = 42
    train: float = 0.7
    val: float = 0.1
    by: str = "composition"
    before: str = "2018-01-01"
    file: str | None = None

    def __post_init__(self) -> None:
        if not (self.train > 0 and self.val > 0 and self.train + self.val < 1):
            msg = f"shares of {self.train:g} train and {self.val:g} val leave no room for all three parts"
            raise ConfigError(msg)
        if self.by not in BY:
            msg = f"data.split.by={self.by!r} is none of {', '.join(BY)}"
            raise ConfigError(msg)
        if (self.by == "file") != bool(self.file):
            msg = f"data.split.by={self.by} and data.split.file={self.file}: by=file and a file belong together"
            raise ConfigError(msg)
        try:
            date.fromisoformat(self.before)
        except (TypeError, ValueError) as error:
            msg = f"data.split.before={self.before!r} is no day; write one such as 2018-01-01"
            raise ConfigError(msg) from error

    def assign(self, compositions: Sequence[str], created_at: Sequence[str | None] | None = None) -> NDArray[np.str_]:
        """The part of each composition, ``(n,)``: train, val or test; by time, none where there is no date.

        Args:
            compositions: reduced formulas.
            created_at: the day of each entry, as in ``2018-01-01``, or None where unknown; for ``time`` alone.
        """
        names = compositions
        if self.by == "chemical_system":
            names = chemical_systems(compositions)
        drawn = np.array([_draw(self.seed, name) for name in names])
        if self.by != "time":
            return np.array(PARTS)[np.searchsorted([self.train, self.train + self.val], drawn, side="right")]
        days = [day if isinstance(day, str) else "" for day in created_at or [None] * len(compositions)]
        earlier = np.where(drawn < self.train / (self.train + self.val), "train", "val")
        part = np.where([day < self.before for day in days], earlier, "test")
        return np.where([day == "" for day in days], NO_PART, part)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: those that matter."""
        if self.by == "file":
            noted = str(self.file).startswith(_RECORD)
            return {"by": self.by, "file": self.file if noted else f"{_RECORD}{self.of_file.hash}"}
        values = asdict(self)
        del values["file"]
        if self.by != "time":
            del values["before"]
        return values

    @cached_property
    def of_file(self) -> FileParts:
        """What the file says.

        Raises:
            SourceError: it cannot be read.
        """
        return read_parts(Path(str(self.file)).expanduser())


def refuse_other_split(recorded: Any, now: Split, *, where: str) -> None:
    """Make sure that a model is asked about the parts that it was made with.

    Args:
        recorded: the split's plain values as a run has noted them; keys that an older run lacks have their defaults.
        now: the split that is asked for.
        where: whose split it was, for the message.

    Raises:
        ConfigError: it is another, so that what is for the test now may have been learned from; or it cannot be read.
    """
    try:
        before = Split(**recorded)
    except TypeError as error:
        msg = f"{where} has noted no split that can be read ({error}): {recorded!r}"
        raise ConfigError(msg) from error
    if before.by == "file" and not str(before.file).startswith(_RECORD):  # a stranger's note may name any file
        msg = f"{where} has noted no split that can be read: of a file it must have the hash, not {before.file!r}"
        raise ConfigError(msg)
    _refuse_difference(before.to_dict(), now.to_dict(), where=where)


def _refuse_difference(before: dict[str, Any], after: dict[str, Any], *, where: str) -> None:
    differ = [key for key in after | before if after.get(key) != before.get(key)]
    if differ:
        differences = ", ".join(
            f"data.split.{key} was {before.get(key, 'not needed')} and is now {after.get(key, 'not needed')}"
            for key in differ
        )
        msg = (
            f"{where} was made with another split: {differences}. Its test part would be another, some of which was "
            "learned from: leave data.split as it was, or train a new run"
        )
        raise ConfigError(msg)


def indices(store: PatternStore, split: Split) -> dict[str, NDArray[np.int64]]:
    """Rows of the store in each part; the assignment is written beside the store's other files on first use.

    Raises:
        SelectionError: a part is empty.
    """
    path = store.path / "splits" / f"{split.by}-{value_hash(split.to_dict())[:8]}.parquet"
    if not path.is_file():
        compositions = store.samples["composition"]
        days = store.samples["created_at"].tolist() if split.by == "time" else None
        if split.by == "file":
            parts = split.of_file.assign(compositions.tolist(), store.samples["material_id"].tolist(), none=NO_PART)
        else:
            parts = split.assign(compositions.tolist(), days)
        table = pd.DataFrame({"composition": compositions, "part": parts})
        with atomic_path(path) as temporary:
            table.to_parquet(temporary, index=False)
    part = pd.read_parquet(path)["part"].to_numpy()
    rows = {name: np.flatnonzero(part == name) for name in PARTS}
    empty = [name for name in PARTS if not len(rows[name])]
    if empty:
        way_out = "use more data"
        if split.by == "time":
            way_out = f"{(part == NO_PART).sum()} of them have no date; choose another data.split.before or by"
        elif split.by == "file":
            way_out = f"{(part == NO_PART).sum()} of them are not in {split.file}; look at its formulas and ids"
        msg = f"with {len(store)} samples and {split} no sample falls to {', '.join(empty)}: {way_out}"
        raise SelectionError(msg)
    return rows


def _draw(seed: int, name: str) -> float:
    """An even number in [0, 1), the same for ever for one seed and name."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
