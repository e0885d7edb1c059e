"""Which element of a template stands for which element of a composition: the assignment problem, solved exactly.

Slots with the same number of atoms may take each other's elements; a group of m such slots has m! ways. The least cost
over all of them is found in m · 2^(m − 1) steps by filling the slots one by one and keeping, for each set of elements
that is used up, the least cost only (Held & Karp 1962). Of more than `_MOST_IN_A_TABLE` slots even these sets are too
many, and each pair is solved by itself (Crouse 2016, as in SciPy).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise, permutations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]
_MOST_IN_A_TABLE = 8  # slots: 70 sums of all pairs at a time
_MOST_ENUMERATED = 3


def equal_runs(counts: NDArray[np.int64]) -> list[range]:
    """Runs of slots with the same count, for counts in ascending order."""
    borders = [0, *(np.flatnonzero(np.diff(counts)) + 1).tolist(), len(counts)]
    return [range(start, stop) for start, stop in pairwise(borders)]


def sums_at_once(counts: NDArray[np.int64]) -> int:
    """How many sums of all pairs `least_costs` holds in memory at a time, about."""
    largest = min(max(len(run) for run in equal_runs(counts)), _MOST_IN_A_TABLE)
    return max(1, len(list(combinations(range(largest), largest // 2))))


def least_costs(cost: Callable[[int, int], Floats], counts: NDArray[np.int64]) -> Floats:
    """The least sum of costs over all ways to assign slots to slots of the same count.

    Costs are added slot by slot, from the first to the last, so that the sum is to the last bit that of trying every
    way: rounding never turns a smaller sum into a larger one.

    Args:
        cost: of putting what is in slot ``other`` of the second side into slot ``slot`` of the first; arrays of any
            one shape.
        counts: of the slots, ascending, ``(n_slots,)``.
    """
    total: Floats = np.float64(0.0)  # type: ignore[assignment]
    for run in equal_runs(counts):
        total = total + _solved_one_by_one(cost, run) if len(run) > _MOST_IN_A_TABLE else _filled(cost, run, total)
    return np.asarray(total)


def best_ways(costs: Floats, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The assignment behind each of `least_costs`, of equals the first in alphabetical order where runs are short.

    Args:
        costs: ``(n, n_slots, n_slots)``, for each pair the cost by slot of the first and of the second side.
        counts: of the slots, ascending, ``(n_slots,)``.

    Returns:
        For each slot of the first side that of the second, ``(n, n_slots)``.
    """
    ways = np.tile(np.arange(len(counts)), (len(costs), 1))
    for run in equal_runs(counts):
        if len(run) == 1:
            continue
        block = costs[:, run.start : run.stop, run.start : run.stop]
        if len(run) <= _MOST_ENUMERATED:
            each = np.array(list(permutations(range(len(run)))), dtype=np.int64)
            sums = np.stack([_in_order(block, way) for way in each], axis=1)
            ways[:, run.start : run.stop] = run.start + each[sums.argmin(axis=1)]
        else:
            for row, square in enumerate(block):
                ways[row, run.start : run.stop] = run.start + linear_sum_assignment(square)[1]
    return ways


def _filled(cost: Callable[[int, int], Floats], run: range, before: Floats) -> Floats:
    """The least sum of a run of slots, added to what the runs before it cost."""
    least: dict[tuple[int, ...], Floats] = {(): before}
    for slot in run:
        n_used = slot - run.start + 1
        costs = {other: cost(slot, other) for other in run}
        least = {used: _least_with(least, costs, used) for used in combinations(run, n_used)}
    return least[tuple(run)]


def _least_with(least: dict[tuple[int, ...], Floats], costs: dict[int, Floats], used: tuple[int, ...]) -> Floats:
    """The least sum with a set of elements used up, by which of them is the last."""
    best: Floats | None = None
    for place, last in enumerate(used):
        total = least[used[:place] + used[place + 1 :]] + costs[last]
        best = total if best is None else np.minimum(best, total, out=best if best.ndim else None)
    return np.asarray(best)


def _solved_one_by_one(cost: Callable[[int, int], Floats], run: range) -> Floats:
    """The same for a run that is too long for a table of sets."""
    costs = np.stack([np.stack([cost(slot, other) for other in run], axis=-1) for slot in run], axis=-2)
    squares = costs.reshape(-1, len(run), len(run))
    solved = [square[linear_sum_assignment(square)].sum() for square in squares]
    return np.array(solved).reshape(costs.shape[:-2])


def _in_order(costs: Floats, way: NDArray[np.int64]) -> Floats:
    """Cost of one way for ``(n, n_slots, n_slots)``, added from the first slot to the last."""
    total = np.zeros(len(costs))
    for slot, other in enumerate(way):
        total += costs[:, slot, other]
    return total
