"""The candidate model, part by part and as a whole, on made-up structures."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Crystal, Formula, parse_formula
from deepxrd.errors import CheckpointError, ConfigError
from deepxrd.models.baselines import MeanPattern, Reference
from deepxrd.models.baselines.volumes import AdditiveVolumes
from deepxrd.models.candidates import CandidateModel, CandidateNet
from deepxrd.models.candidates.candidates import TemplateLibrary
from deepxrd.models.candidates.decode import decode, draw
from deepxrd.models.candidates.features import element_table, exchange_features
from deepxrd.models.candidates.geometry import Geometries, _assignments, share_geometry
from deepxrd.models.candidates.learned import LearnedFrom
from deepxrd.models.candidates.protostructure import protostructure, protostructures
from deepxrd.models.candidates.saved import load, save
from deepxrd.models.candidates.volumes import TemplateVolumes, folds
from deepxrd.prediction.predictor import CandidatePredictor
from deepxrd.xrd import XrdSettings, find_peaks, simulate

XRD = XrdSettings()
TARGETS = [parse_formula(text) for text in ("RaTiO3", "SrHfS3", "MgZrF3", "CaTiO3")]
STRANGE = [parse_formula(text) for text in ("Fe2O3", "CaTiI3")]


def perovskite(a: str, b: str, x: str, edge: float, *, stretch: float = 1.0) -> Crystal:
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in (a, b, x, x, x)])
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(edge * np.diag([1.0, 1.0, stretch]), numbers, coords, np.ones(5))


def cscl(edge: float = 4.2) -> Crystal:
    return Crystal(edge * np.eye(3), np.array([55, 17]), np.array([[0.0] * 3, [0.5] * 3]), np.ones(2))


def crystals() -> list[Crystal]:
    """60 perovskites, every third of them stretched: two kinds."""
    made = []
    for i, a in enumerate(("Mg", "Ca", "Sr", "Ba", "Ra")):
        for j, b in enumerate(("Ti", "Zr", "Hf", "Ge")):
            for k, x in enumerate(("O", "S", "F")):
                edge = 3.8 + 0.07 * i + 0.11 * j + 0.53 * k
                made.append(perovskite(a, b, x, edge, stretch=1.1 if (i + j + k) % 3 == 0 else 1.0))
    return made


def reference_of(made: Sequence[Crystal]) -> Reference:
    return Reference([each.formula for each in made], made, simulate(made, XRD)[0], XRD)


def library_of(made: Sequence[Crystal]) -> TemplateLibrary:
    formulas = [each.formula for each in made]
    return TemplateLibrary(formulas, made, protostructures(made), AdditiveVolumes(formulas, made))


def untrained(reference: Reference, *, seeds: Sequence[int] = (1,)) -> CandidateModel:
    """A model whose networks have learned nothing, but whose answers depend on everything that they see."""
    prepared, nets = CandidateModel.prepare(reference, seed=1), []
    n_features = prepared.library.candidates([], prepared.volumes).features.shape[-1]
    for seed in seeds:
        torch.manual_seed(seed)
        net = CandidateNet(n_features, prepared.library.width, XRD.two_theta_deg)
        torch.nn.init.normal_(net.unet.out[2].weight, std=0.1)
        net.spread.fill_(3.0)
        rounded = {name: each.half().to(each.dtype) for name, each in net.state_dict().items()}  # as files hold them
        nets.append(CandidateNet.with_weights(rounded, prepared.library.width, XRD.two_theta_deg))
    return prepared.with_networks(nets)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(crystals())


@pytest.fixture(scope="module")
def model(reference: Reference) -> CandidateModel:
    return untrained(reference)


# kinds of structures


@pytest.mark.parametrize("crystal", [cscl(), perovskite("Sr", "Ti", "O", 3.9)])
@settings(max_examples=15)
@given(
    shift=st.tuples(*[st.sampled_from([0.0, 0.13, 0.5, 0.77])] * 3),
    copies=st.tuples(*[st.integers(1, 2)] * 3),
    seed=st.integers(0, 99),
)
def test_a_kind_depends_neither_on_the_cell_nor_on_its_origin(
    crystal: Crystal, shift: tuple[float, ...], copies: tuple[int, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(*map(np.arange, copies), indexing="ij"), axis=-1).reshape(-1, 3)
    coords = (crystal.frac_coords[None] + cells[:, None] + np.array(shift)).reshape(-1, 3) / np.array(copies)
    order, rotation = rng.permutation(len(coords)), np.linalg.qr(rng.standard_normal((3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    numbers = np.tile(crystal.atomic_numbers, len(cells))[order]
    same = Crystal(crystal.lattice * np.array(copies)[:, None] @ rotation, numbers, coords[order], np.ones(len(order)))
    assert protostructure(same) == protostructure(crystal)


def test_a_kind_is_shared_by_other_elements_and_not_by_other_symmetry() -> None:
    one, other = protostructure(perovskite("Sr", "Ti", "O", 3.9)), protostructure(perovskite("Cs", "Pb", "I", 6.2))
    stretched = protostructure(perovskite("Sr", "Ti", "O", 3.9, stretch=1.1))
    assert one is not None
    assert one == other
    assert one.label == "ABC3_221_1m-3m_1m-3m_34/mm.m"
    assert stretched is not None
    assert stretched.space_group == 123


def test_structures_without_a_kind_are_like_no_other() -> None:
    shared = Crystal(4 * np.eye(3), np.array([11, 19]), np.zeros((2, 3)), np.array([0.5, 0.5]))
    labels = [each.label for each in protostructures([shared, shared, cscl()])]
    assert len(set(labels)) == 3


# features and volumes


def test_features_are_finite_for_all_elements() -> None:
    every = np.arange(1 + len(SYMBOLS))
    assert np.isfinite(element_table()).all()
    old, new = np.stack([every, every], axis=1), np.stack([every[::-1], np.zeros_like(every)], axis=1)
    assert np.isfinite(exchange_features(old, new, np.ones(old.shape))).all()


def test_volumes_are_better_than_additive_for_compositions_not_learned_from() -> None:
    rng = np.random.default_rng(0)
    made = []
    for a in SYMBOLS[2:90:2]:
        for b in ("Ti", "Zr", "Hf", "Ge", "Sn", "Si"):
            # ions: the volume of A counts the less, the larger B is
            edge = 3.5 + 0.3 * np.tanh(ATOMIC_NUMBERS[a] / 40) * (ATOMIC_NUMBERS[b] < 30) + 0.01 * rng.random()
            made.append(perovskite(a, b, "O", edge))
    made = [each for each in made if len(each.formula.counts) == 3]
    library = library_of(made)
    volumes, formulas = library.fit_volumes(seed=0), list(library.formulas)
    true = np.array([each.volume for each in made])

    def error(used: TemplateVolumes) -> float:
        found = library.candidates(formulas, used)
        template = np.array([made[row].volume for row in found.row[:, 0]])
        return float(np.abs(np.log(template * found.scale[:, 0] ** 3 / true)).mean())

    assert error(volumes) < 0.6 * error(TemplateVolumes((None, None)))


def test_folds_depend_on_the_composition_alone() -> None:
    both = folds([*TARGETS, *TARGETS[::-1]])
    np.testing.assert_array_equal(both[:4], both[4:][::-1])
    assert set(both.tolist()) <= {0, 1}


# candidates


def test_candidates_are_never_of_the_own_composition_and_at_most_two_of_a_kind(reference: Reference) -> None:
    twice = [*reference.crystals, *reference.crystals]
    library = library_of(twice)
    formulas = list(reference.formulas)
    found = library.candidates(formulas, TemplateVolumes((None, None)))
    assert found.mask[:, 0].all()
    for formula, rows in zip(formulas, found.row, strict=True):
        kinds = [library.kinds[row].label for row in rows[rows >= 0]]
        assert all(library.formulas[row] != formula for row in rows[rows >= 0])
        assert max(kinds.count(kind) for kind in kinds) <= 2
        assert len(kinds) == 4
    patterns = library.patterns(found, XRD)
    assert patterns.min() >= 0
    np.testing.assert_array_equal(patterns.any(axis=2), found.mask)
    assert np.isfinite(found.features).all()


# the network


def test_the_network_minds_neither_the_company_nor_padding() -> None:
    torch.manual_seed(0)
    net = CandidateNet(9, 3, XRD.two_theta_deg).eval()
    torch.nn.init.normal_(net.unet.out[2].weight, std=0.1)
    features, elements = torch.randn(5, 16, 9), torch.randint(1, 119, (5, 16, 6))
    mask = torch.arange(16)[None].expand(5, -1) < torch.tensor([1, 4, 16, 7, 2])[:, None]
    patterns = torch.rand(5, 16, 1024)
    with torch.no_grad():
        together = net(features, elements, mask, patterns)
        for row in range(5):
            alone = net(*(each[row : row + 1] for each in (features, elements, mask, patterns)))
            for one, other in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], other[row], rtol=1e-3, atol=1e-4)
        noise = torch.where(mask[..., None], patterns, torch.rand_like(patterns))
        changed = net(torch.where(mask[..., None], features, 7.0), elements, mask, noise)
    assert all(torch.isfinite(each).all() for each in together)
    torch.testing.assert_close(changed.pattern, together.pattern, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(changed.peaks, together.peaks, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("learning", [False, True])  # torch takes another path where gradients are wanted
def test_a_row_without_candidates_gives_finite_numbers_and_leaves_the_others_alone(*, learning: bool) -> None:
    torch.manual_seed(0)
    net = CandidateNet(9, 3, XRD.two_theta_deg).eval()
    features, elements, patterns = torch.randn(3, 16, 9), torch.randint(1, 119, (3, 16, 6)), torch.rand(3, 16, 1024)
    mask = torch.ones(3, 16, dtype=torch.bool)
    mask[1] = False
    with torch.set_grad_enabled(learning):
        out, alone = net(features, elements, mask, patterns), net(features[:1], elements[:1], mask[:1], patterns[:1])
    assert all(torch.isfinite(each).all() for each in out)
    torch.testing.assert_close(out.pattern[0], alone.pattern[0], rtol=1e-3, atol=1e-4)


# decoding


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), total=st.floats(0.0, 80.0), sharp=st.floats(1.0, 20.0), sigma=st.floats(0.05, 2.0))
def test_decoded_peaks_stand_apart_and_are_found_again_as_high_as_given(
    seed: int, total: float, sharp: float, sigma: float
) -> None:
    xrd, rng = XrdSettings(sigma_deg=sigma), np.random.default_rng(seed)
    density = rng.random((3, 1024)) ** sharp
    density *= total / density.sum(axis=1, keepdims=True)
    heights = (100 * rng.random((3, 1024))).astype(np.float32)
    peaks, probability, f1 = decode(density, heights, xrd)
    found = find_peaks(draw(peaks, xrd), xrd.two_theta_deg)
    np.testing.assert_array_equal(found.two_theta_deg, peaks.two_theta_deg)
    assert (peaks.count >= 1).all()
    for row in range(3):
        points = np.searchsorted(xrd.two_theta_deg, peaks.of(row)[0] - 1e-9)
        np.testing.assert_array_equal(peaks.of(row)[1], heights[row, points])
        assert (np.diff(peaks.of(row)[0]) >= 2.0).all()
    for values in (probability, f1):
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-9


def test_a_perfect_density_gives_the_true_peaks_and_promises_a_perfect_score(reference: Reference) -> None:
    true = find_peaks(reference.patterns, XRD.two_theta_deg)
    density = np.zeros(reference.patterns.shape)
    rows, points = np.nonzero(true.valid)[0], np.rint(true.two_theta_deg[true.valid] / XRD.step).astype(int)
    density[rows, points] = 1.0
    peaks, probability, f1 = decode(density, reference.patterns, XRD)
    np.testing.assert_array_equal(peaks.count, true.count)
    np.testing.assert_allclose(f1, 1.0)
    assert (probability[peaks.valid] == 1.0).all()


@pytest.mark.parametrize("width", [3, 12, 24, 40, 100])
def test_one_peak_of_uncertain_place_is_won_no_more_than_once(width: int) -> None:
    density = np.zeros((1, 1024))
    density[0, 200 : 200 + width] = 1 / width
    peaks, probability, f1 = decode(density, np.full((1, 1024), 50, dtype=np.float32), XRD)
    n = int(peaks.count[0])
    assert f1[0] * (n + 1) / 2 <= 1 + 1e-9  # what all guesses win together
    assert probability.sum() <= 1 + 1e-9
    if width == 3:
        assert (n, f1[0]) == (1, pytest.approx(1.0))


# the model as a whole


def test_predictions_are_patterns_with_their_peaks(model: CandidateModel) -> None:
    said = model.predict([*TARGETS, *STRANGE])
    assert said.known.tolist() == [True] * 4 + [False] * 2
    for patterns in (said.expected, said.decoded):
        assert patterns.dtype == np.float32
        assert patterns.min() >= 0
        np.testing.assert_allclose(patterns.max(axis=1), 100.0, rtol=1e-5)
    found = find_peaks(said.decoded, XRD.two_theta_deg)
    np.testing.assert_array_equal(found.two_theta_deg, said.peaks.two_theta_deg)
    assert said.peak_probability.shape == found.intensity.shape
    assert said.expected_f1[4:].tolist() == [0, 0]
    assert not said.peak_probability[4:].any()
    assert (said.peak_probability[:4][said.peaks.valid[:4]] > 0).all()


def test_intensities_of_peaks_are_those_of_the_expected_pattern_however_low(model: CandidateModel) -> None:
    said = model.predict([*STRANGE, *TARGETS])
    grid = XRD.two_theta_deg
    for row in range(2, 6):
        angle, intensity = said.peaks.of(row)
        np.testing.assert_array_equal(intensity, said.expected[row, np.searchsorted(grid, angle - 1e-9)])
    lowest = np.where(said.peaks.valid, said.peaks.intensity, np.inf)[2:].min()
    assert lowest < 10  # else nothing was shown: these would have been lifted to 12
    own = find_peaks(said.expected[:2], grid)
    for row in range(2):
        for ours, theirs in zip(said.peaks.of(row), own.of(row), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_compositions_that_are_like_no_other_teach_nothing_and_break_nothing() -> None:
    reference = reference_of([crystals()[0], cscl()])
    one, other = (untrained(reference).predict([*reference.formulas, *STRANGE]) for _ in range(2))
    assert not one.known.any()
    np.testing.assert_array_equal(one.expected, other.expected)
    np.testing.assert_allclose(one.expected[:2], reference.patterns[::-1], atol=1e-3)  # each has the other's


def test_what_nothing_is_known_of_gets_the_mean_pattern_of_others() -> None:
    made = [*crystals()[:12], cscl()]
    reference = reference_of(made)
    model = untrained(reference)
    said = model.predict([made[-1].formula, *STRANGE])
    mean = MeanPattern().fit(reference).predict([made[-1].formula, *STRANGE])
    np.testing.assert_allclose(said.expected, mean, atol=1e-3)
    assert not said.known.any()


def test_a_compositions_own_structure_makes_no_difference(model: CandidateModel, reference: Reference) -> None:
    own = 17
    target: list[Formula] = [reference.formulas[own]]
    made = list(reference.crystals)
    made[own] = replace(made[own], lattice=made[own].lattice * np.array([[1.3], [0.9], [1.7]]))
    kinds = [*model.library.kinds[:own], *protostructures([made[own]]), *model.library.kinds[own + 1 :]]
    changed = replace(model, library=TemplateLibrary(reference.formulas, made, kinds, model.library.additive))
    np.testing.assert_array_equal(changed.predict(target).expected, model.predict(target).expected)
    near = [reference.formulas[own + 3]]  # which may be made from it
    assert changed.library.candidates(near, model.volumes).mask.any()


def test_the_same_seed_gives_the_same_numbers_and_files_give_them_back(
    model: CandidateModel, reference: Reference, tmp_path: Path
) -> None:
    before = model.predict(TARGETS)
    save(model, tmp_path / "kept")
    for other in (untrained(reference), load(tmp_path / "kept")):
        after = other.predict(TARGETS)
        np.testing.assert_array_equal(after.expected, before.expected)
        np.testing.assert_array_equal(after.decoded, before.decoded)
        np.testing.assert_array_equal(after.peak_probability, before.peak_probability)
    with pytest.raises(CheckpointError, match="holds no candidate model"):
        load(tmp_path / "absent")


def test_the_answers_of_an_ensemble_are_averaged(reference: Reference) -> None:
    pair = untrained(reference, seeds=(1, 2))
    first, second = (replace(pair, nets=(net,)) for net in pair.nets)
    raw = [each._ask(TARGETS)[2] for each in (first, second, pair)]
    assert not np.allclose(raw[0], raw[1], rtol=1e-3, atol=0)
    np.testing.assert_allclose(raw[2], (raw[0] + raw[1]) / 2, rtol=1e-12)


def test_a_compact_model_shares_positions_and_says_nearly_the_same(model: CandidateModel, tmp_path: Path) -> None:
    small = model.compact()
    assert small.library.formulas == model.library.formulas
    for before, after in zip(model.library.crystals, small.library.crystals, strict=True):
        assert after.formula == before.formula
        assert after.volume == pytest.approx(before.volume, rel=1e-6)
    ours, theirs = small.predict(TARGETS).expected, model.predict(TARGETS).expected
    assert ((ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)).min() > 0.99
    save(small, tmp_path / "small")
    again = load(tmp_path / "small").predict(TARGETS)
    np.testing.assert_array_equal(again.expected, small.predict(TARGETS).expected)
    np.testing.assert_array_equal(again.decoded, small.predict(TARGETS).decoded)


def test_what_was_learned_from_is_known_after_compaction_too(tmp_path: Path) -> None:
    odd = cscl()  # the only one of its kind: compaction leaves it out
    reference = reference_of([*crystals()[:12], odd])
    model = untrained(reference)
    small = model.compact()
    assert odd.formula in model.library.formulas
    assert odd.formula not in small.library.formulas
    save(small, tmp_path / "small")
    again = load(tmp_path / "small")
    new = [parse_formula(text) for text in ("EuTiO3", "SrHfO3", *map(str, STRANGE))]
    asked = [odd.formula, *reference.formulas[:2], *new]
    for each in (model, small, again):
        assert each.library.learned.has(asked).tolist() == [True] * 3 + [False] * 4
        assert len(each.library.learned) == 13
    assert CandidatePredictor.load(tmp_path / "small").learned(asked).sum() == 3


def test_volumes_of_a_composition_that_compaction_left_out_are_of_trees_that_did_not_see_it(
    model: CandidateModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_out, new = (parse_formula(text) for text in ("EuTiO3", "EuZrO3"))
    gone = replace(model.library, learned_from=LearnedFrom.of([*model.library.formulas, left_out]))
    asked: list[set[bool]] = []

    def noted(_: TemplateVolumes, __: np.ndarray, fold: np.ndarray, learned: np.ndarray) -> np.ndarray:
        asked.append(set(learned.tolist()))
        return np.zeros(len(fold))

    monkeypatch.setattr(TemplateVolumes, "predict", noted)
    for formula in (left_out, new, model.library.formulas[0]):
        gone.candidates([formula], model.volumes)
    assert asked == [{True}, {False}, {True}]


def test_weights_of_before_that_do_not_tell_what_they_learned_from_can_be_loaded(
    model: CandidateModel, tmp_path: Path
) -> None:
    save(model, tmp_path / "kept")
    facts = json.loads((tmp_path / "kept/model.json").read_text())
    del facts["files"]["learned.safetensors"]
    (tmp_path / "kept/model.json").write_text(json.dumps(facts))
    (tmp_path / "kept/learned.safetensors").unlink()
    again = load(tmp_path / "kept")
    np.testing.assert_array_equal(again.predict(TARGETS).decoded, model.predict(TARGETS).decoded)
    assert again.library.learned.has(model.library.formulas[:3]).all()


def test_elements_of_equal_count_are_tried_in_every_way_while_these_are_few() -> None:
    def ways(counts: list[int]) -> list[np.ndarray]:
        old, new = np.arange(20, 20 + len(counts)), np.arange(40, 40 + len(counts))
        return _assignments((old, np.array(counts)), (new, np.array(counts)))

    assert [len(ways(counts)) for counts in ([1], [1, 1, 3], [1, 1, 1], [1] * 4, [1] * 8)] == [1, 2, 6, 24, 1]
    for counts in ([1, 1, 3, 3], [1] * 8):
        for way in ways(counts):
            assert sorted(way[20 : 20 + len(counts)]) == list(range(40, 40 + len(counts)))
    assert _assignments((np.array([1, 2]), np.array([1, 2])), (np.array([3, 4]), np.array([1, 3]))) == []


def test_templates_that_differ_little_share_their_positions() -> None:
    rng = np.random.default_rng(0)
    made = [replace(each, frac_coords=each.frac_coords + rng.normal(0, 5e-4, (5, 3))) for each in crystals()]
    kept = share_geometry(library_of(made), XRD)
    assert len(Geometries.of(made).n_sites) == 60
    assert len(Geometries.of(kept.crystals).n_sites) <= 2  # kinds: cubic and stretched
    before, after = (simulate(each, XRD)[0] for each in (made, kept.crystals))
    cosine = (before * after).sum(axis=1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
    assert cosine.min() >= 0.99


def test_kinds_of_one_composition_are_not_in_a_compact_model() -> None:
    made = [*crystals(), cscl()]
    kept = share_geometry(library_of(made), XRD)
    assert cscl().formula not in kept.formulas
    assert len(kept.formulas) == len(made) - 1


@given(st.integers(0, 99))
@settings(max_examples=20)
def test_crystals_taken_apart_are_put_together_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = []
    for n in rng.integers(1, 9, 12):
        coords = rng.random((n, 3)) if rng.random() < 0.7 else np.full((n, 3), 0.25)
        filled = rng.choice([0.5, 1.0], n)
        made.append(Crystal(rng.random((3, 3)), rng.integers(1, 119, n), coords, filled))
    for before, after in zip(made, Geometries.of(made).crystals(), strict=True):
        for name in ("lattice", "atomic_numbers", "frac_coords", "occupancies"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


@pytest.mark.parametrize("name", ["library.safetensors", "networks.safetensors", "volumes.safetensors"])
def test_a_changed_file_is_refused(model: CandidateModel, tmp_path: Path, name: str) -> None:
    save(model, tmp_path / "kept")
    file = tmp_path / "kept" / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name} does not match the hash"):
        load(tmp_path / "kept")


def test_a_grid_that_does_not_suit_the_networks_is_refused(reference: Reference) -> None:
    odd = XrdSettings(n_points=1001)
    with pytest.raises(ConfigError, match="multiple of 16, not two_theta and 1001"):
        CandidateModel.prepare(Reference(reference.formulas, reference.crystals, reference.patterns[:, :1001], odd))
