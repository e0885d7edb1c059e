"""Numbers that describe putting the elements of one composition into the structure of another."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS, Formula
from deepxrd.models.baselines.element_distance import element_properties
from deepxrd.models.baselines.neighbours import Neighbours

Floats = NDArray[np.float32]


@cache
def element_table() -> NDArray[np.float64]:
    """Properties of the elements, ``(1 + 118, 7)``, row = atomic number; row 0 stands for none and is zero.

    Those of :func:`element_properties`, then pymatgen's average ionic radius in Å (0 where it has none) and the atomic
    number.
    """
    from pymatgen.core import Element

    radius = np.zeros(1 + len(SYMBOLS))
    with warnings.catch_warnings():  # pymatgen warns about each value that it does not have
        warnings.simplefilter("ignore")
        for number, symbol in enumerate(SYMBOLS, start=1):
            radius[number] = float(Element(symbol).average_ionic_radius or 0.0)
    table = np.column_stack([element_properties(), radius, np.arange(1 + len(SYMBOLS))])
    table.setflags(write=False)
    return table


def slot_counts(formulas: Sequence[Formula], width: int) -> NDArray[np.float64]:
    """Atoms of each slot in the reduced formulas, ascending, zeros after the last: ``(n, width)``.

    Slots beyond the width are left out; such a composition has no template anyway.
    """
    counts = np.zeros((len(formulas), width))
    for row, formula in enumerate(formulas):
        amounts = sorted(count for _, count in formula.counts)[:width]
        counts[row, : len(amounts)] = amounts
    return counts


def exchange_features(old: NDArray[np.int64], new: NDArray[np.int64], counts: NDArray[np.float64]) -> Floats:
    """What is exchanged: ``(n, 16 width)``.

    Args:
        old: atomic numbers of the template's elements, ``(n, width)``; 0 is padding.
        new: what takes their places, likewise.
        counts: atoms of each in the reduced formula, likewise.
    """
    before, after = element_table()[old], element_table()[new]
    flat = len(old), before.shape[1] * before.shape[2]  # given in full, since there may be no pairs
    parts = [before.reshape(flat), (after - before).reshape(flat)]
    parts += [counts, counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def vote_features(
    neighbours: Neighbours, kinds: NDArray[np.int64], places: NDArray[np.int64], ranks: NDArray[np.int64]
) -> Floats:
    """How many of the nearest templates agree with a candidate on the kind of structure: ``(n_candidates, 6)``.

    Columns: how many of all have its kind; their share weighted by exp(−d / (d_1 + 1)), d_1 the least distance; how
    many of the nearest ten; the rank of the first and its distance; how much further the candidate is than the nearest.

    Args:
        neighbours: of n compositions.
        kinds: a number for the kind of each neighbour, ``(n, k)``; negative where there is none.
        places: the composition of each candidate, ``(n_candidates,)``.
        ranks: its column among the neighbours, ``(n_candidates,)``.
    """
    distance = neighbours.distance[places]
    weight = np.exp(-distance / (distance[:, :1] + 1.0))
    agree = kinds[places] == kinds[places, ranks][:, None]
    first, each = agree.argmax(axis=1), np.arange(len(places))
    columns = [
        agree.sum(axis=1),
        (weight * agree).sum(axis=1) / weight.sum(axis=1),
        agree[:, :10].sum(axis=1),
        first,
        distance[each, first],
        distance[each, ranks] - distance[:, 0],
    ]
    return np.stack(columns, axis=1).astype(np.float32)
