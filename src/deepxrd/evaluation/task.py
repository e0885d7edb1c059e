"""What is to be predicted, and what may be learned from: some rows of a store, and its training part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal, Formula
from deepxrd.data import other_structures
from deepxrd.data.parts import DataParts
from deepxrd.data.split import PARTS
from deepxrd.errors import SelectionError
from deepxrd.io.files import value_hash
from deepxrd.io.progress import progress_bar
from deepxrd.models.baselines import Model, Reference, Truth

_AT_ONCE = 512  # samples between two steps of a progress bar


class Task:
    """The parts of a data set as predictions and baselines need them.

    Args:
        data: source, store and split.
        targets: rows of the store that are to be predicted, ``(n,)``; None for the test part.
    """

    def __init__(self, data: DataParts, *, targets: NDArray[np.int64] | None = None) -> None:
        self._data = data
        self.store, self.xrd, self.split = data.store, data.xrd, data.split
        self.rows: dict[str, NDArray[np.int64]] = data.rows
        self.targets = self.rows["test"] if targets is None else targets

    def outside_the_test(self, compositions: Sequence[str]) -> Task:
        """The same task with other targets: those of some compositions that the training and validation parts hold."""
        known = np.flatnonzero(self.store.samples["composition"].isin(compositions))
        return Task(self._data, targets=np.setdiff1d(known, self.rows["test"]))

    def only(self, takes: Callable[[Formula], bool]) -> tuple[Task, int]:
        """The same task without the targets that a model cannot read, such as those beyond a network's one-hot.

        Args:
            takes: whether a composition can be read.

        Returns:
            The task, and how many targets were left out.

        Raises:
            SelectionError: none is left.
        """
        fits = np.array([takes(formula) for formula in self.formulas], dtype=bool)
        if fits.all():
            return self, 0
        if not fits.any():
            msg = f"the model can read none of the {len(fits)} compositions that it is to be scored on"
            raise SelectionError(msg)
        return Task(self._data, targets=self.targets[fits]), int((~fits).sum())

    @property
    def chosen(self) -> str | None:
        """A hash that names the targets; None where they are the whole test part."""
        return None if np.array_equal(self.targets, self.rows["test"]) else value_hash(self.targets.tolist())

    @cached_property
    def parts(self) -> NDArray[np.str_]:
        """Which part each target is of, ``(n,)``."""
        return np.select([np.isin(self.targets, self.rows[part]) for part in PARTS], PARTS, default="")

    @cached_property
    def formulas(self) -> list[Formula]:
        """Compositions of the targets."""
        return self._formulas(self.targets)

    @cached_property
    def true(self) -> NDArray[np.float32]:
        """Patterns of the targets, ``(n, n_points)``."""
        return np.array(self.store.patterns[self.targets])

    @cached_property
    def crystals(self) -> list[Crystal]:
        """Structures of the targets."""
        return [self._all_crystals[row] for row in self.targets]

    @cached_property
    def reference(self) -> Reference:
        """What baselines learn from: the training part."""
        rows = self.rows["train"]
        crystals = [self._all_crystals[row] for row in rows]
        return Reference(self._formulas(rows), crystals, np.array(self.store.patterns[rows]), self.xrd)

    @cached_property
    def polymorphs(self) -> list[list[Crystal]]:
        """All other structures that the source knows of each target's composition; reads the source again."""
        samples, source = self.store.identity(self.targets), self._data.source
        with progress_bar() as bar:
            task = bar.add_task("Reading polymorphs", total=len(source))
            chosen = list(zip(samples["composition"], samples["material_id"], strict=True))
            return other_structures(bar.track(source, task_id=task), chosen)

    def fit(self, baseline: Model) -> Model:
        """Fit a baseline on the training part."""
        return baseline.fit(self.reference)

    def predict(self, baseline: Model, *, label: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Predict the targets with a fitted baseline.

        Args:
            baseline: what predicts.
            label: what the progress bar says.

        Returns:
            Patterns ``(n, n_points)``; and where the baseline had nothing to go by, ``(n,)``.
        """
        polymorphs = self.polymorphs if baseline.needs_polymorphs else None

        def part(places: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
            formulas = [self.formulas[i] for i in places]
            others = None if polymorphs is None else [polymorphs[i] for i in places]
            truth = Truth([self.crystals[i] for i in places], self.true[places], others)
            return {
                "patterns": baseline.predict(formulas, oracle=truth if baseline.needs_oracle else None),
                "fallbacks": baseline.fallbacks(formulas, oracle=truth),
            }

        found = in_parts(part, np.arange(len(self.formulas)), label=label)
        return found["patterns"], found["fallbacks"]

    @cached_property
    def _all_crystals(self) -> list[Crystal]:
        return self.store.crystals()

    def _formulas(self, rows: NDArray[np.int64]) -> list[Formula]:
        return [self.store.formulas[row] for row in rows]


def in_parts(
    function: Callable[..., Mapping[str, NDArray[Any]]], *arrays: NDArray[Any], label: str, at_once: int = _AT_ONCE
) -> dict[str, NDArray[Any]]:
    """Call a function on a part of the samples at a time, with a progress bar, and join what it gives.

    Args:
        function: from arrays of n samples to arrays of n by name.
        arrays: of as many samples each, at least one.
        label: what the progress bar says.
        at_once: samples at a time; does not change the result.
    """
    parts = []
    with progress_bar() as bar:
        task = bar.add_task(label, total=len(arrays[0]))
        for start in range(0, len(arrays[0]), at_once):
            parts.append(function(*(array[start : start + at_once] for array in arrays)))
            bar.advance(task, len(arrays[0][start : start + at_once]))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
