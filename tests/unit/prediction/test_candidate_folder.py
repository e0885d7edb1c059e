"""Candidates as a person gets them: a table, patterns, CIFs, a figure, and lines to read."""

from pathlib import Path

import gemmi
import numpy as np
import pandas as pd
import pytest

from deepxrd.chem import parse_formula
from deepxrd.prediction.candidate_folder import SHOWN, TABLE, candidates_in_words, write_candidates
from deepxrd.prediction.known import LABORATORY
from deepxrd.prediction.predictor import CandidatePredictor
from made_candidates import crystals, reference_of, untrained

TYPED = ["TiO3Ra", "La0.7Sr0.3ZrO3", "CsF"]


@pytest.fixture(scope="module")
def predictor() -> CandidatePredictor:
    return CandidatePredictor(untrained(reference_of(crystals())), fingerprint="made up")


def test_what_is_printed_is_in_the_folder(predictor: CandidatePredictor, tmp_path: Path) -> None:
    formulas = [parse_formula(text) for text in TYPED]
    candidates = predictor.candidates(predictor.predict(formulas))
    write_candidates(candidates, formulas, TYPED, tmp_path, LABORATORY)
    table = pd.read_csv(tmp_path / TABLE)
    assert table["typed"].unique().tolist() == TYPED
    for formula, mine in zip(formulas, candidates, strict=True):
        rows = table[table["formula"] == str(formula)]
        assert rows["rank"].tolist() == list(range(1, len(mine) + 1))
        assert rows["probability"].is_monotonic_decreasing
        assert rows["file"].notna().sum() == min(SHOWN, len(mine))
        text = candidates_in_words(mine)
        assert "none of these" in text
        assert f"{mine[0].probability:.0%}" in text
        for file, each in zip(rows["file"].dropna(), mine, strict=False):
            pattern = pd.read_csv(tmp_path / file)
            assert pattern["intensity"].max() == pytest.approx(100, abs=0.01)
            assert len(pattern) == LABORATORY.n_points
            structure = gemmi.read_small_structure(str((tmp_path / file).with_suffix(".cif")))
            assert structure.spacegroup.number == each.space_group
            np.testing.assert_allclose(structure.cell.parameters, each.cell, atol=1e-4)
    assert len(list(tmp_path.glob("*_candidates.png"))) == 3


def test_a_formula_without_candidates_is_said_to_have_none() -> None:
    assert "none" in candidates_in_words([])


def test_columns_of_tables_tell_of_the_first_candidate(predictor: CandidatePredictor) -> None:
    formulas = [parse_formula(text) for text in TYPED]
    said = predictor.predict(formulas)
    for row, mine in enumerate(predictor.candidates(said)):
        assert said.columns["best_prototype"][row] == mine[0].prototype
        assert said.columns["best_space_group"][row] == mine[0].space_group
        assert float(said.columns["best_probability"][row]) == pytest.approx(mine[0].probability, rel=1e-6)
        assert float(said.columns["best_a_angstrom"][row]) == pytest.approx(mine[0].cell[0], rel=1e-6)
    none = predictor.predict([])
    assert {name: values.dtype.kind for name, values in none.columns.items()} == {
        name: values.dtype.kind for name, values in said.columns.items()
    }
