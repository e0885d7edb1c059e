"""What all baselines share: what they may learn from, what only oracles may see, and how they are asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal, Formula
from deepxrd.errors import ConfigError, SelectionError
from deepxrd.xrd import XrdSettings


@dataclass(frozen=True, eq=False)
class Reference:
    """All that a model may learn from: the training part, and nothing else.

    Attributes:
        formulas: compositions, n of them; one may occur several times.
        crystals: their structures, n.
        patterns: their patterns, ``(n, n_points)`` float32 in 0 to 100; may be memory-mapped.
        xrd: the settings of the patterns.
    """

    formulas: Sequence[Formula]
    crystals: Sequence[Crystal]
    patterns: NDArray[np.float32]
    xrd: XrdSettings

    def __post_init__(self) -> None:
        n, shape = len(self.formulas), (len(self.formulas), self.xrd.n_points)
        if n == 0:
            msg = "a model has nothing to learn from: the reference holds no compositions"
            raise SelectionError(msg)
        if len(self.crystals) != n or self.patterns.shape != shape:
            msg = (
                f"{n} formulas need as many crystals and patterns {shape}, "
                f"not {len(self.crystals)} and {self.patterns.shape}"
            )
            raise ConfigError(msg)

    @cached_property
    def rows_of(self) -> dict[Formula, list[int]]:
        """Rows of each composition: those that a prediction for this composition must not use."""
        rows: dict[Formula, list[int]] = {}
        for row, formula in enumerate(self.formulas):
            rows.setdefault(formula, []).append(row)
        return rows

    def others(self, formula: Formula) -> int:
        """How many rows are of another composition.

        Raises:
            SelectionError: none is, so that nothing is left to predict this composition from.
        """
        n = len(self.formulas) - len(self.rows_of.get(formula, ()))
        if n == 0:
            msg = f"the reference holds nothing but {formula}, which must not be predicted from itself"
            raise SelectionError(msg)
        return n


@dataclass(frozen=True, eq=False)
class Truth:
    """What only an oracle may look at: the truth about the very compositions it is asked for, in the same order.

    Attributes:
        crystals: the true structures, n of them.
        patterns: the true patterns, ``(n, n_points)`` float32 in 0 to 100.
        polymorphs: for each composition all other structures that are known of it, perhaps none; None where nobody
            looked for them, which only baselines with `Model.needs_polymorphs` mind.
    """

    crystals: Sequence[Crystal]
    patterns: NDArray[np.float32]
    polymorphs: Sequence[Sequence[Crystal]] | None = None


class Model(ABC):
    """A prediction without a network.

    A composition is never predicted from itself: rows of `Reference` with the very composition that is asked for are
    left out, whatever their structure. So predictions for training compositions are as honest as those for others
    (leave one out), and a test composition that slipped into the reference cannot help. What is learned from all rows
    at once and holds no single one of them, the volumes of the elements, is not learned anew for each composition.

    A prediction depends on the reference and the composition alone, not on what else is asked for in the same call.
    """

    needs_oracle: ClassVar[bool] = False
    """Whether `predict` must be given the truth: such numbers are bounds, not predictions."""
    needs_polymorphs: ClassVar[bool] = False
    """Whether that truth must hold the other structures of each composition."""

    @abstractmethod
    def fit(self, reference: Reference) -> Self:
        """Learn from the training part; returns the baseline itself."""

    @abstractmethod
    def predict(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.float32]:
        """Patterns of compositions.

        Args:
            formulas: what to predict, n compositions.
            oracle: the truth about them. Baselines that are no oracles do not look at it, so that all can be called
                alike.

        Returns:
            ``(n, n_points)`` float32 on the grid of the reference, in 0 to 100 (but for the rounding of the engine,
            which may leave −1e-4 where there is nothing).

        Raises:
            ConfigError: it was not fitted, or is an oracle and was not given the truth.
            SelectionError: the reference holds no other composition.
        """

    def fallbacks(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.bool_]:
        """For which compositions the method has nothing to go by and gives the mean training pattern, ``(n,)``."""
        del oracle
        return np.zeros(len(formulas), dtype=bool)

    def _not_fitted(self) -> ConfigError:
        return ConfigError(f"{type(self).__name__} was asked for patterns before fit(reference)")

    def _truth(self, oracle: Truth | None, n: int) -> Truth:
        """The truth about n compositions, checked to be there."""
        if oracle is None:
            msg = f"{type(self).__name__} is an oracle: give predict(…, oracle=Truth(…)) the truth to look at"
            raise ConfigError(msg)
        if len(oracle.crystals) != n or len(oracle.patterns) != n:
            msg = f"{n} formulas, but an oracle of {len(oracle.crystals)} crystals and {len(oracle.patterns)} patterns"
            raise ConfigError(msg)
        return oracle
