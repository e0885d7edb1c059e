"""Phases that are known of a formula, and the view of their patterns."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deepxrd.chem import parse_formula
from deepxrd.errors import ConfigError
from deepxrd.library import SHIPPED, Libraries
from deepxrd.prediction.known import LABORATORY, PAPER, by_stability, known_phases, view
from deepxrd.prediction.known_folder import known_in_words, write_known
from deepxrd.xrd import find_peaks


@pytest.fixture(scope="module")
def libraries() -> Libraries:
    return Libraries.open([SHIPPED])


def test_of_phases_that_energy_cannot_tell_apart_the_most_symmetric_comes_first(libraries: Libraries) -> None:
    found = known_phases(libraries, parse_formula("SrTiO3"), LABORATORY)
    assert [phase.space_group for phase in found.phases][:2] == [221, 140]
    energies = [phase.energy_above_hull for phase in found.phases if phase.energy_above_hull is not None]
    assert energies[1:] == sorted(energies[1:])


def test_a_cell_that_is_not_that_of_the_group_found_says_whose_it_is(libraries: Libraries) -> None:
    iron, *others = known_in_words(known_phases(libraries, parse_formula("Fe"), LABORATORY)).splitlines()[1:]
    assert "I m -3 m (229)" in iron
    assert iron.endswith("α β γ = 90.0 90.0 90.0° of F m m m")
    assert not any(" of " in other for other in others)


def test_lines_stand_where_braggs_law_puts_them(libraries: Libraries) -> None:
    found = known_phases(libraries, parse_formula("NaCl"), view(radiation="MoKa", range_deg=(10, 40), width_deg=0.05))
    a, wavelength = found.phases[0].cell[0], found.xrd.wavelength_angstrom
    hkl = np.array([[1, 1, 1], [2, 0, 0], [2, 2, 0], [2, 2, 2], [4, 0, 0]])
    expected = 2 * np.degrees(np.arcsin(wavelength / 2 / (a / np.linalg.norm(hkl, axis=1))))
    strong = found.xrd.two_theta_deg[np.flatnonzero(found.patterns[0] > 3)]
    for angle in expected[(expected > 10) & (expected < 40)][1:4]:
        assert np.abs(strong - angle).min() < found.xrd.step


def test_the_view_is_a_laboratorys_or_the_papers() -> None:
    assert view() == LABORATORY
    assert view(paper=True) == PAPER
    wide = view(width_deg=1.0)
    assert wide.sigma_deg == pytest.approx(1.0 / 2.3548, rel=1e-4)
    assert view(range_deg=(10, 20)).two_theta_deg[[0, -1]].tolist() == [10, 20]
    with pytest.raises(ConfigError):
        view(range_deg=(50, 20))
    with pytest.raises(ConfigError, match=r"8\.04"):
        view(radiation="8.04")


@pytest.mark.parametrize("width_deg", [0.0, -0.1, 1e-4, 1e9, float("nan"), float("inf")])
def test_a_width_that_no_line_has_is_refused_in_degrees(width_deg: float) -> None:
    with pytest.raises(
        ConfigError, match=rf"width of {width_deg:g}°: give a width from 0\.001 to 20°".replace("+", r"\+")
    ):
        view(width_deg=width_deg)


@pytest.mark.parametrize("range_deg", [(90, 5), (-1, 50), (0, 181), (10, 10), (float("nan"), 50), (5, float("nan"))])
def test_a_range_that_no_scan_has_is_refused(range_deg: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="give the lower angle first, both from 0 to 180°"):
        view(range_deg=range_deg)


def test_each_phase_gets_a_row_a_pattern_and_a_cif_that_others_read(libraries: Libraries, tmp_path: Path) -> None:
    from pymatgen.core import Structure

    formulas = [parse_formula(text) for text in ("CaWO4", "Al2SiO5", "Xe3Rn7")]
    known = [known_phases(libraries, formula, LABORATORY) for formula in formulas]
    write_known(known, formulas, ["CaWO4", "Al2O3.SiO2", "Xe3Rn7"], tmp_path)
    lines = (tmp_path / "known_phases.csv").read_text().splitlines()
    assert len(lines) == 1 + sum(len(each.phases) for each in known)
    assert sum(line.startswith("Al2O3.SiO2,") for line in lines) == len(known[1].phases)
    for found in known[:2]:
        for phase in found.phases:
            [file] = tmp_path.glob(f"*_{phase.material_id}.cif")
            assert parse_formula(Structure.from_file(file).composition.reduced_formula) == phase.formula
            assert "CC BY 4.0" in file.read_text()
    assert "none in the library" in known_in_words(known[2])
    strontium = known_in_words(known_phases(libraries, parse_formula("SrTiO3"), LABORATORY))
    assert ", known from experiment; " in strontium
    assert ", computed only; " in strontium
    said = known_in_words(known_phases(libraries, parse_formula("NaCl"), LABORATORY))
    assert "experiment: not recorded" in said, "of a binary, nobody has said so"
    assert "computed only" not in said
    assert len(find_peaks(known[0].patterns[:1], LABORATORY.two_theta_deg).of(0)[0]) > 5


@pytest.mark.parametrize(
    ("phases", "order"),
    [
        ([(0.0009, 1), (0.0011, 221)], [1, 0]),  # on both sides of 1 meV, but 0.2 meV apart
        ([(0.0, 1), (0.0011, 2), (0.0029, 221)], [1, 0, 2]),  # the last is within 2 meV of the second alone
        ([(None, 225), (0.3, 1)], [1, 0]),
        ([], []),
    ],
)
def test_phases_within_2_mev_of_the_most_stable_are_sorted_by_symmetry(
    phases: list[tuple[float | None, int]], order: list[int]
) -> None:
    made = [SimpleNamespace(energy_above_hull=energy, space_group=group) for energy, group in phases]
    assert by_stability(made) == order  # type: ignore[arg-type]
