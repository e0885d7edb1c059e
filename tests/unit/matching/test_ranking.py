"""Fits of predicted patterns: against NumPy's own correlation, and against simulated cells of other sizes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import Crystal, Formula, parse_formula
from deepxrd.errors import ConfigError, FormulaError
from deepxrd.matching import Target, best_fits, lattice_scales, match_to_folder, rank, ranking_text, scaled
from deepxrd.models.predictions import Predictions
from deepxrd.xrd import XrdSettings, simulate

XRD = XrdSettings(sigma_deg=0.8)
RNG = np.random.default_rng(0)
INSIDE = (XRD.two_theta_deg > 15) & (XRD.two_theta_deg < 100)
FORMULAS = ["SrTiO3", "NaCl", "CaTiO3", "BaZrO3", "LaAlO3"]
LENGTHS = dict(zip(FORMULAS, (3.95, 5.64, 3.80, 4.20, 4.40), strict=True))


def cell(length: float) -> Crystal:
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(np.eye(3) * length, np.array([38, 22, 8, 8, 8]), sites, np.ones(5))


def pattern(length: float, settings: XrdSettings = XRD) -> np.ndarray:
    return simulate([cell(length)], settings)[0][0]


class Fake:
    """Cubic cells of lengths by formula; it knows nothing of NaCl."""

    xrd, fingerprint = XRD, "fake"

    def check(self, formula: str) -> Formula:
        return parse_formula(formula)

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        names = [str(formula) for formula in formulas]
        patterns = np.stack([pattern(LENGTHS[name]) for name in names])
        columns = {"expected_f1": np.full(len(names), 0.5), "known": np.array([name != "NaCl" for name in names])}
        return Predictions(np.zeros_like(patterns), columns, {"expected": patterns})


def target(length: float) -> Target:
    return Target(np.where(INSIDE, pattern(length), 0.0).astype(float), INSIDE)


@pytest.mark.parametrize("settings", [XRD, replace(XRD, axis="q", n_points=2048)])
@pytest.mark.parametrize("scale", [0.97, 0.99, 1.02])
def test_a_scaled_pattern_is_that_of_a_scaled_cell(settings: XrdSettings, scale: float) -> None:
    found = scaled(pattern(4.0, settings)[None], settings, scale)[0]
    expected = pattern(4.0 * scale, settings)
    usual = (settings.two_theta_deg > 15) & (settings.two_theta_deg < 90)
    # widths and the factors of polarisation and multiplicity move a little, too: places are what counts
    assert np.corrcoef(found[usual], expected[usual])[0, 1] > 0.99
    assert settings.grid[found[usual].argmax()] == pytest.approx(
        settings.grid[expected[usual].argmax()], abs=settings.step
    )


def test_a_scale_of_one_changes_nothing() -> None:
    patterns = RNG.uniform(0, 100, (3, XRD.n_points)).astype(np.float32)
    np.testing.assert_allclose(scaled(patterns, XRD, 1.0), patterns, atol=1e-4)


def test_similarity_is_pearsons_correlation_over_what_was_measured() -> None:
    measured, patterns = target(3.9), RNG.uniform(0, 100, (5, XRD.n_points)).astype(np.float32)
    similarity, scale = best_fits(measured, patterns, XRD, np.array([1.0]))
    expected = [np.corrcoef(measured.pattern[INSIDE], row[INSIDE])[0, 1] for row in patterns]
    np.testing.assert_allclose(similarity, expected, atol=1e-6)
    np.testing.assert_array_equal(scale, 1.0)


def test_the_strain_is_found_and_no_more_than_is_allowed() -> None:
    for length, expected in ((4.0, 0.975), (3.92, 0.995), (3.9, 1.0)):
        similarity, scale = best_fits(target(3.9), pattern(length)[None], XRD, lattice_scales(0.03))
        assert scale[0] == pytest.approx(expected, abs=0.0011)
        assert similarity[0] > 0.99
    _, scale = best_fits(target(3.9), pattern(4.0)[None], XRD, lattice_scales(0.01))
    assert scale[0] == pytest.approx(0.99)


@given(st.integers(0, 2**31), st.floats(0.1, 10), st.floats(0, 50))
def test_neither_unit_nor_offset_nor_company_changes_a_fit(seed: int, factor: float, offset: float) -> None:
    patterns = np.random.default_rng(seed).uniform(1, 100, (4, XRD.n_points)).astype(np.float32)
    scales = lattice_scales(0.002)
    together, at = best_fits(target(3.9), patterns, XRD, scales)
    alone, at_alone = best_fits(target(3.9), (factor * patterns[2:3] + offset).astype(np.float32), XRD, scales)
    assert alone[0] == pytest.approx(together[2], abs=1e-4)
    assert at_alone[0] == at[2] or abs(alone[0] - together[2]) < 1e-4


def test_patterns_without_features_fit_not_at_all() -> None:
    flat = np.stack([np.zeros(XRD.n_points), np.full(XRD.n_points, 0.0)]).astype(np.float32)
    similarity, scale = best_fits(target(3.9), flat, XRD, lattice_scales(0.01))
    np.testing.assert_array_equal(similarity, 0.0)
    np.testing.assert_array_equal(scale, 1.0)


def test_the_true_one_is_first_and_the_unknown_last() -> None:
    fits = rank(target(3.9), Fake(), [parse_formula(text) for text in FORMULAS])
    assert str(fits[0].formula) == "SrTiO3"
    assert str(fits[-1].formula) == "NaCl"
    assert np.isnan(fits[-1].similarity)
    assert fits[0].lattice_scale == pytest.approx(3.9 / 3.95, abs=0.0011)
    assert fits[0].columns == {"expected_f1": 0.5, "known": 1.0}
    words = ranking_text(fits)
    assert "SrTiO3" in words.splitlines()[1]
    assert "not known" in words.splitlines()[-1]


def test_many_candidates_are_ranked_as_few_are() -> None:
    many = rank(target(3.9), Fake(), [parse_formula(text) for text in FORMULAS] * 40)
    few = rank(target(3.9), Fake(), [parse_formula(text) for text in FORMULAS])
    assert [str(fit.formula) for fit in many[::40]] == [str(fit.formula) for fit in few]
    some = [fit.similarity for fit in many[::40]]
    np.testing.assert_allclose(some, [fit.similarity for fit in few], rtol=1e-9)


@pytest.mark.parametrize("strain", [-0.01, 0.5, float("nan")])
def test_no_strain_is_refused(strain: float) -> None:
    with pytest.raises(ConfigError, match="a strain of"):
        lattice_scales(strain)


def test_a_table_and_a_figure_are_written(tmp_path: Path) -> None:
    angle = np.linspace(10, 100, 4501)
    narrow = simulate(
        [cell(3.9)], XrdSettings(two_theta_min_deg=10, two_theta_max_deg=100, n_points=4501, sigma_deg=0.1)
    )
    np.savetxt(tmp_path / "m.xy", np.column_stack([angle, narrow[0][0]]), "%.4f")
    (tmp_path / "f.csv").write_text("formula\n" + "\n".join([*FORMULAS, "Xx"]) + "\n")
    fits, skipped = match_to_folder(Fake(), tmp_path / "m.xy", tmp_path / "f.csv", tmp_path / "out")
    with (tmp_path / "out/ranking.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["formula"] for row in rows] == [str(fit.formula) for fit in fits]
    assert {row["typed"] for row in rows} == set(FORMULAS)
    assert all(str(parse_formula(row["typed"])) == row["formula"] for row in rows)
    assert rows[0]["formula"] == "SrTiO3"
    assert float(rows[0]["similarity"]) > 0.95
    assert float(rows[0]["lattice_scale"]) == pytest.approx(3.9 / 3.95, abs=0.002)
    assert rows[-1]["similarity"] == ""
    assert (tmp_path / "out/fits.png").stat().st_size > 10_000
    [(place, reason)] = skipped
    assert place == "line 7"
    assert "'Xx'" in reason
    with pytest.raises(FormulaError, match=r"no candidate can be predicted: .*'Xx'"):
        match_to_folder(Fake(), tmp_path / "m.xy", ["Xx"], tmp_path / "none")
    assert not (tmp_path / "none").exists()
