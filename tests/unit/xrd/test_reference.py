"""The reference engine against diffraction written out anew: metric tensor, structure-factor sum, textbook angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Crystal, lattice_from_parameters
from deepxrd.xrd import XrdSettings, reflections, simulate_pattern

_POSITION_TOL_DEG = 1e-4
_INTENSITY_TOL = 1e-3  # of 100
_CLUSTER_DEG = 1e-3  # reflections nearer than this are one, on both sides of a comparison
_WEAKEST = 0.01  # of 100; pymatgen drops what is under 0.001
_BETWEEN_TABLES_TOL = 1.5  # of 100: two published tables of form factors agree this well

# a1 b1 … a4 b4 c of International Tables C (1992), table 6.1.1.4: f = c + sum_i a_i exp(-b_i s^2)
_INTERNATIONAL_TABLES = {
    "Si": (6.2915, 2.4386, 3.0353, 32.3337, 1.9891, 0.6785, 1.541, 81.6937, 1.1407),
    "Na": (4.7626, 3.285, 3.1736, 8.8422, 1.2674, 0.3136, 1.1128, 129.424, 0.676),
    "Cl": (11.4604, 0.0104, 7.1964, 1.1662, 6.2556, 18.5194, 1.6455, 47.7784, -9.5574),
}


def _form_factor(symbol: str, s_squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """De Graef & McHenry's parameterisation, with pymatgen's table of its numbers."""
    a, b = np.array(ATOMIC_SCATTERING_PARAMS[symbol]).T
    return ATOMIC_NUMBERS[symbol] - 41.78214 * s_squared * (a * np.exp(-np.outer(s_squared, b))).sum(axis=1)


def _form_factor_international(symbol: str, s_squared: NDArray[np.float64]) -> NDArray[np.float64]:
    *pairs, c = _INTERNATIONAL_TABLES[symbol]
    return c + sum(a * np.exp(-b * s_squared) for a, b in zip(pairs[::2], pairs[1::2], strict=True))


def _all_hkl(crystal: Crystal, d_min: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every hkl with a spacing of at least ``d_min``, and the spacing: 1 / d² = h G⁻¹ h with the metric tensor G."""
    reciprocal_metric = np.linalg.inv(crystal.lattice @ crystal.lattice.T)
    limits = np.floor(np.linalg.norm(crystal.lattice, axis=1) / d_min).astype(int)
    hkl = np.array([x for x in product(*(range(-n, n + 1) for n in limits)) if any(x)])
    spacing = 1 / np.sqrt(np.einsum("ni,ij,nj->n", hkl, reciprocal_metric, hkl))
    return hkl[spacing > d_min], spacing[spacing > d_min]


def _expected(crystal: Crystal, settings: XrdSettings, form_factor=_form_factor):  # noqa: ANN001, ANN202
    """2θ and intensity of every lattice point by the sum over all atoms, one by one; nothing is halved by symmetry."""
    lines = [_line(crystal, settings, wavelength, form_factor) for wavelength, _ in settings.lines]
    weighed = [share * intensity for (_, share), (_, intensity) in zip(settings.lines, lines, strict=True)]
    return _clustered(np.concatenate([two_theta for two_theta, _ in lines]), np.concatenate(weighed))


def _line(crystal: Crystal, settings: XrdSettings, wavelength: float, form_factor):  # noqa: ANN001, ANN202
    """The same for one spectral line."""
    hkl, spacing = _all_hkl(crystal, wavelength / 2 / np.sin(np.radians(settings.two_theta_max_deg / 2)))
    theta = np.arcsin(wavelength / (2 * spacing))
    amplitude = np.zeros(len(hkl), dtype=complex)
    sites = zip(crystal.atomic_numbers, crystal.frac_coords, crystal.occupancies, strict=True)
    for number, xyz, occupancy in sites:
        f = form_factor(SYMBOLS[number - 1], (np.sin(theta) / wavelength) ** 2)
        f = f * np.exp(-settings.debye_waller_b_angstrom2 * (np.sin(theta) / wavelength) ** 2)
        amplitude += occupancy * f * np.exp(2j * np.pi * (hkl @ xyz))
    lorentz_polarisation = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    two_theta = np.degrees(2 * theta)
    inside = two_theta >= settings.two_theta_min_deg
    return two_theta[inside], (np.abs(amplitude) ** 2 * lorentz_polarisation)[inside]


def _clustered(two_theta: NDArray[np.float64], intensity: NDArray[np.float64]):  # noqa: ANN202
    """Sum what lies together, scale the largest to 100, drop the weakest."""
    order = np.argsort(two_theta)
    two_theta, intensity = two_theta[order], intensity[order]
    starts = np.flatnonzero(np.r_[True, np.diff(two_theta) > _CLUSTER_DEG])
    total = np.add.reduceat(intensity, starts)
    centre = np.add.reduceat(intensity * two_theta, starts) / np.maximum(total, 1e-300)
    kept = total > _WEAKEST / 100 * total.max()
    return centre[kept], 100 * total[kept] / total.max()


@pytest.mark.parametrize(
    "settings",
    [
        XrdSettings(),
        XrdSettings(two_theta_min_deg=5, two_theta_max_deg=90),
        XrdSettings(radiation="MoKa1", two_theta_min_deg=10.0, two_theta_max_deg=60),
        XrdSettings(radiation=1.8, two_theta_min_deg=0.0, two_theta_max_deg=120),
        XrdSettings(two_theta_min_deg=5, two_theta_max_deg=120, debye_waller_b_angstrom2=1.3),
        XrdSettings(two_theta_min_deg=5, two_theta_max_deg=120, kalpha_doublet=True),
    ],
    ids=["paper", "lab", "molybdenum", "own wavelength", "vibrating", "doublet"],
)
def test_all_reflections_are_those_of_a_direct_structure_factor_sum(crystal: Crystal, settings: XrdSettings) -> None:
    two_theta, intensity = _clustered(*reflections(crystal, settings))
    expected_two_theta, expected_intensity = _expected(crystal, settings)
    assert len(two_theta) == len(expected_two_theta)
    np.testing.assert_allclose(two_theta, expected_two_theta, rtol=0, atol=_POSITION_TOL_DEG)
    np.testing.assert_allclose(intensity, expected_intensity, rtol=0, atol=_INTENSITY_TOL)


@pytest.mark.parametrize("name", ["silicon", "nacl"])
def test_intensities_agree_with_another_table_of_form_factors(name: str, request: pytest.FixtureRequest) -> None:
    crystal = request.getfixturevalue(name)
    settings = XrdSettings(two_theta_max_deg=90)
    _, intensity = _clustered(*reflections(crystal, settings))
    _, expected = _expected(crystal, settings, _form_factor_international)
    np.testing.assert_allclose(intensity, expected, rtol=0, atol=_BETWEEN_TABLES_TOL)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("silicon", {28.44: 100, 47.30: 55, 56.12: 30, 69.13: 6, 76.38: 11}),  # JCPDS 27-1402
        ("nacl", {27.33: 13, 31.69: 100, 45.45: 55, 53.87: 2, 56.48: 15}),  # JCPDS 5-628
    ],
)
def test_the_first_reflections_are_where_powder_diffraction_files_list_them(
    name: str, published: dict[float, float], request: pytest.FixtureRequest
) -> None:
    settings = XrdSettings(radiation="CuKa1", two_theta_min_deg=5, two_theta_max_deg=80)
    two_theta, intensity = reflections(request.getfixturevalue(name), settings)
    first = slice(len(published))
    np.testing.assert_allclose(
        two_theta[first], list(published), rtol=0, atol=0.04
    )  # listed to 0.01°, NaCl 111 measured 0.03° low
    np.testing.assert_allclose(intensity[first], list(published.values()), rtol=0, atol=12)  # no Debye-Waller factor


def test_cscl_has_the_golden_peaks_of_pymatgen(cscl: Crystal) -> None:
    two_theta, intensity = reflections(cscl, XrdSettings(two_theta_max_deg=90))
    np.testing.assert_allclose(two_theta[:2], [21.107738329639844, 30.024695921112777], rtol=0, atol=1e-9)
    np.testing.assert_allclose(intensity[:2], [36.483184003748946, 100], rtol=0, atol=1e-6)


def _face_centred(h: int, k: int, m: int) -> bool:
    return h % 2 == k % 2 == m % 2


def _diamond(h: int, k: int, m: int) -> bool:
    return _face_centred(h, k, m) and (h % 2 == 1 or (h + k + m) % 4 == 0)


@pytest.mark.parametrize(
    ("name", "allowed"), [("silicon", _diamond), ("nacl", _face_centred), ("cscl", lambda *_: True)]
)
def test_exactly_the_reflections_that_symmetry_allows_are_there(
    name: str,
    allowed: Callable[[int, int, int], bool],
    request: pytest.FixtureRequest,
) -> None:
    crystal, settings = request.getfixturevalue(name), XrdSettings(two_theta_max_deg=150)
    two_theta, _ = reflections(crystal, settings)
    spacing = settings.wavelength_angstrom / 2 / np.sin(np.radians(two_theta / 2))
    found = np.rint((crystal.lattice[0, 0] / spacing) ** 2).astype(int)
    sums = {h * h + k * k + m * m for h, k, m in product(range(9), repeat=3) if allowed(h, k, m)} - {0}
    assert found.tolist() == sorted(n for n in sums if n <= found.max())
    assert found.max() >= 14, "the range holds enough reflections to tell the lattices apart"


def test_a_pattern_does_not_depend_on_the_choice_of_the_cell(nacl: Crystal) -> None:
    primitive = Crystal.from_pymatgen(nacl.to_pymatgen().get_primitive_structure())
    assert len(primitive.atomic_numbers) == 2
    settings = XrdSettings(two_theta_max_deg=150)
    np.testing.assert_allclose(simulate_pattern(primitive, settings), simulate_pattern(nacl, settings), atol=0.01)


def test_a_pattern_does_not_depend_on_order_origin_or_orientation(triclinic: Crystal) -> None:
    order = np.array([2, 0, 3, 1])
    quarter_turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    moved = Crystal(
        triclinic.lattice @ quarter_turn,
        triclinic.atomic_numbers[order],
        triclinic.frac_coords[order] + [0.3, -0.2, 1.7],
        triclinic.occupancies,
    )
    settings = XrdSettings(two_theta_max_deg=150)
    np.testing.assert_allclose(simulate_pattern(moved, settings), simulate_pattern(triclinic, settings), atol=0.01)


def test_partly_filled_sites_scatter_by_their_occupancy(cscl: Crystal) -> None:
    settings = XrdSettings(two_theta_max_deg=150)
    mixed = Crystal(cscl.lattice, np.array([55, 37, 17]), cscl.frac_coords[[0, 0, 1]], np.array([0.7, 0.3, 0.9]))
    two_theta, intensity = _clustered(*reflections(mixed, settings))
    expected_two_theta, expected_intensity = _expected(mixed, settings)
    np.testing.assert_allclose(two_theta, expected_two_theta, rtol=0, atol=_POSITION_TOL_DEG)
    np.testing.assert_allclose(intensity, expected_intensity, rtol=0, atol=_INTENSITY_TOL)


@pytest.mark.parametrize(("low", "high"), [(0.0, 5.0), (1.0, 5.0), (22.0, 29.0)])
def test_a_range_without_reflections_gives_none_and_a_pattern_of_zeros(cscl: Crystal, low: float, high: float) -> None:
    settings = XrdSettings(two_theta_min_deg=low, two_theta_max_deg=high)
    two_theta, intensity = reflections(cscl, settings)
    assert len(two_theta) == len(intensity) == 0
    np.testing.assert_array_equal(simulate_pattern(cscl, settings), np.zeros(1024))


@pytest.mark.parametrize(("low", "high"), [(0.0, 21.2), (21.0, 21.2), (21.0, 29.0)])
def test_a_range_around_a_single_reflection_gives_that_one(cscl: Crystal, low: float, high: float) -> None:
    two_theta, intensity = reflections(cscl, XrdSettings(two_theta_min_deg=low, two_theta_max_deg=high))
    assert two_theta.tolist() == [pytest.approx(21.107738329639844)]
    assert intensity.tolist() == [pytest.approx(100)]


def test_reflections_come_in_order_within_the_range_and_the_strongest_is_100(crystal: Crystal) -> None:
    two_theta, intensity = reflections(crystal, XrdSettings(two_theta_min_deg=30, two_theta_max_deg=70))
    assert np.all(np.diff(two_theta) > 0)
    assert two_theta.min() >= 30
    assert two_theta.max() <= 70
    assert intensity.max() == pytest.approx(100)


def test_an_element_without_form_factor_is_named(cscl: Crystal) -> None:
    with pytest.raises(ValueError, match="Og"):
        reflections(replace(cscl, atomic_numbers=np.array([118, 17])), XrdSettings())


@pytest.mark.parametrize(("edge", "first"), [(4.0, 22.2243), (5.0, 17.7389)])
def test_the_first_reflection_of_a_simple_cube_obeys_bragg_by_hand(edge: float, first: float) -> None:
    """100 of a cube: sin θ = λ / 2a with λ = 1.54184 Å, worked out with the series of the arcsine."""
    lattice = lattice_from_parameters(np.full((1, 3), edge), np.full((1, 3), 90.0))[0]
    polonium = Crystal(lattice, np.array([84]), np.zeros((1, 3)), np.ones(1))
    two_theta, _ = reflections(polonium, XrdSettings())
    assert two_theta[0] == pytest.approx(first, abs=1e-4)
