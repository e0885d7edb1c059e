"""Patterns on an axis even in q, against an exact sum of Gaussians and against the 2θ axis."""

import numpy as np
import pytest

from deepxrd.chem import Crystal
from deepxrd.xrd import XrdSettings, find_peaks, reflections, simulate

ENGINES = ("pymatgen", "batched")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("limits", [(0.0, 180.0), (10.0, 90.0)])
def test_a_pattern_on_q_is_the_exact_sum_of_gaussians(
    crystal: Crystal, engine: str, limits: tuple[float, float]
) -> None:
    settings = XrdSettings(
        axis="q", sigma_inv_angstrom=0.03, engine=engine, two_theta_min_deg=limits[0], two_theta_max_deg=limits[1]
    )
    two_theta, intensity = reflections(crystal, settings)
    q = 4 * np.pi * np.sin(np.radians(two_theta / 2)) / 1.54184
    ends = 4 * np.pi * np.sin(np.radians(np.array(limits) / 2)) / 1.54184
    grid = np.linspace(*ends, 1024)
    exact = (intensity[:, None] * np.exp(-0.5 * ((grid - q[:, None]) / 0.03) ** 2)).sum(axis=0)
    patterns, failures = simulate([crystal], settings)
    assert failures == [None]
    np.testing.assert_allclose(patterns[0], 100 * exact / exact.max(), atol=0.02)  # of 100


@pytest.mark.parametrize("engine", ENGINES)
def test_peaks_stand_at_the_same_angles_on_both_axes(nacl: Crystal, engine: str) -> None:
    on_q = XrdSettings(axis="q", engine=engine, n_points=4096, two_theta_min_deg=20.0, two_theta_max_deg=60.0)
    on_angle = XrdSettings(engine=engine, n_points=4096, two_theta_min_deg=20.0, two_theta_max_deg=60.0, sigma_deg=0.1)
    positions = [find_peaks(simulate([nacl], s)[0], s.two_theta_deg).of(0)[0] for s in (on_q, on_angle)]
    np.testing.assert_allclose(*positions, atol=0.02)  # degrees; the grids' steps are 0.01°


def test_the_angles_of_a_q_grid_give_its_q_back() -> None:
    settings = XrdSettings(axis="q")
    np.testing.assert_allclose(settings.coordinate(settings.two_theta_deg), settings.grid, atol=1e-12)
    assert settings.two_theta_deg[-1] == pytest.approx(180.0, abs=1e-5)
    assert np.ptp(np.diff(settings.grid)) < 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_know_displacement_factors_and_the_doublet(wurtzite: Crystal, engine: str) -> None:
    plain, damped = (
        simulate([wurtzite], XrdSettings(engine=engine, debye_waller_b_angstrom2=b))[0][0] for b in (0.0, 1.0)
    )
    assert damped[800:].max() < 0.8 * plain[800:].max()
    two = XrdSettings(engine=engine, kalpha_doublet=True, sigma_deg=0.05, two_theta_min_deg=100, two_theta_max_deg=120)
    reference = XrdSettings(
        engine="pymatgen", kalpha_doublet=True, sigma_deg=0.05, two_theta_min_deg=100, two_theta_max_deg=120
    )
    np.testing.assert_allclose(simulate([wurtzite], two)[0], simulate([wurtzite], reference)[0], atol=0.1)
