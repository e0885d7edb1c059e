"""Baselines that know nothing of chemistry: the mean training pattern, a comb of peaks, a random training pattern."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.errors import ConfigError
from deepxrd.models.base import Model, Reference, Truth
from deepxrd.xrd import normalise

_ROWS_AT_ONCE = 4096  # of a memory-mapped file


class MeanPattern(Model):
    """The mean of all training patterns of other compositions, scaled so that its largest value is 100."""

    def __init__(self) -> None:
        self._fitted: tuple[Reference, NDArray[np.float64]] | None = None

    def fit(self, reference: Reference) -> Self:
        """Sum the patterns, a part of the file at a time."""
        total = np.zeros(reference.xrd.n_points)
        for start in range(0, len(reference.formulas), _ROWS_AT_ONCE):
            total += reference.patterns[start : start + _ROWS_AT_ONCE].sum(axis=0, dtype=np.float64)
        self._fitted = reference, total
        return self

    @property
    def pattern(self) -> NDArray[np.float32]:
        """The mean of all training patterns, ``(n_points,)``."""
        if self._fitted is None:
            raise self._not_fitted()
        return np.asarray(normalise(self._fitted[1][None])[0], dtype=np.float32)

    def predict(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.float32]:
        """The same pattern for all, but for what a composition's own patterns add to it."""
        del oracle
        if self._fitted is None:
            raise self._not_fitted()
        reference, total = self._fitted
        out = np.empty((len(formulas), len(total)), dtype=np.float32)
        out[:] = normalise(total[None])
        for place, formula in enumerate(formulas):
            reference.others(formula)
            if own := reference.rows_of.get(formula):
                rest = total - reference.patterns[own].sum(axis=0, dtype=np.float64)
                # where no other has intensity, rounding may leave a little less than nothing
                out[place] = normalise(np.maximum(rest, 0.0)[None])[0]
        return out


class Comb(Model):
    """Equally high peaks all along the axis, which finds all by predicting all: why recall alone is worthless.

    The teeth are one grid point wide, so that they stay apart on any grid. Each stands on the first point that is no
    closer than ``step_deg`` to the one before: a little further apart than asked (2.11° for 2° on the paper's grid),
    but never so near that merging (`deepxrd.xrd.merge_peaks`) would make one of two.

    Args:
        step_deg: least distance between two peaks.
        start_deg: where the first may stand.
    """

    def __init__(self, *, step_deg: float = 4.0, start_deg: float = 20.0) -> None:
        if not step_deg > 0:
            msg = f"the teeth of a comb must be a positive angle apart, not {step_deg}°"
            raise ConfigError(msg)
        self._step_deg, self._start_deg = step_deg, start_deg
        self._pattern: NDArray[np.float32] | None = None

    def fit(self, reference: Reference) -> Self:
        """Take the grid; nothing is learned."""
        angles = reference.xrd.two_theta_deg
        pattern = np.zeros(len(angles), dtype=np.float32)
        free = angles >= self._start_deg
        while free.any():
            tooth = int(free.argmax())
            pattern[tooth] = 100.0
            # a difference of grid points, as merging forms it: no rounding can come between the two
            free = angles - angles[tooth] >= self._step_deg
            free[: tooth + 2] = False  # two neighbours would be one flat peak
        if not pattern.any():
            msg = f"a comb that starts at {self._start_deg}° has no tooth within {angles[0]:g}–{angles[-1]:g}°"
            raise ConfigError(msg)
        self._pattern = pattern
        return self

    def predict(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.float32]:
        """The same pattern for all."""
        del oracle
        if self._pattern is None:
            raise self._not_fitted()
        return np.tile(self._pattern, (len(formulas), 1))


class RandomPattern(Model):
    """The pattern of a training composition drawn at random: what any material has in common with any other.

    The draw is a hash of the seed and the composition, so that it does not depend on what else is asked for.

    Args:
        seed: another seed, another draw.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._reference: Reference | None = None

    def fit(self, reference: Reference) -> Self:
        """Take the patterns to draw from."""
        self._reference = reference
        return self

    def predict(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.float32]:
        """A training pattern each, evenly drawn among those of other compositions."""
        del oracle
        if self._reference is None:
            raise self._not_fitted()
        rows = np.array([self._draw(formula, self._reference) for formula in formulas], dtype=np.int64)
        return np.array(self._reference.patterns[rows], dtype=np.float32)

    def _draw(self, formula: Formula, reference: Reference) -> int:
        # a word of its own, since the split draws by seed and composition too: the same number would tie the two
        digest = hashlib.sha256(f"random pattern:{self._seed}:{formula.reduced}".encode()).digest()
        row = int.from_bytes(digest[:8], "big") % reference.others(formula)
        for own in reference.rows_of.get(formula, ()):  # ascending: step over the composition's own rows
            row += row >= own
        return row
