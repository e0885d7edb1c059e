"""The chemically nearest compositions of the same stoichiometry, and which element of one stands for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Formula
from deepxrd.chem.element_distance import element_distances
from deepxrd.models.baselines.assignment import best_ways, least_costs, sums_at_once

_PAIRS_AT_ONCE = 1_000_000  # 8 MB per matrix of distances
_NONE = -1


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Templates of n compositions, nearest first.

    Attributes:
        row: place of the template in the list that was searched, ``(n, k)`` int64; −1 where there is none.
        distance: how far it is, ``(n, k)`` float64; infinite where there is none.
        old: atomic numbers of the template's elements, ``(n, k, width)`` int64; 0 is padding.
        new: atomic numbers of what takes their places, likewise.
    """

    row: NDArray[np.int64]
    distance: NDArray[np.float64]
    old: NDArray[np.int64]
    new: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Group:
    """Compositions of one stoichiometry.

    Attributes:
        counts: atoms of each slot in the reduced formula, ascending, ``(n_slots,)``.
        elements: atomic number in each slot, ``(n, n_slots)``.
        rows: place of each composition in the list it is from, ``(n,)``.
    """

    counts: NDArray[np.int64]
    elements: NDArray[np.int64]
    rows: NDArray[np.int64]


class NeighbourSearch:
    """Finds the nearest among given compositions.

    The distance of two compositions of one stoichiometry is the sum, over the sites of the reduced formula, of the
    distance between the element there and the element that takes its place:

        d(a, b) = min over p of Σ_s n_s |f(a_s) − f(b_p(s))|,

    where s runs over the elements, n_s is the number of atoms of each, f are weighted properties (see
    :func:`element_distances`) and p permutes elements of equal counts. Other stoichiometries are infinitely far, and so
    is the composition itself. Of templates at one distance, the first in alphabetical order of the formula is nearest,
    then the first in the list; so the order of the list does not matter.

    Args:
        templates: where to look.
    """

    def __init__(self, templates: Sequence[Formula]) -> None:
        order = sorted(range(len(templates)), key=lambda row: templates[row].reduced)
        self._groups = _by_stoichiometry(templates, order)

    def has_any(self, formulas: Sequence[Formula]) -> NDArray[np.bool_]:
        """Whether there is a template at all, ``(n,)``."""
        found = np.zeros(len(formulas), dtype=bool)
        for name, targets in _by_stoichiometry(formulas, range(len(formulas))).items():
            if name in self._groups:
                templates = _canonical(self._groups[name])
                others = np.full(len(targets.rows), len(templates))
                distinct, times = np.unique(templates, axis=0, return_counts=True)
                own = {tuple(each): n for each, n in zip(distinct.tolist(), times.tolist(), strict=True)}
                others -= [own.get(tuple(each), 0) for each in _canonical(targets).tolist()]
                found[targets.rows] = others > 0
        return found

    def nearest(self, formulas: Sequence[Formula], k: int = 1) -> Neighbours:
        """The k nearest templates of each composition."""
        targets = _by_stoichiometry(formulas, range(len(formulas)))
        width = max((len(group.counts) for group in targets.values()), default=0)
        shape = len(formulas), k
        result = Neighbours(
            np.full(shape, _NONE),
            np.full(shape, np.inf),
            np.zeros((*shape, width), dtype=np.int64),
            np.zeros((*shape, width), dtype=np.int64),
        )
        for name, group in targets.items():
            templates = self._groups.get(name)
            if templates is not None:
                at_once = max(1, _PAIRS_AT_ONCE // (len(templates.rows) * sums_at_once(group.counts)))
                for start in range(0, len(group.rows), at_once):
                    part = slice(start, start + at_once)
                    _search(_Group(group.counts, group.elements[part], group.rows[part]), templates, result)
        return result


def _by_stoichiometry(formulas: Sequence[Formula], order: Sequence[int]) -> dict[str, _Group]:
    """The compositions of each stoichiometry, in the order given; slots by ascending count."""
    by_name: dict[str, list[int]] = {}
    for row in order:
        by_name.setdefault(formulas[row].anonymous, []).append(row)
    groups = {}
    for name, rows in by_name.items():
        slots = [sorted(formulas[row].counts, key=lambda pair: pair[1]) for row in rows]
        elements = np.array([[ATOMIC_NUMBERS[symbol] for symbol, _ in each] for each in slots], dtype=np.int64)
        counts = np.array([count for _, count in slots[0]], dtype=np.int64)
        groups[name] = _Group(counts, elements, np.array(rows, dtype=np.int64))
    return groups


def _canonical(group: _Group) -> NDArray[np.int64]:
    """Elements ``(n, n_slots)`` in the one order that equal compositions share: by count, then atomic number."""
    key = group.counts[None] * 1000 + group.elements
    return np.take_along_axis(group.elements, np.argsort(key, axis=1), axis=1)


def _search(targets: _Group, templates: _Group, result: Neighbours) -> None:
    """Write the nearest templates of one stoichiometry into the rows of their targets."""
    distance = _distances(targets, templates)
    same = (_canonical(targets)[:, None] == _canonical(templates)[None]).all(axis=2)
    distance[same] = np.inf
    places, n_slots = np.arange(len(targets.rows)), len(targets.counts)
    n_ranks = min(result.row.shape[1], len(templates.rows))
    chosen, least = np.zeros((len(places), n_ranks), dtype=np.int64), np.empty((len(places), n_ranks))
    for rank in range(n_ranks):
        best = chosen[:, rank] = distance.argmin(axis=1)
        least[:, rank] = distance[places, best]
        distance[places, best] = np.inf
    place, ranks = np.nonzero(np.isfinite(least))
    into, template = targets.rows[place], chosen[place, ranks]
    new, old = targets.elements[place], templates.elements[template]
    costs = targets.counts[:, None] * element_distances()[new[:, :, None], old[:, None, :]]
    result.row[into, ranks] = templates.rows[template]
    result.distance[into, ranks] = least[place, ranks]
    result.old[into, ranks, :n_slots] = np.take_along_axis(old, best_ways(costs, targets.counts), axis=1)
    result.new[into, ranks, :n_slots] = new


def _distances(targets: _Group, templates: _Group) -> NDArray[np.float64]:
    """Distance of each target to each template, ``(n_targets, n_templates)``."""
    table, counts = element_distances(), targets.counts

    def cost(slot: int, other: int) -> NDArray[np.float64]:
        return np.asarray(counts[slot] * table[targets.elements[:, slot]][:, templates.elements[:, other]])

    return least_costs(cost, counts)
