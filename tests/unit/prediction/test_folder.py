"""What people are shown of predictions."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from deepxrd.chem import Formula, parse_formula
from deepxrd.errors import FormulaError
from deepxrd.models.predictions import Predictions
from deepxrd.prediction.folder import predict_to_folder, prediction_text
from deepxrd.prediction.predictor import CandidatePredictor
from deepxrd.xrd import XrdSettings, find_peaks

FORMULAS = [parse_formula(text) for text in ("SrTiO3", "BaFe2As2", "NaCl")]


@pytest.fixture(scope="module")
def shipped() -> CandidatePredictor:
    return CandidatePredictor.load()


def test_shown_intensities_are_predicted_ones_and_none_is_made_up(shipped: CandidatePredictor, tmp_path: Path) -> None:
    said = predict_to_folder(shipped, FORMULAS, tmp_path)
    assert said.peaks is not None
    with (tmp_path / "peaks.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row, formula in enumerate(FORMULAS):
        curve = np.genfromtxt(tmp_path / f"{formula}.csv", delimiter=",", names=True)
        assert curve.dtype.names == ("two_theta_deg", "decoded", "best", "expected")
        mine = [each for each in rows if each["formula"] == str(formula)]
        assert len(mine) == said.peaks.count[row]
        angles, shown = (np.array([float(each[key]) for each in mine]) for key in ("two_theta_deg", "intensity"))
        spacing = np.array([float(each["d_angstrom"]) for each in mine])
        np.testing.assert_allclose(2 * spacing * np.sin(np.radians(angles / 2)), 1.54184, rtol=1e-4)
        points = np.abs(curve["two_theta_deg"][None] - angles[:, None]).argmin(axis=1)
        np.testing.assert_allclose(shown, curve["expected"][points], atol=0.006)
        assert min(shown) < 12  # which was the least that was ever shown
        found = find_peaks(curve["decoded"][None], shipped.two_theta).of(0)[0]
        np.testing.assert_allclose(found, angles, atol=1e-3)
        words = prediction_text(said, row, shipped.xrd, n=100).split("Å)\n")[-1].splitlines()
        assert sorted(float(line.split()[2]) for line in words) == pytest.approx(sorted(shown), abs=0.06)
    assert (tmp_path / "SrTiO3.png").stat().st_size > 10_000


def test_a_formula_that_is_no_text_is_told_by_its_place(shipped: CandidatePredictor) -> None:
    """``None`` gave an AttributeError."""
    with pytest.raises(FormulaError, match="formula 1 is None: give a text"):
        shipped.predict(["CeO2", None])  # type: ignore[list-item]


class _Plain:
    """A predictor of one peak that moves with the formula's length."""

    xrd = XrdSettings(n_points=181)
    fingerprint = "plain"

    def check(self, formula: str) -> Formula:
        return parse_formula(formula)

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        patterns = np.zeros((len(formulas), 181), dtype=np.float32)
        for row, formula in enumerate(formulas):
            patterns[row, 40 + 10 * len(formula.counts)] = 100.0
        return Predictions(patterns)


def test_files_of_formulas_that_differ_by_case_alone_are_there_beside_each_other(tmp_path: Path) -> None:
    for text in ("Co", "CO"):  # one after the other, into one folder
        predict_to_folder(_Plain(), [parse_formula(text)], tmp_path)
        with (tmp_path / "formulas.csv").open() as stream:
            (told,) = [row["file"] for row in csv.DictReader(stream)]
        assert (tmp_path / told).is_file()
    names = [path.name.lower() for path in tmp_path.glob("*.csv") if path.name not in {"peaks.csv", "formulas.csv"}]
    assert len(set(names)) == 2
    for name, angle in (("CO_C-O", 60), ("Co_Co", 50)):
        table = np.genfromtxt(tmp_path / f"{name}.csv", delimiter=",", names=True)
        assert table["two_theta_deg"][table["intensity"].argmax()] == angle
