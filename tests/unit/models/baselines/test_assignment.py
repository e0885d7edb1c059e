import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deepxrd.chem import SYMBOLS, parse_formula
from deepxrd.models.baselines.assignment import best_ways, equal_runs, least_costs
from deepxrd.models.baselines.neighbours import NeighbourSearch

EXACT = 1e-9  # sums of a few distances in another order


def _tried(costs: NDArray[np.float64], counts: list[int]) -> tuple[float, tuple[int, ...]]:
    """The least sum over all permutations that keep counts, and the first of them in alphabetical order."""
    n = len(counts)
    best, way = np.inf, tuple(range(n))
    for order in itertools.permutations(range(n)):
        if [counts[other] for other in order] == counts:
            total = 0.0
            for slot, other in enumerate(order):
                total += costs[slot, other]
            if total < best:
                best, way = total, order
    return best, way


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=6).map(sorted),
    st.integers(0, 2**31),
    st.sampled_from([None, 3]),
)
def test_the_least_cost_is_to_the_last_bit_that_of_trying_every_way(
    counts: list[int], seed: int, n_levels: int | None
) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.random((4, len(counts), len(counts)))
    if n_levels:  # so few that many ways cost the same
        costs = np.floor(n_levels * costs)
    found = least_costs(lambda slot, other: costs[:, slot, other], np.array(counts))
    ways = best_ways(costs, np.array(counts))
    for row, square in enumerate(costs):
        least, way = _tried(square, counts)
        assert found[row] == least
        assert square[range(len(counts)), ways[row]].sum() == pytest.approx(least, abs=EXACT)
        if max(len(run) for run in equal_runs(np.array(counts))) <= 3:
            assert tuple(ways[row]) == way


@pytest.mark.parametrize("n_slots", [8, 9, 12])
def test_many_slots_of_one_count_are_solved_as_scipy_does(n_slots: int) -> None:
    costs = np.random.default_rng(n_slots).random((5, n_slots, n_slots))
    counts = np.ones(n_slots, dtype=np.int64)
    found, ways = least_costs(lambda slot, other: costs[:, slot, other], counts), best_ways(costs, counts)
    for row, square in enumerate(costs):
        slots, others = linear_sum_assignment(square)
        assert found[row] == pytest.approx(square[slots, others].sum(), abs=EXACT)
        assert sorted(ways[row]) == list(range(n_slots))
        assert square[slots, ways[row]].sum() == pytest.approx(found[row], abs=EXACT)


@pytest.mark.parametrize("n_elements", [8, 11])
def test_formulas_of_many_elements_of_equal_count_find_each_element_its_place(n_elements: int) -> None:
    symbols = list(SYMBOLS[20 : 20 + n_elements])
    far = list(SYMBOLS[55 : 55 + n_elements])
    target = parse_formula("".join(symbols))
    # all but one element are the same, so the nearest way leaves these where they are
    template = parse_formula("".join([*symbols[1:], "Zr"]))
    found = NeighbourSearch([parse_formula("".join(far)), template]).nearest([target])
    assert found.row[0, 0] == 1
    exchange = dict(zip(found.old[0, 0].tolist(), found.new[0, 0].tolist(), strict=True))
    assert {old: new for old, new in exchange.items() if old != new} == {40: 21}
