"""Powder CIF as programs of refinement write it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from deepxrd.errors import ScanError
from deepxrd.scans import Scan

Read = Callable[..., Scan]
ANGLES = 10 + 0.05 * np.arange(80)
COUNTS = np.random.default_rng(0).poisson(150 + 3000 * np.exp(-0.5 * ((ANGLES - 12) / 0.1) ** 2))
PLAIN = "".join(f"  {a:.3f} {c}\n" for a, c in zip(ANGLES, COUNTS, strict=True))
WITH_DEVIATIONS = "".join(f"{c}({round(c**0.5)}) 0.1 101.2 .\n" for c in COUNTS)
RANGE = "_pd_meas_2theta_range_min 10.0\n_pd_meas_2theta_range_max 13.95\n_pd_meas_2theta_range_inc 0.05\n"
DOUBLET = "loop_\n_diffrn_radiation_wavelength\n_diffrn_radiation_wavelength_wt\n1.54056(2) 1.0\n1.54439(2) 0.497(3)\n"
WAVELENGTH = "_diffrn_radiation_wavelength 1.5406\n"
COLUMNS = "loop_\n_pd_meas_2theta_scan\n_pd_meas_counts_total\n"

SAME = {
    "two columns": f"data_a\n{WAVELENGTH}{COLUMNS}{PLAIN}",
    "names with dots": "data_a\n_diffrn_radiation_wavelength.wavelength 1.5406\nloop_\n_pd_meas.2theta_scan\n"
    f"_pd_meas.intensity_total\n{PLAIN}\n",
    "comments and text before": "#====\n# by a program\n#====\n\ndata_a\n_audit_update_record\n; it's of 2002\nloop_ of"
    " no meaning\n;\n_pd_char_colour 'it's white'\n_diffrn_radiation_wavelength 1.5406 # lab\n"
    f"{COLUMNS}{PLAIN}#--eof--#\n",
    "the wavelength in another block": f"data_instrument\n{WAVELENGTH}data_a\n{COLUMNS}{PLAIN}",
    "carriage returns": f"data_a\n{WAVELENGTH}{COLUMNS}{PLAIN}".replace("\n", "\r"),
    "windows": f"data_a\n{WAVELENGTH}{COLUMNS}{PLAIN}".replace("\n", "\r\n"),
    "a structure beside it": "data_s\n_cell_length_a 5.4\nloop_\n_atom_site_label\n_atom_site_fract_x\nSi1 0.0\n"
    f"O1 0.25\ndata_a\n{WAVELENGTH}{COLUMNS}{PLAIN}",
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_a_pattern_of_a_cif_is_read(name: str, read: Read) -> None:
    scan = read(SAME[name])
    assert scan.format == "powder CIF"
    np.testing.assert_array_equal(scan.counts, COUNTS)
    np.testing.assert_allclose(scan.two_theta_deg, ANGLES, atol=1e-9)
    assert scan.unit == "counts"
    np.testing.assert_allclose(scan.uncertainty, np.sqrt(COUNTS))
    assert scan.wavelengths is not None
    assert scan.wavelengths.kalpha1_angstrom == 1.5406


def test_a_range_with_deviations_in_brackets_and_a_doublet(read: Read) -> None:
    names = ("meas_intensity_total", "proc_ls_weight", "proc_intensity_bkg_calc", "calc_intensity_total")
    loop = "loop_\n" + "".join(f" _pd_{name}\n" for name in names)
    scan = read(f"data_a\n{DOUBLET}{RANGE}{loop}{WITH_DEVIATIONS}\ndata_b\n_cell_length_a 1\n")
    np.testing.assert_array_equal(scan.counts, COUNTS)
    np.testing.assert_allclose(scan.two_theta_deg, ANGLES, atol=1e-9)
    np.testing.assert_allclose(scan.uncertainty, np.round(np.sqrt(COUNTS)))
    waves = scan.wavelengths
    assert waves is not None
    assert (waves.kalpha1_angstrom, waves.kalpha2_angstrom, waves.ratio) == (1.54056, 1.54439, 0.497)


def test_decimals_of_deviations_and_values_that_are_missing(read: Read) -> None:
    rows = "10.0 120.5(12)\n10.1 ?\n10.2 1.305e2(4)\n10.3 .\n10.4 99(3)\n"
    scan = read("data_a\nloop_\n_pd_proc_2theta_corrected\n_pd_proc_intensity_total\n" + rows, axis="two_theta")
    np.testing.assert_allclose(scan.counts, [120.5, 130.5, 99])
    np.testing.assert_allclose(scan.uncertainty, [1.2, 0.4, 3])
    assert scan.left_out == {"without a number": 2}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("data_a\n_cell_length_a 5.4\n", "a CIF without a measured pattern"),
        ("data_a\nloop_\n_pd_proc_d_spacing\n_pd_calc_intensity_total\n1.0 5\n1.1 6\n", "only a calculated one"),
        ("data_a\nloop_\n_pd_meas_time_of_flight\n_pd_meas_counts_total\n1000 5\n1100 6\n", "without a measured"),
        (f"data_a\n{COLUMNS}{PLAIN} 14.0\n", "a loop of 2 columns holds 161 values"),
        (f"data_a\n{COLUMNS}{PLAIN} 14.0 abc\n", "_pd_meas_counts_total holds 'abc'"),
        (
            f"data_a\n{RANGE}loop_\n_pd_meas_counts_total\n1\n2\n3\n",
            "says 80 points (10 to 13.95 by 0.05), and 3 follow",
        ),
    ],
)
def test_a_cif_without_a_pattern_or_with_a_damaged_one_is_refused(text: str, told: str, read: Read) -> None:
    with pytest.raises(ScanError) as error:
        read(text)
    assert told in str(error.value)


@pytest.mark.parametrize("head", ["data_points=80\n", "Data_start 10.0\nData_type: XRD\n", "data_sample1\n"])
def test_a_key_that_begins_like_the_heading_of_a_cif_makes_no_cif(head: str, read: Read) -> None:
    scan = read(f"{head}{PLAIN}", name="a.txt", radiation="Cu")
    np.testing.assert_array_equal(scan.counts, COUNTS)


@pytest.mark.parametrize(
    ("lines", "waves"),
    [
        ("1.39222 0.2\n1.54056 1.0\n1.54439 0.5\n", (1.54056, 1.54439, 0.5)),
        ("1.54439 0.5\n1.39222 0.2\n1.54056 1.0\n", (1.54056, 1.54439, 0.5)),
        ("1.39222 0.2\n1.54056 1.0\n", (1.54056, None, None)),
        ("1.54056 .\n1.54439 1.0\n", (1.54056, 1.54439, None)),
        ("1.54056 1.0\n1.54056 .\n", (1.54056, None, None)),
        ("1.54056 .\n1.54056 1.0\n", (1.54056, None, None)),
    ],
)
def test_of_several_wavelengths_the_strongest_are_taken(
    lines: str, waves: tuple[float, float | None, float | None], read: Read
) -> None:
    loop = "loop_\n_diffrn_radiation_wavelength\n_diffrn_radiation_wavelength_wt\n"
    found = read(f"data_a\n{loop}{lines}{COLUMNS}{PLAIN}").wavelengths
    assert found is not None
    assert (found.kalpha1_angstrom, found.kalpha2_angstrom) == waves[:2]
    if found.kalpha2_angstrom is not None:
        assert found.ratio == waves[2]


def test_a_reader_that_trips_over_a_type_says_that_the_file_is_damaged(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trips(_: str) -> None:
        msg = "no number"
        raise TypeError(msg)

    monkeypatch.setattr("deepxrd.scans.read.read_pdcif", trips)
    with pytest.raises(ScanError, match=r"\(powder CIF\) is damaged: no number"):
        read(f"data_a\n{COLUMNS}{PLAIN}")
