"""Baselines against brute force, hand-made structures, and changes that must make no difference."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Crystal, Formula, parse_formula
from deepxrd.chem.element_distance import element_distances, element_properties
from deepxrd.errors import ConfigError, SelectionError
from deepxrd.metrics import score_patterns
from deepxrd.models.baselines import (
    Comb,
    MeanPattern,
    Model,
    NearestPattern,
    OracleVolume,
    PolymorphOracle,
    RandomPattern,
    Reference,
    Substitution,
    TemplateOracle,
    Truth,
)
from deepxrd.models.baselines.neighbours import NeighbourSearch
from deepxrd.models.baselines.volumes import AdditiveVolumes, formula_unit_volume
from deepxrd.xrd import XrdSettings, find_peaks, simulate

XRD = XrdSettings()
TRAINING = (
    *("SrTiO3", "BaZrO3", "CaSiO3", "LaAlO3", "KMgF3", "NaNbO3", "CsPbI3", "LiTaO3", "RbCdCl3", "KNiF3"),
    *("LiAlSi", "NaZnAs", "KZnSb", "LiCdP", "CaMgGe", "ScNiSb", "ZrCoBi", "Fe2O3"),
)
TARGETS = ("PbTiO3", "RbMgF3", "CaTiO3", "LiMgAs", "TiNiSn", "KCdSb", "CsSnBr3", "Al2O3")
HONEST = [MeanPattern, Comb, RandomPattern, NearestPattern, Substitution]
ORACLES = [OracleVolume, TemplateOracle, PolymorphOracle]


def formulas(texts: Sequence[str]) -> list[Formula]:
    return [parse_formula(text) for text in texts]


def made_up(formula: Formula, rng: np.random.Generator, *, copies: int = 1) -> Crystal:
    """A triclinic cell with the atoms at random places: no two structures are alike."""
    numbers = [ATOMIC_NUMBERS[symbol] for symbol, count in formula.counts for _ in range(count * copies)]
    edges = (15.0 * len(numbers)) ** (1 / 3)
    lattice = edges * (np.eye(3) + 0.15 * rng.standard_normal((3, 3)))
    return Crystal(lattice, np.array(numbers), rng.random((len(numbers), 3)), np.ones(len(numbers)))


def reference_of(texts: Sequence[str], seed: int = 0) -> Reference:
    rng = np.random.default_rng(seed)
    known = formulas(texts)
    crystals = [made_up(formula, rng, copies=1 + row % 2) for row, formula in enumerate(known)]
    return Reference(known, crystals, simulate(crystals, XRD)[0], XRD)


def truth_of(texts: Sequence[str], seed: int = 1) -> Truth:
    """Made-up truths, with two other structures of each composition but the second, which has none."""
    rng = np.random.default_rng(seed)
    crystals = [made_up(formula, rng) for formula in formulas(texts)]
    others = [[made_up(formula, rng) for _ in range(2 * (row != 1))] for row, formula in enumerate(formulas(texts))]
    return Truth(crystals, simulate(crystals, XRD)[0], others)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(TRAINING)


def perovskite(a: str, b: str, x: str, length: float) -> Crystal:
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in (a, b, x, x, x)])
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(length * np.eye(3), numbers, coords, np.ones(5))


# what "nearest" means, spelled out site by site with pymatgen's own values


def point(symbol: str) -> NDArray[np.float64]:
    from pymatgen.core import Element

    element = Element(symbol)
    radius = float(element.atomic_radius)
    return np.array([element.mendeleev_no / 12, 1.5 * element.X, 2 * radius, element.group / 8, element.row / 4])


def brute_force(target: Formula, template: Formula) -> tuple[float, dict[str, str]]:
    """Least distance over all assignments of elements that keep counts, and what takes whose place."""
    ours, theirs = dict(target.counts), dict(template.counts)
    best: tuple[float, dict[str, str]] = (math.inf, {})
    if sorted(ours.values()) == sorted(theirs.values()) and ours != theirs:
        for order in itertools.permutations(ours):
            mapping = dict(zip(theirs, order, strict=True))
            if all(theirs[old] == ours[new] for old, new in mapping.items()):
                sites = [(old, mapping[old]) for old, count in theirs.items() for _ in range(count)]
                total = sum(float(np.linalg.norm(point(old) - point(new))) for old, new in sites)
                best = min(best, (total, mapping), key=lambda pair: pair[0])
    return best


@pytest.mark.parametrize("k", [1, 3])
def test_the_nearest_are_those_of_brute_force(k: int) -> None:
    templates, targets = formulas(TRAINING), formulas([*TARGETS, *TRAINING])
    found = NeighbourSearch(templates).nearest(targets, k)
    for row, target in enumerate(targets):
        every = [brute_force(target, template) for template in templates]
        order = sorted((each[0], place) for place, each in enumerate(every) if each[0] < math.inf)[:k]
        n = len(order)
        assert found.row[row].tolist() == [place for _, place in order] + [-1] * (k - n)
        assert found.distance[row, :n].tolist() == pytest.approx([distance for distance, _ in order])
        for rank, (_, place) in enumerate(order):
            pairs = zip(found.old[row, rank].tolist(), found.new[row, rank].tolist(), strict=True)
            mapping = {SYMBOLS[old - 1]: SYMBOLS[new - 1] for old, new in pairs if old}
            assert mapping == every[place][1]


def test_one_target_has_no_template_but_itself() -> None:
    search = NeighbourSearch(formulas(TRAINING))
    asked = formulas(["Fe2O3", "Al2O3", "NaCl", "SrTiO3"])
    assert search.has_any(asked).tolist() == [False, True, False, True]
    assert (search.nearest(asked).row[:, 0] >= 0).tolist() == [False, True, False, True]


def test_a_composition_that_occurs_twice_is_left_out_twice() -> None:
    search = NeighbourSearch(formulas(["SrTiO3", "SrTiO3"]))
    assert search.has_any(formulas(["TiSrO3", "BaTiO3"])).tolist() == [False, True]
    assert search.nearest(formulas(["SrTiO3"]), 2).row.tolist() == [[-1, -1]]


def test_distances_of_elements_are_a_metric_of_pymatgens_values() -> None:
    distances = element_distances()
    assert np.isfinite(distances).all()
    assert np.array_equal(distances, distances.T)
    assert np.count_nonzero(np.diag(distances)) == 0
    for one, other in itertools.combinations(["H", "Li", "O", "Fe", "La", "U"], 2):
        expected = np.linalg.norm(point(one) - point(other))
        assert distances[ATOMIC_NUMBERS[one], ATOMIC_NUMBERS[other]] == pytest.approx(expected)


def test_missing_properties_are_those_of_the_nearest_lighter_element() -> None:
    table = element_properties()
    helium, hydrogen, argon, chlorine = (table[ATOMIC_NUMBERS[symbol]] for symbol in ("He", "H", "Ar", "Cl"))
    assert helium[1:3].tolist() == hydrogen[1:3].tolist()
    assert argon[1] == chlorine[1]
    assert argon[2] == pytest.approx(2 * 0.71)


# volumes


def test_additive_volumes_are_found_where_volumes_are_additive() -> None:
    true = {"Sr": 30.0, "Ba": 40.0, "Ti": 12.0, "Zr": 20.0, "O": 10.0}
    known = formulas(["SrTiO3", "BaTiO3", "SrZrO3", "Sr2TiO4", "TiO"])
    crystals = []
    for formula in known:
        volume = sum(true[symbol] * count for symbol, count in formula.counts)
        crystals.append(scaled(made_up(formula, np.random.default_rng(0), copies=2), 2 * volume))
    volumes = AdditiveVolumes(known, crystals)
    for symbol, volume in true.items():
        assert volumes.volume_angstrom3[ATOMIC_NUMBERS[symbol]] == pytest.approx(volume)
    ratio = volumes.ratio(formulas(["BaZrO3"]), formulas(["SrTiO3"]))
    assert ratio.tolist() == pytest.approx([90 / 72])
    assert (volumes.volume_angstrom3 >= 0).all()
    # hafnium does not occur: zirconium is the nearest that does
    assert volumes.volume_angstrom3[ATOMIC_NUMBERS["Hf"]] == volumes.volume_angstrom3[ATOMIC_NUMBERS["Zr"]]


def test_volumes_minimise_relative_errors(reference: Reference) -> None:
    volumes = AdditiveVolumes(reference.formulas, reference.crystals)
    true = np.array([formula_unit_volume(*pair) for pair in zip(reference.crystals, reference.formulas, strict=True)])
    least = np.sum((volumes.of(reference.formulas) / true - 1) ** 2)
    rng = np.random.default_rng(0)
    best = volumes.volume_angstrom3.copy()
    for _ in range(200):
        volumes.volume_angstrom3 = np.maximum(best + 0.3 * rng.standard_normal(len(best)), 0.0)
        assert np.sum((volumes.of(reference.formulas) / true - 1) ** 2) >= least


def test_one_cell_of_vacuum_does_not_spoil_the_volumes() -> None:
    known = formulas(TRAINING)
    crystals = [scaled(made_up(f, np.random.default_rng(0)), 15.0 * sum(n for _, n in f.counts)) for f in known]
    crystals[0] = scaled(crystals[0], 100 * crystals[0].volume)
    volumes = AdditiveVolumes(known, crystals)
    assert volumes.of(known[1:]).tolist() == pytest.approx(
        [15.0 * sum(n for _, n in f.counts) for f in known[1:]], rel=0.5
    )


def scaled(crystal: Crystal, volume: float) -> Crystal:
    return replace(crystal, lattice=crystal.lattice * (volume / crystal.volume) ** (1 / 3))


def structures_of(
    model: Substitution, targets: Sequence[Formula], patch: pytest.MonkeyPatch, *, oracle: Truth | None = None
) -> list[Crystal]:
    """The structures that a model simulates for compositions that all have a template."""
    made: list[Crystal] = []

    def noted(crystals: list[Crystal], xrd: XrdSettings) -> tuple[NDArray[np.float32], list[str | None]]:
        made.extend(crystals)
        return simulate(crystals, xrd)

    patch.setattr("deepxrd.models.baselines.templates.simulate", noted)
    model.predict(targets, oracle=oracle)
    assert len(made) == len(targets)
    return made


# substitution


def test_a_perovskite_becomes_the_perovskite_of_other_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    true = {"Sr": 30.0, "Ba": 40.0, "Ti": 12.0, "Zr": 20.0, "O": 10.0}
    lengths = {"SrTiO3": 72 ** (1 / 3), "BaTiO3": 82 ** (1 / 3), "SrZrO3": 80 ** (1 / 3)}
    crystals = [perovskite("Sr", "Ti", "O", lengths["SrTiO3"]), perovskite("Ba", "Ti", "O", lengths["BaTiO3"])]
    crystals.append(perovskite("Sr", "Zr", "O", lengths["SrZrO3"]))
    known = formulas(list(lengths))
    learned = Reference(known, crystals, simulate(crystals, XRD)[0], XRD)
    target = formulas(["BaZrO3"])
    expected = perovskite("Ba", "Zr", "O", (true["Ba"] + true["Zr"] + 3 * true["O"]) ** (1 / 3))
    model = Substitution().fit(learned)
    (structure,) = structures_of(model, target, monkeypatch)
    assert structure.volume == pytest.approx(90.0)
    assert structure.atomic_numbers.tolist() == expected.atomic_numbers.tolist()
    np.testing.assert_allclose(model.predict(target), simulate([expected], XRD)[0], atol=1e-3)


def test_elements_swap_places_at_once_and_partial_occupancies_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    template = perovskite("Ti", "Sr", "O", 4.0)  # the elements of the target, the other way round, and another anion
    shared = replace(template, occupancies=np.array([1.0, 1.0, 0.5, 1.0, 1.0]))
    known = [shared.formula]
    learned = Reference(known, [shared], simulate([shared], XRD)[0], XRD)
    target = parse_formula("Sr2Ti2S5")
    (structure,) = structures_of(Substitution(rescale=False).fit(learned), [target], monkeypatch)
    assert structure.formula == target
    assert structure.occupancies.tolist() == shared.occupancies.tolist()
    assert structure.atomic_numbers.tolist() == [22, 38, 16, 16, 16]


def test_substitution_keeps_the_composition_and_the_shape_of_the_cell(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = formulas(TARGETS)
    rows = NeighbourSearch(reference.formulas).nearest(targets).row[:, 0]
    model = Substitution().fit(reference)
    volumes = AdditiveVolumes(reference.formulas, reference.crystals)
    for target, row, made in zip(targets, rows, structures_of(model, targets, monkeypatch), strict=True):
        template = reference.crystals[row]
        assert made.formula == target
        factor = volumes.of([target])[0] / volumes.of([reference.formulas[row]])[0]
        np.testing.assert_allclose(made.lattice, template.lattice * factor ** (1 / 3))
        assert made.volume == pytest.approx(template.volume * factor)
        np.testing.assert_array_equal(made.frac_coords, template.frac_coords)


def test_without_rescaling_the_lattice_is_the_templates(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = formulas(TARGETS)
    rows = NeighbourSearch(reference.formulas).nearest(targets).row[:, 0]
    model = Substitution(rescale=False).fit(reference)
    for row, made in zip(rows, structures_of(model, targets, monkeypatch), strict=True):
        np.testing.assert_array_equal(made.lattice, reference.crystals[row].lattice)


def test_nearest_copies_the_pattern_of_the_nearest(reference: Reference) -> None:
    targets = formulas(TARGETS)
    rows = NeighbourSearch(reference.formulas).nearest(targets).row[:, 0]
    np.testing.assert_array_equal(NearestPattern().fit(reference).predict(targets), reference.patterns[rows])


def test_where_no_template_is_the_mean_pattern_stands_and_is_counted(reference: Reference) -> None:
    asked = formulas(["NaCl", "PbTiO3", "Fe2O3"])
    mean = MeanPattern().fit(reference).predict(asked)
    truth = truth_of(["NaCl", "PbTiO3", "Fe2O3"])
    for model in (NearestPattern(), Substitution(), OracleVolume(), TemplateOracle()):
        patterns = model.fit(reference).predict(asked, oracle=truth)
        assert model.fallbacks(asked).tolist() == [True, False, True]
        assert (patterns == mean).all(axis=1).tolist() == [True, False, True]


# oracles


def test_oracle_volume_has_the_true_volume(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    targets, truth = formulas(TARGETS), truth_of(TARGETS)
    made = structures_of(OracleVolume().fit(reference), targets, monkeypatch, oracle=truth)
    for target, structure, true in zip(targets, made, truth.crystals, strict=True):
        assert structure.formula == target
        assert formula_unit_volume(structure, target) == pytest.approx(formula_unit_volume(true, target))


def test_template_oracle_takes_the_best_of_k_by_cosine(reference: Reference) -> None:
    # with another seed it may be that no other template is better than the nearest
    targets, truth = formulas(TARGETS), truth_of(TARGETS, seed=2)

    def cosine(patterns: NDArray[np.float32]) -> NDArray[np.float64]:
        return score_patterns(patterns, truth.patterns, XRD.two_theta_deg)["cosine_distance"]

    np.testing.assert_array_equal(
        TemplateOracle(k=1).fit(reference).predict(targets, oracle=truth),
        Substitution().fit(reference).predict(targets),
    )
    # each template alone, by taking away those that are nearer
    found = NeighbourSearch(reference.formulas).nearest(targets, 3)
    singles = np.full((len(targets), 3), np.inf)
    volumes = AdditiveVolumes(reference.formulas, reference.crystals)
    for row, target in enumerate(targets):
        for rank in range(3):
            place = int(found.row[row, rank])
            if place >= 0:
                mapping = brute_force(target, reference.formulas[place])[1]
                old = reference.crystals[place]
                numbers = [ATOMIC_NUMBERS[mapping[SYMBOLS[z - 1]]] for z in old.atomic_numbers]
                factor = volumes.ratio([target], [reference.formulas[place]])[0]
                new = scaled(replace(old, atomic_numbers=np.array(numbers)), old.volume * factor)
                pattern = simulate([new], XRD)[0]
                one = score_patterns(pattern, truth.patterns[row : row + 1], XRD.two_theta_deg)
                singles[row, rank] = one["cosine_distance"][0]
    best = cosine(TemplateOracle(k=3).fit(reference).predict(targets, oracle=truth))
    np.testing.assert_allclose(best, singles.min(axis=1), atol=1e-5)
    assert (best < singles[:, 0] - 1e-3).any()


def test_polymorph_oracle_takes_the_best_other_structure_by_cosine(reference: Reference) -> None:
    targets, truth = formulas(TARGETS), truth_of(TARGETS)
    assert truth.polymorphs is not None
    model = PolymorphOracle().fit(reference)
    predicted = model.predict(targets, oracle=truth)
    mean = MeanPattern().fit(reference).predict(targets)
    for row, others in enumerate(truth.polymorphs):
        if not others:
            continue
        patterns = simulate(others, XRD)[0]
        norms = np.linalg.norm(patterns, axis=1) * np.linalg.norm(truth.patterns[row])
        best = int(np.argmax(patterns @ truth.patterns[row] / norms))
        np.testing.assert_allclose(predicted[row], patterns[best], atol=1e-3)
    np.testing.assert_array_equal(predicted[1], mean[1])
    assert model.fallbacks(targets, oracle=truth).tolist() == [row == 1 for row in range(len(targets))]


def test_polymorph_oracle_knows_neither_the_true_structure_nor_the_compositions_own_row(reference: Reference) -> None:
    own = 3
    target = [reference.formulas[own]]
    rng = np.random.default_rng(5)
    other = [[made_up(target[0], rng)]]
    truth = Truth([reference.crystals[own]], reference.patterns[own : own + 1], other)
    model = PolymorphOracle().fit(reference)
    np.testing.assert_allclose(model.predict(target, oracle=truth), simulate(other[0], XRD)[0], atol=1e-3)
    lonely = replace(truth, polymorphs=[[]])
    np.testing.assert_array_equal(
        model.predict(target, oracle=lonely), MeanPattern().fit(reference).predict(target)
    )  # and that mean leaves the composition's own pattern out


def test_polymorph_oracle_wants_to_be_told_of_the_other_structures(reference: Reference) -> None:
    truth = replace(truth_of(TARGETS), polymorphs=None)
    with pytest.raises(ConfigError, match=r"needs the other structures of 8 compositions .*, got none"):
        PolymorphOracle().fit(reference).predict(formulas(TARGETS), oracle=truth)


@pytest.mark.parametrize("kind", ORACLES)
def test_an_oracle_without_the_truth_is_refused(kind: type[Model], reference: Reference) -> None:
    model = kind().fit(reference)
    assert model.needs_oracle
    with pytest.raises(ConfigError, match=f"{kind.__name__} is an oracle"):
        model.predict(formulas(TARGETS))
    with pytest.raises(ConfigError, match="8 formulas, but an oracle of 1 crystals"):
        model.predict(formulas(TARGETS), oracle=truth_of(["PbTiO3"]))


# what must make no difference


@pytest.mark.parametrize("kind", HONEST)
def test_the_truth_about_the_targets_changes_no_prediction(kind: type[Model], reference: Reference) -> None:
    targets = formulas(TARGETS)
    model = kind().fit(reference)
    assert not model.needs_oracle
    without = model.predict(targets)
    for seed in (1, 2):
        np.testing.assert_array_equal(model.predict(targets, oracle=truth_of(TARGETS, seed)), without)


@pytest.mark.parametrize("kind", ORACLES)
def test_the_truth_does_change_what_an_oracle_says(kind: type[Model], reference: Reference) -> None:
    model = kind().fit(reference)
    one, other = (model.predict(formulas(TARGETS), oracle=truth_of(TARGETS, seed)) for seed in (1, 2))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("model", [MeanPattern(), RandomPattern(seed=3), NearestPattern(), Substitution(rescale=False)])
def test_no_composition_is_predicted_from_itself(model: Model, reference: Reference) -> None:
    own = 3
    target = [reference.formulas[own]]
    expected = model.fit(reference).predict(target)
    crystals, patterns = list(reference.crystals), reference.patterns.copy()
    crystals[own], patterns[own] = made_up(target[0], np.random.default_rng(9)), 100.0
    changed = Reference(reference.formulas, crystals, patterns, XRD)
    np.testing.assert_allclose(model.fit(changed).predict(target), expected, atol=1e-4)
    if not isinstance(model, RandomPattern):  # whose draw depends on how many there are
        keep = [row for row in range(len(crystals)) if row != own]
        smaller = Reference(
            [reference.formulas[row] for row in keep], [crystals[row] for row in keep], patterns[keep], XRD
        )
        np.testing.assert_allclose(model.fit(smaller).predict(target), expected, atol=1e-4)


@pytest.mark.parametrize("kind", [*HONEST, *ORACLES])
def test_predictions_repeat_and_do_not_depend_on_the_company(kind: type[Model], reference: Reference) -> None:
    targets, truth = formulas(TARGETS), truth_of(TARGETS)
    patterns = kind().fit(reference).predict(targets, oracle=truth)
    assert patterns.shape == (len(targets), XRD.n_points)
    assert patterns.dtype == np.float32
    assert patterns.min() >= -1e-3
    assert patterns.max(axis=1).tolist() == pytest.approx([100.0] * len(targets), rel=1e-5)
    np.testing.assert_array_equal(kind().fit(reference).predict(targets, oracle=truth), patterns)
    assert truth.polymorphs is not None
    alone = Truth(truth.crystals[4:5], truth.patterns[4:5], truth.polymorphs[4:5])
    np.testing.assert_array_equal(kind().fit(reference).predict(targets[4:5], oracle=alone)[0], patterns[4])
    assert kind().fit(reference).predict([], oracle=Truth([], patterns[:0], [])).shape == (0, XRD.n_points)


@pytest.mark.parametrize("kind", [MeanPattern, NearestPattern, Substitution])
def test_the_order_of_the_reference_does_not_matter(kind: type[Model], reference: Reference) -> None:
    order = np.random.default_rng(0).permutation(len(reference.formulas))
    crystals = [reference.crystals[row] for row in order]
    shuffled = Reference([reference.formulas[row] for row in order], crystals, reference.patterns[order], XRD)
    one, other = (kind().fit(each).predict(formulas(TARGETS)) for each in (reference, shuffled))
    np.testing.assert_allclose(one, other, atol=1e-2)


def test_random_patterns_depend_on_the_seed_and_reach_all_others(reference: Reference) -> None:
    targets = formulas(TRAINING)
    drawn = [RandomPattern(seed=seed).fit(reference).predict(targets) for seed in range(100)]
    assert not np.array_equal(drawn[0], drawn[1])
    for own in range(len(targets)):
        rows = {int(np.flatnonzero((reference.patterns == each[own]).all(axis=1))[0]) for each in drawn}
        assert own not in rows
        assert len(rows) > 0.9 * (len(targets) - 1)


# the mean and the comb


def test_the_mean_is_that_of_all_training_patterns_scaled(reference: Reference) -> None:
    mean = np.mean(reference.patterns, axis=0, dtype=np.float64)
    expected = np.tile(100 * mean / mean.max(), (3, 1))
    np.testing.assert_allclose(MeanPattern().fit(reference).predict(formulas(TARGETS[:3])), expected, rtol=1e-5)


@pytest.mark.parametrize("xrd", [XRD, XrdSettings(n_points=1801), XrdSettings(axis="q", n_points=4096)])
def test_a_comb_of_every_two_degrees_finds_every_peak(xrd: XrdSettings, reference: Reference) -> None:
    n = len(reference.formulas)
    true, _ = simulate(reference.crystals, xrd)
    learned = Reference(reference.formulas, reference.crystals, true, xrd)
    combs = Comb(step_deg=2.0, start_deg=0.0).fit(learned).predict(reference.formulas)
    scores = score_patterns(combs, true, xrd.two_theta_deg)
    assert scores["peak_recall_2deg"].tolist() == [1.0] * n
    assert scores["peak_precision_2deg"].max() < 0.6


def test_the_teeth_of_a_comb_survive_merging(reference: Reference) -> None:
    peaks = find_peaks(Comb(step_deg=4.0, start_deg=20.0).fit(reference).predict(formulas(["NaCl"])), XRD.two_theta_deg)
    teeth, heights = peaks.of(0)
    assert teeth[0] == pytest.approx(20.0, abs=XRD.step)
    assert (np.diff(teeth) >= 4.0).all()
    assert (np.diff(teeth) < 4.0 + XRD.step).all()
    assert teeth[-1] > 180.0 - 4.0 - XRD.step
    assert heights.tolist() == [100.0] * len(teeth)


# bad input


@pytest.mark.parametrize("kind", [*HONEST, *ORACLES])
def test_a_baseline_that_was_not_fitted_says_so(kind: type[Model]) -> None:
    with pytest.raises(ConfigError, match=rf"{kind.__name__} was asked for patterns before fit"):
        kind().predict(formulas(TARGETS), oracle=truth_of(TARGETS))


@pytest.mark.parametrize("kind", [MeanPattern, RandomPattern, NearestPattern, Substitution])
def test_nothing_but_itself_to_learn_from_is_refused(kind: type[Model]) -> None:
    model = kind().fit(reference_of(["SrTiO3"]))
    with pytest.raises(SelectionError, match="nothing but SrTiO3"):
        model.predict(formulas(["SrTiO3"]))


def test_a_reference_that_does_not_fit_together_is_refused(reference: Reference) -> None:
    with pytest.raises(SelectionError, match="no compositions"):
        Reference([], [], np.zeros((0, 1024), dtype=np.float32), XRD)
    with pytest.raises(ConfigError, match=r"18 formulas need as many crystals and patterns \(18, 1024\)"):
        replace(reference, patterns=reference.patterns[:, :500])
    with pytest.raises(ConfigError, match="not 17 and"):
        replace(reference, crystals=reference.crystals[1:])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Comb(step_deg=0.0), "positive angle apart, not 0"),
        (lambda: Comb(start_deg=190.0).fit(reference_of(["NaCl"])), "no tooth within 0–180"),
        (lambda: TemplateOracle(k=0), "best of 0 templates"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("kind", [*HONEST, *ORACLES])
def test_any_number_of_elements_in_any_amounts_is_predicted(kind: type[Model]) -> None:
    known = ["Si", "C", "KBr", "SrTiO3", "Ca5P3O13", "Mg12Al19", "LiFePO4", "NaMgPO4", "Cs2AgBiBr6", "K2NaAlF6"]
    asked = ["Ge", "CsI", "BaTiO3", "Sr5As3O13", "Zn12Al19", "LiMnPO4", "Rb2NaGaF6", "NaCaMnFeCoNiPO12", "Xe60He46"]
    model = kind().fit(reference_of(known))
    oracle = truth_of(asked)
    patterns = model.predict(formulas(asked), oracle=oracle)
    assert patterns.shape == (len(asked), XRD.n_points)
    assert np.isfinite(patterns).all()
    np.testing.assert_allclose(patterns.max(axis=1), 100, atol=0.01)
    if kind in (NearestPattern, Substitution):
        assert model.fallbacks(formulas(asked)).tolist() == [False] * 7 + [True] * 2
