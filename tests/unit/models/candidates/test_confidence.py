"""Probabilities of candidates, peaks and scores."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.agreement import agreement
from deepxrd.models.candidates.calibrate import known_structures
from deepxrd.models.candidates.confidence import SIZES, Confidence, Evidence, Outcome
from made_candidates import crystals, reference_of, untrained

K = 6


def evidence(seed: int, n: int, *, shared: float = 0.3) -> Evidence:
    rng = np.random.default_rng(seed)
    mask = np.arange(K)[None] < rng.integers(0, K + 1, n)[:, None]
    share = np.where(mask, rng.uniform(0.01, 1, (n, K)), 0.0)
    return Evidence(
        mask,
        (rng.uniform(size=(n, K)) < shared) & mask,
        rng.normal(-1, 2, (n, K)),
        share / np.maximum(share.sum(axis=1, keepdims=True), 1e-9),
        rng.uniform(0, 2, n),
        rng.integers(1, 9, n),
    )


def drawn(confidence: Confidence, of: Evidence, seed: int) -> np.ndarray:
    """Which candidate is right, drawn with the probabilities that are said."""
    ends = np.cumsum(confidence.candidates(of), axis=1)
    place = (np.random.default_rng(seed).uniform(size=(len(ends), 1)) > ends).sum(axis=1)
    return np.arange(K)[None] == place[:, None]


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_probabilities_are_such_and_none_is_given_to_padding(seed: int) -> None:
    of = evidence(seed, 40)
    rng = np.random.default_rng(seed)
    confidence = replace(Confidence.plain(), structure=rng.normal(size=3 + SIZES), second=rng.normal(size=4))
    said = confidence.candidates(of)
    assert (said >= 0).all()
    assert (said.sum(axis=1) <= 1 + 1e-9).all()
    assert not said[~of.mask].any()
    for values in (confidence.expected_f1(of.share[:, 0], of.size_class), confidence.peak_probability(of.share)):
        assert ((values >= 0) & (values <= 1)).all()


def test_without_corrections_a_single_candidate_has_the_odds_of_its_ranking() -> None:
    of = Evidence(
        np.ones((1, 1), bool), np.zeros((1, 1), bool), np.array([[0.7]]), np.ones((1, 1)), np.ones(1), np.array([3])
    )
    np.testing.assert_allclose(Confidence.plain().candidates(of), expit([[0.7]]))
    np.testing.assert_allclose(Confidence.plain().expected_f1(np.array([0.3, 0.0]), np.array([2, 2])), [0.3, 0.0])


def test_what_was_drawn_with_known_probabilities_is_learned_back() -> None:
    """Mean distance of true and learned probabilities, of 20,000 compositions: under 0.01."""
    of = evidence(1, 20_000)
    first = np.array([0.6, 0.8, 0.5, *np.linspace(-1, 1, SIZES)])
    score, peaks = np.array([1.4, *np.linspace(-0.3, 0.4, SIZES)]), np.array([0.8, -0.2])
    true = Confidence(first, first, first, np.array([0.7, 0.2, 0.4, 0.3]), score, peaks, np.array([0.5, 3.0, 2.0]))
    right = drawn(true, of, 2)
    raw = np.random.default_rng(3).uniform(0.05, 0.95, 20_000)
    there = np.random.default_rng(4).uniform(size=20_000) < true.peak_probability(raw)
    f1 = true.expected_f1(raw, of.size_class)
    off = np.random.default_rng(5).normal(size=(20_000, 7)) * np.array([0.5] * 3 + [3.0] * 3 + [2.0])
    off[:, 3:5] = np.nan
    known = np.ones(len(raw), dtype=bool)
    own, shared = right & ~of.shared, right & of.shared
    learned = Confidence.fit(of, Outcome(known, own, own, own, shared, raw, f1, raw, there, off))
    np.testing.assert_allclose(learned.cell, true.cell, rtol=0.03)
    assert np.abs(learned.candidates(of) - true.candidates(of)).mean() < 0.01
    assert np.abs(learned.expected_f1(raw, of.size_class) - f1).max() < 0.01
    assert np.abs(learned.peak_probability(raw) - true.peak_probability(raw)).max() < 0.03
    plain = Confidence.plain()
    assert np.abs(plain.candidates(of) - true.candidates(of)).mean() > 0.03  # else nothing was shown


def test_files_give_the_numbers_back_and_a_strangers_are_bounded() -> None:
    arrays = Confidence.plain().to_arrays()
    again = Confidence.from_arrays(arrays)
    np.testing.assert_array_equal(again.structure, Confidence.plain().structure)
    for bad in (np.full(2, np.nan), np.full(2, 1e9), np.zeros(3)):
        with pytest.raises(ValueError, match=r"confidence\.peaks must be 2 numbers"):
            Confidence.from_arrays({**arrays, "confidence.peaks": bad})


def test_a_candidate_agrees_where_prototype_elements_and_cell_are_the_known_ones() -> None:
    made = crystals()
    model = untrained(reference_of(made))
    formulas = [made[row].formula for row in (1, 17, 60)]
    (found,) = model.predict(formulas).candidates
    agrees = agreement(model.maker.templates, known_structures(model.maker, formulas), found)
    assert agrees.known.all()
    np.testing.assert_array_equal(agrees.true_space_group, [221, 221 if 17 % 3 else 123, 221])
    assert agrees.structure.sum(axis=1).tolist() == [1, 1, 1]  # nothing agrees twice
    assert (agrees.space_group >= agrees.structure).all()
    assert (agrees.structure >= agrees.cell).all()
    first = found.found.member[:, 0]
    row, column = np.argwhere(agrees.structure)[0]
    place = int(found.place[row, column])
    true = made[1].lattice[0, 0]
    within = abs(np.exp(found.cells.mean[place, 0]) / true - 1) <= 0.02
    assert agrees.cell[row, column] == within
    assert model.maker.templates.space_group[first[place]] == agrees.true_space_group[row]


def test_probabilities_are_learned_where_the_truth_is_known(model: CandidateModel) -> None:
    """Every validation composition's structure is among the candidates, so "none of them" must become unlikely."""
    made = crystals()
    reference = reference_of(made)
    before = model.predict(reference.formulas)
    after = model.calibrated(reference.formulas, reference.patterns).predict(reference.formulas)
    sums = [each.candidates[0].probability.sum() for each in (before, after)]  # type: ignore[union-attr]
    assert sums[1] / len(made) > 0.8
    np.testing.assert_array_equal(before.further["expected"], after.further["expected"])
    np.testing.assert_array_equal(before.patterns, after.patterns)
