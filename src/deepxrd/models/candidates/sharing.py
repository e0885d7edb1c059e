"""The second tier: compositions without enough templates, with elements that share sites, or near stoichiometries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import combinations, product
from math import gcd

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Formula
from deepxrd.chem.element_distance import element_distances
from deepxrd.chem.shares import OF_HYDRATES
from deepxrd.models.candidates.targets import SHARING, Slot, Targets, main_of, targets_of
from deepxrd.models.candidates.templates import WIDTH, Templates

Index = NDArray[np.int64]
_KEPT = 4
_BEAM = 6
_MISFIT = 12.0  # cost of a stoichiometry whose shares of atoms are off by a factor e
_RARE = 0.08  # cost of each factor e by which a stoichiometry has fewer templates than the most frequent
_FULL = 1 - 1e-6  # of a site: a rounding error less
_ROUNDED = 0.02  # of a sum of amounts such as 0.33
_NEAR = 3  # stoichiometries looked at for each way of sharing

_Group = tuple[float, tuple[tuple[int, float], ...]]


class Sharing:
    """Finds what a composition is like if elements share sites, sites stay empty, or its stoichiometry is a near one.

    The cost of a way is the sum of the distances between elements that are put together
    (:func:`element_distances`), plus 12 times the largest deviation of a share of atoms, as a logarithm, plus 0.08 for
    each factor e by which the stoichiometry is rarer than the most frequent.

    Args:
        templates: what is there.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    @cached_property
    def _known(self) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64], list[tuple[int, ...]]]]:
        """By number of slots: logarithms of shares ``(n, n_slots)``, costs of rareness ``(n,)``, and the counts."""
        of = self._templates.of_counts
        most = max((each.rows.stop - each.rows.start for each in of.values()), default=1)
        out = {}
        for size in sorted({len(counts) for counts in of}):
            names = [counts for counts in of if len(counts) == size]
            counts = np.array(names, dtype=np.float64)
            number = np.array([of[name].rows.stop - of[name].rows.start for name in names])
            shares = np.log(counts / counts.sum(axis=1, keepdims=True))
            out[size] = shares, _RARE * np.log(most / number), names
        return out

    def targets(self, formulas: Sequence[Formula], own: Index, rows: Index) -> Targets:
        """The best ways for some compositions, those of least cost first.

        Args:
            formulas: all that were asked for.
            own: number of each in the library.
            rows: which of them.
        """
        entries = []
        for row in rows.tolist():
            entries += [(row, int(own[row]), slots, cost) for cost, slots in self._ways(formulas[row])]
        return targets_of(entries)

    def _ways(self, formula: Formula) -> list[tuple[float, list[Slot]]]:
        start = tuple((float(count), ((ATOMIC_NUMBERS[symbol], float(count)),)) for symbol, count in formula.counts)
        free = frozenset(ATOMIC_NUMBERS[symbol] for symbol in formula.decimals or formula.elements)
        unit = _unit(formula) if formula.is_mixed else None
        found: dict[tuple[tuple[int, ...], ...], tuple[float, list[Slot]]] = {}
        beam: list[tuple[float, tuple[_Group, ...]]] = [(0.0, start)]
        while beam:
            for cost, groups in beam:
                for total, slots in self._fits(cost, groups, unit):
                    name = tuple(sorted((int(count), *sorted(z for z, _ in there)) for count, there in slots))
                    if total > 0 and (name not in found or total < found[name][0]):
                        found[name] = total, slots
            beam = merged(beam, free)
        ways = sorted(found.values(), key=lambda way: way[0])
        if not formula.is_mixed:
            return ways[:_KEPT]
        return [(cost, turned) for cost, slots in _as_written(formula, ways)[:_KEPT] for turned in _by_main(slots)]

    def _fits(self, cost: float, groups: tuple[_Group, ...], unit: float | None) -> list[tuple[float, list[Slot]]]:
        """Near stoichiometries for groups of elements; of a solid solution that of the nearest whole amounts, too."""
        if len(groups) > WIDTH or len(groups) not in self._known:
            return []
        shares, rare, names = self._known[len(groups)]
        ordered = sorted(groups, key=lambda group: (group[0], group[1]))
        amounts = np.array([amount for amount, _ in ordered])
        misfit = np.abs(shares - np.log(amounts / amounts.sum())).max(axis=1)
        total = cost + _MISFIT * misfit + rare
        out = []
        nearest = np.argsort(total, kind="stable")[:_NEAR].tolist()
        if unit is not None and (whole := _whole(amounts / unit)) in self._templates.of_counts:
            nearest = list(dict.fromkeys([*nearest, names.index(whole)]))
        for best in nearest:
            exact = misfit[best] < 1e-9 and cost == 0.0  # noqa: PLR2004 - a rounding error
            if exact:
                continue  # the composition itself was looked up already
            counts = np.array(names[best], dtype=np.float64)
            scale = (counts / amounts).min()
            slots = [
                (float(count), tuple((z, each * scale) for z, each in there))
                for count, (_, there) in zip(counts, ordered, strict=True)
            ]
            out.append((float(total[best]), slots))
        return out


def _as_written(formula: Formula, ways: list[tuple[float, list[Slot]]]) -> list[tuple[float, list[Slot]]]:
    """The ways in which elements with decimals share sites or leave them empty, and add up to whole numbers at best.

    So lanthanum and strontium of La0.6Sr0.4Co0.2Fe0.8O3 are together, and cobalt and iron; not all four, though that
    adds up to a whole number, too. Of these, those in compounds of whole amounts: Sr0.85TiO3 is SrTiO3 with empty
    sites, though Sr6Ti7O21 is nearer.
    """
    unit, counts = _unit(formula), {ATOMIC_NUMBERS[symbol]: n for symbol, n in formula.counts}
    amounts = {ATOMIC_NUMBERS[symbol]: float(n) for symbol, n in formula.decimals.items() if symbol not in OF_HYDRATES}

    def rank(slots: list[Slot]) -> tuple[int, int, int, bool]:
        alone = sum(
            z in amounts and len(there) == 1 and sum(each for _, each in there) > count * _FULL
            for count, there in slots
            for z, _ in there
        )
        groups = [group for _, there in slots if (group := [amounts[z] for z, _ in there if z in amounts])]
        broken = [len(group) for group in groups if abs(sum(group) - round(sum(group))) > _ROUNDED]
        sums = np.array([sum(counts[z] for z, _ in there) / unit for _, there in slots])
        other = _whole(sums) != _whole(np.array([count for count, _ in slots]))
        return alone, sum(broken), len(broken) - len(groups), other

    ranks = [rank(slots) for _, slots in ways]
    best = min(ranks, default=None)
    return [way for way, each in zip(ways, ranks, strict=True) if each == best]


def _by_main(slots: list[Slot]) -> list[list[Slot]]:
    """The same with each element first of those that there is as much of: K0.5Na0.5NbO3 is like KNbO3 and NaNbO3."""

    def turned(slot: Slot) -> list[Slot]:
        count, there = slot
        most = main_of(there)[1] * _FULL
        return [(count, (each, *(other for other in there if other != each))) for each in there if each[1] >= most]

    return [list(some) for some in product(*map(turned, slots))]


def _unit(formula: Formula) -> float:
    """Atoms in the reduced formula of a solid solution for each one that was written."""
    symbol, amount = next(iter(formula.decimals.items()))
    return float(dict(formula.counts)[symbol] / amount)


def _whole(amounts: NDArray[np.float64]) -> tuple[int, ...]:
    """The nearest whole amounts, halves rounded up, in the smallest whole numbers."""
    whole = [max(1, int(amount + 0.5)) for amount in amounts.tolist()]
    divisor = gcd(*whole)
    return tuple(amount // divisor for amount in whole)


def merged(
    beam: list[tuple[float, tuple[_Group, ...]]], free: Collection[int]
) -> list[tuple[float, tuple[_Group, ...]]]:
    """All ways to put two groups together, the cheapest few.

    Args:
        beam: ways so far, with their costs.
        free: atomic numbers of the elements that may share sites.
    """
    table, pairs = element_distances().tolist(), list[tuple[float, int, int, int]]()
    for place, (cost, groups) in enumerate(beam):
        main, size = [main_of(there)[0] for _, there in groups], [len(there) for _, there in groups]
        open_ = [i for i, (_, there) in enumerate(groups) if all(z in free for z, _ in there)]
        pairs += [
            (cost + table[main[i]][main[j]], place, i, j)
            for i, j in combinations(open_, 2)
            if size[i] + size[j] <= SHARING
        ]
    out = dict[tuple[_Group, ...], float]()
    for total, place, i, j in sorted(pairs):
        if len(out) >= _BEAM and total > max(out.values()):
            break  # the groups of many elements are not even put together
        groups = beam[place][1]
        (amount, there), (other, also) = groups[i], groups[j]
        together = (amount + other, tuple(sorted(there + also)))
        left = tuple(group for k, group in enumerate(groups) if k not in (i, j))
        out.setdefault(tuple(sorted((*left, together))), total)
    ordered = sorted((cost, name) for name, cost in out.items())
    return ordered[:_BEAM]
