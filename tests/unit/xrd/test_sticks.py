"""Sticks on the grid, a width of 0: each line at the grid point nearest to it, by both engines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepxrd.chem import Crystal, lattice_from_parameters
from deepxrd.xrd import XrdSettings, reflections, simulate, smooth_reflections

_TOL = 0.02  # of 100: single precision, and form factors read from a table
_CLOSE_CALL = 1e-5  # of a step: a line as near to the middle between two points may go either way

STICKS = XrdSettings(sigma_deg=0.0)
VARIANTS = {
    "paper": STICKS,
    "lab": replace(STICKS, two_theta_min_deg=10.0, two_theta_max_deg=90.0),
    "few points": replace(STICKS, n_points=40),
    "many points": replace(STICKS, n_points=20_001, two_theta_min_deg=20.0, two_theta_max_deg=120.0),
    "q axis": XrdSettings(axis="q", sigma_inv_angstrom=0.0),
    "doublet": replace(STICKS, kalpha_doublet=True),
    "two points": replace(STICKS, n_points=2),
}


def by_plain_loop(two_theta_deg: NDArray[np.float64], intensity: NDArray[np.float64], s: XrdSettings) -> NDArray:
    """Each line into the nearest point of the grid, one by one; largest = 100."""
    pattern = np.zeros(s.n_points)
    for place, height in zip(s.coordinate(two_theta_deg), intensity, strict=True):
        pattern[np.abs(s.grid - place).argmin()] += height
    return 100 * pattern / pattern.max()


def is_close_call(two_theta_deg: NDArray[np.float64], s: XrdSettings) -> bool:
    place = (s.coordinate(two_theta_deg) - s.grid[0]) / s.step
    return bool((np.abs(place - np.floor(place) - 0.5) < _CLOSE_CALL).any())


@pytest.mark.parametrize("engine", ["pymatgen", "batched"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_line_stands_at_the_grid_point_nearest_to_it(crystal: Crystal, variant: str, engine: str) -> None:
    s = replace(VARIANTS[variant], engine=engine)
    two_theta_deg, intensity = reflections(crystal, s)
    (pattern,), (failure,) = simulate([crystal], s)
    assert failure is None
    np.testing.assert_allclose(pattern, by_plain_loop(two_theta_deg, intensity, s), rtol=0, atol=_TOL)


@given(st.lists(st.floats(2.5, 9.0), min_size=3, max_size=3), st.lists(st.floats(65.0, 115.0), min_size=3, max_size=3))
@settings(max_examples=15)
def test_both_engines_agree_on_any_cell(lengths: list[float], angles: list[float]) -> None:
    lattice = lattice_from_parameters(np.array([lengths]), np.array([angles]))[0]
    crystal = Crystal(lattice, np.array([11, 26]), np.array([[0.0, 0, 0], [0.31, 0.42, 0.17]]), np.ones(2))
    if not np.isfinite(lattice).all() or crystal.volume < 5:
        return
    s = replace(STICKS, engine="batched")
    two_theta_deg, intensity = reflections(crystal, s)
    if is_close_call(two_theta_deg, s):
        return
    expected = by_plain_loop(two_theta_deg, intensity, s)
    np.testing.assert_allclose(simulate([crystal], s)[0][0], expected, rtol=0, atol=0.05)  # lines under 1e-5 are lost


def test_where_no_line_is_the_pattern_is_exactly_zero(nacl: Crystal) -> None:
    s = replace(STICKS, engine="batched")
    (pattern,), _ = simulate([nacl], s)
    two_theta_deg, _ = reflections(nacl, s)
    points = np.rint(two_theta_deg / s.step).astype(int)
    assert pattern[points].min() > 0
    assert np.delete(pattern, points).max() < 1e-6  # what is left of lines that cancel out


def test_a_pattern_does_not_depend_on_its_company(nacl: Crystal, cscl: Crystal) -> None:
    together, _ = simulate([nacl, cscl] * 5, STICKS)
    alone, _ = simulate([nacl], STICKS)
    np.testing.assert_array_equal(together[0], alone[0])


def test_lines_at_one_point_add_up_and_those_beyond_the_grid_are_lost() -> None:
    s = replace(STICKS, two_theta_min_deg=10.0, two_theta_max_deg=20.0, n_points=11)
    pattern = smooth_reflections(np.array([9.4, 11.6, 12.4, 15.0, 20.6]), np.array([9.0, 1.0, 2.0, 4.0, 9.0]), s)
    np.testing.assert_allclose(pattern, np.array([0, 0, 75, 0, 0, 100, 0, 0, 0, 0, 0]), rtol=1e-6)
