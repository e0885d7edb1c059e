from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import WAVELENGTHS

from deepxrd.errors import ConfigError
from deepxrd.xrd import WAVELENGTHS_ANGSTROM, XrdSettings


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"radiation": "CuKx"}, "unknown radiation 'CuKx': name one of CuKa, "),
        ({"radiation": 0.0}, "0.05–5 Å, not 0.0"),
        ({"radiation": -1.5}, "0.05–5 Å, not -1.5"),
        ({"radiation": float("nan")}, "0.05–5 Å, not nan"),
        ({"two_theta_min_deg": -1.0}, "-1.0–180.0°"),
        ({"two_theta_max_deg": 180.5}, "0.0–180.5°"),
        ({"two_theta_min_deg": 90.0, "two_theta_max_deg": 90.0}, "90.0–90.0°"),
        ({"two_theta_min_deg": 90.0, "two_theta_max_deg": 20.0}, "90.0–20.0°"),
        ({"two_theta_min_deg": float("nan")}, "nan–180.0°"),
        ({"n_points": 1}, "not 1 and"),
        ({"sigma_deg": -0.5}, "and -0.5°"),
        ({"sigma_deg": float("nan")}, "and nan°"),
        ({"engine": "magic"}, "unknown engine 'magic': it is one of pymatgen, batched"),
        ({"form_factors": "guess"}, "unknown form_factors 'guess'"),
        ({"debye_waller_b_angstrom2": -0.1}, "not -0.1 "),
        ({"debye_waller_b_angstrom2": float("inf")}, "not inf "),
        ({"debye_waller_b_angstrom2": float("nan")}, "not nan "),
        ({"kalpha_doublet": True, "radiation": 1.54}, "no Kα doublet is known for the radiation 1.54"),
        ({"kalpha_doublet": True, "radiation": "CuKa1"}, "'CuKa1'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_the_value(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        XrdSettings(**values)
    assert named in str(caught.value)


def test_the_defaults_are_the_reading_of_the_paper() -> None:
    settings = XrdSettings()
    grid = settings.two_theta_deg
    np.testing.assert_array_equal(grid, np.linspace(0, 180, 1024))
    assert settings.step == pytest.approx(0.175953, abs=1e-6)
    assert settings.wavelength_angstrom == 1.54184
    assert settings.sigma_deg == 0.5
    assert settings.lines == ((1.54184, 1.0),)
    assert settings.debye_waller_b_angstrom2 == 0


def test_the_step_is_that_of_the_grid_for_any_range() -> None:
    settings = XrdSettings(two_theta_min_deg=5, two_theta_max_deg=90, n_points=851)
    np.testing.assert_allclose(np.diff(settings.two_theta_deg), settings.step, rtol=1e-9)
    assert settings.two_theta_deg[[0, -1]].tolist() == [5, 90]


@pytest.mark.parametrize("name", sorted(WAVELENGTHS_ANGSTROM.keys() - {"CoKb1", "AgKb1"}))
def test_wavelengths_are_those_of_pymatgen(name: str) -> None:
    assert XrdSettings(radiation=name).wavelength_angstrom == WAVELENGTHS[name]


def test_a_wavelength_may_be_given_in_angstrom() -> None:
    assert XrdSettings(radiation=0.4).wavelength_angstrom == 0.4


def test_a_doublet_has_two_lines_that_share_the_intensity_two_to_one() -> None:
    (alpha1, share1), (alpha2, share2) = XrdSettings(kalpha_doublet=True).lines
    assert (alpha1, alpha2) == (1.54056, 1.54439)
    assert share1 == pytest.approx(2 * share2)
    assert share1 + share2 == pytest.approx(1)


def test_settings_survive_being_written_as_plain_values() -> None:
    settings = XrdSettings(radiation="MoKa", two_theta_min_deg=3, n_points=77, sigma_deg=0.1, engine="batched")
    assert XrdSettings(**settings.to_dict()) == settings
