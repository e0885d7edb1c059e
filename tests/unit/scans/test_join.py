"""Gaps, dummies, repeats and ranges: what was measured stays apart from what was not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deepxrd.errors import ScanError
from deepxrd.scans import Scan, read_scan, read_scans
from deepxrd.scans.clean import gaps

Read = Callable[..., Scan]
ANGLE = 10 + 0.025 * np.arange(400)
TRUE = 150 + 5000 * np.exp(-0.5 * ((ANGLE - 14) / 0.1) ** 2) + 900 * np.exp(-0.5 * ((ANGLE - 18) / 0.1) ** 2)


def noisy(seed: int, factor: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(factor * TRUE)


def text(angle: np.ndarray, counts: np.ndarray) -> str:
    return "".join(f"{a:.3f} {c}\n" for a, c in zip(angle, counts, strict=True))


@given(
    st.lists(st.integers(0, 380), min_size=1, max_size=3, unique=True).map(sorted),
    st.integers(3, 15),
    st.sampled_from(["even", "growing", "rounded"]),
)
def test_gaps_are_found_where_points_are_missing_and_nowhere_else(starts: list[int], width: int, kind: str) -> None:
    angle = {
        "even": ANGLE,
        "growing": np.degrees(2 * np.arcsin(0.05 + 0.002 * np.arange(400))),
        "rounded": np.round(10 + 0.0156 * np.arange(400), 2),
    }[kind]
    missing = np.zeros(len(angle), dtype=bool)
    for start in starts:
        missing[start : start + width] = True
    if missing[-6:].any() or missing[:6].any() or np.diff(starts, append=500).min() < width + 12:
        return  # at the ends and side by side there are too few steps to compare with
    kept = np.flatnonzero(~missing)
    expected = np.flatnonzero(np.diff(kept) > 1) + 1
    np.testing.assert_array_equal(gaps(angle[kept]), expected)


def test_points_without_counts_are_left_out_and_counted(read: Read) -> None:
    counts = noisy(0).astype(object)
    counts[100:104], counts[200], counts[300] = 4294967295, "nan", "inf"
    angle = np.concatenate([[-0.05, -0.025], ANGLE])
    scan = read(text(angle, np.concatenate([[1, 1], counts])))
    assert scan.left_out == {"without a number": 2, "at angles below 0°": 2, "with a dummy instead of counts": 4}
    assert scan.counts.max() < 6000
    assert [part.stop - part.start for part in scan.ranges] == [100, 294]  # one point may be missing, four are a gap


def test_points_without_order_are_sorted_and_nothing_else_is_said_of_their_order(read: Read) -> None:
    order = np.random.default_rng(1).permutation(len(ANGLE))
    for places in (order, order[::-1]):
        scan = read(text(ANGLE[places], noisy(3)[places]))
        np.testing.assert_allclose(scan.two_theta_deg, ANGLE, atol=1e-4)
        assert [fact.value for fact in scan.facts if fact.what == "order"] == [
            "sorted by angle, as the file has no order"
        ]


def test_a_single_point_is_refused_in_a_sentence(read: Read) -> None:
    with pytest.raises(ScanError, match="it has 1 point: two that can be used are the least"):
        read("10.0 179\n")


def test_repeats_are_averaged_and_it_is_said(read: Read) -> None:
    one, other = noisy(0), noisy(1)
    scan = read(f"#S 1 ascan\n{text(ANGLE, one)}\n#S 2 ascan\n{text(ANGLE, other)}")
    np.testing.assert_allclose(scan.counts, (one + other) / 2)
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(np.maximum(one, 1) + np.maximum(other, 1)) / 2)
    assert any("mean of 2 scans" in fact.value for fact in scan.facts)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (text(ANGLE + 0.007, noisy(1)), "on different grids"),
        (text(ANGLE, np.roll(noisy(1), 80)), "differ by more than their noise"),
    ],
)
def test_what_is_no_repeat_is_kept_apart_until_one_is_chosen(other: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "two.dat"
    path.write_text(f"#S 1 ascan\n{text(ANGLE, noisy(0))}\n#S 2 ascan\n{other}")
    scans = read_scans(path)
    assert [scan.name for scan in scans] == ["scan 1 of 2", "scan 2 of 2"]
    with pytest.raises(ScanError, match=f"holds 2 scans.*{why}.*choose the scan, 1 to 2"):
        read_scan(path)
    np.testing.assert_array_equal(read_scan(path, scan=1).counts, noisy(0))
    with pytest.raises(ScanError, match="there is no scan 3"):
        read_scan(path, scan=3)


def test_ranges_of_other_counting_times_are_brought_to_one_level(read: Read) -> None:
    head = "_FILEVERSION=2\n"
    blocks = [(slice(0, 200), 1.0), (slice(200, 400), 5.0)]
    for part, seconds in blocks:
        head += f"_STEPTIME={seconds}\n_2THETACOUNTS\n{text(ANGLE[part], noisy(0, seconds)[part])}"
    scan = read(head)
    np.testing.assert_allclose(scan.counts[200:], noisy(0, 5.0)[200:] / 5)
    np.testing.assert_allclose(scan.uncertainty[200:], np.sqrt(noisy(0, 5.0)[200:]) / 5)
    assert [part.seconds_per_step for part in scan.ranges] == [1.0, 5.0]
    assert any(fact.what == "level" for fact in scan.facts)


def test_ranges_that_overlap_a_little_are_cut_at_the_better_counted_one(read: Read) -> None:
    first, second = text(ANGLE[:220], noisy(0)[:220]), text(ANGLE[180:] + 0.01, noisy(1, 5.0)[180:])
    scan = read(f"_FILEVERSION=2\n_2THETACOUNTS\n{first}; next\n_2THETACOUNTS\n{second}")
    assert (np.diff(scan.two_theta_deg) > 0).all()
    assert sum(scan.left_out.values()) == 39
    assert np.median(scan.counts[300:]) == pytest.approx(150, rel=0.1)  # by what both measured, without their times
    assert len(scan.ranges) == 2 or scan.ranges[0].stop == len(scan.counts)


@given(st.permutations(range(4)))
def test_the_order_of_ranges_in_a_file_does_not_matter(order: list[int]) -> None:
    import tempfile

    parts = [slice(100 * i, 100 * i + 80) for i in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ranges.xy"
        path.write_text("".join(text(ANGLE[parts[i]], noisy(0)[parts[i]]) for i in order))
        scan = read_scan(path)
    np.testing.assert_allclose(scan.two_theta_deg, np.concatenate([ANGLE[part] for part in parts]), atol=1e-9)
    np.testing.assert_array_equal(scan.counts, np.concatenate([noisy(0)[part] for part in parts]))
    assert len(scan.ranges) == 4


def test_a_few_angles_far_apart_are_peaks(read: Read) -> None:
    assert read("2theta I\n25.3 100\n37.8 20\n48.0 35\n").is_peak_list
    assert not read("2theta I\n" + text(ANGLE[:3], noisy(0)[:3])).is_peak_list


def test_counts_beside_counts_per_second_are_brought_to_one_unit(read: Read, tmp_path: Path) -> None:
    rate = [f"{count / 4:.2f}" for count in noisy(0)[200:]]
    head = f"_FILEVERSION=2\n_STEPTIME=4\n_2THETACOUNTS\n{text(ANGLE[:180], noisy(0)[:180])}"
    rest = f"_2THETACPS\n{text(ANGLE[200:], np.array(rate))}"
    scan = read(head + "_STEPTIME=4\n" + rest)
    assert scan.unit == "cps"
    np.testing.assert_allclose(scan.counts[:180], noisy(0)[:180] / 4)
    np.testing.assert_allclose(scan.uncertainty[:180], np.sqrt(noisy(0)[:180]) / 4)
    path = tmp_path / "two.uxd"
    path.write_text(head.replace("_STEPTIME=4\n", "") + rest)
    with pytest.raises(ScanError, match="counts of an unknown time, another in counts per second"):
        read_scan(path)


@pytest.mark.parametrize("typed", [11.0, 14.6, 17.0125, 19.5])
def test_a_mistyped_angle_costs_its_point_and_no_other(typed: float, read: Read) -> None:
    angle, counts = ANGLE.copy(), noisy(0)
    angle[200] = typed
    if typed == 11.0:
        counts[200] = 9000  # so well counted that it would win over any range
    scan = read("".join(f"{a:.4f} {c}\n" for a, c in zip(angle, counts, strict=True)))
    rest = np.delete(np.arange(400), 200)
    np.testing.assert_allclose(scan.two_theta_deg, ANGLE[rest])
    np.testing.assert_array_equal(scan.counts, counts[rest])
    assert scan.left_out == {"out of order": 1}


@given(
    st.lists(st.tuples(st.integers(0, 119), st.floats(5, 25).map(lambda at: round(at, 2))), max_size=4),
    st.sampled_from([40, 120]),
    st.sampled_from([0.02, 0.1]),
)
@example([(0, 5.0)], 40, 0.1)
def test_with_any_angles_mistyped_the_scan_ascends_or_is_refused(
    slips: list[tuple[int, float]], n: int, step: float
) -> None:
    import tempfile

    angle = 10 + step * np.arange(n)
    for place, typed in slips:
        angle[place % n] = typed
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slips.xy"
        path.write_text("".join(f"{a:.2f} {c}\n" for a, c in zip(angle, noisy(2)[:n], strict=True)))
        try:
            scans = read_scans(path)
        except ScanError:
            return
    for scan in scans:
        assert (np.diff(scan.two_theta_deg) > 0).all()
        if len(scans) == 1:
            header = sum(fact.what == "not read" for fact in scan.facts)  # a slip in the first line may be one
            assert len(scan.counts) + sum(scan.left_out.values()) + header == n


@pytest.mark.parametrize("better", [0, 1])
def test_where_ranges_overlap_the_better_counted_one_stays_whole(better: int, read: Read) -> None:
    times = [1.0, 1.0]
    times[better] = 5.0
    slices, shift = [slice(0, 220), slice(180, 400)], [0.0, 0.01]
    head = "_FILEVERSION=2\n"
    for part, seconds, off in zip(slices, times, shift, strict=True):
        head += f"_STEPTIME={seconds}\n_2THETACOUNTS\n{text(ANGLE[part] + off, noisy(0, seconds)[part])}"
    scan = read(head)
    inside = ANGLE[slices[better]] + shift[better]
    assert np.isin(inside.round(3), scan.two_theta_deg.round(3)).all()
    assert (np.diff(scan.two_theta_deg) > 0).all()


@pytest.mark.parametrize("cut", [150, 250])
def test_where_ranges_without_deviations_overlap_the_longer_one_stays_whole(cut: int, read: Read) -> None:
    slices, shift = [slice(0, cut + 20), slice(cut - 20, 400)], [0.0, 0.01]
    parts = [text(ANGLE[part] + off, (noisy(0) / 7)[part].round(3)) for part, off in zip(slices, shift, strict=True)]
    scan = read(f"#S 1 ascan\n{parts[0]}#S 2 ascan\n{parts[1]}")
    longer = 0 if cut > 200 else 1
    assert scan.uncertainty is None
    assert np.isin((ANGLE[slices[longer]] + shift[longer]).round(3), scan.two_theta_deg.round(3)).all()


def uxd(*ranges: tuple[float | None, str, np.ndarray, np.ndarray]) -> str:
    """Ranges of a counting time, ``COUNTS`` or ``CPS``, angles and intensities."""
    said = ["" if seconds is None else f"_STEPTIME={seconds}\n" for seconds, *_ in ranges]
    return "_FILEVERSION=2\n" + "".join(
        f"{head}_2THETA{unit}\n{text(angle, values)}"
        for head, (_, unit, angle, values) in zip(said, ranges, strict=True)
    )


def test_repeats_of_known_times_are_added_and_so_are_the_times(read: Read) -> None:
    one, other, rest = noisy(0)[:200], noisy(1, 10)[:200], noisy(2, 22)[200:]
    scan = read(
        uxd(
            (1.0, "COUNTS", ANGLE[:200], one), (10.0, "COUNTS", ANGLE[:200], other), (22.0, "COUNTS", ANGLE[200:], rest)
        )
    )
    np.testing.assert_allclose(scan.counts[:200], one + other)
    np.testing.assert_allclose(scan.uncertainty[:200], np.sqrt(one + other))
    np.testing.assert_allclose(scan.counts[200:], rest / 2)
    assert [part.seconds_per_step for part in scan.ranges] == [11.0, 22.0]
    assert any("sum of 2 scans" in fact.value for fact in scan.facts)


@pytest.mark.parametrize("order", [1, -1])
def test_repeats_in_counts_and_in_counts_per_second_are_averaged_by_their_times(order: int, read: Read) -> None:
    one, other = noisy(0, 10), noisy(1, 2)
    ranges = [(10.0, "COUNTS", ANGLE, one), (2.0, "CPS", ANGLE, other / 2)]
    scan = read(uxd(*ranges[::order]))
    assert scan.unit == "cps"
    np.testing.assert_allclose(scan.counts, (one + other) / 12)
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(one + other) / 12)
    assert [part.seconds_per_step for part in scan.ranges] == [12.0]
    assert any("divided by 10 s" in fact.value for fact in scan.facts)


def test_repeats_of_unknown_times_come_to_the_level_of_the_first(read: Read) -> None:
    one, other = noisy(0), noisy(1, 10)
    scan = read(uxd((None, "COUNTS", ANGLE, one), (None, "COUNTS", ANGLE, other)))
    np.testing.assert_allclose(scan.counts, (one + other) / 11, rtol=0.02)
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(one + other) / 11, rtol=0.02)


def test_counts_of_an_unknown_time_are_no_repeat_of_counts_per_second(read: Read) -> None:
    with pytest.raises(AssertionError, match="counts of an unknown time, another in counts per second"):
        read(uxd((None, "COUNTS", ANGLE, noisy(0, 10)), (10.0, "CPS", ANGLE, noisy(1, 10) / 10)))


@pytest.mark.parametrize("times", [(None, 2.0, 4.0), (1.0, 2.0, 4.0), (1.0, None, 4.0)])
def test_a_third_range_comes_to_the_level_of_the_first(times: tuple[float | None, ...], read: Read) -> None:
    angles = [ANGLE[:150], ANGLE[130:300] + 0.01, ANGLE[280:] + 0.002]
    flat = [np.full(len(angle), 1000 * level) for angle, level in zip(angles, (1, 2, 4), strict=True)]
    scan = read(uxd(*((time, "COUNTS", *rest) for time, *rest in zip(times, angles, flat, strict=True))))
    np.testing.assert_allclose(scan.counts, 1000)
    np.testing.assert_allclose(scan.two_theta_deg[[0, -1]], [angles[0][0], angles[2][-1]], atol=1e-3)


def test_ranges_with_nothing_but_a_seam_between_them_are_one(read: Read) -> None:
    slices = [slice(0, 100), slice(100, 180), slice(180, 400)]
    scan = read(uxd(*((1.0, "COUNTS", ANGLE[part], noisy(0)[part]) for part in slices)))
    (only,) = scan.ranges
    assert (only.start, only.stop) == (0, 400)
    assert only.step_deg == pytest.approx(0.025)


def test_a_wavelength_that_only_a_later_range_states_is_that_of_the_scan(read: Read) -> None:
    angle = 10 + 0.02 * np.arange(60)
    later = f"_WL1=1.78897\n_2THETACOUNTS\n{text(angle + 1.2, noisy(2)[:60])}"
    scan = read(uxd((None, "COUNTS", angle, noisy(1)[:60])) + later)
    assert scan.wavelengths is not None
    assert scan.wavelengths.kalpha1_angstrom == pytest.approx(1.78897)


def test_more_ranges_than_a_file_can_have_are_refused_and_not_cut_off(read: Read) -> None:
    one = "_START=10\n_STEPSIZE=0.1\n_COUNTS\n1 2 3\n"
    with pytest.raises(ScanError, match="more than 5,000 ranges"):
        read("_FILEVERSION=2\n" + 5_001 * one)


def test_an_end_without_its_mark_is_told_of_that_range_alone(read: Read) -> None:
    rows = "\n".join(f"{10 + 0.02 * i:.2f} {100 + i % 5} 1" for i in range(60))
    two_theta, omega = (
        f'*RAS_HEADER_START\n*MEAS_SCAN_AXIS_X "{name}"\n*RAS_INT_START\n{rows}' for name in ("TwoTheta", "Omega")
    )
    assert not [f for f in read(f"{two_theta}\n*RAS_INT_END\n{omega}").facts if f.what == "end"]
    assert [f for f in read(two_theta).facts if f.what == "end"]
    with pytest.raises(ScanError, match="only"):
        read(omega)
