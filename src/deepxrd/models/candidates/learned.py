"""Which compositions a model was learned from, whether or not it still holds a structure of theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula


@dataclass(frozen=True, eq=False)
class LearnedFrom:
    """A set of compositions, 8 bytes each.

    Attributes:
        hashes: the first 64 bits of the SHA-256 of each reduced formula, ascending, ``(n,)`` uint64. Of a million other
            formulas one is taken for a member with a probability of 1e-9.
    """

    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, formulas: Iterable[Formula]) -> Self:
        """The set of some compositions."""
        return cls(np.unique(_hashes([formula.reduced for formula in formulas])))

    def has(self, formulas: Sequence[Formula]) -> NDArray[np.bool_]:
        """Whether each composition was learned from, ``(n,)``."""
        return np.isin(_hashes([formula.reduced for formula in formulas]), self.hashes)

    def __len__(self) -> int:
        return len(self.hashes)


def _hashes(names: Sequence[str]) -> NDArray[np.uint64]:
    digests = b"".join(hashlib.sha256(name.encode()).digest()[:8] for name in names)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
