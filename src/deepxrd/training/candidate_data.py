"""The LightningDataModule of the candidate model: compositions with their candidates, in batches drawn by index."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from deepxrd.chem import Formula
from deepxrd.data.datamodule import PatternDataModule
from deepxrd.data.parts import DataParts
from deepxrd.data.split import PARTS
from deepxrd.io.code_hash import code_hash
from deepxrd.io.files import file_hash, locked, value_hash
from deepxrd.library import Library
from deepxrd.library.memory import library_of
from deepxrd.models.baselines import Reference
from deepxrd.models.candidates import CandidateModel
from deepxrd.training.candidate_examples import Examples, build_examples

_CODE = (
    "chem/*.py", "metrics/peaks.py", "models/base.py", "models/baselines/*.py", "models/candidates/*.py",
    "training/candidate_examples.py", "xrd/*.py",
    "library/*.py",
)  # fmt: skip
"""Modules that candidates come from."""


class CandidateBatch(NamedTuple):
    """A batch; shapes as in `Examples`, all tensors float32 but ``elements`` (int64), ``mask`` and ``answered`` (bool).

    ``answered`` tells which compositions have a candidate, ``(batch,)``; the others get the mean training pattern.
    """

    features: Tensor
    elements: Tensor
    mask: Tensor
    quality: Tensor
    simulated: Tensor
    patterns: Tensor
    peaks: Tensor
    answered: Tensor


class CandidateDataset(Dataset[CandidateBatch]):
    """One part of a store; indexed by an array of positions it gives a whole batch.

    Args:
        examples: of the part.
        rows: the part's rows in the store, ``(n,)``; of them those that are served are kept.
        chosen: places among them that are served; None for all.
    """

    def __init__(self, examples: Examples, rows: NDArray[np.int64], chosen: NDArray[np.int64] | None = None) -> None:
        self.examples = examples
        self._chosen = np.arange(len(examples)) if chosen is None else chosen
        self.rows = rows[self._chosen]

    def to(self, device: torch.device) -> None:
        """Nothing is kept on a device: candidates of all compositions take gigabytes."""

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, positions: NDArray[np.int64]) -> CandidateBatch:
        """The examples at some positions."""
        at, of = self._chosen[positions], self.examples

        def floats(values: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.asarray(values[at], dtype=np.float32))

        mask = torch.from_numpy(of.mask[at])
        return CandidateBatch(
            floats(of.features),
            torch.from_numpy(of.elements[at].astype(np.int64)),
            mask,
            floats(of.quality),
            floats(of.simulated),
            floats(of.patterns) / 100,
            floats(of.peaks),
            mask.any(dim=1),
        )


class CandidateDataModule(PatternDataModule):
    """The store of patterns, and the candidates of its compositions: templates are those of the training part.

    What takes long to make, the candidates' patterns, is kept beside the store, by a hash of all it is made from.

    Args:
        data: the parts.
        library: a library of structures with polymorphs of the training compositions; of its others none is used.
        settings: those of `PatternDataModule`.
    """

    def __init__(self, data: DataParts, *, library: Path | None = None, **settings: Any) -> None:
        super().__init__(data, **settings)
        self._library = library

    @cached_property
    def templates(self) -> CandidateModel:
        """Templates, volumes and the mean pattern of the training part: a model that lacks its networks."""
        store, rows = self.data.store, self.data.rows["train"]
        crystals, formulas = store.crystals(), store.formulas
        reference = Reference(
            [formulas[row] for row in rows],
            [crystals[row] for row in rows],
            np.array(store.patterns[rows]),
            self.data.xrd,
        )
        if self._library is None:
            # the validation part too, whose structures probabilities are learned from; its are never templates
            library = library_of([crystals[row] for part in ("train", "val") for row in self.data.rows[part]])
        else:
            library = Library.open(self._library)
        return CandidateModel.prepare(reference, library=library, seed=self.seed)

    def validation(self, most: int) -> tuple[list[Formula], NDArray[np.float32]]:
        """Compositions of the validation part and their patterns.

        Args:
            most: so many are drawn if there are more.
        """
        store, rows = self.data.store, self.data.rows["val"]
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(self.seed).choice(rows, most, replace=False))
        return [store.formulas[row] for row in rows.tolist()], np.asarray(store.patterns[rows])

    def dataset(self, part: str) -> CandidateDataset:  # type: ignore[override]
        """The train, val or test part; of the first only compositions that have a candidate."""
        return self._candidates[part]

    @cached_property
    def _candidates(self) -> dict[str, CandidateDataset]:
        made_from = {
            "code": code_hash(*_CODE),
            "data_hash": self.data.store.content_hash,
            "split": self.data.split.to_dict(),
            "seed": self.seed,
            "library": None if self._library is None else file_hash(self._library),
        }
        folder = self.data.store.path / "candidates" / value_hash(made_from)[:16]
        with locked(folder.with_name(f".{folder.name}.lock")):
            examples = {part: self._build(part, folder / part) for part in PARTS}
        usable = np.flatnonzero(examples["train"].mask.any(axis=1))
        return {
            part: CandidateDataset(each, self.data.rows[part], usable if part == "train" else None)
            for part, each in examples.items()
        }

    def _build(self, part: str, folder: Any) -> Examples:
        rows, model = self.data.rows[part], self.templates
        formulas = [self.data.store.formulas[row] for row in rows]
        patterns = np.asarray(self.data.store.patterns[rows])
        return build_examples(
            formulas, patterns, maker=model.maker, xrd=self.data.xrd, folder=folder, options=self.data.build
        )

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002 - Lightning's signature
        """Make, or open, the candidates of all parts."""
        _ = self._candidates
