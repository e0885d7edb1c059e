from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from deepxrd.metrics import (
    CURVE_TOLERANCES_DEG,
    TOLERANCES_DEG,
    curve_area,
    match_count,
    match_count_q,
    match_peaks,
    matched_intensity,
    peak_scores,
    recall_any,
    tolerance_curve,
)
from deepxrd.xrd import Peaks

# Quarters are exact in binary, so that gaps of exactly the tolerance occur and are not blurred by rounding.
_row = st.lists(st.integers(0, 120).map(lambda i: i / 4), max_size=25, unique=True).map(sorted)
_pairs = st.lists(st.tuples(_row, _row), min_size=1, max_size=6)
_tolerance = st.sampled_from([0.25, 0.5, 1.0, 2.0, 5.0])


def _peaks(rows: list[list[float]]) -> Peaks:
    two_theta = np.full((len(rows), max((len(row) for row in rows), default=0)), np.inf)
    for i, row in enumerate(rows):
        two_theta[i, : len(row)] = row
    intensity = np.where(np.isfinite(two_theta), 50.0, 0.0)
    return Peaks(two_theta, intensity, np.array([len(row) for row in rows], dtype=np.int64))


def _both(pairs: list[tuple[list[float], list[float]]]) -> tuple[Peaks, Peaks]:
    return _peaks([a for a, _ in pairs]), _peaks([b for _, b in pairs])


def _largest_matching(a: list[float], b: list[float], tolerance: float) -> int:
    """By augmenting paths in the graph of all pairs that are near enough."""
    if not a or not b:
        return 0
    near = csr_matrix(np.abs(np.subtract.outer(a, b)) <= tolerance)
    return int((maximum_bipartite_matching(near) >= 0).sum())


@given(_pairs, _tolerance)
def test_the_number_of_pairs_is_that_of_a_maximum_matching(
    pairs: list[tuple[list[float], list[float]]], tolerance: float
) -> None:
    counted = match_count(*_both(pairs), tolerance_deg=tolerance)
    assert counted.tolist() == [_largest_matching(a, b, tolerance) for a, b in pairs]


@given(_pairs, _tolerance)
def test_matching_is_symmetric(pairs: list[tuple[list[float], list[float]]], tolerance: float) -> None:
    true, predicted = _both(pairs)
    there, back = (match_count(*p, tolerance_deg=tolerance) for p in ((true, predicted), (predicted, true)))
    assert there.tolist() == back.tolist()


@given(_pairs)
def test_a_wider_tolerance_never_loses_a_pair(pairs: list[tuple[list[float], list[float]]]) -> None:
    counts = np.array([match_count(*_both(pairs), tolerance_deg=t) for t in (0.0, 0.25, 1.0, 2.0, 3.5, 1000.0)])
    assert (np.diff(counts, axis=0) >= 0).all()
    assert counts[0].tolist() == [len(set(a) & set(b)) for a, b in pairs]
    assert counts[-1].tolist() == [min(len(a), len(b)) for a, b in pairs]


@given(_pairs, _tolerance)
def test_recall_by_any_peak_is_that_of_brute_force(
    pairs: list[tuple[list[float], list[float]]], tolerance: float
) -> None:
    expected = []
    for a, b in pairs:
        found = [any(abs(x - y) <= tolerance for y in b) for x in a]
        expected.append(sum(found) / len(a) if a else float(not b))
    np.testing.assert_allclose(recall_any(*_both(pairs), tolerance_deg=tolerance), expected, rtol=1e-12)


@given(_pairs)
def test_scores_are_the_ratios_that_their_names_say(pairs: list[tuple[list[float], list[float]]]) -> None:
    true, predicted = _both([*pairs, ([1.0, 5.0], [1.5])])
    scores = peak_scores(true, predicted)
    for tolerance in TOLERANCES_DEG:
        matched = match_count(true, predicted, tolerance_deg=tolerance)
        p, r, f1 = (scores[f"peak_{name}_{tolerance:g}deg"] for name in ("precision", "recall", "f1"))
        some = (true.count > 0) & (predicted.count > 0)
        np.testing.assert_allclose(p[some], (matched / np.maximum(predicted.count, 1))[some], rtol=1e-12)
        np.testing.assert_allclose(r[some], (matched / np.maximum(true.count, 1))[some], rtol=1e-12)
        hits = some & (matched > 0)
        np.testing.assert_allclose(f1[hits], 2 * (p * r)[hits] / (p + r)[hits], rtol=1e-12)
        assert not f1[some & (matched == 0)].any()
    np.testing.assert_array_equal(scores["peak_recall_any"], recall_any(true, predicted, tolerance_deg=2.0))


def test_all_scores_are_there_under_their_names() -> None:
    names = {f"peak_{name}_{t}deg" for name in ("precision", "recall", "f1") for t in ("2", "1", "0.5")}
    assert set(peak_scores(_peaks([[1.0]]), _peaks([[1.0]]))) == names | {"peak_recall_any"}


@pytest.mark.parametrize(
    ("true", "predicted", "expected"),
    [
        ([], [], (1, 1, 1, 1)),
        ([10.0], [], (0, 0, 0, 0)),
        ([], [10.0], (0, 0, 0, 0)),
        ([10.0], [10.0], (1, 1, 1, 1)),
        ([10.0], [12.0], (1, 1, 1, 1)),
        ([10.0], [12.01], (0, 0, 0, 0)),
        ([10.0, 12.0], [11.0], (1, 0.5, 2 / 3, 1)),
        ([11.0], [10.0, 12.0], (0.5, 1, 2 / 3, 1)),
        ([10.0, 30.0], [31.0, 50.0, 70.0], (1 / 3, 0.5, 0.4, 0.5)),
    ],
)
def test_scores_by_hand(true: list[float], predicted: list[float], expected: tuple[float, ...]) -> None:
    """Precision, recall, F1 and recall by any peak; a second, fuller row makes the first one padded."""
    scores = peak_scores(_peaks([true, [5.0, 50.0, 90.0, 120.0]]), _peaks([predicted, [1.0, 2.0, 3.0, 4.0]]))
    names = ("peak_precision_2deg", "peak_recall_2deg", "peak_f1_2deg", "peak_recall_any")
    assert [scores[name][0] for name in names] == pytest.approx(expected)


def test_a_comb_of_peaks_finds_everything_and_is_shown_up_by_its_precision() -> None:
    true = _peaks([[13.3, 31.7, 77.1], [44.9, 45.3, 170.0]])
    comb = _peaks([[2.0 * i for i in range(91)]] * 2)
    scores = peak_scores(true, comb)
    assert scores["peak_recall_any"].tolist() == [1, 1]
    np.testing.assert_allclose(scores["peak_precision_2deg"], 3 / 91)
    np.testing.assert_allclose(scores["peak_f1_2deg"], 6 / 94)


@given(_pairs, st.integers(0, 30))
def test_a_pattern_scores_the_same_in_any_company(pairs: list[tuple[list[float], list[float]]], n_more: int) -> None:
    crowd = ([i / 2 for i in range(n_more)], [i / 3 for i in range(2 * n_more)])
    alone, together = peak_scores(*_both(pairs)), peak_scores(*_both([crowd, *pairs]))
    for name, values in alone.items():
        np.testing.assert_array_equal(values, together[name][1:])


def test_no_patterns_have_no_scores() -> None:
    scores = peak_scores(_peaks([]), _peaks([]))
    assert all(values.shape == (0,) for values in scores.values())


def _with_heights(rows: list[list[tuple[float, float]]]) -> Peaks:
    flat = [(i, place, height) for i, row in enumerate(rows) for place, height in row]
    columns = [np.array(column, dtype=float) for column in zip(*flat, strict=True)] or [np.zeros(0)] * 3
    return Peaks.from_flat(columns[0].astype(np.int64), columns[1], columns[2], len(rows))


_high = st.lists(
    st.tuples(st.integers(0, 120).map(lambda i: i / 4), st.integers(10, 100).map(float)),
    max_size=20,
    unique_by=lambda peak: peak[0],
)
_high_pairs = st.lists(st.tuples(_high, _high), min_size=1, max_size=5)


@given(_pairs, _tolerance)
def test_pairs_are_within_the_tolerance_and_no_peak_is_used_twice(
    pairs: list[tuple[list[float], list[float]]], tolerance: float
) -> None:
    true, predicted = _both(pairs)
    partner = match_peaks(true, predicted, tolerance_deg=tolerance)
    assert partner.shape == true.two_theta_deg.shape
    for i in range(len(pairs)):
        columns = np.flatnonzero(partner[i] >= 0)
        used = partner[i, columns]
        assert len(set(used)) == len(used)
        assert (columns < true.count[i]).all()
        assert (used < predicted.count[i]).all()
        gaps = true.two_theta_deg[i, columns] - predicted.two_theta_deg[i, used]
        assert (np.abs(gaps) <= tolerance).all()


@given(_high_pairs, _tolerance)
def test_matched_intensity_is_the_lower_of_each_pair(pairs: list[tuple[list, list]], tolerance: float) -> None:
    true, predicted = _with_heights([a for a, _ in pairs]), _with_heights([b for _, b in pairs])
    partner = match_peaks(true, predicted, tolerance_deg=tolerance)
    expected = [
        sum(min(true.intensity[i, t], predicted.intensity[i, p]) for t, p in enumerate(row) if p >= 0)
        for i, row in enumerate(partner.tolist())
    ]
    np.testing.assert_allclose(matched_intensity(true, predicted, tolerance_deg=tolerance), expected, rtol=1e-12)


@given(_pairs)
def test_with_equal_heights_intensity_scores_are_the_plain_ones(pairs: list[tuple[list[float], list[float]]]) -> None:
    scores = peak_scores(*_both(pairs), full=True)
    for tolerance in ("2", "1", "0.5"):
        for name in ("precision", "recall", "f1"):
            weighted, plain = scores[f"peak_{name}_intensity_{tolerance}deg"], scores[f"peak_{name}_{tolerance}deg"]
            np.testing.assert_allclose(weighted, plain, rtol=1e-12)


def test_intensity_scores_by_hand() -> None:
    true = _with_heights([[(20.0, 100.0), (40.0, 20.0), (60.0, 30.0)], [(5.0, 50.0)]])
    predicted = _with_heights([[(20.5, 60.0), (61.0, 40.0), (100.0, 100.0)], []])
    scores = peak_scores(true, predicted, full=True)
    common, of_true, of_predicted = 60 + 30, 150, 200
    assert scores["peak_precision_intensity_2deg"].tolist() == pytest.approx([common / of_predicted, 0])
    assert scores["peak_recall_intensity_2deg"].tolist() == pytest.approx([common / of_true, 0])
    assert scores["peak_f1_intensity_2deg"].tolist() == pytest.approx([2 * common / (of_true + of_predicted), 0])
    assert scores["peak_f1_intensity_0.5deg"].tolist() == pytest.approx([2 * 60 / (of_true + of_predicted), 0])


def _two_theta(q: np.ndarray, wavelength: float) -> np.ndarray:
    return 2 * np.degrees(np.arcsin(q * wavelength / (4 * np.pi)))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.005, 0.01, 0.02]))
def test_a_tolerance_in_q_does_not_know_the_wavelength(seed: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    rows_q = [np.sort(rng.uniform(0.5, 7.5, 12)) for _ in range(2)]
    counts = []
    for wavelength in (0.7093, 1.54184):
        true, predicted = (_peaks([_two_theta(q, wavelength).tolist()]) for q in rows_q)
        counts.append(match_count_q(true, predicted, tolerance=tolerance).item())
    near = csr_matrix(np.abs(np.log(np.divide.outer(*rows_q))) <= np.log1p(tolerance))
    assert counts == [int((maximum_bipartite_matching(near) >= 0).sum())] * 2


@pytest.mark.parametrize(("swell", "matched"), [(1.0099, 3), (1 / 1.0099, 3), (1.0101, 0), (1 / 1.0101, 0)])
def test_a_lattice_wrong_by_a_share_is_within_a_tolerance_of_that_share(swell: float, matched: int) -> None:
    q = np.array([1.0, 3.0, 7.0])
    true, predicted = (_peaks([_two_theta(x, 1.54184).tolist()]) for x in (q, q * swell))
    assert match_count_q(true, predicted, tolerance=0.01).tolist() == [matched]


def test_peaks_at_the_ends_of_the_range_have_a_q_too() -> None:
    true, predicted = _peaks([[0.0, 180.0], [0.0]]), _peaks([[0.0, 179.9], [1.0]])
    assert match_count_q(true, predicted, tolerance=0.01).tolist() == [2, 0]


@given(_pairs)
def test_the_curve_passes_through_the_scores_and_never_falls(pairs: list[tuple[list[float], list[float]]]) -> None:
    true, predicted = _both(pairs)
    curves = tolerance_curve(true, predicted)
    scores = peak_scores(true, predicted)
    for name, curve in curves.items():
        assert curve.shape == (len(pairs), len(CURVE_TOLERANCES_DEG))
        assert (np.diff(curve, axis=1) >= 0).all()
        for tolerance in TOLERANCES_DEG:
            column = CURVE_TOLERANCES_DEG.index(tolerance)
            np.testing.assert_array_equal(curve[:, column], scores[f"peak_{name}_{tolerance:g}deg"])


def test_the_area_of_a_curve_is_its_mean_over_the_range() -> None:
    true, predicted = _peaks([[50.0], [50.0], [50.0]]), _peaks([[50.0], [51.05], [60.0]])
    assert (CURVE_TOLERANCES_DEG[0], CURVE_TOLERANCES_DEG[-1], len(CURVE_TOLERANCES_DEG)) == (0.1, 3.0, 30)
    scores = peak_scores(true, predicted, full=True)
    # The peak is found from 1.1° on; the trapezium from 1.0 to 1.1 counts half.
    expected = [1, (3.0 - 1.1 + 0.05) / 2.9, 0]
    for name in ("precision", "recall", "f1"):
        np.testing.assert_allclose(scores[f"peak_{name}_area"], expected, atol=1e-12)
    straight = np.linspace(0, 1, 30)[None]
    assert curve_area(straight, CURVE_TOLERANCES_DEG) == pytest.approx(0.5)


def test_the_full_scores_stand_beside_the_plain_ones() -> None:
    plain, full = (peak_scores(_peaks([[1.0]]), _peaks([[1.5]]), full=full) for full in (False, True))
    more = {f"intensity_{t}deg" for t in ("2", "1", "0.5")} | {f"q{t}pct" for t in ("0.5", "1", "2")} | {"area"}
    assert set(full) == set(plain) | {f"peak_{name}_{at}" for name in ("precision", "recall", "f1") for at in more}
    for name, values in plain.items():
        np.testing.assert_array_equal(full[name], values)


@given(_high_pairs, st.integers(0, 30))
def test_full_scores_are_shares_and_the_same_in_any_company(pairs: list[tuple[list, list]], n_more: int) -> None:
    crowd = ([(i / 2, 20.0) for i in range(n_more)], [(i / 3, 30.0) for i in range(2 * n_more)])
    alone, together = (
        peak_scores(_with_heights([a for a, _ in rows]), _with_heights([b for _, b in rows]), full=True)
        for rows in (pairs, [crowd, *pairs])
    )
    for name, values in alone.items():
        assert ((values >= 0) & (values <= 1)).all()
        # sums over wider rows are rounded in another order
        np.testing.assert_allclose(values, together[name][1:], rtol=1e-12)


def test_no_patterns_have_no_full_scores() -> None:
    scores = peak_scores(_peaks([]), _peaks([]), full=True)
    assert all(values.shape == (0,) for values in scores.values())
