"""Calculated patterns: areas, shapes, and every derivative against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepxrd.matching.model import (
    LORENTZ,
    N_PARAMETERS,
    SCALE,
    SHIFT,
    STRAIN,
    TEXTURE,
    THERMAL,
    WIDTH,
    calculated,
    calculated_with_slopes,
)  # fmt: skip
from deepxrd.matching.profile import Grid, Stack
from deepxrd.matching.reflections import reflections
from deepxrd.matching.texture import march_dollase, texture_cosines
from made_scans import perovskite

GRID = Grid(0.1, 0.0002, 3000, ((1.0, 2 / 3), (1.00249, 1 / 3)), 1.54056)
CUBIC = perovskite(3.905)
FOUND = reflections(CUBIC, 221, d_inverse_max=0.72, wavelength_angstrom=1.54056)
STACK = Stack.of([FOUND, FOUND], [texture_cosines(CUBIC, 221, FOUND.hkl, axis) for axis in ((0, 0, 1), (1, 1, 1))])
SIGMA = 0.0004


def parameters() -> np.ndarray:
    values = np.zeros((2, N_PARAMETERS))
    values[:, WIDTH], values[:, LORENTZ], values[:, THERMAL] = np.log(0.0015), 0.4, 0.9
    values[1, [SCALE, SHIFT, TEXTURE, STRAIN]] = 0.7, 0.06, -0.4, 0.003
    return values


@pytest.mark.parametrize("column", range(7))
def test_slopes_are_those_of_finite_differences(column: int) -> None:
    values = parameters()
    slopes = calculated_with_slopes(GRID, STACK, values, SIGMA)[:, column]
    step = {SHIFT: 0.02, STRAIN: 4e-4}.get(column, 1e-5)  # over more than one bin, between whose ends all is linear
    up, down = values.copy(), values.copy()
    up[:, column] += step
    down[:, column] -= step
    expected = (calculated(GRID, STACK, up, SIGMA) - calculated(GRID, STACK, down, SIGMA)) / (2 * step)
    np.testing.assert_allclose(slopes, expected, atol=0.04 * np.abs(expected).max() + 1e-12)


def test_the_area_of_all_lines_is_that_of_the_reflections() -> None:
    values = parameters()[:1]
    made = calculated(GRID, Stack.of([FOUND]), values, SIGMA)[0].sum() * GRID.step
    inside = np.sqrt(FOUND.q) < GRID.first + GRID.step * GRID.n
    root = np.sqrt(FOUND.q[inside])
    expected = (FOUND.intensity[inside] * GRID.factor(root) * np.exp(-0.45 * root**2)).sum()
    assert made == pytest.approx(expected, rel=0.02)  # tails of a Lorentzian reach beyond the grid


@given(st.floats(-1.2, 1.2))
@settings(max_examples=30, deadline=None)
def test_texture_moves_intensity_between_directions_and_makes_none(log_r: float) -> None:
    cosines = (np.linspace(0, 1, 20001)[None] + 0.5 / 20001) ** 2  # of directions evenly on a sphere
    factor, slope = march_dollase(cosines, np.array([log_r]))
    assert factor[0] == pytest.approx(1.0, abs=2e-3)
    assert slope[0] == pytest.approx(0.0, abs=1e-2)


def test_the_second_line_of_the_tube_is_half_as_strong() -> None:
    values = parameters()[:1]
    values[:, WIDTH] = np.log(0.0006)
    made = calculated(GRID, Stack.of([FOUND]), values, 0.0)[0]
    x = GRID.first + GRID.step * np.arange(GRID.n)
    line = np.sqrt(FOUND.q[np.argmax(FOUND.q * (FOUND.q < 0.36))])
    first, second = (made[np.abs(x - line * ratio).argmin()] for ratio, _ in GRID.lines)
    assert second / first == pytest.approx(0.5, abs=0.15)
