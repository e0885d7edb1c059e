from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import spglib
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pymatgen.analysis.diffraction.core import AbstractDiffractionPatternCalculator
from pymatgen.analysis.diffraction.xrd import XRDCalculator

from deepxrd.chem import Crystal, lattice_from_parameters
from deepxrd.errors import PatternError
from deepxrd.xrd.batched import simulate_patterns
from deepxrd.xrd.form_factors import form_factors
from deepxrd.xrd.packing import consecutive_groups
from deepxrd.xrd.settings import XrdSettings

PARITY_TOL = 0.01  # of 100: single precision, and Gaussians as cubics on the fine grid
SAME_TOL = 0.005  # of 100: the same crystal described in another way

_PAPER = XrdSettings()
_CELLS = {
    "triclinic": (5.1, 6.3, 7.2, 78.0, 95.0, 107.0),
    "monoclinic": (5.6, 7.9, 6.1, 90.0, 112.0, 90.0),
    "orthorhombic": (4.4, 6.9, 9.3, 90.0, 90.0, 90.0),
    "tetragonal": (4.7, 4.7, 8.2, 90.0, 90.0, 90.0),
    "trigonal": (5.9, 5.9, 5.9, 57.0, 57.0, 57.0),
    "hexagonal": (4.1, 4.1, 6.7, 90.0, 90.0, 120.0),
    "cubic": (5.8, 5.8, 5.8, 90.0, 90.0, 90.0),
    "flat": (3.1, 3.3, 21.0, 86.0, 91.0, 119.0),
    "skew": (4.0, 4.4, 9.0, 38.0, 42.0, 61.0),
}


def make_crystal(cell: tuple[float, ...], n_sites: int, seed: int, numbers: tuple[int, ...] = (11, 26, 50)) -> Crystal:
    """Sites at random in a cell, a third of them of each element."""
    rng = np.random.default_rng(seed)
    lattice = lattice_from_parameters(np.array([cell[:3]]), np.array([cell[3:]]))[0]
    kinds = np.array([numbers[i % len(numbers)] for i in range(n_sites)])
    return Crystal(lattice, kinds, rng.random((n_sites, 3)), np.ones(n_sites))


def gaussians(two_theta: NDArray[np.float64], intensity: NDArray[np.float64], s: XrdSettings) -> NDArray[np.float64]:
    """The exact sum of Gaussians, not scaled."""
    pattern = np.zeros(s.n_points)
    for start in range(0, len(two_theta), 4000):
        part = slice(start, start + 4000)
        distance = (two_theta[part, None] - s.two_theta_deg) / s.sigma_deg
        pattern += intensity[part] @ np.exp(-0.5 * distance**2)
    return pattern


def by_pymatgen(crystal: Crystal, s: XrdSettings, **kwargs: object) -> NDArray[np.float64]:
    """Pymatgen's peaks within the range, and the exact sum of Gaussians, largest = 100."""
    calculator = XRDCalculator(wavelength=s.wavelength_angstrom, **kwargs)
    peaks = calculator.get_pattern(crystal.to_pymatgen(), two_theta_range=(s.two_theta_min_deg, s.two_theta_max_deg))
    pattern = gaussians(np.asarray(peaks.x), np.asarray(peaks.y), s)
    return 100 * pattern / pattern.max()


def by_definition(crystal: Crystal, s: XrdSettings) -> NDArray[np.float64]:
    """Every reflection of the sphere summed in float64, from the formulas alone; largest = 100."""
    pattern = np.zeros(s.n_points)
    for wavelength, share in s.lines:
        reach = np.ceil(2 / wavelength * np.linalg.norm(crystal.lattice, axis=1)).astype(int)
        hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
        sine = np.linalg.norm(hkl @ np.linalg.inv(crystal.lattice).T, axis=1) * wavelength / 2
        two_theta = np.degrees(2 * np.arcsin(np.clip(sine, 0, 1)))
        kept = (sine > 0) & (sine < 1) & (two_theta >= s.two_theta_min_deg) & (two_theta <= s.two_theta_max_deg)
        hkl, sine, two_theta = hkl[kept], sine[kept], two_theta[kept]
        tables = form_factors(
            s.form_factors, (sine / wavelength) ** 2, debye_waller_b_angstrom2=s.debye_waller_b_angstrom2
        )
        phases = np.exp(2j * np.pi * hkl @ crystal.frac_coords.T)
        amplitude = (phases * crystal.occupancies * tables[crystal.atomic_numbers - 1].T).sum(axis=1)
        lorentz = (1 + np.cos(np.radians(two_theta)) ** 2) / (sine**2 * np.sqrt(1 - sine**2))
        pattern += share * gaussians(two_theta, np.abs(amplitude) ** 2 * lorentz, s)
    return 100 * pattern / pattern.max()


@pytest.fixture
def all_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pymatgen leaves out peaks under 1e-5 of the strongest; in large cells they add up to 0.03 of 100. Keep them."""
    monkeypatch.setattr(AbstractDiffractionPatternCalculator, "SCALED_INTENSITY_TOL", 0.0)


@pytest.mark.usefixtures("all_peaks")
@pytest.mark.parametrize("cell", _CELLS.values(), ids=_CELLS)
def test_pattern_is_that_of_pymatgen(cell: tuple[float, ...]) -> None:
    crystals = [make_crystal(cell, n_sites, seed) for seed, n_sites in enumerate((1, 3, 7, 12))]
    for crystal, pattern in zip(crystals, simulate_patterns(crystals, _PAPER), strict=True):
        np.testing.assert_allclose(pattern, by_pymatgen(crystal, _PAPER), rtol=0, atol=PARITY_TOL)


@pytest.mark.usefixtures("all_peaks")
def test_known_crystals(crystal: Crystal) -> None:
    (pattern,) = simulate_patterns([crystal], _PAPER)
    assert pattern.dtype == np.float32
    assert pattern.max() == pytest.approx(100.0, abs=1e-4)
    np.testing.assert_allclose(pattern, by_pymatgen(crystal, _PAPER), rtol=0, atol=PARITY_TOL)


@pytest.mark.usefixtures("all_peaks")
@pytest.mark.parametrize(
    "changes",
    [
        {"radiation": "MoKa", "two_theta_min_deg": 3.0, "two_theta_max_deg": 60.0, "sigma_deg": 0.05},
        {"radiation": "CrKa", "sigma_deg": 1.7, "n_points": 333},
        {"radiation": 0.9, "two_theta_min_deg": 20.0, "two_theta_max_deg": 120.0, "n_points": 4501, "sigma_deg": 0.1},
        {"two_theta_min_deg": 28.0, "two_theta_max_deg": 36.0, "sigma_deg": 0.2, "n_points": 17},
        {"two_theta_min_deg": 90.0, "sigma_deg": 0.02},
        {"two_theta_min_deg": 10.0, "two_theta_max_deg": 50.0, "sigma_deg": 0.005, "n_points": 9001},
    ],
)
def test_other_radiations_ranges_and_widths(changes: dict[str, object]) -> None:
    s = replace(_PAPER, **changes)
    crystals = [make_crystal(cell, 6, seed) for seed, cell in enumerate(_CELLS.values())]
    for crystal, pattern in zip(crystals, simulate_patterns(crystals, s), strict=True):
        np.testing.assert_allclose(pattern, by_pymatgen(crystal, s), rtol=0, atol=2 * PARITY_TOL)


@st.composite
def crystals(draw: st.DrawFn) -> Crystal:
    """Small crystals in any cell that is not absurd, with shared and partly filled sites."""
    lengths = [draw(st.floats(2.5, 9.0)) for _ in range(3)]
    angles = [draw(st.floats(62.0, 118.0)) for _ in range(3)]
    n_sites = draw(st.integers(1, 6))
    numbers = [draw(st.integers(1, 98)) for _ in range(n_sites)]
    coords = [[draw(st.floats(-1.0, 2.0)) for _ in range(3)] for _ in range(n_sites)]
    occupancies = [draw(st.floats(0.05, 1.0)) for _ in range(n_sites)]
    lattice = lattice_from_parameters(np.array([lengths]), np.array([angles]))[0]
    return Crystal(lattice, np.array(numbers), np.array(coords), np.array(occupancies))


@given(crystals())
@settings(max_examples=25)
def test_any_crystal_gives_what_the_formulas_say(crystal: Crystal) -> None:
    if not np.isfinite(crystal.lattice).all() or crystal.volume < 5:
        return
    (pattern,) = simulate_patterns([crystal], _PAPER)
    np.testing.assert_allclose(pattern, by_definition(crystal, _PAPER), rtol=0, atol=PARITY_TOL)


@pytest.mark.parametrize("short_of_180", [1e-1, 1e-3, 1e-5])
def test_reflections_near_backscattering_keep_their_weight(short_of_180: float) -> None:
    wavelength = _PAPER.wavelength_angstrom
    edge = 3 * wavelength / 2 / np.sin(np.radians(90 - short_of_180 / 2))  # puts (300) just below 180°
    crystal = make_crystal((edge, edge, edge, 90.0, 90.0, 90.0), 2, seed=3)
    (pattern,) = simulate_patterns([crystal], _PAPER)
    assert pattern.argmax() >= len(pattern) - 2
    np.testing.assert_allclose(pattern, by_definition(crystal, _PAPER), rtol=0, atol=PARITY_TOL)


def test_shared_sites_count_by_occupancy() -> None:
    crystal = make_crystal(_CELLS["hexagonal"], 6, seed=1)
    coords = crystal.frac_coords[[0, 0, 1, 2, 3, 4]]
    shared = replace(crystal, frac_coords=coords, occupancies=np.array([0.7, 0.3, 1.0, 0.5, 1.0, 1.0]))
    (pattern,) = simulate_patterns([shared], _PAPER)
    np.testing.assert_allclose(pattern, by_pymatgen(shared, _PAPER), rtol=0, atol=2 * PARITY_TOL)


def test_displacement_factor_is_that_of_pymatgen() -> None:
    crystal = make_crystal(_CELLS["monoclinic"], 5, seed=2)
    s = replace(_PAPER, debye_waller_b_angstrom2=0.8)
    expected = by_pymatgen(crystal, s, debye_waller_factors={"Na": 0.8, "Fe": 0.8, "Sn": 0.8})
    (pattern,) = simulate_patterns([crystal], s)
    np.testing.assert_allclose(pattern, expected, rtol=0, atol=2 * PARITY_TOL)


@pytest.mark.parametrize("changes", [{"form_factors": "waasmaier_kirfel"}, {"kalpha_doublet": True, "sigma_deg": 0.1}])
def test_other_physics_follows_its_definition(changes: dict[str, object]) -> None:
    crystal = make_crystal(_CELLS["trigonal"], 5, seed=4)
    s = replace(_PAPER, **changes)
    (pattern,) = simulate_patterns([crystal], s)
    np.testing.assert_allclose(pattern, by_definition(crystal, s), rtol=0, atol=PARITY_TOL)
    without = replace(s, **{name: getattr(_PAPER, name) for name in changes if name != "sigma_deg"})
    assert np.abs(pattern - by_definition(crystal, without)).max() > 1


def _supercell(crystal: Crystal) -> Crystal:
    shifts = np.array([[i, j, k] for i in range(2) for j in range(3) for k in range(1)], dtype=float)
    n = len(shifts)
    return Crystal(
        np.diag([2.0, 3.0, 1.0]) @ crystal.lattice,
        np.tile(crystal.atomic_numbers, n),
        ((crystal.frac_coords[None] + shifts[:, None]) / [2, 3, 1]).reshape(-1, 3),
        np.tile(crystal.occupancies, n),
    )


def _new_cell(crystal: Crystal, matrix: list[list[int]]) -> Crystal:
    return replace(
        crystal,
        lattice=np.array(matrix) @ crystal.lattice,
        frac_coords=crystal.frac_coords @ np.linalg.inv(np.array(matrix)),
    )


def _rotated(crystal: Crystal) -> Crystal:
    rotation, _ = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))
    return replace(crystal, lattice=crystal.lattice @ rotation)


def _reordered(crystal: Crystal) -> Crystal:
    order = np.random.default_rng(9).permutation(len(crystal.atomic_numbers))
    return replace(crystal, atomic_numbers=crystal.atomic_numbers[order], frac_coords=crystal.frac_coords[order])


_SAME_CRYSTAL: dict[str, Callable[[Crystal], Crystal]] = {
    "origin": lambda crystal: replace(crystal, frac_coords=crystal.frac_coords + np.array([0.137, -2.71, 40.3])),
    "inverted": lambda crystal: replace(crystal, frac_coords=-crystal.frac_coords),
    "site order": _reordered,
    "rotated": _rotated,
    "supercell": _supercell,
    "axes swapped": lambda crystal: _new_cell(crystal, [[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "left-handed": lambda crystal: _new_cell(crystal, [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
    "sheared": lambda crystal: _new_cell(crystal, [[1, 2, 0], [0, 1, 0], [-3, 1, 1]]),
    "sheared far": lambda crystal: _new_cell(crystal, [[1, 0, 7], [5, 1, 35], [0, 0, 1]]),
}


@pytest.mark.parametrize("describe", _SAME_CRYSTAL.values(), ids=_SAME_CRYSTAL)
@pytest.mark.parametrize("name", _CELLS)
def test_pattern_is_of_the_crystal_not_of_its_description(name: str, describe: Callable[[Crystal], Crystal]) -> None:
    crystal = make_crystal(_CELLS[name], 6, seed=11)
    first, second = simulate_patterns([crystal, describe(crystal)], _PAPER)
    np.testing.assert_allclose(first, second, rtol=0, atol=SAME_TOL)


@pytest.fixture(scope="module")
def mixed() -> list[Crystal]:
    """Crystals of many shapes and sizes, of one to five elements."""
    elements = ((26,), (8, 14), (11, 26, 50), (1, 6, 7, 8), (3, 20, 40, 60, 80))
    made = [
        make_crystal(cell, n_sites, n_sites, elements[(n_sites + i) % 5])
        for i, cell in enumerate(_CELLS.values())
        for n_sites in (1, 2, 5, 11, 40)
    ]
    return [*made, make_crystal((23.0, 11.0, 14.0, 80.0, 95.0, 103.0), 150, seed=5)]


@pytest.fixture(scope="module")
def together(mixed: list[Crystal]) -> NDArray[np.float32]:
    return simulate_patterns(mixed, _PAPER)


def test_each_pattern_is_bit_identical_alone_and_in_company(
    mixed: list[Crystal], together: NDArray[np.float32]
) -> None:
    np.testing.assert_array_equal(np.concatenate([simulate_patterns([one], _PAPER) for one in mixed]), together)


@pytest.mark.parametrize("seed", range(3))
def test_order_and_company_do_not_change_a_bit(mixed: list[Crystal], together: NDArray[np.float32], seed: int) -> None:
    some = np.random.default_rng(seed).permutation(len(mixed))[: 10 + 12 * seed]
    np.testing.assert_array_equal(simulate_patterns([mixed[i] for i in some], _PAPER), together[some])


@pytest.mark.parametrize("max_bytes", [1, 1 << 18, 1 << 22, 1 << 32])
def test_memory_limit_does_not_change_a_bit(
    mixed: list[Crystal], together: NDArray[np.float32], max_bytes: int
) -> None:
    np.testing.assert_array_equal(simulate_patterns(mixed, _PAPER, max_bytes=max_bytes), together)


def test_threads_do_not_change_a_bit(mixed: list[Crystal], together: NDArray[np.float32]) -> None:
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            np.testing.assert_array_equal(simulate_patterns(mixed, _PAPER), together)
    finally:
        torch.set_num_threads(before)


def test_no_crystals_give_no_patterns() -> None:
    assert simulate_patterns([], _PAPER).shape == (0, 1024)


def test_pattern_without_reflections_is_zero(cscl: Crystal) -> None:
    s = replace(_PAPER, two_theta_max_deg=15.0)
    tiny = replace(cscl, lattice=cscl.lattice * 0.18)  # no lattice planes that far apart as half a wavelength
    patterns = simulate_patterns([cscl, tiny], s)
    assert not patterns.any()
    patterns = simulate_patterns([tiny, cscl], _PAPER)
    assert not patterns[0].any()
    assert patterns[1].max() == pytest.approx(100)


def test_element_without_form_factor_is_named(cscl: Crystal) -> None:
    with pytest.raises(PatternError, match="'pymatgen' lack Es"):
        simulate_patterns([cscl, replace(cscl, atomic_numbers=np.array([99, 8]))], _PAPER)


@given(st.lists(st.floats(0.1, 5), min_size=1, max_size=30), st.floats(0.05, 20))
def test_groups_keep_to_the_limit_and_lose_nothing(sizes: list[float], limit: float) -> None:
    groups = consecutive_groups(np.array(sizes), limit=limit)
    assert [i for start, stop in groups for i in range(start, stop)] == list(range(len(sizes)))
    assert all(stop - start == 1 or sum(sizes[start:stop]) <= limit * (1 + 1e-9) for start, stop in groups)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_gives_what_the_cpu_gives(mixed: list[Crystal], together: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(simulate_patterns(mixed, _PAPER, device="cuda"), together, rtol=0, atol=SAME_TOL)


_LAST_GROUP = {
    2: "triclinic",
    15: "monoclinic",
    74: "orthorhombic",
    142: "tetragonal",
    167: "trigonal",
    194: "hexagonal",
    230: "cubic",
}


def _crystal_system(crystal: Crystal) -> str:
    cell = (crystal.lattice, crystal.frac_coords, crystal.atomic_numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=0.01)
    number = found.number if found is not None else 1
    return next(name for last, name in _LAST_GROUP.items() if number <= last)


def _load(frame: pd.DataFrame) -> list[Crystal]:
    lengths, angles = (frame[list(names)].to_numpy(float) for names in (("a", "b", "c"), ("alpha", "beta", "gamma")))
    rows = zip(lattice_from_parameters(lengths, angles), frame.atomic_numbers, frame.frac_coords, strict=True)
    return [
        Crystal(lattice, np.asarray(numbers, dtype=np.int64), np.asarray(coords).reshape(-1, 3), np.ones(len(numbers)))
        for lattice, numbers, coords in rows
    ]


@pytest.mark.snapshot
@pytest.mark.usefixtures("all_peaks")
def test_real_structures_give_the_patterns_of_pymatgen(snapshot_path: Path) -> None:
    frame = pd.read_parquet(snapshot_path)
    tin = frame[frame.chemsys.str.split("-").map(lambda symbols: "Sn" in symbols)]
    drawn = [frame.sample(420, random_state=7), tin.sample(60, random_state=7), frame.nsmallest(20, "nsites")]
    largest = frame[frame.nsites <= 380].nlargest(2, "nsites")
    sample = _load(pd.concat([*drawn, largest]))
    assert len(sample) >= 500
    systems = [_crystal_system(crystal) for crystal in sample]
    counts = {system: systems.count(system) for system in set(systems)}
    assert len(counts) == 7
    assert min(counts.values()) >= 10, counts

    patterns = simulate_patterns(sample, _PAPER)
    differences = [
        float(np.abs(by_pymatgen(crystal, _PAPER) - pattern).max())
        for crystal, pattern in zip(sample, patterns, strict=True)
    ]
    assert max(differences) <= PARITY_TOL
