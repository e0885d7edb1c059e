"""Phases of made scans, whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import Crystal, Formula, parse_formula
from deepxrd.errors import ConfigError
from deepxrd.library import SHIPPED, AsymmetricUnit, Library, SourceFacts, find_asymmetric_unit
from deepxrd.matching.candidate import Candidate, candidates_for
from deepxrd.matching.cells import refined_cell, refined_crystal
from deepxrd.matching.confidence import CONFIDENT, FEWEST_LINES, Agreement, first_is_right, probabilities
from deepxrd.matching.lines import heights_misfit
from deepxrd.matching.match import match_scan
from deepxrd.matching.mixture import LEAST_WEIGHT, _best_of, settled, together
from deepxrd.matching.model import N_PARAMETERS, SCALE, STRAIN, TEXTURE
from deepxrd.matching.observed import observe
from deepxrd.matching.output import NO_MATCH, match_text, notes, refined_cif, verdict, write_match
from deepxrd.matching.phases import COMPUTED_DOUBT, PREDICTED, PhaseToTry
from deepxrd.matching.predicted import predicted_phases
from deepxrd.matching.reflections import Reflections, reflections
from deepxrd.matching.single import CELL_WEIGHT, Fit, best_single, distinct
from deepxrd.prediction.predictor import CandidatePredictor
from deepxrd.scans.scan import Scan, ScanRange
from deepxrd.xrd.radiation import tube
from made_candidates import crystals, reference_of, untrained
from made_scans import LABORATORY, made_scan, perovskite, rock_salt, simulated

MADE = SourceFacts("made here", "", "", held_out=False)


def to_try(text: str, crystal: Crystal, setting: int, *, hull: float = 0.0) -> PhaseToTry:
    return PhaseToTry(parse_formula(text), crystal, setting, setting, f"made-{text}", MADE, hull)


PHASES = [
    to_try("SrTiO3", perovskite(3.945), 221),
    to_try("CaTiO3", perovskite(3.89, large=20), 221, hull=0.05),
    to_try("BaZrO3", perovskite(4.25, 56, 40), 221),
    to_try("MgO", rock_salt(4.25, 12, 8), 225),
    to_try("NaCl", rock_salt(5.69, 11, 17), 225),
    to_try("NiO", rock_salt(4.21, 28, 8), 225),
]


def test_one_phase_is_found_with_its_cell_under_a_hump_of_glass(tmp_path: Path) -> None:
    scan = made_scan(simulated([perovskite(3.905)]), [1.0], hump=800.0)
    found = match_scan(observe(scan), PHASES)
    assert [str(each.fit.phase.formula) for each in found.phases] == ["SrTiO3"]
    assert found.phases[0].probability > CONFIDENT
    assert found.is_confident
    assert verdict(found) == "confident match"
    cell = refined_cell(found.phases[0].fit.phase, found.phases[0].fit.parameters)
    np.testing.assert_allclose(cell, [3.905] * 3 + [90] * 3, atol=0.002)  # the candidate's is one per cent larger
    off = ((3.945 - 3.905) / 3.905 - 0.008) / COMPUTED_DOUBT  # computed cells are 0.8 % large
    assert found.phases[0].fit.strain_deviation == pytest.approx(off, abs=0.05)
    write_match(found, tmp_path, title="made")
    assert {path.name for path in tmp_path.iterdir()} == {
        "ranking.csv", "phases.json", "fit.png", "SrTiO3_made-SrTiO3.cif",
    }  # fmt: skip
    (tmp_path / "own.cif").write_text("data_own\n")
    nothing = replace(found, mixture=None, phases=(), ranking=())
    write_match(nothing, tmp_path, title="made")
    assert [path.name for path in tmp_path.glob("*.cif")] == ["own.cif"]
    write_match(found, tmp_path, title="made")
    kept = json.loads((tmp_path / "phases.json").read_text())
    assert kept["confident"] is True
    assert kept["phases"][0]["cell"]["a_angstrom"] == pytest.approx(3.905, abs=0.002)
    assert kept["unexplained_share_of_intensity"] < 0.2
    assert kept["remarks"] == []
    assert "SrTiO3 P m -3 m (221), made-SrTiO3, 100% by weight" in match_text(found)
    told = replace(found, observed=replace(found.observed, remarks=("points left out: 45 without a number",)))
    assert "  points left out: 45 without a number\n" in match_text(told)
    for probability, shown in ((0.847, "  84%  SrTiO3"), (0.85, "  85%  SrTiO3"), (0.004, "   0%  SrTiO3")):
        unsure = replace(found, phases=(replace(found.phases[0], probability=probability),))
        what = "phases" if probability >= CONFIDENT else "what fits best"
        assert f"  {what}, each with its probability:\n  {shown}" in match_text(unsure)


def test_two_phases_are_found_with_their_shares_and_no_third() -> None:
    crystals = [perovskite(3.905), rock_salt(4.212, 12, 8)]
    scan = made_scan(simulated(crystals), [1.0, 0.6])
    found = match_scan(observe(scan), PHASES)
    assert {str(each.fit.phase.formula) for each in found.phases} == {"SrTiO3", "MgO"}
    # what the made scan holds, from the areas of its strongest lines by volume: W = scale * density, as by hand
    strongest = [_strongest(crystal) for crystal in crystals]
    masses = [183.49 / 3.905**3, 4 * 40.304 / 4.212**3]
    weights = np.array([share * mass / peak for share, mass, peak in zip((1.0, 0.6), masses, strongest, strict=True)])
    expected = dict(zip(("SrTiO3", "MgO"), weights / weights.sum(), strict=True))
    for each in found.phases:
        assert each.weight_fraction == pytest.approx(expected[str(each.fit.phase.formula)], abs=0.04)


def test_shares_do_not_hang_on_how_far_cells_of_candidates_are_off() -> None:
    observed = observe(made_scan(simulated([perovskite(3.905), rock_salt(4.212, 12, 8)]), [1.0, 0.6]))
    shares = []
    for large, small in ((3.905, 4.212), (3.96, 4.15)):  # volumes 4 % large and small
        phases = [to_try("SrTiO3", perovskite(large), 221), to_try("MgO", rock_salt(small, 12, 8), 225)]
        found = match_scan(observed, phases)
        shares.append({str(each.fit.phase.formula): each.weight_fraction for each in found.phases})
    assert shares[1] == pytest.approx(shares[0], abs=0.01)  # form factors stay those of the cells as they were


def _strongest(crystal: Crystal) -> float:
    """Height of the strongest line of a unit of volume: the sum of intensities under one line of the made scan."""
    from deepxrd.matching.profile import Grid
    from deepxrd.matching.reflections import reflections

    setting = 221 if len(crystal.atomic_numbers) == 5 else 225
    found = reflections(crystal, setting, d_inverse_max=0.9, wavelength_angstrom=1.54056)
    root = np.sqrt(found.q)
    grid = Grid(0.1, 0.0002, 10, ((1.0, 1.0),), 1.54056)
    sine = root * 1.54056 / 2
    area = found.intensity * grid.factor(root) / np.sqrt(1 - sine**2) * np.exp(-0.8 * found.q / 2)  # over the angle
    return float(area.max())


def test_a_phase_that_is_not_in_the_list_is_no_confident_match() -> None:
    scan = made_scan(simulated([perovskite(3.905)]), [1.0])
    found = match_scan(observe(scan), [PHASES[3], PHASES[4]])
    assert not found.is_confident
    assert verdict(found).startswith(NO_MATCH)


def test_nothing_to_try_is_no_match() -> None:
    found = match_scan(observe(made_scan(simulated([perovskite(3.905)]), [1.0])), [])
    assert (found.phases, found.ranking, found.mixture, found.unexplained) == ((), (), None, 1.0)
    assert verdict(found) == NO_MATCH


def test_order_and_company_of_candidates_do_not_matter() -> None:
    observed = observe(made_scan(simulated([perovskite(3.905)]), [1.0], seed=3))
    one, other = match_scan(observed, PHASES), match_scan(observed, PHASES[::-1])
    assert [str(each.fit.phase.formula) for each in one.phases] == [str(e.fit.phase.formula) for e in other.phases]
    assert one.similarity == pytest.approx(other.similarity, abs=1e-4)


def test_a_predicted_structure_is_marked_and_a_formula_without_a_rival_told() -> None:
    scan = made_scan(simulated([perovskite(3.905)]), [1.0])
    phase = replace(PHASES[0], material_id=PREDICTED, source=None, energy_above_hull=None)
    found = match_scan(observe(scan), [phase])
    assert not found.phases[0].fit.phase.is_known
    assert "  only one formula was compared: " in match_text(found)
    assert "only one formula" not in match_text(match_scan(observe(scan), [phase, PHASES[1]]))


def test_a_cell_in_another_setting_than_its_symmetry_is_called_so() -> None:
    scan = made_scan(simulated([perovskite(3.905)]), [1.0])
    found = match_scan(observe(scan), [PHASES[0], replace(PHASES[1], setting=47)])
    told = match_text(found)
    assert "SrTiO3 P m -3 m (221), made-SrTiO3, 100% by weight; a b c" in told
    assert " of P m m m" not in told
    [cubic] = found.phases
    lower = replace(cubic.fit.candidate, phase=replace(cubic.fit.phase, setting=47))
    told = match_text(replace(found, phases=(replace(cubic, fit=replace(cubic.fit, candidate=lower)),)))
    assert "90.00° of P m m m" in told


@pytest.mark.parametrize("last_deg", [67.81, 67.9, 68.7])
def test_a_line_that_the_end_cuts_off_does_not_draw_the_cell(last_deg: float) -> None:
    """As the line of copper at 89.9° in a scan to 90°: its flank was taken for background."""
    scan = made_scan(simulated([perovskite(3.905)]), [1.0])
    rows = scan.two_theta_deg <= last_deg  # SrTiO3 has a line at 67.83°
    n = int(rows.sum())
    cut = replace(
        scan, two_theta_deg=scan.two_theta_deg[rows], counts=scan.counts[rows],
        uncertainty=None, ranges=(ScanRange(0, n, 0.02),),
    )  # fmt: skip
    observed = observe(cut)
    ends = float(observed.two_theta_deg[observed.measured][-1])
    assert (ends < 67.7) is (last_deg < 68)
    found = match_scan(observed, PHASES[:3])
    cell = refined_cell(found.phases[0].fit.phase, found.phases[0].fit.parameters)
    assert cell[0] == pytest.approx(3.905, abs=0.0007)


@pytest.mark.parametrize(("scanned", "number"), [((3.905, 3.905), 221), ((3.890, 3.945), 123)])
def test_an_entry_is_taken_without_a_slight_distortion_that_the_scan_does_not_show(
    scanned: tuple[float, float], number: int, tmp_path: Path
) -> None:
    """As iron and LiMn2O4 of the Materials Project, whose computed cells are not quite cubic."""
    distorted = replace(perovskite(3.945), lattice=np.diag([3.93, 3.93, 3.96]))
    entry = replace(PHASES[0], crystal=distorted, setting=123, space_group=123)
    true = replace(distorted, lattice=np.diag([scanned[0], scanned[0], scanned[1]]))
    found = match_scan(observe(made_scan(simulated([true]), [1.0])), [entry, *PHASES[1:]])
    [phase] = found.phases
    assert (phase.fit.phase.setting, phase.fit.phase.space_group) == (number, number)
    cell = refined_cell(phase.fit.phase, phase.fit.parameters)
    np.testing.assert_allclose(sorted(cell[:3]), [scanned[0], scanned[0], scanned[1]], atol=0.002)
    told = "made-SrTiO3, is taken without a distortion of less than 0.1 Å"
    assert any(told in note for note in notes(found)) is (number == 221)
    write_match(found, tmp_path, title="made")
    [kept] = json.loads((tmp_path / "phases.json").read_text())["phases"]
    assert (kept["space_group"], kept["moved_angstrom"]) == (number, 0.1 if number == 221 else 0.0)
    told = "sites moved by less than 0.1 Å to a higher symmetry." if number == 221 else "sites as they were."
    assert told in (tmp_path / kept["cif"]).read_text(encoding="utf-8")
    assert told in refined_cif(phase.fit.phase, phase.fit.parameters), "as the page shows it"


def test_predicted_structures_become_phases_that_say_how_sure_their_cells_are() -> None:
    @dataclass(frozen=True)
    class Structure:
        probability: float
        cell: tuple[float, ...]
        cell_deviation: tuple[float, ...]
        unit: AsymmetricUnit

    class Predictor:
        def predict(self, formulas: Sequence[str | Formula]) -> list[str | Formula]:
            return list(formulas)

        def candidates(self, predictions: list[Formula], *, most: int | None = None) -> list[list[Structure]]:
            made = find_asymmetric_unit(perovskite(3.95))
            assert made is not None
            sure, unsure = ((d, d, d, 0.0, 0.0, 0.0) for d in (0.01, 0.3))
            cell = (3.95, 3.95, 3.95, 90.0, 90.0, 90.0)
            return [[Structure(0.7, cell, sure, made), Structure(0.1, cell, unsure, made)][:most] for _ in predictions]

    sure, unsure = predicted_phases(Predictor(), [parse_formula("SrTiO3")])
    assert (sure.material_id, unsure.material_id) == ("predicted-1", "predicted-2")
    assert not sure.is_known
    assert sure.setting == 221
    assert COMPUTED_DOUBT < sure.doubt < unsure.doubt
    found = match_scan(observe(made_scan(simulated([perovskite(3.905)]), [1.0])), [sure])
    assert found.ranking[0].fit.parameters[STRAIN] == pytest.approx(3.905 / 3.95 - 1, abs=2e-3)
    with pytest.raises(ConfigError, match="predicts patterns and no structures"):
        predicted_phases(object(), [])


def test_the_candidate_model_gives_structures_to_try() -> None:
    predictor = CandidatePredictor(untrained(reference_of(crystals())), fingerprint="made")
    formula = parse_formula("RaTiO3")
    phases = predicted_phases(predictor, [formula])
    assert [phase.material_id for phase in phases] == [f"predicted-{i + 1}" for i in range(len(phases))]
    assert {phase.setting for phase in phases} == {221, 123}
    assert all(phase.crystal.formula == formula for phase in phases)
    assert all(0 < phase.probability < 1 for phase in phases)
    assert all(
        len(each.reflections.q)
        for each in candidates_for(observe(made_scan(simulated([perovskite(4.1)]), [1.0])), phases)
    )


@given(
    st.builds(Agreement, st.floats(0, 1), st.floats(0, 2), st.just(20)),
    st.tuples(st.floats(0, 0.15), st.floats(0, 0.3), st.floats(0, 4)),
    st.floats(0, 0.1),
)
def test_more_likeness_more_lead_less_energy_and_a_usual_cell_are_more_probable(
    fits: Agreement, phase: tuple[float, float, float], d: float
) -> None:
    (s, misfit), (m, h, strain) = (fits.similarity, fits.line_misfit), phase
    p = first_is_right(fits, m, h, strain)
    assert 0 < p < 1
    assert first_is_right(replace(fits, similarity=s + d), m, h, strain) >= p
    assert first_is_right(replace(fits, line_misfit=misfit + d), m, h, strain) <= p
    assert first_is_right(fits, m + d, h, strain) >= p
    assert first_is_right(fits, m, h + d, strain) <= p
    assert first_is_right(fits, m, h, strain + d) <= p
    assert first_is_right(replace(fits, n_lines=FEWEST_LINES - 1), m, h, strain) == min(p, 0.5) < CONFIDENT


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=8), st.floats(0, 1))
def test_probabilities_of_rivals_are_one_at_most_and_level_ones_alike(gaps: list[float], similarity: float) -> None:
    gaps = [0.0, *sorted(gaps)]
    fits = [SimpleNamespace(phase=SimpleNamespace(formula=i, hull=0.0), strain_deviation=0.5) for i in range(len(gaps))]
    scored = [(fit, 0.95 - gap) for fit, gap in zip(fits, gaps, strict=True)]
    said = probabilities(scored, Agreement(similarity, 0.3, 20)).values  # type: ignore[arg-type]
    assert sum(said) <= 1 + 1e-9
    assert all(later <= before + 1e-9 for before, later in pairwise(said))
    level = [value for value, gap in zip(said, gaps, strict=True) if gap == 0]
    assert max(level) - min(level) < 1e-9
    assert level[0] <= 1 / len(level) + 1e-9


@given(st.sets(st.integers(0, 5), max_size=5), st.floats(0.2, 1.0))
def test_lines_that_are_missing_or_weaker_are_a_misfit(missing: set[int], weaker: float) -> None:
    """Of six equal lines k are not in the other: √(k/6) · 2; the others differ by the logarithm of a factor."""
    x = np.arange(0.2, 0.9, 0.0002)
    lines = [100 * np.exp(-0.5 * ((x - place) / 0.0008) ** 2) for place in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)]
    whole, part = np.sum(lines, axis=0), weaker * np.sum([each for k, each in enumerate(lines) if k not in missing], 0)
    expected = np.sqrt((4 * len(missing) + np.log(weaker) ** 2 * (6 - len(missing))) / 6)
    assert heights_misfit(whole, part, 2.0) == pytest.approx(expected, abs=1e-6)
    assert heights_misfit(part, whole, 2.0) == pytest.approx(-np.log(weaker), abs=1e-6)
    assert heights_misfit(0 * x, whole, 2.0) == 2


def test_a_crystal_with_two_lines_is_never_confident() -> None:
    scan = made_scan(simulated([perovskite(3.905)]), [1.0])
    kept = (scan.two_theta_deg > 22) & (scan.two_theta_deg < 34)
    few = Scan(
        scan.two_theta_deg[kept], scan.counts[kept], None, ranges=(ScanRange(0, int(kept.sum()), 0.02),),
        wavelengths=scan.wavelengths,
    )  # fmt: skip
    found = match_scan(observe(few), PHASES)
    assert found.agreement.n_lines == 2
    assert not found.is_confident
    assert (found.n_tried, found.n_left_out) == (4, 2)  # the first lines of MgO and NiO are at 37°
    assert "  2 more cannot be compared: no line" in match_text(found)
    assert match_scan(observe(few), [PHASES[3]]).n_left_out == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("first", "last", "left_out"), [(25, 30, 1), (23.5, 31.2, 0)])
def test_a_structure_whose_lines_are_all_outside_the_scan_is_not_scaled_up(
    first: float, last: float, left_out: int
) -> None:
    """SrTiO3 has lines at 22.8° and 32.4° and none between; at the edges of a scan the tails of these are something."""
    angle = np.arange(first, last, 0.05)
    counts = np.random.default_rng(0).poisson(50 + 100 * np.exp(-0.5 * ((angle - 27) / 0.1) ** 2)).astype(float)
    made = Scan(angle, counts, None, ranges=(ScanRange(0, len(angle), 0.05),), wavelengths=tube("CuKa"))
    found = match_scan(observe(made), [PHASES[0]])
    assert found.n_left_out == left_out
    assert all(abs(each.fit.parameters[SCALE]) < 50 for each in found.ranking)


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_not_counted_as_lines(seed: int) -> None:
    angle = np.arange(22, 34, 0.02)
    clean = 300 * np.interp(angle, LABORATORY.two_theta_deg, simulated([perovskite(3.905)])[0]) / 100
    counts = np.random.default_rng(seed).poisson(clean + 2000).astype(float)
    noisy = Scan(angle, counts, None, ranges=(ScanRange(0, len(angle), 0.02),), wavelengths=tube("CuKa"))
    found = match_scan(observe(noisy), PHASES)
    assert found.agreement.n_lines <= 2
    assert not found.is_confident


@pytest.mark.parametrize("material_id", ["mp-5229", "mp-3472", "mp-7000", "mp-390"])
def test_a_refined_cell_is_that_of_the_strained_lattice(material_id: str) -> None:
    library = Library.open(SHIPPED)
    rows = library.find_id(material_id)
    crystal, setting = library.crystals(rows)[0], int(library.settings(rows)[0])
    phase = PhaseToTry(library.formulas(rows)[0], crystal, setting, setting, material_id)
    parameters = np.zeros(N_PARAMETERS)
    np.testing.assert_allclose(refined_cell(phase, parameters), library.phases(rows)[0].cell, atol=1e-4)
    n_axes = min(3, {1: 1}.get(len(parameters), 3))
    parameters[STRAIN : STRAIN + n_axes] = 0.01
    grown = refined_cell(phase, parameters)[:3] / refined_cell(phase, np.zeros(N_PARAMETERS))[:3]
    np.testing.assert_allclose(grown, 1 / np.sqrt(1 - 0.02), rtol=1e-6)
    assert refined_crystal(phase, parameters).volume > crystal.volume


def test_of_structures_of_one_formula_that_fit_alike_the_simplest_is_told() -> None:
    """SrTiO3 without a distortion, beside itself in a cell that may distort: the latter can only fit better."""
    cubic, free = PHASES[0], replace(PHASES[0], setting=47, space_group=47)  # P m m m, whose operations it has too
    other = PHASES[1]
    for phases in ([cubic, free, other], [free, other, cubic]):
        found = match_scan(observe(made_scan(simulated([perovskite(3.905)]), [1.0], seed=5)), phases)
        assert found.phases[0].fit.phase is cubic
        scores = {id(each.fit.phase): each.score for each in found.ranking}
        assert scores[id(cubic)] >= scores[id(free)] - 0.005
        assert scores[id(cubic)] > scores[id(other)]


@pytest.mark.parametrize("r", [0.5, 1.6])
def test_texture_of_a_cubic_phase_is_refined(r: float) -> None:
    """Its intensities have no slope by r at r = 1: textured salt was called by compounds of lower symmetry."""
    length = 5.64
    hkl = np.array([(1, 1, 1), (2, 0, 0), (2, 2, 0), (3, 1, 1), (2, 2, 2), (4, 0, 0), (3, 3, 1), (4, 2, 0), (4, 2, 2)])
    square = (hkl**2).sum(axis=1)
    angles = np.degrees(2 * np.arcsin(1.5418 / 2 / length * np.sqrt(square)))
    cosines = hkl**2 / square[:, None]  # to 100, 010 and 001
    factor = ((r**2 * cosines + (1 - cosines) / r) ** -1.5).mean(axis=1)
    pattern = simulated([rock_salt(length, 11, 17)])[0]
    pattern = pattern * factor[np.abs(LABORATORY.two_theta_deg[:, None] - angles).argmin(axis=1)]
    found = match_scan(observe(made_scan([100 * pattern / pattern.max()], [1.0])), PHASES)
    (salt,) = found.phases
    assert str(salt.fit.phase.formula) == "NaCl"
    assert salt.fit.axis == (0, 0, 1)
    assert np.exp(salt.fit.parameters[TEXTURE]) == pytest.approx(r, rel=0.15)
    assert found.similarity > 0.99


def test_of_a_formula_the_best_and_then_the_simplest_of_those_alike_are_tried() -> None:
    """Spinel was among its supercells, which fit a little better by chance, the seventh of a formula."""
    cubic = Candidate(PHASES[3], reflections_of(225))
    many = [Candidate(replace(PHASES[3], material_id=f"made-{i}"), reflections_of(71)) for i in range(6)]
    score = np.array([0.99, 0.992, 0.994, 0.993, 0.991, 0.9, 0.9905])
    assert distinct([*many, cubic], score, 4) == [2, 6, 3, 1]
    assert distinct([*many, cubic], score - np.array([0, 0, 0, 0, 0, 0, 0.01]), 4) == [2, 3, 1, 4]


def test_a_cell_that_a_phase_does_not_have_and_lines_of_none_are_told() -> None:
    scan = observe(made_scan(simulated([perovskite(3.905), rock_salt(5.64, 11, 17)]), [1.0, 0.4]))
    usual = match_scan(scan, PHASES[:4], most_phases=1)
    assert [str(each.fit.phase.formula) for each in usual.phases] == ["SrTiO3"]
    angles = np.array(usual.unexplained_lines_deg)
    of_salt = np.degrees(2 * np.arcsin(1.54056 / 2 / (5.64 / np.sqrt([3, 4, 8, 12]))))  # 111, 200, 220, 222
    assert np.abs(angles[:, None] - of_salt).min(axis=0)[1:3].max() < 0.1
    assert any(note.startswith(f"lines that none of the phases has: {angles[0]:.2f}°") for note in notes(usual))
    assert not any("is unusual" in note for note in notes(usual))
    odd = match_scan(scan, [to_try("CaTiO3", perovskite(3.79, large=20), 221)], most_phases=1)
    assert any(note.startswith("the cell of CaTiO3 is unusual") for note in notes(odd))
    sure = replace(usual, phases=(replace(usual.phases[0], probability=0.9),))
    assert verdict(sure) == "confident match, but there is more in the scan"


def test_lines_of_tungsten_are_told_apart() -> None:
    """The filament of an old tube leaves tungsten on its anode."""
    angle, salt = LABORATORY.two_theta_deg, simulated([perovskite(3.905)])[0]
    sine = np.sin(np.radians(angle) / 2) * 1.54056 / 1.47639  # W Lα1
    tungsten = np.interp(np.degrees(2 * np.arcsin(np.minimum(sine, 1.0))), angle, salt)
    found = match_scan(observe(made_scan([salt, tungsten], [1.0, 0.05])), PHASES[:1])
    assert [str(each.fit.phase.formula) for each in found.phases] == ["SrTiO3"]
    assert found.unexplained_lines_deg == ()
    strongest = np.degrees(2 * np.arcsin(1.47639 / 2 / (3.905 / np.sqrt(2))))
    assert found.tungsten_lines_deg[0] == pytest.approx(strongest, abs=0.1)
    assert verdict(found) == "confident match"
    assert any(f"{found.tungsten_lines_deg[0]:.2f}°" in note and "W Lα" in note for note in notes(found))


def test_a_phase_of_which_nothing_is_left_is_dropped() -> None:
    """Once a rival has taken the place of another phase, it may explain what a third was there for."""
    observed = observe(made_scan(simulated([perovskite(3.905)]), [1.0]))
    candidates = candidates_for(observed, [PHASES[0], PHASES[4]])
    best = {str(fit.phase.formula): fit for fit in best_single(observed, candidates)}
    both = together(observed, [best["NaCl"], best["SrTiO3"]])
    assert both.weight_fractions[0] < LEAST_WEIGHT
    mixture, places = settled(observed, both, [])
    assert [str(fit.phase.formula) for fit in mixture.fits] == ["SrTiO3"]
    assert [str(scored[0][0].phase.formula) for scored in places] == ["SrTiO3"]


def test_of_polymorphs_in_a_mixture_the_better_one_is_taken_though_it_leads_by_little() -> None:
    """Rutile beside anatase was called by a structure of lower symmetry that was found first."""
    best, worse = (
        Fit(
            Candidate(to_try("MgO", rock_salt(4.25, 12, 8), 225), reflections_of(setting)),
            np.zeros(N_PARAMETERS),
            0.0,
            0.0,
        )
        for setting in (225, 71)
    )
    other = replace(
        worse, candidate=Candidate(to_try("NaCl", rock_salt(5.69, 11, 17), 225), best.candidate.reflections)
    )
    assert _best_of([(best, 0.992), (worse, 0.986)], worse) is best
    assert _best_of([(worse, 0.992), (best, 0.989)], worse) is best  # alike, and simpler
    assert _best_of([(other, 0.993), (worse, 0.986)], worse) is worse  # another formula has to lead by more
    assert _best_of([(other, 0.999), (worse, 0.986)], worse) is other
    strained = np.where(np.arange(N_PARAMETERS) >= STRAIN, 0.02, 0.0)
    unusual = replace(other, parameters=other.parameters + strained)  # 2.3 deviations from what is expected
    assert unusual.strain_deviation - other.strain_deviation > 1.5
    by_cell = CELL_WEIGHT * (unusual.strain_deviation - other.strain_deviation)
    assert unusual.doubt - other.doubt == pytest.approx(by_cell)


def reflections_of(setting: int) -> Reflections:
    """Reflections of rock salt, with the free strains of a setting."""
    return reflections(rock_salt(4.25, 12, 8), setting, d_inverse_max=1.0, wavelength_angstrom=1.54056)
