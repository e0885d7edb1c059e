"""What is known of the very composition in other structures: how far polymorphs of one formula are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem import Crystal, Formula
from deepxrd.errors import ConfigError
from deepxrd.metrics import cosine_distance
from deepxrd.models.base import Model, Reference, Truth
from deepxrd.models.baselines.constant import MeanPattern
from deepxrd.xrd import simulate

_AT_ONCE = 500  # crystals: enough that the engine is at its best


class PolymorphOracle(Model):
    """Of all other structures known of the composition asked for, the pattern of the one most like the truth.

    Likeness is the least cosine distance. A formula alone does not say which of its structures is meant, so this is
    about as well as one could do without knowing that structure itself. Where no other is known, or none gives a
    pattern, it is the mean training pattern (see `fallbacks`).
    """

    needs_oracle: ClassVar[bool] = True
    needs_polymorphs: ClassVar[bool] = True

    def __init__(self) -> None:
        self._fitted: tuple[Reference, MeanPattern] | None = None

    def fit(self, reference: Reference) -> Self:
        """Take the grid, and the mean pattern to fall back to."""
        self._fitted = reference, MeanPattern().fit(reference)
        return self

    def predict(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.float32]:
        """Patterns of compositions, see `Model`."""
        if self._fitted is None:
            raise self._not_fitted()
        reference, mean = self._fitted
        true = self._truth(oracle, len(formulas)).patterns
        crystals, places = self._polymorphs(oracle, len(formulas))
        patterns = mean.predict(formulas)
        least = np.full(len(formulas), np.inf)
        for start in range(0, len(crystals), _AT_ONCE):
            simulated, failures = simulate(crystals[start : start + _AT_ONCE], reference.xrd)
            at = places[start : start + _AT_ONCE]
            distances = cosine_distance(torch.from_numpy(simulated), torch.from_numpy(np.array(true[at]))).numpy()
            for place, pattern, distance, failure in zip(at, simulated, distances, failures, strict=True):
                if failure is None and distance < least[place]:
                    patterns[place], least[place] = pattern, distance
        return patterns

    def fallbacks(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.bool_]:
        """Which compositions have no other structure, ``(n,)``."""
        _, places = self._polymorphs(oracle, len(formulas))
        return ~np.isin(np.arange(len(formulas)), places)

    def _polymorphs(self, oracle: Truth | None, n: int) -> tuple[list[Crystal], NDArray[np.int64]]:
        """All other structures in one list, and for which of n compositions each stands."""
        polymorphs = self._truth(oracle, n).polymorphs
        if polymorphs is None or len(polymorphs) != n:
            there = "none" if polymorphs is None else f"those of {len(polymorphs)}"
            msg = (
                f"{type(self).__name__} needs the other structures of {n} compositions (Truth.polymorphs), got {there}"
            )
            raise ConfigError(msg)
        crystals = [crystal for each in polymorphs for crystal in each]
        places = np.repeat(np.arange(n), [len(each) for each in polymorphs])
        return crystals, places.astype(np.int64)
