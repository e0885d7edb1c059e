"""Formulas written as solid solutions are: Ba0.6Sr0.4TiO3 is like the compound of its main elements, BaTiO3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS, Formula
from deepxrd.chem.element_structures import room_temperature_prototype
from deepxrd.models.candidates.places import best_of
from deepxrd.models.candidates.search import Found
from deepxrd.models.candidates.templates import Templates

_OF_COST, _PARENT, _METAL = 0.5, 2.0, 5.0  # chosen on half of benchmarks/solid_solutions.csv
_SAME = 1e-9  # distance between equal elements


def are_mixed(formulas: Sequence[Formula]) -> NDArray[np.bool_]:
    """Which formulas are written as solid solutions are, ``(n,)``."""
    return np.array([formula.is_mixed for formula in formulas], dtype=bool)


def as_solid_solutions(
    templates: Templates, found: Found, cost: NDArray[np.float64], odds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithm of the odds of found structure types for solid solutions, ``(m,)``.

    Args:
        templates: where they were found.
        found: m structure types.
        cost: of sharing sites so that each is reached, ``(m,)``; those of the first tier, where it is 0, stay.
        odds: logarithm of the odds that each has for the compound of the main elements, ``(m,)``. That compound's own
            structures were not among those that these odds were learned from: its ground state gets more.
    """
    parent = (templates.ground_state[found.member[:, 0]] > 0) & (found.distance[:, 0] < _SAME)
    bonus = np.where(parent, _PARENT, 0.0)
    for place in np.flatnonzero(found.elements[:, 1] == 0).tolist():  # alloys
        metal = room_temperature_prototype(SYMBOLS[found.elements[place, 0] - 1])
        if metal is not None:
            row = int(templates.row[found.member[place, 0]])
            bonus[place] = _METAL if templates.library.prototype(row).label == metal else 0.0
    return np.where(cost > 0, odds - _OF_COST * cost + bonus, odds)


def crowding(
    owner: NDArray[np.int64], score: NDArray[np.float64], second: NDArray[np.bool_], n: int, most: int
) -> NDArray[np.bool_]:
    """Candidates of the first tier that would leave the second less than half of the ``most`` places."""
    first = np.flatnonzero(~second)
    room = most - np.minimum(np.bincount(owner[second], minlength=n), most // 2)
    order, rank = best_of(owner[first], score[first], n, len(owner))
    out = np.zeros(len(owner), dtype=bool)
    out[first[order]] = rank >= room[owner[first[order]]]
    return out
