"""What is looked up among templates: a composition, or one that it becomes where some elements share their sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Formula
from deepxrd.models.candidates.templates import WIDTH

Index = NDArray[np.int64]
SHARING = 8
"""The most elements that one site is shared by."""


@dataclass(frozen=True, eq=False)
class Targets:
    """What is looked up, n of them; a composition may stand for several.

    Attributes:
        owner: which of the compositions asked for, ``(n,)``.
        own: its number in the library, whose structures are never used; −1 where it is not there, ``(n,)``.
        elements: by slot of ascending count the element of each, the most frequent where some share, ``(n, WIDTH)``;
            0 is padding.
        counts: atoms of each slot that the template must have, ``(n, WIDTH)``.
        mixed: elements that share each slot, ``(n, WIDTH, SHARING)``; 0 is padding.
        filled: how much of the slot each fills; less than 1 in sum where sites stay empty, ``(n, WIDTH, SHARING)``.
        cost: how far from the true composition this is, ``(n,)``; 0 where it is the composition itself.
    """

    owner: Index
    own: Index
    elements: Index
    counts: Index
    mixed: Index
    filled: NDArray[np.float64]
    cost: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.owner)

    @classmethod
    def join(cls, parts: Sequence[Targets]) -> Targets:
        """One after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    def take(self, places: Index) -> Targets:
        """Some of them."""
        return Targets(*(column[places] for column in vars(self).values()))


Slot = tuple[float, tuple[tuple[int, float], ...]]
"""Atoms that a template must have in a slot; and elements there with their amounts."""


def main_of(there: Sequence[tuple[int, float]]) -> tuple[int, float]:
    """The element that there is most of, and how much; the first of several."""
    return max(there, key=lambda pair: pair[1])


def targets_of(entries: Sequence[tuple[int, int, Sequence[Slot], float]]) -> Targets:
    """Put together what is looked up.

    Args:
        entries: for each its owner, its number in the library, its slots, and its cost.
    """
    n = len(entries)
    elements, counts = np.zeros((n, WIDTH), dtype=np.int64), np.zeros((n, WIDTH), dtype=np.int64)
    mixed, filled = np.zeros((n, WIDTH, SHARING), dtype=np.int64), np.zeros((n, WIDTH, SHARING))
    for row, (_, _, slots, _) in enumerate(entries):
        first = [main_of(there)[0] for _, there in slots]
        order = sorted(range(len(slots)), key=lambda s: (slots[s][0], first[s]))
        for place, s in enumerate(order):
            count, there = slots[s]
            elements[row, place], counts[row, place] = first[s], count
            for column, (z, amount) in enumerate(there):
                mixed[row, place, column], filled[row, place, column] = z, min(amount / count, 1.0)
    # what is more than the template has room for is left out, not stacked on one site
    filled /= np.maximum(filled.sum(axis=2, keepdims=True), 1.0)
    return Targets(
        np.array([owner for owner, *_ in entries], dtype=np.int64),
        np.array([own for _, own, _, _ in entries], dtype=np.int64),
        elements,
        counts,
        mixed,
        filled,
        np.array([cost for *_, cost in entries], dtype=np.float64),
    )


def plain_targets(formulas: Sequence[Formula], own: Index) -> Targets:
    """The compositions themselves; those of more than `WIDTH` elements are left out.

    Args:
        formulas: n compositions.
        own: number of each in the library, ``(n,)``.
    """
    entries = []
    for row, formula in enumerate(formulas):
        if len(formula.counts) <= WIDTH:
            slots = [(count, ((ATOMIC_NUMBERS[symbol], float(count)),)) for symbol, count in formula.counts]
            entries.append((row, int(own[row]), slots, 0.0))
    return targets_of(entries)
