"""The one-hot matrix that stands for a formula: elements by counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.elements import SYMBOLS
from deepxrd.chem.formula import Formula
from deepxrd.errors import FormulaError

_NOT_IN_PAPER = frozenset({"He", "Ne", "Ar", "Kr", "Xe", "Rn", "Po", "At", "Fr", "Ra"})
PAPER_ELEMENTS: tuple[str, ...] = tuple(symbol for symbol in SYMBOLS[:94] if symbol not in _NOT_IN_PAPER)
"""The 84 elements of the ABC3 compounds of Materials Project 2025.02.12: H to Pu but for ten."""


@dataclass(frozen=True)
class OneHotEncoding:
    """Elements × counts, one cell per element of the reduced formula (Dong et al. 2022, section 2.2).

    The cell (element, n) is 1 where the reduced formula has n atoms of the element; column n = 0 stays empty, so that
    ten columns hold counts up to nine.

    Attributes:
        elements: the rows, in order.
        n_counts: the columns: counts 0 to ``n_counts - 1``.
    """

    elements: tuple[str, ...] = PAPER_ELEMENTS
    n_counts: int = 10

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of one matrix, ``(84, 10)`` in the paper."""
        return len(self.elements), self.n_counts

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
        reason = self.why_not(formula)
        if reason is not None:
            msg = f"cannot encode {formula}: {reason}"
            raise FormulaError(msg)
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
