from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import periodictable
import pytest
from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS

from deepxrd.chem.elements import ATOMIC_NUMBERS, SYMBOLS
from deepxrd.errors import ConfigError
from deepxrd.xrd import engine_identity
from deepxrd.xrd import form_factors as form_factors_module
from deepxrd.xrd.form_factors import form_factors
from deepxrd.xrd.settings import FORM_FACTOR_TABLES, XrdSettings

_S = np.linspace(0, 0.65, 27)  # Å^-1, as far as Cu Kα reaches


@pytest.mark.parametrize("table", FORM_FACTOR_TABLES)
def test_forward_scattering_is_the_number_of_electrons(table: str) -> None:
    forward = form_factors(table, np.zeros(1))[:, 0]
    numbers = np.arange(1, len(SYMBOLS) + 1)
    known = np.isfinite(forward)
    assert set(numbers[~known]) == set(range(99, 119))  # both tables end with californium
    np.testing.assert_allclose(forward[known], numbers[known], atol=0.06)


# International Tables for Crystallography C, table 6.1.1.1, at s = 0.1, 0.3 and 0.5 Å^-1
@pytest.mark.parametrize(
    ("symbol", "expected"), [("O", [7.245, 4.089, 2.338]), ("Si", [12.13, 8.22, 6.24]), ("Fe", [23.68, 16.73, 11.50])]
)
def test_waasmaier_kirfel_gives_the_international_tables(symbol: str, expected: list[float]) -> None:
    factors = form_factors("waasmaier_kirfel", np.array([0.1, 0.3, 0.5]) ** 2)
    np.testing.assert_allclose(factors[ATOMIC_NUMBERS[symbol] - 1], expected, atol=0.02)


def test_pymatgen_table_follows_its_formula() -> None:
    factors = form_factors("pymatgen", _S**2)
    for symbol in ("H", "O", "Fe", "Sn", "U"):
        z = ATOMIC_NUMBERS[symbol]
        gaussians = sum(a * np.exp(-b * _S**2) for a, b in ATOMIC_SCATTERING_PARAMS[symbol])
        np.testing.assert_allclose(factors[z - 1], z - 41.78214 * _S**2 * gaussians, rtol=1e-12)


def test_tables_agree_except_for_tin() -> None:
    by_pymatgen, by_waasmaier_kirfel = (form_factors(table, _S**2)[:98] for table in FORM_FACTOR_TABLES)
    difference = np.abs(by_pymatgen - by_waasmaier_kirfel).max(axis=1) / np.arange(1, 99)
    tin = ATOMIC_NUMBERS["Sn"] - 1
    assert difference[tin] == pytest.approx(0.07, abs=0.005)
    assert np.delete(difference, tin).max() < 0.03


def test_displacement_damps_every_element_alike() -> None:
    at_rest, moving = (form_factors("pymatgen", _S**2, debye_waller_b_angstrom2=b)[:98] for b in (0.0, 0.7))
    np.testing.assert_allclose(moving, at_rest * np.exp(-0.7 * _S**2), rtol=1e-12)


def test_unknown_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'cromer'.*waasmaier_kirfel"):
        form_factors("cromer", _S)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "periodictable.cromermann", None)
    with pytest.raises(ConfigError, match="pip install periodictable"):
        form_factors("waasmaier_kirfel", _S)


def test_the_version_of_a_table_is_part_of_what_made_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = XrdSettings(form_factors="waasmaier_kirfel")
    plain, now = engine_identity(XrdSettings()), engine_identity(settings)
    assert now == {**plain, "periodictable": periodictable.__version__}
    monkeypatch.setattr(form_factors_module, "version", lambda package: f"{package} 99")
    assert engine_identity(settings) != now
    assert engine_identity(XrdSettings()) == plain

    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(form_factors_module, "version", missing)
    with pytest.raises(ConfigError, match="pip install periodictable"):
        engine_identity(settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "gsas"}, "engine 'gsas'.*pymatgen, batched"),
        ({"form_factors": "cromer"}, "form_factors 'cromer'.*waasmaier_kirfel"),
        ({"debye_waller_b_angstrom2": -0.1}, "-0.1"),
        ({"debye_waller_b_angstrom2": float("nan")}, "nan"),
        ({"radiation": 1.54, "kalpha_doublet": True}, "1.54: name one of CuKa, "),
        ({"radiation": "CuKa1", "kalpha_doublet": True}, "'CuKa1'"),
    ],
)
def test_settings_that_cannot_be_simulated_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        XrdSettings(**changes)
