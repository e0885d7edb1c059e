"""What files of instruments say beside counts: other drives, units, speeds, layouts that bear themselves out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scan_writers as write

from deepxrd.errors import ScanError
from deepxrd.scans import Scan

Read = Callable[..., Scan]
COUNTS = [150 + i % 7 for i in range(60)]
TWO = [(10.0, COUNTS), (30.0, COUNTS)]


def facts(scan: Scan, what: str) -> list[str]:
    """What a scan tells of one thing."""
    return [str(fact) for fact in scan.facts if fact.what == what]


@pytest.mark.parametrize("kind", [3, 4, 5, 8])
def test_a_rocking_curve_in_a_raw_of_version_3_is_no_pattern(kind: int, read: Read) -> None:
    with pytest.raises(ScanError, match="only scans of other drives"):
        read(write.raw3([(10.0, COUNTS)], kinds=[kind]))
    scan = read(write.raw3(TWO, kinds=[kind, 130]))  # a fast scan of a linear detector
    assert scan.two_theta_deg[0] == 30.0
    assert facts(scan, "not read")[0].startswith("1 scans of other drives")


@pytest.mark.parametrize("data_at", [3058, 3074])
def test_the_older_rigaku_raw(data_at: int, read: Read) -> None:
    scan = read(write.rigaku_raw_old(COUNTS, data_at))
    np.testing.assert_array_equal(scan.counts, COUNTS)
    np.testing.assert_allclose(scan.two_theta_deg, 10 + 0.02 * np.arange(60), atol=1e-5)
    assert scan.wavelengths is not None
    assert scan.wavelengths.kalpha1_angstrom == write.ALPHA1


@pytest.mark.parametrize(
    "content",
    [
        write.rigaku_raw([(10.0, COUNTS)])[:-4], write.rigaku_raw_old(COUNTS, 3074) + b"\1\2\3\4",
        write.rigaku_raw_old(COUNTS, 3070), b"FI\0\0" + bytes(200), b"FI\0\0" + bytes(9000),
    ],
)  # fmt: skip
def test_a_rigaku_raw_that_does_not_bear_itself_out_is_refused(content: bytes, read: Read) -> None:
    with pytest.raises(ScanError, match=r"export it as \.ras|it is cut short"):
        read(content)


@pytest.mark.parametrize("place", [512, 1536, 0x40600])
def test_a_stoe_raw(place: int, read: Read) -> None:
    scan = read(write.stoe(COUNTS, place))
    np.testing.assert_array_equal(scan.counts, COUNTS)
    np.testing.assert_allclose(scan.two_theta_deg, 10 + 0.02 * np.arange(60), atol=1e-5)
    assert scan.wavelengths is not None
    assert scan.wavelengths.kalpha1_angstrom == write.ALPHA1


def test_a_stoe_raw_without_a_plain_range_is_refused(read: Read) -> None:
    with pytest.raises(ScanError, match="no range in a binary Stoe"):
        read(b"RAW_1.06Powdat" + bytes(5000))
    with pytest.raises(ScanError, match="several places"):
        read(write.stoe(COUNTS, 1536) + write.stoe(COUNTS, 1536)[512:])


def test_a_uxd_of_omega_is_no_pattern_and_times_of_a_third_column_are_heeded(read: Read) -> None:
    rows = "".join(f"{10 + 0.02 * i:.2f} {count} {1 + (i > 29)}\n" for i, count in enumerate(COUNTS))
    two = "".join(f"{line.rpartition(' ')[0]}\n" for line in rows.splitlines())
    with pytest.raises(ScanError, match="only of OMEGA"):
        read("_FILEVERSION=1\n_DRIVE='OMEGA'\n_THETACOUNTS\n" + two)
    scan = read("_FILEVERSION=1\n_2THETACOUNTSTIME\n" + rows)
    np.testing.assert_allclose(scan.counts, [2 * c for c in COUNTS[:30]] + COUNTS[30:])
    np.testing.assert_allclose(scan.uncertainty[:30], 2 * np.sqrt(COUNTS[:30]))
    assert facts(scan, "counting time") == ["from 1 to 2 s, set to one (marker _2THETACOUNTSTIME)"]


def ras(*ranges: tuple[float, str, str], unit: str = "counts") -> bytes:
    """Ranges of a start, a speed and its unit, wavelengths in nm."""
    text = write.ras([(start, COUNTS) for start, _, _ in ranges]).decode("cp932")
    text = text.replace(f'"{write.ALPHA1}"', '"0.15406"').replace(f'"{write.ALPHA2}"', '"0.154439"')
    parts = text.replace('"counts"', f'"{unit}"').split("*RAS_HEADER_END")
    said = [
        f'*HW_XG_WAVE_LENGTH_UNIT "nm"\n*MEAS_SCAN_STEP "0.02"\n*MEAS_SCAN_SPEED "{speed}"\n'
        f'*MEAS_SCAN_SPEED_UNIT "{per}"\n*RAS_HEADER_END'
        for _, speed, per in ranges
    ]
    return (parts[0] + "".join(a + b for a, b in zip(said, parts[1:], strict=True))).encode("cp932")


def test_ranges_of_a_ras_are_brought_to_one_level_by_their_speeds(read: Read) -> None:
    scan = read(ras((10.0, "2.0", "deg/min"), (30.0, "1.2", "sec.")))
    assert [part.seconds_per_step for part in scan.ranges] == pytest.approx([0.6, 1.2])
    np.testing.assert_allclose(scan.counts[60:], np.array(COUNTS) / 2)
    assert facts(scan, "level") == ["counts from 30° on multiplied by 0.5 (1.2 s a point, after 0.6 s)"]
    assert scan.wavelengths is not None
    assert scan.wavelengths.kalpha1_angstrom == pytest.approx(1.5406)


def test_counts_per_second_of_a_ras_have_the_deviation_of_its_speed(read: Read) -> None:
    scan = read(ras((10.0, "2.0", "deg/min"), unit="cps"))
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(np.array(COUNTS) * 0.6) / 0.6)


def test_a_memo_of_several_lines_and_a_group_of_another_axis_in_rigaku_text(read: Read) -> None:
    text = write.rigaku_text(TWO).decode().replace("*BEGIN", "*MEMO\t= first\nand more, of 2\n*BEGIN", 1)
    begin = text.rindex("*SCAN_AXIS")
    scan = read(text[:begin] + text[begin:].replace("2theta/theta", "omega", 1))
    np.testing.assert_array_equal(scan.counts, COUNTS)
    assert facts(scan, "not read") == ["1 scans of other axes (omega)"]


def test_a_bank_in_degrees_or_in_small_letters_and_records_after_the_last(read: Read) -> None:
    records = "".join(f"{10 + 0.02 * i:.2f} {count} 12.5\n" for i, count in enumerate(COUNTS))
    scan = read(f"title\nbank 1 60 60 CONST 10.0 0.02 0 0 fxye\n{records}12.00 7 1\n")
    np.testing.assert_array_equal(scan.counts, COUNTS)
    np.testing.assert_allclose(scan.two_theta_deg, 10 + 0.02 * np.arange(60), atol=1e-9)
    assert facts(scan, "not read") == ["1 records after the 60 points (line 63)"]
    assert "in hundredths it would end below" in facts(scan, "axis")[0]


def test_kbeta_that_was_intended_is_the_wavelength(read: Read) -> None:
    text = write.xrdml([(10.0, COUNTS)]).decode().replace("'K-Alpha 1'>", "'K-Beta'><kBeta unit='nm'>0.139225</kBeta>")
    waves = read(text).wavelengths
    assert waves is not None
    assert (waves.kalpha1_angstrom, waves.kalpha2_angstrom) == (pytest.approx(1.39225), None)


def test_temperatures_behind_the_counts_of_a_brml_without_views(read: Read) -> None:
    rows = "".join(
        f"<Datum>2.0,1,{10 + 0.02 * i:.2f},{5 + 0.01 * i:.2f},{c},25.1,24.9</Datum>" for i, c in enumerate(COUNTS)
    )
    axes = '<ScanAxes><ScanAxisInfo AxisId="TwoTheta"/><ScanAxisInfo AxisId="Theta"/></ScanAxes>'
    scan = read(write.brml_of(f"<ScanInformation>{axes}</ScanInformation>{rows}"))
    np.testing.assert_array_equal(scan.counts, COUNTS)


def test_a_detector_at_rest_in_a_brml(read: Read) -> None:
    ends = "<Start>10</Start><Stop>11.18</Stop><Increment>0.02</Increment>"
    scale = f'<ScaleAxisInfo AxisId="TwoTheta">{ends}</ScaleAxisInfo>'
    views = '<DataViews><RawDataView xsi:type="RecordedRawDataView" Start="3" Length="60"/></DataViews>'
    row = ",".join(map(str, COUNTS))
    scan = read(
        write.brml_of(
            f"<ScanInformation><ScaleAxes>{scale}</ScaleAxes></ScanInformation>{views}<Datum>9,1,25,{row}</Datum>"
        )
    )
    np.testing.assert_array_equal(scan.counts, COUNTS)
    np.testing.assert_allclose(scan.two_theta_deg, 10 + 0.02 * np.arange(60), atol=1e-9)
    assert scan.wavelengths is not None


@pytest.mark.parametrize("drive", ["PHI", "CHI"])
def test_ranges_of_other_drives_in_a_uxd_are_told(drive: str, read: Read) -> None:
    first, second = write.uxd(TWO).decode().split("; (Data for Range number 2)")
    scan = read(first.replace("COUPLED", drive) + second)
    assert scan.two_theta_deg[0] == 30.0
    assert facts(scan, "not read") == [f"1 scans of other drives ({drive})"]
    with pytest.raises(ScanError, match=f"no scan of 2θ, only of {drive}"):
        read(first.replace("COUPLED", drive))


@pytest.mark.parametrize("factor", ["1e400", "inf", "1e307", "1e200"])
@pytest.mark.parametrize("count", [0, 155])
@pytest.mark.filterwarnings("error")
def test_a_factor_that_leaves_no_counts_costs_its_point(factor: str, count: int, read: Read) -> None:
    counts = [*COUNTS[:30], count, *COUNTS[31:]]
    text = write.ras([(10.0, counts)]).decode("cp932")
    row = f"10.6000 {count:.4f} "
    assert text.count(f"{row}1.0000") == 1
    scan = read(text.replace(f"{row}1.0000", row + factor).encode("cp932"))
    np.testing.assert_array_equal(scan.counts, COUNTS[:30] + COUNTS[31:])
    assert scan.uncertainty is not None
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(scan.counts))
    assert scan.left_out == {"with too large a factor of an attenuator": 1}
    assert facts(scan, "attenuation") == []
