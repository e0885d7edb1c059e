"""What stands for a formula where a network reads it: an array of numbers, the paper's being a one-hot matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.elements import SYMBOLS
from deepxrd.chem.formula import Formula
from deepxrd.errors import ConfigError, FormulaError

_NOT_IN_PAPER = frozenset({"He", "Ne", "Ar", "Kr", "Xe", "Rn", "Po", "At", "Fr", "Ra"})
PAPER_ELEMENTS: tuple[str, ...] = tuple(symbol for symbol in SYMBOLS[:94] if symbol not in _NOT_IN_PAPER)
"""The 84 elements of the ABC3 compounds of Materials Project 2025.02.12: H to Pu but for ten."""
ONE_HOT = "deepxrd.chem.OneHotEncoding"


class Encoding(ABC):
    """Arrays of numbers for formulas; one of your own is a dataclass whose fields are its settings.

    What it gives depends on the formula and the fields alone.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """What a network is given as ``input_shape``."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of the array of one formula."""
        return self.shape

    @abstractmethod
    def encode(self, formulas: Sequence[Formula]) -> NDArray[Any]:
        """Arrays of formulas, ``(len(formulas), *sample_shape)``."""

    def why_not(self, formula: Formula) -> str | None:  # noqa: ARG002 - all formulas can be encoded
        """Why a formula cannot be encoded, in words; None if it can."""
        return None

    def check(self, formula: Formula) -> None:
        """Make sure that a formula can be encoded.

        Raises:
            FormulaError: it cannot; the message says why.
        """
        reason = self.why_not(formula)
        if reason is not None:
            msg = f"cannot encode {formula}: {reason}"
            raise FormulaError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Plain values from which it can be made again: ``_target_``, its class, and its fields.

        Raises:
            ConfigError: it is no dataclass, so that its settings are not known.
        """
        if not is_dataclass(self) or isinstance(self, type):
            msg = f"{type(self).__name__} must be a dataclass, whose fields are its settings"
            raise ConfigError(msg)
        fields = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {"_target_": f"{type(self).__module__}.{type(self).__qualname__}", **fields}


def is_one_hot(node: Mapping[str, Any]) -> bool:
    """Whether plain values describe a `OneHotEncoding`, which has no ``_target_`` in older runs."""
    return node.get("_target_") in (None, ONE_HOT)


@dataclass(frozen=True)
class OneHotEncoding(Encoding):
    """Elements × counts, one cell per element of the reduced formula (Dong et al. 2022, section 2.2).

    The cell (element, n) is 1 where the reduced formula has n atoms of the element; column n = 0 stays empty, so that
    ten columns hold counts up to nine.

    Attributes:
        elements: the rows, in order.
        n_counts: the columns: counts 0 to ``n_counts - 1``.
    """

    elements: tuple[str, ...] = PAPER_ELEMENTS
    n_counts: int = 10

    def __str__(self) -> str:
        return f"one-hot of {len(self.elements)} elements and counts to {self.n_counts - 1}"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of one matrix, ``(84, 10)`` in the paper."""
        return len(self.elements), self.n_counts

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """One matrix as the single channel of an image, ``(1, 84, 10)`` in the paper."""
        return (1, *self.shape)

    def why_not(self, formula: Formula) -> str | None:
        """Why a formula has no place in the box, in words; None if it fits."""
        for symbol, count in formula.counts:
            if symbol not in self._rows:
                return f"element {symbol} is not among the {len(self.elements)} of the encoding"
            if count >= self.n_counts:
                return f"{count} atoms of {symbol} are more than the {self.n_counts - 1} of the encoding"
        return None

    def why_outside(self, formula: Formula) -> str | None:
        """The same in words that do not depend on the formula, so that they can be counted."""
        if self.why_not(formula) is None:
            return None
        if all(symbol in self._rows for symbol in formula.elements):
            return f"a count over {self.n_counts - 1}"
        return "an element outside the encoding"

    def cells(self, formula: Formula) -> NDArray[np.int64]:
        """Flat indices ``(n_elements,)`` of the ones in the row-major matrix.

        Raises:
            FormulaError: the formula lies outside the box; the message names the element or the count.
        """
        self.check(formula)
        return np.array([self._rows[symbol] * self.n_counts + count for symbol, count in formula.counts])

    def encode(self, formulas: Sequence[Formula]) -> NDArray[np.uint8]:
        """Binary matrices ``(len(formulas), 1, n_elements, n_counts)``.

        Raises:
            FormulaError: a formula lies outside the box.
        """
        cells = [self.cells(formula) for formula in formulas]
        rows = np.repeat(np.arange(len(cells)), [len(c) for c in cells])
        out = np.zeros((len(formulas), len(self.elements) * self.n_counts), dtype=np.uint8)
        if cells:
            out[rows, np.concatenate(cells)] = 1
        return out.reshape(-1, 1, *self.shape)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as written into checkpoints and manifests."""
        return {"elements": list(self.elements), "n_counts": self.n_counts}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> OneHotEncoding:
        """The encoding that :meth:`to_dict` described."""
        return cls(elements=tuple(values["elements"]), n_counts=int(values["n_counts"]))

    @property
    def _rows(self) -> dict[str, int]:
        return _row_index(self.elements)


@cache
def _row_index(elements: tuple[str, ...]) -> dict[str, int]:
    return {symbol: row for row, symbol in enumerate(elements)}
