"""A data set and its parts: the store of patterns, and which rows are learned from, chosen by and tested on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Encoding
from deepxrd.data.build import ensure_store
from deepxrd.data.selection import Selection
from deepxrd.data.split import Split, indices
from deepxrd.data.store import PatternStore
from deepxrd.data.workers import BuildOptions
from deepxrd.errors import ConfigError
from deepxrd.sources import Source
from deepxrd.sources.base import why_no_dates
from deepxrd.xrd import XrdSettings


@dataclass(eq=False)
class DataParts:
    """What a configuration says of its data; nothing is built before it is asked for.

    Attributes:
        source: where structures come from.
        selection: which of them.
        encoding: what stands for a formula where a network reads it; the store holds what the selection says.
        xrd: settings of the patterns.
        split: shares and seed.
        stores_dir: the folder that holds all stores.
        build: how to build the store.
    """

    source: Source
    selection: Selection
    encoding: Encoding
    xrd: XrdSettings
    split: Split
    stores_dir: Path
    build: BuildOptions = field(default_factory=BuildOptions)

    @cached_property
    def store(self) -> PatternStore:
        """The open store; built on first use.

        Raises:
            ConfigError: the split is by time, and the source cannot say when its entries were made.
            SourceError: the file of the split cannot be read.
        """
        reason = why_no_dates(self.source) if self.split.by == "time" else None
        if reason is not None:  # found out before a long download or build, and not at its end
            msg = (
                f"data.split.by=time needs the day that each entry was made, and source {self.source.name} has none: "
                f"{reason}; or choose data.split.by=composition or chemical_system"
            )
            raise ConfigError(msg)
        if self.split.by == "file":  # likewise
            _ = self.split.of_file
        return ensure_store(self.source, self.selection, self.xrd, root=self.stores_dir, options=self.build)

    @cached_property
    def rows(self) -> dict[str, NDArray[np.int64]]:
        """Rows of the store in the train, val and test part."""
        return indices(self.store, self.split)
