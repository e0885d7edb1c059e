"""Writings of one scan that were refused or read wrongly once, beyond those of `test_columns`."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from test_columns import ANGLES, COUNTS, ROOTS, rows

from deepxrd.errors import ScanError
from deepxrd.scans import Scan, files

Read = Callable[..., Scan]
PLAIN = rows("{x} {y}")
LISTED = rows("{y}")
LINES = PLAIN.splitlines()
HALVES = ["\n".join([*half, ""]) for half in (LINES[:150], LINES[150:])]
SPEC_HALVES = ["".join(half) for half in np.split(np.array(rows("{x} 1 5000 {y}").splitlines(keepends=True)), 2)]


def zipped(*names: str) -> bytes:
    """A zip of the scan under each of these names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, PLAIN)
    return buffer.getvalue()


def workbook(*sheets: str) -> bytes:
    """A workbook as spreadsheets write it, of sheets whose cells are parted by tabs; texts are shared."""
    shared: list[str] = []
    parts = {}
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    for place, sheet in enumerate(sheets, 1):
        rows = []
        for row, line in enumerate(sheet.splitlines(), 1):
            cells = ""
            for column, cell in enumerate(line.split("\t")):
                is_text = not cell.replace(".", "").isdecimal()
                shared += [cell] if is_text else []
                value = len(shared) - 1 if is_text else cell
                if cell:
                    kind = ' t="s"' if is_text else ""
                    cells += f'<c r="{chr(65 + column)}{row}"{kind}><v>{value}</v></c>'
            rows += [f'<row r="{row}">{cells}</row>'] if cells else []
        parts[f"xl/worksheets/sheet{place}.xml"] = (
            f"<worksheet {space}><sheetData>{''.join(rows)}</sheetData></worksheet>"
        )
    texts = "".join(f"<si><t>{text}</t></si>" for text in shared)
    parts["xl/sharedStrings.xml"] = f"<sst {space}>{texts}</sst>"
    parts["[Content_Types].xml"] = "<Types/>"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return buffer.getvalue()


def facts(scan: Scan, what: str) -> list[str]:
    """What a scan tells of one thing."""
    return [str(fact) for fact in scan.facts if fact.what == what]


def grouped(mark: str) -> list[str]:
    """The counts with a mark between their thousands."""
    return [f"{count:,}".replace(",", mark) for count in COUNTS]


SAME: dict[str, str | bytes] = {
    "gzip": gzip.compress(PLAIN.encode()),
    "bzip2": bz2.compress(PLAIN.encode()),
    "xz": lzma.compress(PLAIN.encode()),
    "a zip of one": zipped("scan.xy"),
    "a zip of a Mac": zipped("scan.xy", "__MACOSX/._scan.xy"),
    "a remark behind the first numbers": "\n".join([LINES[0] + " # beam on", *LINES[1:]]),
    "remarks behind all numbers": "".join(f"{line} ! ok\n" for line in LINES),
    "a remark in a table": rows("{x},{y}").replace("\n", " // beam off\n", 9),
    "thousands by blanks": "Angle;Intensité\n" + rows("{c};{t}", t=grouped(" ")),
    "thousands by no-break blanks": "Angle\tIntensité\n" + rows("{c}\t{t},0", t=grouped("\u202f")),
    "thousands by apostrophes": rows("{x};{t}", t=grouped("'")),
    "signs of units": "2θ;I\n" + rows("{x}°;{y}%"),
    "a blank, then a tab": rows("{x} {y}\t{s}", s=ROOTS),
    "per second": "2theta,counts per second,error\n" + rows("{x},{y},{s}", s=ROOTS),
    "a slash and a second": "2theta,intensity (counts/second),error\n" + rows("{x},{y},{s}", s=ROOTS),
    "text behind all numbers": "2theta,counts,comment\n" + rows("{x},{y},ok"),
    "quoted text behind all": '"Winkel";"Int";"Phase"\n' + rows('"{c}";"{y}";"Quarz"'),
    "text after the last": PLAIN + "\nTotal counts: 12345\n\nsigned\n",
    "two halves with titles": f"Run A\n2theta I\n{HALVES[0]}Run B\n2theta I\n{HALVES[1]}",
    "two halves with headers": f"[Run]\nStart,10\n[Data]\n{HALVES[0]}[Run]\nStart,14\n[Data]\n{HALVES[1]}",
    "the later half first": f"{HALVES[1]}run 2\n{HALVES[0]}",
    "two SPEC scans": "#S 1 ascan\n{0}{1}\n#S 2 ascan\n{0}{2}".format(
        "#L Two Theta  Epoch  Monitor  Det\n", *SPEC_HALVES
    ),
    "a workbook": workbook("Sample\tx\n\n2theta\tIntensity\n" + rows("{x}\t{y}")),
    "a workbook with a sheet of words first": workbook("notes\nof 2020\n", "2theta\tI\n" + rows("{x}\t{y}")),
    "a workbook of texts with decimal commas": workbook("Winkel\tInt\n" + rows("{c}\t{y},0")),
    "a workbook with an empty column": workbook("\t2theta\tcounts\n" + rows("\t{x}\t{y}")),
    "a count a line under keys": "Start = 10.0\nEnd: 17.475 deg\nStep size = 0.025\nStep time = 2 s\n[Data]\n" + LISTED,
    "a count a line under numbers": "sample\nnote\n10.0\n17.475\n0.025\n1.0\n" + LISTED,
    "RRUFF": "##NAMES=Quartz\n##RRUFFID=R040031\n##X-RAY WAVELENGTH=1.541838\n" + rows("{x}, {y}") + "##END=\n\n",
    "x after a column that is none": "used,x,y_obs,weight,y_calc\n" + rows("1,{x},{y},0.01,30"),
    "a range above": "10.0 17.475\n" + PLAIN,
    "a range with a remark above": "1 17.475 # range\n" + PLAIN,
    "a step and a time above": "0.025 1.0\n" + PLAIN,
    "a temperature above": "Temperature 25C\n" + PLAIN,
    "a wavelength in words above": "Wavelength CuKa\n" + PLAIN,
    "Russian": "Угол 2θ;Фон;Интенсивность\n" + rows("{c};30;{y}"),
    "Chinese": "2θ（度）,背景,强度\n" + rows("{x},30,{y}"),
    "Japanese": "回折角,バックグラウンド,強度\n" + rows("{x},30,{y}"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_every_writing_gives_the_same_axis_and_counts(name: str, read: Read) -> None:
    scan = read(SAME[name])
    np.testing.assert_array_equal(scan.counts, COUNTS)
    np.testing.assert_allclose(scan.two_theta_deg, np.array(ANGLES, float), atol=1e-9)


def test_what_is_packed_is_bounded_and_damage_is_told(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ScanError, match="packed by gzip and damaged"):
        read(gzip.compress(PLAIN.encode())[:-40])
    with pytest.raises(ScanError, match=r"a zip of a\.xy, b\.xy"):
        read(zipped("a.xy", "b.xy"))
    monkeypatch.setattr(files, "MAX_BYTES", 200_000)
    with pytest.raises(ScanError, match="unpacks to more than"):
        read(gzip.compress(b"10.0 5\n" * 100_000))


def test_a_sheet_of_far_cells_is_refused_before_it_fills_the_memory(read: Read) -> None:
    rows_ = "".join(f'<row r="{i}"><c r="XFD{i}"><v>1</v></c></row>' for i in range(1, 2000))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet><sheetData>{rows_}</sheetData></worksheet>")
    with pytest.raises(ScanError, match="a sheet of more than 20000000 cells"):
        read(buffer.getvalue())


def test_a_remark_behind_numbers_is_told_with_its_line(read: Read) -> None:
    scan = read("\n".join([*LINES[:50], LINES[50] + "  # beam off", *LINES[51:]]))
    assert facts(scan, "not read") == ["behind the numbers of a line: 'beam off' (line 51)"]


def test_text_below_the_data_is_told_but_a_damaged_last_line_is_refused(read: Read) -> None:
    assert facts(read(PLAIN + "Total counts: 12345\n"), "not read") == [
        "text from line 301 on (after the last of the data)"
    ]
    with pytest.raises(ScanError, match=r"line 301 is no data: '17\.500 1x3'"):
        read(PLAIN + "17.500 1x3\n")


def test_counts_that_do_not_fill_the_range_of_their_header_are_refused(read: Read) -> None:
    with pytest.raises(ScanError, match=r"says 321 points \(10 to 18 by 0.025\), and 300 follow"):
        read("Start=10.0\nStop=18\nStep=0.025\n" + LISTED)
    with pytest.raises(ScanError, match="no lines of two numbers"):
        read(LISTED)


def test_a_title_in_the_middle_of_a_scan_is_no_new_one(read: Read) -> None:
    with pytest.raises(ScanError, match="line 151 is no data: 'Run B'"):
        read(f"{HALVES[0]}Run B\n{HALVES[1]}")
    with pytest.raises(ScanError, match="line 301 is no data: 'again'"):
        read(PLAIN + "again\n10.0 7\n")


def test_many_comments_among_the_data_do_not_hide_the_names(read: Read) -> None:
    scan = read("I 2theta\n" + rows("{y} {x}").replace("\n", "\n# ok\n", 9))
    np.testing.assert_array_equal(scan.counts, COUNTS)


CARD = [(26.578, 3.351, 100), (33.893, 2.644, 80), (37.949, 2.369, 25), (51.755, 1.765, 65), (54.740, 1.6755, 14)]


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("PDF#05-0566 QM=Star\n2-Theta d(A) I(f) (h k l) Theta 1/(2d)\n", "{} {} {} (1 1 0) 13.289 0.1492"),
        ("#  2-Theta    d(A)   I(f)   ( h k l)   n^2\n", "  {}  {}  {}  ( 1 -1  0)  2"),
        ("", "{} {} {}"),
        ("2theta,d,intensity,phase\n", "{},{},{},Cassiterite"),
    ],
)
def test_cards_of_a_database_are_lists_of_peaks(header: str, form: str, read: Read) -> None:
    scan = read(header + "".join(form.format(*peak) + "\n" for peak in CARD))
    assert scan.is_peak_list
    np.testing.assert_array_equal(scan.two_theta_deg, [peak[0] for peak in CARD])
    np.testing.assert_array_equal(scan.counts, [peak[2] for peak in CARD])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ('\'Id: "a" Anode: "Cu" Scantype: "Coupled" TimePerStep: "96"', 96.0), ("Scan step time [s],96.39", 96.39),
        ("# Counting time (sec): 2,5", 2.5), ("# Step time = 3 s", 3.0), ("# Total time: 500", None),
        ("# Counting time: 10 min", None), ("# Counting time: 1.5 min", None),
    ],
)  # fmt: skip
def test_the_counting_time_of_a_header_is_taken(header: str, seconds: float | None, read: Read) -> None:
    assert read(f"{header}\n{PLAIN}").ranges[0].seconds_per_step == seconds


def test_ranges_under_comments_with_other_counting_times_are_brought_to_one_level(read: Read) -> None:
    head = '\'Id: "a" Anode: "Cu" TimePerStep: "{}"\n'
    scan = read(head.format(1) + HALVES[0] + head.format(5) + HALVES[1])
    np.testing.assert_allclose(scan.counts, COUNTS[:150] + [count / 5 for count in COUNTS[150:]])
    assert facts(scan, "level") == ["counts from 13.75° on multiplied by 0.2 (5 s a point, after 1 s)"]


def test_factors_in_a_column_without_a_name_are_undone_where_they_undo_steps(read: Read) -> None:
    factors = [10 if count > 5000 else 1 for count in COUNTS]
    seen = [f"{count / factor:.1f}" for count, factor in zip(COUNTS, factors, strict=True)]
    scan = read(rows("{x}\t{v}\t{f}", v=seen, f=[f"{factor}.0" for factor in factors]))
    np.testing.assert_allclose(scan.counts, COUNTS)
    assert facts(scan, "columns")[-1].startswith("an attenuator's factors are column 3")
    flags = read(rows("{x}\t{y}\t{f}", f=["2" if factor > 1 else "1" for factor in factors]))
    np.testing.assert_array_equal(flags.counts, COUNTS)
    assert facts(flags, "not read") == ["column 3 (no names)"]


def test_columns_that_are_not_used_are_told(read: Read) -> None:
    scan = read("2theta,counts A,counts B,Bkg\n" + rows("{x},{y},{s},30", s=ROOTS))
    np.testing.assert_array_equal(scan.counts, COUNTS)
    assert facts(scan, "not read") == ["column 3, 'counts B'; 4, 'Bkg' (named in line 1)"]


@pytest.mark.parametrize(
    "names",
    [
        "Time (min),Signal (mV)", "t (s),I", "Temperature (C),Heat flow", "r(A),G(A^-2)", "Binding Energy (eV),Counts",
        "Raman shift (cm-1),Intensity", "Wavelength (nm),Absorbance",
    ],
)  # fmt: skip
def test_measurements_of_other_kinds_are_refused(names: str, read: Read) -> None:
    with pytest.raises(ScanError, match="none is an angle, q or d"):
        read(names + "\n" + rows("{x},{y}"))


def test_an_angle_called_theta_is_doubled(read: Read) -> None:
    half = [f"{float(angle) / 2:.4f}" for angle in ANGLES]
    scan = read("Angle (theta),I\n" + rows("{h},{y}", h=half))
    np.testing.assert_allclose(scan.two_theta_deg, np.array(ANGLES, float), atol=1e-3)


def peaked(angles: np.ndarray, width_deg: float = 0.06) -> np.ndarray:
    """Expected counts of some peaks on a flat background, ``(n,)``."""
    peaks = ((3000, 25.3), (800, 37.8), (900, 48.0), (500, 54.0))
    return 120 + sum(height * np.exp(-0.5 * ((angles - place) / width_deg) ** 2) for height, place in peaks)


@pytest.mark.parametrize("across", [5, 10])
def test_lines_of_an_angle_and_several_steps_are_unwrapped(across: int, read: Read) -> None:
    angles = 20 + 0.02 * np.arange(2001)
    counts = np.random.default_rng(0).poisson(peaked(angles))
    lines = [(angles[i], counts[i : i + across]) for i in range(0, len(angles), across)]
    scan = read("Rigaku\n\n" + "".join(f"{angle:.2f} {' '.join(map(str, row))}\n" for angle, row in lines))
    np.testing.assert_array_equal(scan.counts, counts)
    np.testing.assert_allclose(scan.two_theta_deg, angles, atol=1e-9)
    assert facts(scan, "columns") == [f"an angle, then the intensities of {across} steps (its numbers)"]


@pytest.mark.parametrize("step", [0.02, 0.1])
def test_repeats_and_samples_side_by_side_are_neither_steps_nor_deviations(step: float, read: Read) -> None:
    rng = np.random.default_rng(0)
    angles = 20 + step * np.arange(round(40 / step))
    counts = rng.poisson(peaked(angles, 3 * step)[:, None] * [1, 1, 1, 1.3, 2.0], (len(angles), 5))
    text = "".join(f"{a:.2f} {' '.join(map(str, row))}\n" for a, row in zip(angles, counts, strict=True))
    scan = read(text)
    np.testing.assert_array_equal(scan.counts, counts[:, 0])
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(counts[:, 0]))
    assert facts(scan, "not read") == ["column 3, 4, 5, 6 (no names)"]
    with pytest.raises(ScanError, match=r"line \d+ has 3 columns, and the others have 6"):
        read(text + "60.00 1 2\n")


@pytest.mark.parametrize(
    ("name", "told"),
    [("log(I)", np.log10), ("Log10 (Intensity)", np.log10), ("ln(counts)", np.log), ("sqrt(Counts)", np.sqrt)],
)
def test_logarithms_and_roots_are_undone_and_it_is_told(
    name: str, told: Callable[[list[int]], np.ndarray], read: Read
) -> None:
    scan = read(f"2theta\t{name}\n" + rows("{x}\t{v}", v=[f"{value:.9f}" for value in told(COUNTS)]))
    np.testing.assert_allclose(scan.counts, COUNTS, rtol=1e-6)
    assert len(facts(scan, "intensity")) == 1


LINES_OF_COPPER = "K-Alpha1 [Å],1.540598\nK-Alpha2 [Å],1.544426\n"


@pytest.mark.parametrize(
    ("header", "ratio"),
    [
        ("Configuration=Reflection, Owner=User-1\n" + LINES_OF_COPPER, None),
        ("Concentration: 0.2 mol\n" + LINES_OF_COPPER, None),
        ("Duration: 0.5 h\n" + LINES_OF_COPPER + "K-A2 / K-A1 ratio,0.497\n", 0.497),
        (LINES_OF_COPPER + "AlphaRatio=0.51\n", 0.51),
        (LINES_OF_COPPER + "WaveLengthRatio=0.52\n", 0.52),
    ],
)
def test_a_ratio_is_a_word_of_its_own(header: str, ratio: float | None, read: Read) -> None:
    waves = read(header + PLAIN).wavelengths
    assert waves is not None
    assert (waves.kalpha1_angstrom, waves.kalpha2_angstrom, waves.ratio) == (1.540598, 1.544426, ratio)


def test_both_lines_of_a_doublet_on_one_line(read: Read) -> None:
    waves = read("Ka1: 1.540598 Ka2: 1.544426 Ratio: 0.497\n" + PLAIN).wavelengths
    assert waves is not None
    assert (waves.kalpha1_angstrom, waves.kalpha2_angstrom, waves.ratio) == (1.540598, 1.544426, 0.497)


@pytest.mark.parametrize(
    "header", ["Wellenlänge: 0,154056 nm", "Longueur d'onde = 1,54056 Å", "波长: 1.54056", "##X-RAY WAVELENGTH=1.54056"]
)
def test_wavelengths_in_other_words(header: str, read: Read) -> None:
    waves = read(header + "\n" + PLAIN).wavelengths
    assert waves is not None
    assert waves.kalpha1_angstrom == pytest.approx(1.54056)


def test_angles_below_zero_may_have_a_typographic_minus(read: Read) -> None:
    scan = read("2theta,I\n\u22120.100,5\n\u22120.075,6\n" + rows("{x},{y}"))
    assert scan.left_out == {"at angles below 0°": 2}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Position [°2θ] (Copper (Cu))\tIntensity [Counts]", "CuKa"), ("Anode material: Copper", "CuKa"),
        ("# X-ray source: Cobalt K-alpha", "CoKa"), ("Mo radiation", "MoKa"),
        ("Radiation type: Ag", "AgKa"), ("# sample: iron oxide on a silver plate", ""),
        ("source: cobalt blue pigment", ""), ("Sample: iron tube", ""), ("Tube: Copper", "CuKa"),
    ],
)  # fmt: skip
def test_a_tube_by_the_name_of_its_element(header: str, name: str, read: Read) -> None:
    waves = read(header + "\n" + PLAIN).wavelengths
    assert (waves.name if waves else "") == name
