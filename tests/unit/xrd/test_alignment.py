from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.xrd import Peaks, merge_peaks
from deepxrd.xrd.alignment import align_peaks, stick_patterns

_GRID = np.linspace(0, 180, 1024)

_Rows = list[list[tuple[float, float]]]
# Quarters are exact in binary and meet each other and the limit of 2° all the time; few heights, so that ties occur.
_row = st.lists(
    st.tuples(st.integers(0, 160).map(lambda i: i / 4), st.sampled_from([10.0, 20.0, 50.0, 100.0])),
    max_size=20,
    unique_by=lambda peak: peak[0],
)
_pairs = st.lists(st.tuples(_row, _row), min_size=1, max_size=5)
_window = st.sampled_from([0.25, 1.0, 2.0, 5.0])


def _peaks(rows: _Rows) -> Peaks:
    flat = [(i, place, height) for i, row in enumerate(rows) for place, height in row]
    columns = [np.array(column, dtype=float) for column in zip(*flat, strict=True)] or [np.zeros(0)] * 3
    return Peaks.from_flat(columns[0].astype(np.int64), columns[1], columns[2], len(rows))


def _lists(peaks: Peaks) -> _Rows:
    return [list(zip(*(x.tolist() for x in peaks.of(i)), strict=True)) for i in range(len(peaks.count))]


def _one_by_one(predicted: list[tuple[float, float]], true: list[tuple[float, float]], window: float) -> list:
    """The reading, in plain words: strong true peaks choose first, each the largest free peak, then the nearest."""
    left, moved = sorted(predicted), []
    for place, _ in sorted(true, key=lambda peak: (-peak[1], peak[0])):
        near = [peak for peak in left if abs(peak[0] - place) <= window]
        if near:
            chosen = min(near, key=lambda peak: (-peak[1], abs(peak[0] - place), peak[0]))
            left.remove(chosen)
            moved.append((place, chosen[1]))
    return sorted(left + moved, key=lambda peak: (peak[0], -peak[1]))


@given(_pairs, _window)
def test_alignment_is_that_of_the_reading_in_plain_words(pairs: list[tuple[list, list]], window: float) -> None:
    aligned = align_peaks(_peaks([a for a, _ in pairs]), _peaks([b for _, b in pairs]), within_deg=window)
    assert _lists(aligned) == [_one_by_one(a, b, window) for a, b in pairs]


@given(_pairs, _window)
def test_no_peak_moves_by_more_than_the_window_and_none_is_lost(pairs: list[tuple[list, list]], window: float) -> None:
    predicted, true = _peaks([a for a, _ in pairs]), _peaks([b for _, b in pairs])
    aligned = align_peaks(predicted, true, within_deg=window)
    assert aligned.count.tolist() == predicted.count.tolist()
    for i in range(len(pairs)):
        before, after = predicted.of(i), aligned.of(i)
        assert sorted(before[1]) == sorted(after[1]), "heights stay"
        # Sorted lists whose members each moved by at most a window differ by at most that, place by place.
        assert (np.abs(before[0] - after[0]) <= window).all()
        assert (np.diff(after[0]) >= 0).all()
        assert set(after[0]) <= set(before[0]) | set(true.of(i)[0])


@given(_pairs, st.randoms(use_true_random=False))
def test_neither_the_order_of_peaks_nor_of_patterns_matters(pairs: list[tuple[list, list]], random) -> None:  # noqa: ANN001
    expected = _lists(align_peaks(_peaks([a for a, _ in pairs]), _peaks([b for _, b in pairs])))
    shuffled = [(random.sample(a, len(a)), random.sample(b, len(b))) for a, b in pairs]
    order = random.sample(range(len(pairs)), len(pairs))
    shuffled = [shuffled[i] for i in order]
    aligned = _lists(align_peaks(_peaks([a for a, _ in shuffled]), _peaks([b for _, b in shuffled])))
    assert aligned == [expected[i] for i in order]


@given(_pairs)
def test_the_truth_is_aligned_with_itself(pairs: list[tuple[list, list]]) -> None:
    # merged, since then no peak has a larger one within 2° that it would rather have
    true = merge_peaks(_peaks([a for a, _ in pairs]))
    assert _lists(align_peaks(true, true, within_deg=1.9)) == _lists(true)


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([(11.0, 50.0)], [(10.0, 80.0)], [(10, 50)]),
        ([(12.0, 50.0)], [(10.0, 80.0)], [(10, 50)]),
        ([(12.01, 50.0)], [(10.0, 80.0)], [(12.01, 50)]),
        ([(9.5, 20.0), (11.5, 50.0)], [(10.0, 80.0)], [(9.5, 20), (10, 50)]),
        ([(11.0, 50.0)], [(10.0, 30.0), (12.0, 80.0)], [(12, 50)]),
        ([(11.0, 50.0), (13.5, 20.0)], [(10.0, 30.0), (12.0, 80.0)], [(12, 50), (13.5, 20)]),
        ([(11.0, 50.0), (9.0, 20.0)], [(10.0, 30.0), (12.0, 80.0)], [(10, 20), (12, 50)]),
        ([(11.0, 50.0)], [(10.0, 80.0), (12.0, 80.0)], [(10, 50)]),
        ([(9.5, 50.0), (10.5, 50.0)], [(10.0, 80.0)], [(10, 50), (10.5, 50)]),
        ([], [(10.0, 80.0)], []),
        ([(10.0, 80.0)], [], [(10, 80)]),
    ],
    ids=[
        "moved", "by just the window", "too far", "the largest, not the nearest", "the stronger true peak wins",
        "the loser finds nothing", "the loser takes the next", "of equals the lower angle", "of equals the nearest",
        "nothing predicted", "nothing true",
    ],
)  # fmt: skip
def test_alignment_by_hand(predicted: list, true: list, expected: list) -> None:
    # a second, fuller row makes the first one padded
    more = [(float(i), 50.0) for i in range(100, 150, 10)]
    aligned = align_peaks(_peaks([predicted, more]), _peaks([true, more]))
    assert _lists(aligned) == [expected, more]


def test_no_patterns_are_aligned_to_none() -> None:
    assert len(align_peaks(_peaks([]), _peaks([])).count) == 0


@given(_pairs)
def test_sticks_stand_at_the_nearest_points_and_all_else_is_zero(pairs: list[tuple[list, list]]) -> None:
    rows = [a for a, _ in pairs]
    patterns = stick_patterns(_peaks(rows), _GRID)
    assert patterns.shape == (len(rows), 1024)
    for pattern, row in zip(patterns, rows, strict=True):
        expected = np.zeros(1024)
        for place, height in row:
            nearest = np.abs(_GRID - place).argmin()
            expected[nearest] = max(expected[nearest], height)
        np.testing.assert_array_equal(pattern, expected)


def test_of_sticks_at_one_point_the_highest_stays_and_those_outside_are_left_out() -> None:
    grid = np.array([10.0, 12.0, 16.0, 17.0])
    peaks = _peaks([[(11.5, 30.0), (12.5, 70.0), (14.0, 20.0), (16.4, 10.0)], [(9.9, 50.0), (17.1, 50.0)]])
    assert stick_patterns(peaks, grid).tolist() == [[0, 70, 10, 0], [0, 0, 0, 0]]
    assert stick_patterns(_peaks([]), grid).shape == (0, 4)
