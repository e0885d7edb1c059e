"""A pattern store: one folder with the patterns, their samples, and a manifest that says what they were made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.chem import Crystal, Formula, OneHotEncoding, parse_formula
from deepxrd.data.content import pattern_values, table_values
from deepxrd.errors import StoreError
from deepxrd.io.files import file_hash, value_hash
from deepxrd.xrd import XrdSettings

FORMAT = 1
"""Raised whenever the same inputs would give other files."""
PATTERNS, SAMPLES, MANIFEST = "patterns.npy", "samples.parquet", "manifest.json"
_checked: dict[Path, tuple[int, ...]] = {}
"""Files that this process has hashed already, as they were then: a sweep run asks for its data twice."""
IDENTITY = ("composition", "stoichiometry", "material_id", "n_sites")
"""Columns that tell which sample a row of scores is of."""
STRUCTURE_COLUMNS = ("lattice", "atomic_numbers", "frac_coords", "occupancies")


def content_values(path: Path) -> dict[str, str]:
    """Hashes of the values in a store's two files, by name of the file."""
    patterns: NDArray[np.float32] = np.load(path / PATTERNS, mmap_mode="r")
    return {PATTERNS: pattern_values(patterns), SAMPLES: table_values(path / SAMPLES)}


def store_id(inputs: dict[str, Any]) -> str:
    """Name of a store: a hash of all it is made from."""
    return value_hash({"format": FORMAT, "inputs": inputs})[:16]


def _is_sound(file: Path, expected: str | None) -> bool:
    """Whether a file has its hash; one that was found sound and not written to since is not read again."""
    info = file.stat()
    state = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    if _checked.get(file) == state:
        return True
    sound = file_hash(file) == expected
    if sound:
        _checked[file] = state
    return sound


@dataclass(frozen=True)
class PatternStore:
    """An open store; nothing is loaded before it is asked for.

    Attributes:
        path: its folder.
        manifest: inputs, counts, versions, file hashes, citation.
    """

    path: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> PatternStore:
        """Open a store and check every file against the manifest.

        Raises:
            StoreError: it is incomplete or damaged; the message names the file and the way out.
        """
        way_out = f"delete {path} and run the same command to build it anew"
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            expected, inputs, identity = manifest["files"], manifest["inputs"], manifest["id"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{path} is no pattern store ({type(error).__name__}: {error}); {way_out}"
            raise StoreError(msg) from error
        if store_id(inputs) != identity:
            msg = f"the manifest of {path} was changed: its inputs no longer give its id {identity}; {way_out}"
            raise StoreError(msg)
        for name in (PATTERNS, SAMPLES):
            file = path / name
            if not file.is_file() or not _is_sound(file, expected.get(name)):
                msg = f"{file} does not match the hash in its manifest; {way_out}"
                raise StoreError(msg)
        return cls(path, manifest)

    @property
    def id(self) -> str:
        """The hash that names the store."""
        return str(self.manifest["id"])

    @cached_property
    def values(self) -> dict[str, str]:
        """Hashes of the values in the store's files, by name of the file."""
        # a store that was built before this was noted has none
        return dict(self.manifest.get("values") or content_values(self.path))

    @cached_property
    def content_hash(self) -> str:
        """Hash of the values themselves: equal hashes mean equal samples and patterns, however they are written."""
        return value_hash(self.values)[:16]

    def holds(self, data_hash: str | None) -> bool:
        """Whether a hash is of these data: `content_hash`, or that of the files' bytes, which older runs noted."""
        return data_hash in (self.content_hash, value_hash(self.manifest["files"])[:16])

    @cached_property
    def patterns(self) -> NDArray[np.float32]:
        """All patterns, ``(n_samples, n_points)`` float32 in 0 to 100, memory-mapped and read-only."""
        mapped: NDArray[np.float32] = np.load(self.path / PATTERNS, mmap_mode="r")
        return mapped

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per pattern, without the structures: composition, stoichiometry, material_id and more."""
        import pyarrow.parquet as pq

        names = pq.read_schema(self.path / SAMPLES).names
        return pd.read_parquet(self.path / SAMPLES, columns=[n for n in names if n not in STRUCTURE_COLUMNS])

    @cached_property
    def formulas(self) -> list[Formula]:
        """The composition of each pattern, parsed once."""
        return [parse_formula(text) for text in self.samples["composition"]]

    def identity(self, rows: NDArray[np.int64]) -> pd.DataFrame:
        """Which samples these rows are: composition, stoichiometry, material id and number of sites."""
        return self.samples.iloc[rows][list(IDENTITY)].reset_index(drop=True)

    def crystals(self) -> list[Crystal]:
        """The structures behind the patterns, in the same order."""
        table = pd.read_parquet(self.path / SAMPLES, columns=list(STRUCTURE_COLUMNS))
        return [
            Crystal(lattice.reshape(3, 3), numbers.astype(np.int64), coords.reshape(-1, 3), occupancies)
            for lattice, numbers, coords, occupancies in table.itertuples(index=False)
        ]

    @property
    def xrd(self) -> XrdSettings:
        """The settings of the patterns."""
        return XrdSettings(**self.manifest["inputs"]["xrd"])

    @property
    def box(self) -> OneHotEncoding | None:
        """The one-hot that all compositions fit in because others were left out; None where none was."""
        box = self.manifest["inputs"]["encoding"]
        return None if box is None else OneHotEncoding.from_dict(box)

    def __len__(self) -> int:
        return len(self.samples)
