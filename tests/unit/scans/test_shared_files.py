"""Real files, and the cases that failed before: each read, or refused with the true reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepxrd.errors import ScanError
from deepxrd.scans import Scan, read_scan, read_scans

pytestmark = pytest.mark.snapshot
SAME_AS_BASE = [
    "base.xy", "bom_crlf_header.csv", "comma_row.csv", "cr_only.txt", "decimal_comma_semicolon.csv", "descending.xy",
    "dspacing.txt", "fullprof_ins0.dat", "highscore.csv", "jcamp.jdx", "q_invA_hdr.dat", "spec_columns.dat",
    "theta.xrd", "thousands_quoted.csv", "attenuated.ras",
]  # fmt: skip
INSTRUMENTS = {  # points, first and last angle, highest, its angle, Kα1
    "BT86_.UXD": (2374, 3.0, 40.0, 5774, 9.065, 1.5406),
    "bruker_raw1.raw": (876, 4.98, 39.98, 12880, 9.14, 1.5406),
    "bruker_raw2.raw": (7251, 5.0, 150.0, 25185, 36.26, 1.5406),
    "format1.raw": (178, 10.0, 45.0, 58, 41.7, 1.5406),
    "rigaku_two_ranges.ras": (4002, 26.5, 66.0, 532695488, 61.124, 1.540593),
}


@pytest.fixture(scope="module")
def shared(snapshot_path: Path) -> Path:
    return snapshot_path.parents[1]


def case(shared: Path, name: str) -> Scan:
    return read_scan(shared / "cases" / "scans" / name)


@pytest.mark.parametrize("name", SAME_AS_BASE)
def test_each_writing_of_the_base_scan_is_the_base_scan(shared: Path, name: str) -> None:
    scan = case(shared, name)
    base = np.loadtxt(shared / "cases" / "scans" / "base.xy")
    assert len(scan.counts) == 4401
    np.testing.assert_allclose(scan.counts, base[:, 1], rtol=1e-9)
    np.testing.assert_allclose(scan.two_theta_deg, base[:, 0], atol=0.007)  # q and d are given to five digits
    assert scan.two_theta_deg[scan.counts.argmax()] == pytest.approx(29.65, abs=0.002)
    assert len(scan.ranges) == 1


def test_cases_that_are_not_the_base_scan_are_what_they_are(shared: Path) -> None:
    molybdenum = case(shared, "mo_header.xy").wavelengths
    assert molybdenum is not None
    assert molybdenum.name == "MoKa"
    gap = case(shared, "two_ranges_gap.xy")
    assert [part.stop - part.start for part in gap.ranges] == [560, 2400]
    assert not gap.measured_at(np.array([40.0])).any()
    offset = case(shared, "two_scans_offset.uxd")
    assert len(offset.ranges) == 2
    assert offset.counts.max() == 15702
    assert case(shared, "dummy_eiger.xy").left_out == {"with a dummy instead of counts": 6}
    assert case(shared, "nan_rows.xy").left_out == {"without a number": 45}
    assert case(shared, "negative_start.xy").left_out == {"at angles below 0°": 80}
    assert case(shared, "decimal_comma_intensity_only.csv").counts.max() == 1843
    assert len(case(shared, "index_first_short.txt").counts) == 147
    for peaks in ("PbSO4_sticks.txt", "PbSO4_dif.txt"):
        assert case(shared, peaks).is_peak_list
    with pytest.raises(ScanError, match=r"holds 2 scans.*on different grids"):
        case(shared, "repeat_scans_drift.dat")


def test_every_case_is_read_or_refused_for_a_reason(shared: Path) -> None:
    for path in sorted((shared / "cases" / "scans").iterdir()):
        for scan in read_scans(path):
            assert scan.facts, path
            assert scan.is_peak_list == path.name.startswith("PbSO4_"), path


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_files_of_instruments(shared: Path, name: str) -> None:
    n, first, last, highest, place, alpha1 = INSTRUMENTS[name]
    scan = read_scan(shared / "data" / "instruments" / name)
    assert len(scan.counts) == n
    assert scan.two_theta_deg[[0, -1]] == pytest.approx([first, last], abs=0.001)
    assert scan.counts.max() == pytest.approx(highest)
    assert scan.two_theta_deg[scan.counts.argmax()] == pytest.approx(place, abs=0.001)
    assert scan.wavelengths is not None
    assert scan.wavelengths.kalpha1_angstrom == pytest.approx(alpha1, abs=1e-6)
    assert not scan.is_peak_list


def test_mixtures_of_a_panalytical(shared: Path) -> None:
    paths = sorted((shared / "data" / "instruments" / "mixtures").glob("*.xrdml"))
    assert len(paths) == 10
    for path in paths:
        scan = read_scan(path)
        assert len(scan.counts) == 8282
        assert scan.two_theta_deg[[0, -1]] == pytest.approx([10.00943322, 99.99442286])
        assert scan.unit == "counts"
        assert scan.wavelengths is not None
        assert scan.wavelengths.ratio == 0.5


def test_measured_minerals_are_continuous_scans(shared: Path) -> None:
    paths = sorted((shared / "data" / "measured").glob("*.xy"))
    assert len(paths) == 99
    for path in paths[::9]:  # all formats alike; each takes a tenth of a second
        table = np.loadtxt(path)
        scan = read_scan(path)
        np.testing.assert_array_equal(scan.counts, table[:, 1])
        np.testing.assert_allclose(scan.two_theta_deg, table[:, 0], atol=1e-9)
        assert len(scan.ranges) == 1
        assert scan.wavelengths is None
