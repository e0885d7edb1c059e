"""Each format, written from its description, comes back as it was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import scan_writers as write

from deepxrd.errors import ScanError
from deepxrd.scans import Scan

Read = Callable[..., Scan]
Ranges = Sequence[tuple[float, Sequence[int]]]
ANGLE_DEG = 1e-5  # what four bytes keep of an angle

RANGED: dict[str, Callable[[Ranges], bytes]] = {
    "Bruker RAW, version 1": write.raw1,
    "Bruker RAW, version 2": write.raw2,
    "Bruker RAW, version 3 (RAW1.01)": write.raw3,
    "Bruker RAW, version 4": write.raw4,
    "PANalytical XRDML": write.xrdml,
    "Bruker BRML": write.brml,
    "Rigaku RAS": write.ras,
    "Rigaku RASX": write.rasx,
    "Rigaku text": write.rigaku_text,
    "Rigaku RAW": write.rigaku_raw,
    "Bruker UXD": write.uxd,
}
SINGLE: dict[str, tuple[str, Callable[[Sequence[int]], bytes]]] = {
    "rd": ("Philips RD, version 3", write.rd),
    "rd 5": ("Philips RD, version 5", lambda counts: write.rd(counts, b"V5RD")),
    "udf": ("Philips UDF", write.udf),
    "cpi": ("Sietronics CPI", write.cpi),
    "dbws": ("start, step, stop and counts (FullProf, DBWS)", write.dbws),
    "fullprof": ("start, step, stop and counts (FullProf, DBWS)", write.fullprof),
    "fullprof, a title": (
        "start, step, stop and counts (FullProf, DBWS)", lambda counts: write.fullprof(counts, title="of 2024")
    ),
    **{f"gsas {form}": ("GSAS", lambda counts, form=form: write.gsas(counts, form))
       for form in ("STD", "ESD", "FXYE", "FXY", "ALT")},
    **{f"jcamp {form}": ("JCAMP-DX", lambda counts, form=form: write.jcamp(counts, form))
       for form in ("AFFN", "PAC", "SQZ", "DIF", "DIFDUP")},
}  # fmt: skip


def angles(n: int, start: float = write.START) -> np.ndarray:
    return start + write.STEP * np.arange(n)


@pytest.mark.parametrize("name", RANGED)
def test_two_ranges_come_back_with_the_gap_between_them(name: str, read: Read, counts: list[int]) -> None:
    scan = read(RANGED[name]([(10.0, counts[:150]), (30.0, counts[150:])]))
    assert scan.format == name
    np.testing.assert_array_equal(scan.counts, counts)
    np.testing.assert_allclose(scan.two_theta_deg[:150], angles(150), atol=ANGLE_DEG)
    np.testing.assert_allclose(scan.two_theta_deg[150:], angles(250, 30.0), atol=ANGLE_DEG)
    assert [(part.start, part.stop) for part in scan.ranges] == [(0, 150), (150, 400)]
    assert scan.measured_at(np.array([11.0, 20.0, 32.0])).tolist() == [True, False, True]
    assert scan.unit == "counts"
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(np.maximum(counts, 1)))
    assert scan.wavelengths is not None
    assert scan.wavelengths.kalpha1_angstrom == pytest.approx(write.ALPHA1, abs=1e-7)
    assert scan.wavelengths.kalpha2_angstrom == pytest.approx(write.ALPHA2, abs=1e-7)
    assert not scan.is_peak_list


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_range_comes_back(name: str, read: Read, counts: list[int]) -> None:
    format_name, writer = SINGLE[name]
    scan = read(writer(counts))
    assert scan.format == format_name
    np.testing.assert_array_equal(scan.counts, counts)
    np.testing.assert_allclose(scan.two_theta_deg, angles(400), atol=ANGLE_DEG)
    assert len(scan.ranges) == 1
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(np.maximum(counts, 1)), atol=0.06)  # ESD and ALT: a decimal
    if name in {"udf", "cpi", "rd", "rd 5"} or name.startswith(("gsas", "jcamp")):
        assert scan.wavelengths is not None
        assert scan.wavelengths.kalpha1_angstrom == pytest.approx(1.5406, abs=5e-5)
    else:
        assert scan.wavelengths is None  # nothing states one, so none is taken


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (write.raw3([(10.0, [5, 6, 7] * 20)], supplement=0, record=12), None),
        (write.raw4([(10.0, [5, 6, 7] * 20)], record=8), None),
        (write.raw1([(10.0, [5, 6, 7] * 20), (30.0, [5, 6, 7] * 20)], mark_again=False), None),
        (write.xrdml([(10.0, [5, 6, 7] * 20)], schema="1.3", element="intensities", listed=True), None),
        (write.brml([(10.0, [5, 6, 7] * 20)], views=False), None),
        (write.uxd([(10.0, [5, 6, 7] * 20)], marker="_2THETACOUNTS"), None),
        (write.fullprof([5, 6, 7] * 20) + b"2 2 2\n" * 20 + b"Filelist='a.dat'\n 1 2\n", None),
        (write.jcamp([5, 6, 6, 6, 6, -7, 0, 0, 0, 19] * 6, "DIFDUP", per_line=13), None),
    ],
)  # fmt: skip
def test_other_forms_of_a_format_are_read(content: bytes, told: str | None, read: Read) -> None:
    scan = read(content)
    expected = [5, 6, 6, 6, 6, -7, 0, 0, 0, 19] * 6 if b"JCAMP" in content else [5, 6, 7] * 20
    np.testing.assert_array_equal(scan.counts[: len(expected)], expected)
    assert told is None


def test_attenuators_are_undone_as_each_maker_writes_them(read: Read, counts: list[int]) -> None:
    n = len(counts)
    factors = [1] * 100 + [50] * 50 + [1] * (n - 150)
    raw, true = np.array(counts), np.array(counts) * np.array(factors)
    panalytical = read(write.xrdml([(10.0, counts)], factors=factors))
    np.testing.assert_array_equal(panalytical.counts, true)
    np.testing.assert_allclose(panalytical.uncertainty, np.sqrt(np.maximum(raw, 1)) * factors)
    applied = read(write.xrdml([(10.0, [int(c) for c in true])], factors=factors, element="intensities"))
    np.testing.assert_array_equal(applied.counts, true)  # multiples of the factor, so they are corrected already
    rigaku = read(write.ras([(10.0, counts)], factor=10))
    np.testing.assert_allclose(rigaku.counts, counts, rtol=1e-9)
    bruker = read(write.brml([(10.0, [int(c) for c in true])], absorber=lambda i: factors[i]))
    np.testing.assert_array_equal(bruker.counts, true)  # Bruker stores corrected counts
    np.testing.assert_allclose(bruker.uncertainty, np.sqrt(np.maximum(raw, 1)) * factors)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (write.raw1([(10.0, [5] * 60)])[:-40], "says 60 points, and it holds 50"),
        (write.raw2([(10.0, [5] * 60)])[:200], "cut short"),
        (write.raw3([(10.0, [5] * 60)])[:-4], "says 60 points"),
        (write.raw4([(10.0, [5] * 60)], kind=b"Rocking Curve"), "only scans of other drives: Rocking Curve"),
        (write.rd([5] * 60)[:-2], "says 60 points, and it holds 59"),
        (write.xrdml([(10.0, [5] * 60)], factors=[1, 2]), "60 intensities and 2 attenuation factors"),
        (write.xrdml([(10.0, [5] * 60)]).replace(b'axis="2Theta"', b'axis="Phi"'), "none of 2θ"),
        (write.xrdml([(10.0, [5] * 60)]).replace(b" 5 5 ", b" 5 x ", 1), "no number"),
        (write.xrdml([(10.0, [5] * 60)])[:-30], "XML is damaged"),
        (write.ras([(10.0, [5] * 60)], axis="Omega"), "no scan of 2θ, only of Omega"),
        (write.ras([(10.0, [5] * 60)]).replace(b"10.2000 5.0000", b"10.2000 5.0O00"), "line 21 is no data: '5.0O00'"),
        (write.rigaku_text([(10.0, [5] * 60)]).replace(b"=  60", b"=  61"), "says *COUNT = 61, and 60 numbers"),
        (write.uxd([(10.0, [5] * 60)], drive="PHI"), "no scan of 2θ, only of PHI"),
        (write.udf([5] * 60).replace(b"11.18", b"11.58"), "says 80 points"),
        (write.cpi([5] * 60).replace(b"11.1800", b"11.5800"), "says 80 points"),
        (write.gsas([5] * 60, "STD", kind="SLOG"), "a bank of time of flight (SLOG)"),
        (write.gsas([5] * 60, "ESD")[:-162], "says 60 points, and 50 follow"),
        (write.fullprof([5] * 60)[:-20], "60 points, and 57 numbers follow"),
        (write.jcamp([5, 9] * 30, "AFFN").replace(b"NPOINTS=60", b"NPOINTS=61"), "NPOINTS=61, and the table holds 60"),
        (write.jcamp([5, 9] * 30, "DIF").replace(b"1038I", b"1038H"), "the line before ended with"),
        (write.jcamp([5, 9] * 30, "AFFN").replace(b"X-RAY DIFFRACTION", b"INFRARED SPECTRUM"), "no diffraction"),
    ],
)
def test_what_is_damaged_or_no_pattern_is_refused_with_the_reason(content: bytes, told: str, read: Read) -> None:
    with pytest.raises(ScanError) as error:
        read(content)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"FI\0\0" + bytes(4000), "binary Rigaku .raw"),
        (b"\x89PNG\r\n" + bytes(100), "a picture"),
        (b"%PDF-1.4 ...", "a PDF"),
        (b"\x1f\x8b\x08\0\0\0", "packed by gzip"),
        (bytes(range(256)) * 4, "binary and begins with"),
        (b"data_global\n_cell_length_a 4\n", "a CIF"),
        (b"<html><body/></html>", "<html>"),
        (b"", "empty"),
        (b"hello world\nthis is prose\n", "no lines of two numbers"),
    ],
)
def test_other_files_are_refused_by_name(content: bytes, told: str, read: Read) -> None:
    with pytest.raises(ScanError) as error:
        read(content)
    assert told in str(error.value)


@pytest.mark.parametrize("name", [name for name in SINGLE if not name.startswith("rd")])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines_blank_lines_and_what_dos_leaves_do_not_matter(
    name: str, end: str, read: Read, counts: list[int]
) -> None:
    data = SINGLE[name][1](counts)
    lines = data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    before = [""] if lines[0].startswith(("SIETRONICS", "##", "SampleIdent")) else []
    text = end.join([*before, *lines, "\x1a"]) + 20 * "\0"
    np.testing.assert_array_equal(read(text.encode("utf-8-sig")).counts, counts)


def test_uxd_with_decimal_commas_comments_and_the_end_mark_of_dos(read: Read, counts: list[int]) -> None:
    plain = write.uxd([(10.0, counts)], marker="_2THETACOUNTS")
    lines = plain.decode().splitlines()
    at = lines.index("_2THETACOUNTS")
    data = [line.replace(".", ",") for line in lines[at + 1 :]]
    text = "\r\n".join([*lines[: at + 1], *data[:9], "; a pause", *data[9:], "\x1a"])
    scan = read(text)
    np.testing.assert_array_equal(scan.counts, counts)
    np.testing.assert_allclose(scan.two_theta_deg, angles(len(counts)), atol=ANGLE_DEG)
    with pytest.raises(ScanError, match=r"line \d+ has 3 numbers, where angle and intensity stand"):
        read(plain.replace(b"10.000\t", b"10.000\t7 "))
