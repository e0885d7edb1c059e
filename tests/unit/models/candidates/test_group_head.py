"""Space groups: candidates weighed against the composition alone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepxrd.chem import Formula, parse_formula
from deepxrd.chem.crystal_system import crystal_system_places
from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.calibrate import ground_states
from deepxrd.models.candidates.group_head import SYSTEM_OF_GROUP, GroupEvidence, GroupHead
from deepxrd.models.candidates.group_net import N_NETS, GroupNet, group_shares, net_of
from deepxrd.models.candidates.groups import in_proportion, no_less, with_groups
from deepxrd.models.candidates.symmetry import symmetry
from deepxrd.training.group_net import learn_groups

FORMULAS = [parse_formula(f"{a}{b}{x}3") for a in ("Ca", "Sr", "Ba", "Mg") for b in ("Ti", "Zr", "Hf") for x in "OSF"]
FORMULAS += [parse_formula(f"{a}{x}") for a in ("Li", "Na", "K", "Rb", "Cs") for x in ("F", "Cl", "Br", "I")]
GROUPS = np.array([221 if "O3" in each.reduced else 62 if len(each.counts) == 3 else 225 for each in FORMULAS])


@pytest.fixture(scope="module")
def nets() -> tuple[GroupNet, ...]:
    return learn_groups(FORMULAS, GROUPS, seed=0, epochs=30)


def evidence_of(formulas: Sequence[Formula], *, seed: int = 0, k: int = 4) -> GroupEvidence:
    """Candidates drawn at random."""
    rng, n = np.random.default_rng(seed), len(formulas)
    group = rng.choice([0, 62, 221, 225, 166], (n, k))
    part = rng.uniform(0, 1 / k, (n, k)) * (group > 0)
    return GroupEvidence(
        group, rng.normal(size=(n, k)), part, part, part, part, rng.random((n, k)) < 0.2,
        np.where(group > 0, rng.uniform(0, 3, (n, k)), np.inf),
    )  # fmt: skip


def test_sums_and_maxima_are_those_of_a_loop() -> None:
    evidence = evidence_of(FORMULAS[:6])
    summed, largest = evidence.summed(evidence.share), evidence.largest(evidence.odds, -7.0)
    systems = evidence.systems()
    for row in range(6):
        for number in range(1, 231):
            mine = evidence.group[row] == number
            assert summed[row, number - 1] == pytest.approx(evidence.share[row, mine].sum())
            assert largest[row, number - 1] == (evidence.odds[row, mine].max() if mine.any() else -7.0)
        left = 1 - evidence.group_part[row].sum()
        for system in range(7):
            mine = (evidence.group[row] > 0) & (crystal_system_places(np.maximum(evidence.group[row], 1)) == system)
            part = evidence.group_part[row, mine].sum()
            assert systems[row, system] == pytest.approx(part + left * evidence.system_part[row, mine].sum())


def test_networks_learn_and_ask_only_the_one_that_has_not_seen_a_composition(nets: tuple[GroupNet, ...]) -> None:
    learned = np.ones(len(FORMULAS), dtype=bool)
    honest, mean = (group_shares(nets, FORMULAS, each) for each in (learned, ~learned))
    for shares in (honest, mean):
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert (mean.argmax(axis=1) + 1 == GROUPS).mean() > 0.95
    own, apart = net_of(FORMULAS), [group_shares([net] * N_NETS, FORMULAS, ~learned) for net in nets]
    np.testing.assert_allclose(honest, np.array(apart)[own, np.arange(len(FORMULAS))], atol=1e-6)
    np.testing.assert_allclose(mean, np.mean(apart, axis=0), atol=1e-6)
    assert set(own) == set(range(N_NETS))


def test_what_a_network_is_learned_without_does_not_change_it(nets: tuple[GroupNet, ...]) -> None:
    changed = np.where(net_of(FORMULAS) == 1, 194, GROUPS)
    again = learn_groups(FORMULAS, changed, seed=0, epochs=30)
    for place, same in enumerate((False, True, False)):
        pairs = zip(nets[place].state_dict().values(), again[place].state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs) == same


def test_the_order_of_elements_and_the_other_compositions_do_not_matter(nets: tuple[GroupNet, ...]) -> None:
    none = np.zeros(2, dtype=bool)
    said = group_shares(nets, [parse_formula("SrTiO3"), parse_formula("NaCl")], none)
    other = group_shares(nets, [parse_formula("O3TiSr"), parse_formula("NaCl")], none)
    np.testing.assert_array_equal(said, other)
    np.testing.assert_allclose(group_shares(nets, [parse_formula("NaCl")], none[:1])[0], said[1], atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100))
def test_probabilities_sum_up_to_one_and_survive_a_file(nets: tuple[GroupNet, ...], seed: int) -> None:
    evidence, none = evidence_of(FORMULAS, seed=seed), np.zeros(len(FORMULAS), dtype=bool)
    head = GroupHead.fit(nets, evidence, FORMULAS, GROUPS, seed=0)
    said = head.probability(evidence, FORMULAS, none)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said >= 0).all()
    read = GroupHead.from_arrays(head.to_arrays())
    np.testing.assert_array_equal(read.probability(evidence, FORMULAS, none), said)


def test_a_head_follows_the_candidates_where_these_are_right(nets: tuple[GroupNet, ...]) -> None:
    """The composition says 62 or 221, but the true space group is always that of the candidate with the best odds."""
    formulas = FORMULAS * 20
    evidence = evidence_of(formulas)
    best = np.where(evidence.group > 0, evidence.odds, -9).argmax(axis=1)
    true = evidence.group[np.arange(len(formulas)), best]
    head = GroupHead.fit(nets, evidence, formulas, true, seed=0)
    fresh = evidence_of(formulas, seed=1)
    best = np.where(fresh.group > 0, fresh.odds, -9).argmax(axis=1)
    wanted = fresh.group[np.arange(len(formulas)), best]
    said = head.probability(fresh, formulas, np.zeros(len(formulas), dtype=bool))
    first = said.argmax(axis=1) + 1
    assert (first == wanted)[wanted > 0].mean() > 0.8
    promised = said.max(axis=1)[wanted > 0].mean()
    assert promised == pytest.approx((first == wanted)[wanted > 0].mean(), abs=0.1)


def test_without_known_truths_nothing_is_learned_and_nothing_fails(nets: tuple[GroupNet, ...]) -> None:
    evidence = evidence_of(FORMULAS[:3])
    head = GroupHead.fit(nets, evidence, FORMULAS[:3], np.zeros(3, dtype=np.int64), seed=0)
    said = head.probability(evidence, FORMULAS[:3], np.zeros(3, dtype=bool))
    np.testing.assert_allclose(said.sum(axis=1), 1)


def _changed(arrays: dict[str, NDArray[np.generic]], name: str, value: NDArray[np.generic]) -> dict[str, object]:
    return {**arrays, name: value}


def test_a_strangers_arrays_are_refused_with_a_reason(nets: tuple[GroupNet, ...]) -> None:
    head = GroupHead.fit(nets, evidence_of(FORMULAS), FORMULAS, GROUPS, seed=0)
    arrays = head.to_arrays()
    cases = {
        "weights": (np.zeros(3), "must be 4 numbers"),
        "net.0.layers.0.weight": (np.zeros((3, 3), dtype=np.float32), "must be"),
        "net.1.layers.6.bias": (np.full(230, np.nan, dtype=np.float32), "finite"),
        "net.2.stoichiometries": (np.full((300, 10), np.inf, dtype=np.float32), "finite"),
        "trees.0.feature": (np.full_like(arrays["trees.0.feature"], 26), "26 features"),
    }
    for name, (value, words) in cases.items():
        with pytest.raises(ValueError, match=words):
            GroupHead.from_arrays(_changed(arrays, name, value))
    with pytest.raises(KeyError):
        GroupHead.from_arrays({key: each for key, each in arrays.items() if not key.startswith("net.1.")})


def test_a_models_space_groups_are_those_of_its_head_and_set_its_candidates(model: CandidateModel) -> None:
    formulas = [parse_formula(text) for text in ("RaTiO3", "SrHfS3", "CsCl", "XeF6")]
    known, groups = ground_states(model.maker.templates)
    assert dict(zip([each.reduced for each in known], groups.tolist(), strict=True))["CsCl"] == 221
    nets = learn_groups(known, groups, seed=0, epochs=2)
    plain = model.predict(formulas)
    evidence = GroupEvidence.of(model.maker.templates, plain.candidates[0])
    head = GroupHead.fit(nets, evidence, formulas, np.array([221, 123, 221, 0]), seed=0)
    with_head = replace(model, head=head)
    said = with_head.predict(formulas)
    found = with_head.symmetry(said, formulas)
    learned = model.maker.learned(formulas)
    assert learned.tolist() == [True, True, True, False]
    (mine,) = said.candidates
    assert mine.probability is not None
    with_candidates = mine.mask.any(axis=1)
    every = head.probability(evidence, formulas, learned) * with_candidates[:, None]
    # those of the head, but no less than what candidates of shared sites keep
    of_candidates = GroupEvidence.of(model.maker.templates, mine).summed(mine.probability)
    told = no_less(every, of_candidates)
    assert mine.shared.any()
    np.testing.assert_allclose(told, every, atol=0.05)
    np.testing.assert_allclose(found.crystal_systems, told @ SYSTEM_OF_GROUP)
    np.testing.assert_allclose(found.space_group_probability, -np.sort(-told, axis=1)[:, :5])
    np.testing.assert_array_equal(np.isfinite(found.cell).all(axis=(1, 2)), with_candidates)
    assert (of_candidates <= told).all()
    np.testing.assert_array_equal(mine.share, plain.candidates[0].share)


def test_where_there_is_no_candidate_no_space_group_is_told(model: CandidateModel) -> None:
    formulas = [parse_formula(text) for text in ("RaTiO3", "XeF6")]
    (found,) = model.predict(formulas).candidates
    place = found.place.copy()
    place[1] = -1
    head = GroupHead.fit(
        learn_groups(*ground_states(model.maker.templates), seed=0, epochs=1),
        GroupEvidence.of(model.maker.templates, found), formulas, np.array([221, 0]), seed=0,
    )  # fmt: skip
    told = with_groups(
        model.maker.templates, replace(found, place=place), formulas, head=head, learned=np.zeros(2, dtype=bool)
    )
    assert told.space_groups is not None
    assert told.space_groups.sum(axis=1) == pytest.approx([1, 0])
    said = symmetry(model.maker.templates, told, formulas)
    assert said.crystal_system(1) == ""
    assert np.isnan(said.cell[1]).all()


@given(st.integers(0, 10_000))
def test_candidates_agree_with_their_space_groups(seed: int) -> None:
    formulas = [parse_formula(text) for text in ("NaCl", "SrTiO3", "MgAl2O4")]
    evidence, rng = evidence_of(formulas, seed=seed), np.random.default_rng(seed)
    groups = rng.dirichlet(np.full(230, 0.02), size=3)
    which = rng.uniform(size=evidence.group.shape) < 0.8
    probability = in_proportion(evidence, groups, which)
    there = which & (evidence.group > 0)
    np.testing.assert_array_equal(probability[~there], evidence.probability[~there])
    set_here = evidence.summed(np.where(there, probability, 0.0))
    assert (set_here <= groups + 1e-9).all()
    assert (probability.sum(axis=1) <= evidence.probability.sum(axis=1) + 1e-9).all()
    least = evidence.summed(probability)
    raised = no_less(groups, least)
    assert (raised >= least).all()
    np.testing.assert_allclose(raised.sum(axis=1), np.maximum(1.0, least.sum(axis=1)))
    np.testing.assert_allclose(no_less(raised, least), raised, atol=1e-12)  # nothing is left to do
