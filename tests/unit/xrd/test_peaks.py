from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import signal

from deepxrd.xrd import Peaks, find_peaks, merge_peaks

_GRID = np.linspace(0, 180, 1024)

# Few different values, so that flat stretches, ties and values at the threshold occur all the time.
_steps = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 40)), elements=st.sampled_from([0, 5, 10, 11, 50])
)
_rough = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 40)), elements=st.floats(0, 100, width=32))
_position_lists = st.lists(st.lists(st.floats(0, 180), max_size=25, unique=True).map(sorted), min_size=1, max_size=5)


def _by_scipy(pattern: NDArray[np.floating], threshold: float = 10) -> list[int]:
    """Left ends of scipy's peaks; scipy takes no peak at an end, so a lower point is put before and after."""
    walled = np.concatenate([[-1.0], pattern, [-1.0]])
    _, properties = signal.find_peaks(walled, height=threshold, plateau_size=1)
    return (properties["left_edges"] - 1).tolist()


def _peaks(rows: list[list[float]], heights: list[list[float]] | None = None) -> Peaks:
    width = max((len(row) for row in rows), default=0)
    two_theta, intensity = np.full((len(rows), width), np.inf), np.zeros((len(rows), width))
    for i, row in enumerate(rows):
        two_theta[i, : len(row)] = row
        intensity[i, : len(row)] = heights[i] if heights else 50.0
    return Peaks(two_theta, intensity, np.array([len(row) for row in rows]))


def _lists(peaks: Peaks) -> list[list[tuple[float, float]]]:
    return [list(zip(*(x.tolist() for x in peaks.of(i)), strict=True)) for i in range(len(peaks.count))]


@given(_steps | _rough)
def test_local_maxima_are_those_of_scipy(patterns: NDArray[np.floating]) -> None:
    grid = np.arange(patterns.shape[1], dtype=np.float64)
    peaks = find_peaks(patterns, grid, merge_within_deg=0)
    for row, pattern in enumerate(patterns):
        places, heights = peaks.of(row)
        assert places.tolist() == _by_scipy(pattern)
        assert heights.tolist() == pattern[places.astype(int)].tolist()


@given(_steps, st.sampled_from([0.0, 5.0, 10.5, 50.0, 51.0]))
def test_the_threshold_is_the_least_height_of_a_peak(patterns: NDArray[np.floating], threshold: float) -> None:
    grid = np.arange(patterns.shape[1], dtype=np.float64)
    peaks = find_peaks(patterns, grid, threshold=threshold, merge_within_deg=0)
    assert [peaks.of(i)[0].tolist() for i in range(len(patterns))] == [_by_scipy(p, threshold) for p in patterns]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ([0, 10, 0], [1]),
        ([0, 9.99, 0], []),
        ([0, 20, 20, 20, 0], [1]),
        ([0, 20, 20, 30, 0], [3]),
        ([30, 20, 20, 10], [0]),
        ([0, 0, 20], [2]),
        ([20, 0, 20], [0, 2]),
        ([0, 20, 15, 20, 0], [1, 3]),
    ],
)
def test_peaks_of_small_patterns_by_hand(pattern: list[float], expected: list[float]) -> None:
    peaks = find_peaks(np.array([pattern], dtype=np.float32), np.arange(float(len(pattern))), merge_within_deg=0)
    assert peaks.of(0)[0].tolist() == expected


@pytest.mark.parametrize(
    ("positions", "heights", "expected"),
    [
        ([10.0, 12.0], [50, 60], [(10, 50), (12, 60)]),
        ([10.0, 11.999], [50, 60], [(10.9995, 60)]),
        ([10.0, 11.5, 13.0, 14.5], [10, 90, 20, 30], [(12.25, 90)]),
        ([10.0, 11.0, 13.0, 20.0], [50, 40, 30, 20], [(10.5, 50), (13, 30), (20, 20)]),
        ([5.0], [50], [(5, 50)]),
        ([], [], []),
    ],
    ids=["a gap of exactly 2° stays", "less is merged", "a chain becomes one", "runs apart", "one", "none"],
)
def test_merging_by_hand(positions: list[float], heights: list[float], expected: list[tuple[float, float]]) -> None:
    merged = merge_peaks(_peaks([positions], [heights]))
    assert _lists(merged)[0] == [pytest.approx(pair) for pair in expected]


@given(_position_lists, st.sampled_from([0.5, 2.0, 7.0]))
def test_merged_peaks_are_the_middles_of_runs(rows: list[list[float]], within_deg: float) -> None:
    merged = merge_peaks(_peaks(rows), within_deg=within_deg)
    for i, row in enumerate(rows):
        runs: list[list[float]] = []
        for place in row:
            if runs and place - runs[-1][-1] < within_deg:
                runs[-1].append(place)
            else:
                runs.append([place])
        assert merged.of(i)[0].tolist() == [(run[0] + run[-1]) / 2 for run in runs]


@given(_position_lists)
def test_merging_twice_changes_nothing(rows: list[list[float]]) -> None:
    once = merge_peaks(_peaks(rows))
    for row in range(len(rows)):
        assert np.all(np.diff(once.of(row)[0]) >= 2 - 1e-9)
    # the tolerance of a rounding error: a gap of exactly 2° must not be found closer the second time
    assert _lists(merge_peaks(once, within_deg=2 - 1e-9)) == _lists(once)


@given(_position_lists)
def test_the_highest_peak_survives_merging(rows: list[list[float]]) -> None:
    heights = [[10 + (7 * i) % 91 for i in range(len(row))] for row in rows]
    merged = merge_peaks(_peaks(rows, heights))
    for i, row in enumerate(rows):
        assert merged.of(i)[1].max(initial=0) == max(heights[i], default=0)
        assert set(merged.of(i)[1]) <= set(heights[i])
        assert merged.count[i] <= len(row)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_neither_the_batch_nor_the_order_in_it_changes_a_patterns_peaks(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    patterns = (100 * rng.random((8, 1024)) ** rng.integers(1, 60, (8, 1))).astype(np.float32)
    patterns[rng.integers(8)] = 0
    together = _lists(find_peaks(patterns, _GRID))
    in_parts = [found for i in range(0, 8, size) for found in _lists(find_peaks(patterns[i : i + size], _GRID))]
    assert in_parts == together
    order = rng.permutation(8)
    assert _lists(find_peaks(patterns[order], _GRID)) == [together[i] for i in order]


def test_padding_is_infinite_and_zero_and_never_counted() -> None:
    patterns = np.zeros((3, 1024), dtype=np.float32)
    patterns[0, [100, 200, 300]] = 50
    patterns[2, 1023] = 100
    peaks = find_peaks(patterns, _GRID)
    assert peaks.count.tolist() == [3, 0, 1]
    padded = np.arange(3)[None] >= peaks.count[:, None]
    assert np.isinf(peaks.two_theta_deg[padded]).all()
    assert np.isfinite(peaks.two_theta_deg[~padded]).all()
    assert (peaks.intensity[padded] == 0).all()
    assert peaks.of(2)[0].tolist() == [180.0]


def test_the_last_peak_of_one_pattern_is_not_merged_with_the_first_of_the_next() -> None:
    merged = merge_peaks(_peaks([[10.0, 50.0], [50.5, 80.0]]))
    assert _lists(merged) == [[(10.0, 50.0), (50.0, 50.0)], [(50.5, 50.0), (80.0, 50.0)]]


@pytest.mark.parametrize("patterns", [np.zeros((3, 1024)), np.empty((0, 1024))])
def test_patterns_without_peaks_give_empty_rows(patterns: NDArray[np.float64]) -> None:
    peaks = find_peaks(patterns, _GRID)
    assert peaks.count.tolist() == [0] * len(patterns)
    assert peaks.two_theta_deg.shape == (len(patterns), 0)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 180), st.floats(10, 100)), max_size=40), st.randoms())
def test_the_order_of_a_list_of_peaks_does_not_matter(flat: list[tuple[int, float, float]], random) -> None:  # noqa: ANN001
    def of(peaks: list[tuple[int, float, float]]) -> Peaks:
        rows, places, heights = (np.array([peak[i] for peak in peaks]) for i in range(3))
        return Peaks.from_flat(rows.astype(np.int64), places, heights, 5)

    ordered, shuffled = of(flat), of(random.sample(flat, len(flat)))
    for i in range(5):
        expected = sorted(((place, height) for row, place, height in flat if row == i), key=lambda p: (p[0], -p[1]))
        assert _lists(ordered)[i] == _lists(shuffled)[i] == expected
    assert ordered.valid.sum() == len(flat)
    assert _lists(merge_peaks(ordered)) == _lists(merge_peaks(shuffled))
