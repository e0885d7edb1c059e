"""Candidates as readers see them."""

import numpy as np
import pytest

from deepxrd.chem import parse_formula
from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.answers import answers
from deepxrd.xrd import simulate

FORMULAS = [parse_formula(text) for text in ("RaTiO3", "La0.7Sr0.3ZrO3", "CsF")]


def test_candidates_say_what_they_are(model: CandidateModel) -> None:
    said = model.predict(FORMULAS)
    told = answers(model.maker, said.candidates)
    for row, mine in enumerate(told):
        probabilities = [each.probability for each in mine]
        assert probabilities == sorted(probabilities, reverse=True)
        assert 0 < sum(probabilities) < 1
        assert sum(each.share for each in mine) == pytest.approx(1.0)
        for each in mine:
            assert each.space_group == int(each.prototype.split(":")[0])
            assert 0 <= each.probability <= 1
            assert len(each.cell) == len(each.cell_deviation) == 6
            assert min(each.cell_deviation) >= 0
            assert each.template_formula != FORMULAS[row]
    perovskites = {(each.space_group, each.symbol) for each in told[0]}
    assert perovskites == {(221, "P m -3 m"), (123, "P 4/m m m")}
    assert [each.shared for each in told[1]] == [True] * len(told[1])
    assert all(any(not each.shared for each in mine) for mine in (told[0], told[2]))
    assert all(each.unit.to_crystal().formula == FORMULAS[2] for each in told[2] if not each.shared)
    assert [each[:1] for each in told] != [[]] * 3


def test_only_as_many_as_asked_for(model: CandidateModel) -> None:
    said = model.predict(FORMULAS)
    every, few = answers(model.maker, said.candidates), answers(model.maker, said.candidates, most=1)
    for one, all_ in zip(few, every, strict=True):
        assert len(one) == 1
        np.testing.assert_array_equal(one[0].unit.cell, all_[0].unit.cell)


def test_a_candidate_by_its_symmetry_is_the_structure_that_was_simulated(model: CandidateModel) -> None:
    said = model.predict(FORMULAS)
    (found,) = said.candidates
    made = model.maker.structures(found)
    for row, mine in enumerate(answers(model.maker, said.candidates)):
        for rank, each in zip(found.order[row], mine, strict=False):
            patterns, _ = simulate([each.unit.to_crystal(), made[found.place[row, rank]]], model.xrd)
            np.testing.assert_allclose(patterns[0], patterns[1], atol=0.01)
