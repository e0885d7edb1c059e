"""Radiations as people type them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.errors import ConfigError
from deepxrd.xrd import WAVELENGTHS_ANGSTROM, parse_radiation
from deepxrd.xrd.radiation import in_angstrom, written_wavelength


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Cu", "CuKa"), ("CuKa", "CuKa"), ("cuka", "CuKa"), (" CUKA ", "CuKa"), ("MoKα", "MoKa"),
        ("Mo K-alpha", "MoKa"), ("Mo Kβ", "MoKb1"),
        ("Cu Kα1", "CuKa1"), ("CuKa1", "CuKa1"), ("cu kalpha2", "CuKa2"), ("CuKb", "CuKb1"), ("Co-Kα", "CoKa"),
        ("1.5418Å", "CuKa"), ("1.5418 \u212b", "CuKa"), ("0.15418nm", "CuKa"), ("0.7107", "MoKa"),
    ],
)  # fmt: skip
def test_tubes_by_any_usual_name(typed: str, name: str) -> None:
    waves = parse_radiation(typed)
    assert waves.name == name
    assert waves.mean_angstrom == WAVELENGTHS_ANGSTROM[name]
    doublet = name.endswith("Ka")
    assert (waves.kalpha2_angstrom is not None) == doublet
    assert waves.ratio == (0.5 if doublet else 0.0)


@pytest.mark.parametrize(
    ("typed", "angstrom"),
    [
        ("1.5406 A", 1.5406), ("1.5406", 1.5406), ("1,5406", 1.5406), ("0.165A", 0.165), ("0.165 Å", 0.165),
        ("0.0165nm", 0.165), ("16.5pm", 0.165), ("75keV", 0.1653123), ("8000 eV", 1.5498), ("0.5", 0.5),
        ("1.54e-10 m", 1.54),
    ],
)  # fmt: skip
def test_wavelengths_and_energies_with_units(typed: str, angstrom: float) -> None:
    assert parse_radiation(typed).mean_angstrom == pytest.approx(angstrom, rel=1e-4)


@pytest.mark.parametrize(
    ("typed", "readings"),
    [
        ("0.15418", ("0.15418A", "0.15418nm (= 1.5418 Å)")),
        ("8.04", ("8.04A", "8.04keV (= 1.5421 Å)")),
        ("17.44", ("17.44keV (= 0.71092 Å)",)),
        ("0.165", ("0.165A", "0.165nm (= 1.65 Å)")),
    ],
)
def test_a_number_with_two_readings_is_refused_with_both(typed: str, readings: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as error:
        parse_radiation(typed)
    for reading in readings:
        assert reading in str(error.value)
        assert parse_radiation(reading.split(" ")[0]).mean_angstrom > 0  # what it says to write is understood


@pytest.mark.parametrize("typed", ["", "Foo", "-1", "0", "nan", "inf", "1.5406 furlongs", "Xx Ka", "1e9", "20A", "Ka"])
def test_what_is_no_radiation_is_refused(typed: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown radiation|has no unit"):
        parse_radiation(typed)


@given(st.text(max_size=20))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert 0.01 <= parse_radiation(text).mean_angstrom <= 10


@given(st.floats(0.05, 5))
def test_units_of_one_wavelength_agree(angstrom: float) -> None:
    energy = 12.398419843 / angstrom
    for value, unit in ((angstrom, "a"), (angstrom / 10, "nm"), (100 * angstrom, "pm"), (energy, "kev")):
        assert in_angstrom(value, unit) == pytest.approx(angstrom)


@pytest.mark.parametrize(
    ("value", "unit", "angstrom"),
    [(1.5406, "", 1.5406), (0.15406, "", 1.5406), (1.5406e-10, "", 1.5406), (0.1839, "", None), (0.1839, "nm", 1.839)],
)
def test_wavelengths_that_programs_write(value: float, unit: str, angstrom: float | None) -> None:
    found = written_wavelength(value, unit)
    assert found == (None if angstrom is None else pytest.approx(angstrom))
