"""One scan as many programs would write it: the same axis and counts, or a refusal that names the line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from deepxrd.errors import ScanError
from deepxrd.scans import Scan
from deepxrd.xrd import Wavelengths

Read = Callable[..., Scan]
N = 300
ANGLES = [f"{10 + 0.025 * i:.3f}" for i in range(N)]
COUNTS = [
    int(c) for c in np.random.default_rng(1).poisson(150 + 15_000 * np.exp(-0.5 * ((np.arange(N) - 90) / 4) ** 2))
]
THETA = np.radians(np.array(ANGLES, dtype=float) / 2)
MEAN = 1.54184


def rows(form: str, **columns: list[str]) -> str:
    """Lines of a form with the angle x, the angle with a comma c, the counts y, and further columns."""
    named = {"x": ANGLES, "c": [a.replace(".", ",") for a in ANGLES], "y": [str(c) for c in COUNTS], **columns}
    return "".join(form.format(**{key: values[i] for key, values in named.items()}) + "\n" for i in range(N))


def numbers(values: np.ndarray, form: str = "{:.7f}") -> list[str]:
    return [form.format(value) for value in values]


Q = numbers(4 * np.pi * np.sin(THETA) / MEAN)
Q_NM = numbers(40 * np.pi * np.sin(THETA) / MEAN)
D = numbers(MEAN / 2 / np.sin(THETA))
ROOTS = numbers(np.sqrt(COUNTS), "{:.2f}")
INDEX = [str(i + 1) for i in range(N)]
OTHER = [str(int(c * 1.2) + 7) for c in COUNTS]
THOUSANDS = [f"{c:,}" for c in COUNTS]

SAME = {
    "blanks": rows("{x} {y}"),
    "tabs": rows("{x}\t{y}"),
    "tabs and blanks": rows("  {x}\t{y}  1.0"),
    "three columns": rows("{x} {y} {s}", s=ROOTS),
    "fortran": rows("  {f}  {y}", f=numbers(np.array(ANGLES, float), "{:.5E}")).replace("E", "D"),
    "comma at the end": rows("{x}, {y},"),
    "decimal commas, blanks": rows("{c}  {y}"),
    "decimal commas, tabs": rows("{c}\t{y},00"),
    "decimal commas, quoted": '"Winkel","Intensität"\n' + rows('"{c}","{y}"'),
    "decimal commas, points for thousands": rows("{c};{t}", t=[t.replace(",", ".") for t in THOUSANDS]),
    "thousands, quoted": "2theta,counts\n" + rows('{x},"{t}"', t=THOUSANDS),
    "thousands, blanks": rows("{x} {t}", t=THOUSANDS),
    "counts first": "Intensity,2Theta\n" + rows("{y},{x}"),
    "calculated before observed": "2Theta,Icalc,Iobs,Bkg\n" + rows("{x},{o},{y},30", o=OTHER),
    "background before observed": "angle;background;intensity\n" + rows("{x};{o};{y}", o=OTHER),
    "topas": "x,Yobs,Ycalc,Diff\n" + rows("{x},{y},{o},1", o=OTHER),
    "theta beside 2theta": "Theta 2Theta Counts\n" + rows("{h} {x} {y}", h=numbers(np.degrees(THETA), "{:.4f}")),
    "d in pm": "d (pm)  I\n" + rows("{p} {y}", p=numbers(100 * MEAN / 2 / np.sin(THETA))),
    "d beside 2theta": "d-spacing,2theta,intensity\n" + rows("{d},{x},{y}", d=D),
    "time beside counts": "Angle,TimePerStep,Intensity,ESD\n" + rows("{x},200.0,{y},{s}", s=ROOTS),
    "names and units in two lines": "2Theta Counts\n(deg) (a.u.)\n" + rows("{x} {y}"),
    "units in brackets": "2θ (°) I (counts)\n" + rows("{x} {y}"),
    "index first": rows("{i} {x} {y}", i=INDEX),
    "samples side by side": "2theta,first,second\n" + rows("{x},{y},{o}", o=OTHER),
    "spec, names that do not tell": "#S 1 ascan\n#L tth  Epoch  ic  apd\n" + rows("{x} 1 50 {y}"),
    "index named": "No.,2Theta,Counts\n" + rows("{i},{x},{y}", i=INDEX),
    "spec": "#S 3 a2scan\n#L Two Theta  Theta  Seconds  Monitor  Det\n" + rows("{x} 5.0 1 50000 {y}"),
    "q in the header": "# q_A^-1  I\n" + rows("{q} {y}", q=Q),
    "q in 1/nm": "q_nm^-1 I\n" + rows("{q} {y}", q=Q_NM),
    "q of a chi": "file\n Q (nm^-1)\n Intensity\n    300\n" + rows("{q} {y}", q=Q_NM),
    "2theta of a chi": "file\n 2-Theta Angle (Degrees)\n Intensity\n    300 1\n" + rows("{x} {y}"),
    "d in the header": "d (A)  I\n" + rows("{d} {y}", d=D),
    "theta by a key": "#x_units: theta\n" + rows("{h} {y}", h=numbers(np.degrees(THETA))),
    "radians": "2th_rad I\n" + rows("{r} {y}", r=numbers(2 * THETA)),
    "descending": "\n".join(reversed(rows("{x} {y}").splitlines())),
    "unsorted": "\n".join(np.random.default_rng(0).permutation(rows("{x} {y}").splitlines())),
    "carriage returns": rows("{x} {y}").replace("\n", "\r"),
    "windows": rows("{x} {y}").replace("\n", "\r\n"),
    "end": rows("{x} {y}") + "END\n",
    "a last block filled with zeros": rows("{x} {y}") + 90 * "\0",
    "two comment marks": "## exported by a program\n" + rows("{x} {y}"),
    "number of points above": f"{N}\n" + rows("{x} {y}"),
    "start, step and stop above": "10.0 0.025 17.475\n" + rows("{x} {y}"),
    "a line twice": rows("{x} {y}").replace(f"{ANGLES[50]} {COUNTS[50]}\n", 2 * f"{ANGLES[50]} {COUNTS[50]}\n"),
    "jade": "title\n 10.0 0.025 1.0 CU 1.540562 17.475 300\n" + rows("{y:>8}"),
}


@pytest.mark.parametrize("name", SAME)
def test_every_writing_gives_the_same_axis_and_counts(name: str, read: Read) -> None:
    scan = read(SAME[name])
    np.testing.assert_array_equal(scan.counts, COUNTS)
    np.testing.assert_allclose(scan.two_theta_deg, np.array(ANGLES, float), atol=2e-4)  # of 7 digits of q
    assert len(scan.ranges) == 1
    assert not scan.is_peak_list
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(COUNTS), atol=0.01)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
def test_encodings(encoding: str, read: Read) -> None:
    data = ("Winkel (°)\tIntensität\n" + SAME["tabs"]).encode(encoding)
    for filled in (data, data + bytes(512)):  # as the last block of a file may be
        np.testing.assert_array_equal(read(filled).counts, COUNTS)


REFUSED = {
    "a word in a line": ("2theta,counts\n" + rows("{x},{y}").replace("11.000,", "eleven,"), "line 42 is no data"),
    "a line of text": (rows("{x} {y}").replace("11.000 ", "--- pause ---\n11.000 "), "line 41 is no data: '--- pause"),
    "a line of text early": (rows("{x} {y}").replace("10.050 ", "oops here\n10.050 "), "line 3 is no data: 'oops"),
    "a column too few": (rows("{x},{y}").replace("11.000,", "11.000\n11.001,"), "line 41 has 1 columns"),
    "a column too many": (rows("{x},{y}").replace("11.000,", "11.000,7,"), "line 41 has 3 columns"),
    "commas for all": (rows("{c},{y}"), "commas part columns and decimals alike"),
    "two decimal marks": (rows("{x} {y}").replace("11.000", "11,00"), "one decimal mark a file"),
    "thousands or decimals": (
        "".join(f"{10 + i};{c:,}\n" for i, c in enumerate([5, 900, 1100, 7])), "line 3 has '1,100'",
    ),
    "q without a name": (rows("{q} {y}", q=numbers(4 * np.pi * np.sin(THETA) / MEAN)), "q in 1/Å, or 2θ of a short"),
    "d without a name": (rows("{d} {y}", d=D), "looks like d in Å"),
    "channels": (rows("{i} {y}", i=INDEX), "no 2θ"),
    "energy": ("Energy (keV),counts\n" + rows("{x},{y}"), "none is an angle, q or d"),
    "sine squared": ("# sin2theta counts\n" + rows("{x} {y}"), "none is an angle, q or d"),
    "time of flight": ("tof(us) I\n" + rows("{x} {y}"), "none is an angle, q or d"),
    "names that do not tell": ("2theta,h,k,l\n" + rows("{x},1,1,{y}"), "which are the intensities"),
    "two intensities at an angle": (rows("{x} {y}") + "10.500 777\n", "two intensities at 2θ = 10.5° (line 301)"),
    "too many degrees": ("2theta I\n" + rows("{w} {y}", w=numbers(30 * np.array(ANGLES, float))), "no 2θ in degrees"),
    "a pattern on its side": (" ".join(ANGLES) + "\n" + " ".join(map(str, COUNTS)), "2 lines of 300 numbers"),
    "nothing": ("# header only\n", "no lines of two numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_plain_is_refused_with_its_line_or_reason(name: str, read: Read) -> None:
    content, told = REFUSED[name]
    with pytest.raises(ScanError) as error:
        read(content)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("header", "alpha1", "alpha2"),
    [
        ("# Anode: Mo\n# Wavelength 0.7107 A\n", 0.7093, 0.71359),  # the mean of a tube is its doublet
        ("# wavelength = 0.154056 nm\n", 1.54056, None),
        ("# Wavelength: 1.7890e-10 m\n", 1.7890, None),
        ("Wavelength (Angstrom): 0.4133\n", 0.4133, None),
        ("#lambda1: 1.540598\n#lambda2: 1.544426\n", 1.540598, 1.544426),
        ("K-Alpha1 wavelength,1.540598\nK-Alpha2 wavelength,1.544426\n", 1.540598, 1.544426),
        ("Wavelength,1.5406\n", 1.5406, None),
        ("Wellenlänge lambda = 1,5406\n", 1.5406, None),
        ("# Mo Kα radiation\n", 0.7093, 0.71359),
        ("# CuKa1\n", 1.54056, None),
        ("# photon energy: 20.0 keV\n", 12.398419843 / 20, None),
        ("# Energy (eV) = 12398.4198\n", 1.0, None),
        ("# E = 12.398419843 keV\n", 1.0, None),
        ("# energy threshold 6.0 keV\n", None, None),  # of the detector
        ("# Wavelength 0.41236 A, 2theta\n", 0.41236, None),  # a sentence, and no names of columns
        ("# Anode: Mo, energy window 14 to 19 keV\n", 0.7093, 0.71359),
        ('\'Id: "s" Operator: "x" Anode: "Co" Scantype: "Locked Coupled" TimePerStep: "1"\n', 1.78896, 1.79285),
        ("# the anode of the sample was coated\n", None, None),
        ("# wavelength 0.1839\n", None, None),  # Å or nm: not known, so not used
        ("", None, None),
    ],
)
def test_the_wavelength_of_a_header_is_taken(
    header: str, alpha1: float | None, alpha2: float | None, read: Read
) -> None:
    waves = read(header + SAME["blanks"]).wavelengths
    assert (waves and waves.kalpha1_angstrom) == (alpha1 and pytest.approx(alpha1, rel=1e-6))
    assert (waves and waves.kalpha2_angstrom) == alpha2


def test_what_is_said_on_the_command_line_stands_over_the_file(read: Read) -> None:
    scan = read("# Wavelength 0.7107 A\n" + SAME["blanks"], radiation="CuKa1")
    assert scan.wavelengths is not None
    assert scan.wavelengths.kalpha1_angstrom == 1.54056
    told = next(str(fact) for fact in scan.facts if fact.what == "wavelength")
    assert "given as CuKa1" in told
    assert "header line 1" in told
    by_q = read(rows("{q} {y}", q=Q), axis="q", radiation="MoKa")
    np.testing.assert_allclose(np.sin(np.radians(by_q.two_theta_deg / 2)) / 0.71073, np.sin(THETA) / MEAN, rtol=1e-6)


def test_an_axis_in_q_without_a_wavelength_says_what_its_angles_are_for(read: Read) -> None:
    scan = read(SAME["q in the header"])
    assert scan.wavelengths is not None
    assert scan.wavelengths == Wavelengths(1.54184, ratio=0.0, name="CuKa")  # no doublet
    assert any("computed from q in 1/Å for CuKa" in fact.value for fact in scan.facts)
    far = read("# q_A^-1  I\n" + rows("{q} {y}", q=numbers(2 * 4 * np.pi * np.sin(THETA) / 0.3)))
    assert far.wavelengths is not None
    assert far.wavelengths.name != "CuKa"  # copper does not reach so far
    assert far.two_theta_deg[-1] < 180


def test_attenuation_factors_are_undone_and_a_mere_number_of_an_attenuator_is_told(read: Read) -> None:
    factors = np.where(np.array(COUNTS) > 5000, 10.0, 1.0)
    seen = numbers(np.array(COUNTS) / factors, "{:.4f}")
    text = rows("{x},{s},{f}", s=seen, f=numbers(factors, "{:g}"))
    scan = read("2theta,intensity,attenuation factor\n" + text)
    np.testing.assert_allclose(scan.counts, COUNTS, rtol=1e-4)
    told = read("2theta,intensity,attenuator\n" + text)
    np.testing.assert_allclose(told.counts, np.array(seen, float))
    assert any(fact.what == "attenuation" and "'attenuator', is not used" in fact.value for fact in told.facts)


def test_lists_of_peaks_are_marked(read: Read) -> None:
    rng = np.random.default_rng(0)
    places = np.sort(rng.uniform(10, 90, 40))
    sticks = "2theta I\n" + "".join(f"{a:.3f} {i:.1f}\n" for a, i in zip(places, rng.uniform(1, 100, 40), strict=True))
    assert read(sticks).is_peak_list
    named = "2-THETA INTENSITY D-SPACING H K L Multiplicity\n" + "".join(
        f"{10 + i // 2}.00 {i + 1} 3.0 1 1 {i} 4\n" for i in range(20)
    )
    scan = read(named)
    assert scan.is_peak_list
    np.testing.assert_array_equal(scan.counts, [4 * i + 3 for i in range(10)])  # two reflections at each angle add up


@pytest.mark.parametrize(
    ("names", "first", "kind"),
    [(",theta,I", 20.0, "θ in degrees"), (",counts,2theta", 10.0, "2θ in degrees")],
)
def test_a_table_of_pandas_has_no_name_over_its_index(names: str, first: float, kind: str, read: Read) -> None:
    rows = [(10 + 0.02 * i, 100 + i % 7) for i in range(60)]
    swapped = names.endswith("2theta")
    lines = [f"{i},{y if swapped else x},{x if swapped else y}" for i, (x, y) in enumerate(rows)]
    scan = read("\n".join([names, *lines]))
    assert scan.two_theta_deg[0] == pytest.approx(first)
    assert [fact.value for fact in scan.facts if fact.what == "axis"] == [kind]


def test_a_header_that_says_beta_is_not_taken_for_alpha(read: Read) -> None:
    rows = "\n".join(f"{20 + 0.1 * i:.2f} {100 + i % 7}" for i in range(300))
    for header, name in (("# Radiation: Cu Kbeta 1.39222", "CuKb1"), ("# Co-Kα", "CoKa"), ("# x-ray: Mo Kb1", "MoKb1")):
        scan = read(f"{header}\n{rows}")
        assert scan.wavelengths is not None
        assert scan.wavelengths.name == name, header
