"""Who is asked: from what is typed to structures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from deepxrd.chem import Formula, parse_formula
from deepxrd.errors import ConfigError, DeepXRDError, FormulaError
from deepxrd.library import SHIPPED, Libraries
from deepxrd.matching.asked import Asked, parse_elements, phases_asked_for
from deepxrd.matching.many import MatchOptions, scans_and_formulas
from deepxrd.matching.phases import PREDICTED, UNKNOWN_HULL, PhaseToTry, known_energies
from made_scans import rock_salt

LIBRARIES = Libraries.open([SHIPPED])


@pytest.mark.parametrize("text", ["Ca,W,O", "Ca-W-O", "Ca W O", "CaWO4", "Ca, W; O", "Ca,W,O,Ca"])
def test_elements_are_read_however_they_are_written(text: str) -> None:
    assert parse_elements(text) == ("Ca", "W", "O")


@pytest.mark.parametrize("text", ["", "Xx,O", "cawo4", "Ca,W,Oxygen"])
def test_what_is_no_element_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"element"):
        parse_elements(text)


@pytest.mark.parametrize("text", ["Al203", "Si02", "Fe3O4(", "Ti02 "])
def test_a_digit_that_says_another_compound_is_not_dropped(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"elements {text!r}:")):
        parse_elements(text)


def test_all_phases_of_the_elements_and_of_fewer_are_tried_but_no_gases() -> None:
    phases, skipped = phases_asked_for(Asked(elements=("Ca", "W", "O")), LIBRARIES)
    formulas = {str(phase.formula) for phase in phases}
    assert {"CaWO4", "WO3", "CaO", "Ca", "W"} <= formulas
    assert "O" not in formulas, "oxygen is no powder"
    assert not skipped
    assert all(set(phase.formula.elements) <= {"Ca", "W", "O"} for phase in phases)
    assert all(phase.is_known and phase.probability == 1.0 for phase in phases)


def test_elements_may_be_needed_and_excluded() -> None:
    asked = Asked(elements=("Ca", "W", "O"), must_contain=("O",), exclude=("W",))
    formulas = {str(phase.formula) for phase in phases_asked_for(asked, LIBRARIES)[0]}
    assert formulas
    assert all("O" in text and "W" not in text for text in formulas)


def test_what_was_typed_goes_with_each_structure(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("formula\nWO3\nQq\n")
    asked = Asked(formulas=("O4WCa",), table=tmp_path / "t.csv")
    phases, skipped = phases_asked_for(asked, LIBRARIES)
    assert {(phase.typed, str(phase.formula)) for phase in phases} == {("O4WCa", "CaWO4"), ("WO3", "WO3")}
    assert [place for place, _ in skipped] == ["line 3"]
    again, _ = phases_asked_for(Asked(elements=("Ca", "W", "O"), formulas=("O4WCa",)), LIBRARIES)
    own = [phase for phase in again if str(phase.formula) == "CaWO4"]
    assert {phase.typed for phase in own} == {"O4WCa"}, "found twice, kept once"


def test_unseen_leaves_known_structures_out() -> None:
    def predict(formulas: Sequence[Formula]) -> list[PhaseToTry]:
        return [PhaseToTry(each, rock_salt(4.2, 12, 8), 225, 225, PREDICTED, probability=0.4) for each in formulas]

    both, skipped = phases_asked_for(Asked(formulas=("MgO", "Mg7O6")), LIBRARIES, predict=predict)
    assert {(str(phase.formula), phase.is_known) for phase in both} == {("MgO", True), ("Mg7O6", False)}
    assert not skipped
    _, skipped = phases_asked_for(Asked(formulas=("MgO", "Mg7O6")), LIBRARIES)
    assert skipped == [("Mg7O6", "no structure of it is known, and none is predicted")]
    unseen, _ = phases_asked_for(Asked(formulas=("MgO",), unseen=True), LIBRARIES, predict=predict)
    assert [phase.material_id for phase in unseen] == [PREDICTED]
    assert unseen[0].hull == UNKNOWN_HULL


@pytest.mark.parametrize("formulas", [("K0.5Rb0.5Cl", "KRbCl2"), ("KRbCl2", "K0.5Rb0.5Cl")])
@pytest.mark.parametrize("unseen", [False, True])
def test_a_solid_solution_is_predicted_though_an_ordered_structure_is_known(
    formulas: tuple[str, str], *, unseen: bool
) -> None:
    def predict(formulas: Sequence[Formula]) -> list[PhaseToTry]:
        edges = [6.4 if each.is_mixed else 6.5 for each in formulas]
        made = [rock_salt(edge, 19, 17) for edge in edges]
        return [
            PhaseToTry(f, each, 225, 225, PREDICTED, probability=0.4) for f, each in zip(formulas, made, strict=True)
        ]

    phases, _ = phases_asked_for(Asked(formulas=formulas, unseen=unseen), LIBRARIES, predict=predict)
    typed = {phase.typed for phase in phases if not phase.is_known}
    assert typed == ({*formulas} if unseen else {"K0.5Rb0.5Cl"})
    assert any(phase.is_known for phase in phases) != unseen


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Asked(), "say what the scan may hold"),
        (Asked(formulas=("Qq",)), "no formula can be used"),
        (Asked(formulas=("Ca9W7O5",)), "no known structure of Ca9W7O5"),
        (Asked(elements=("Ca", "O"), must_contain=("Ca",), exclude=("Ca",)), "of Ca, O with Ca and without Ca:"),
    ],
)
def test_what_cannot_be_asked_is_told(asked: Asked, told: str) -> None:
    with pytest.raises(DeepXRDError, match=told):
        phases_asked_for(asked, LIBRARIES)


def test_a_table_without_a_good_formula_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("formula\nQq\n")
    with pytest.raises(FormulaError, match="no formula can be used"):
        phases_asked_for(Asked(table=tmp_path / "t.csv"), LIBRARIES)


def test_words_are_scans_or_formulas(tmp_path: Path) -> None:
    (tmp_path / "NaCl").write_text("1 2\n")
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans/b.xy").write_text("")
    (tmp_path / "scans/a.xy").write_text("")
    words = [str(tmp_path / "NaCl"), str(tmp_path / "scans"), "absent.xy", "SrTiO3"]
    paths, formulas = scans_and_formulas(words)
    assert [path.name for path in paths] == ["NaCl", "a.xy", "b.xy", "absent.xy"]
    assert formulas == ["SrTiO3"]
    with pytest.raises(ConfigError, match="no such file: SrTiO3"):
        scans_and_formulas(["SrTiO3"])
    for slip, told in (
        ("srtio3", "did you mean SrTiO3"),
        ("SIO2", "did you mean SiO2"),
        ("Xx2O3", "unknown element 'Xx'"),
    ):
        with pytest.raises(ConfigError, match=f"no file '{slip}', and it is no formula: .*{told}"):
            scans_and_formulas([str(tmp_path / "NaCl"), "SrTiO3", slip])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no files"):
        scans_and_formulas([str(tmp_path / "empty")])


def test_a_monochromator_polarises() -> None:
    assert MatchOptions().polarisation == 1.0
    assert MatchOptions(monochromator_deg=26.6).polarisation == pytest.approx(np.cos(np.radians(26.6)) ** 2)
    with pytest.raises(ConfigError, match="--monochromator 200"):
        _ = MatchOptions(monochromator_deg=200).polarisation


def test_an_unknown_energy_is_the_least_of_the_same_formula_and_space_group() -> None:
    one, other = parse_formula("TaSbO4"), parse_formula("TaSb3O8")
    formulas, nan = [one, one, one, one, other], float("nan")
    found = known_energies(formulas, [52, 52, 52, 63, 52], [0.3, nan, 0.1, nan, nan])
    assert found == [0.3, 0.1, 0.1, None, None]
