from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from deepxrd.analysis.case_studies import PAPER_FORMULAS, case_study, pick_cases
from deepxrd.chem import Crystal, parse_formula
from deepxrd.errors import ConfigError
from deepxrd.metrics import TABLE2_ROWS, DtwSettings, peak_scores, table2
from deepxrd.xrd import Peaks, XrdSettings, align_peaks, find_peaks, simulate_pattern

XRD = XrdSettings()
IN_THE_PAPER = [
    "BaTbO3",
    "SrSeO3",
    "YAlO3",
    "BaZrO3",
    "Ca3SiO",
    "CsInBr3",
    "CsCaCl3",
    "NdLuS3",
    "Ca3BiSb",
    "MgAgF3",
    "Fe3(OF2)2",
    "PBr2N",
    "Tl6PbI10",
    "Al2NiO4",
    "Co3Bi3N5",
    "V(C2N3)3",
]


def table(compositions: list[str], f1: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"composition": compositions, "peak_f1_2deg": f1, "pearson_distance": [1 - x for x in f1]})


def test_the_papers_materials_are_written_as_compositions_are() -> None:
    assert tuple(parse_formula(text).reduced for text in IN_THE_PAPER) == PAPER_FORMULAS


def test_the_papers_materials_come_first_then_the_best_the_median_and_the_worst() -> None:
    rows = table(["SrO2Ti", "VC6N9", "NaCl", "BaTbO3", "KCl"], [0.3, 0.2, 0.9, 0.5, 0.1])
    cases = pick_cases(rows)
    assert list(cases.items()) == [("BaTbO3", 3), ("VC6N9", 1), ("best", 2), ("median", 0), ("worst", 4)]
    assert pick_cases(rows, score="pearson_distance") == cases
    assert pick_cases(rows.set_index(pd.Index([9, 8, 7, 6, 5]))) == cases


def test_of_equals_the_first_is_taken() -> None:
    rows = table(["PBr2N", "PBr2N", "A", "B"], [0.5, 0.5, 0.5, 0.5])
    assert pick_cases(rows) == {"PBr2N": 0, "best": 0, "median": 1, "worst": 0}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_half_of_the_samples_are_no_better_and_half_no_worse_than_the_median(f1: list[float]) -> None:
    cases = pick_cases(table([f"C{i}" for i in range(len(f1))], f1))
    values = np.array(f1)
    assert f1[cases["best"]] == values.max()
    assert f1[cases["worst"]] == values.min()
    assert (values <= f1[cases["median"]]).sum() >= len(f1) / 2
    assert (values >= f1[cases["median"]]).sum() >= len(f1) / 2


def test_a_score_that_is_not_a_number_is_the_worst() -> None:
    for score in ("peak_f1_2deg", "pearson_distance"):
        cases = pick_cases(table(["A", "B", "C"], [0.4, np.nan, 0.5]), score=score)
        assert cases == {"best": 2, "median": 0, "worst": 1}


def test_nothing_to_pick_from_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no score 'f1'.*peak_f1_2deg"):
        pick_cases(table(["A"], [0.1]), score="f1")
    with pytest.raises(ConfigError, match="no samples"):
        pick_cases(table([], []))


@pytest.fixture(scope="module")
def study(wurtzite: Crystal) -> tuple[Figure, np.ndarray, np.ndarray]:
    """A case study of zinc oxide, predicted with a cell 1.2 % too long, its predicted and its true pattern."""
    too_long = Crystal(1.012 * wurtzite.lattice, wurtzite.atomic_numbers, wurtzite.frac_coords, wurtzite.occupancies)
    predicted, true = simulate_pattern(too_long, XRD), simulate_pattern(wurtzite, XRD)
    return case_study(wurtzite, predicted, true, XRD, title="ZnO"), predicted, true


def sticks(collection: LineCollection) -> np.ndarray:
    """Positions, feet and heights of vertical lines: ``(n, 3)``."""
    return np.array([[line[0][0], line[0][1], line[1][1]] for line in collection.get_segments()])


def test_the_first_panel_has_the_patterns(study: tuple[Figure, np.ndarray, np.ndarray]) -> None:
    figure, predicted, true = study
    assert len(figure.axes) == 4
    lines = {line.get_label(): line for line in figure.axes[1].get_lines()}
    for label, pattern in (("predicted", predicted), ("true", true)):
        np.testing.assert_array_equal(lines[label].get_ydata(), pattern)
        np.testing.assert_array_equal(lines[label].get_xdata(), XRD.two_theta_deg)
    assert lines["predicted"].get_color() == "tab:red"
    assert lines["true"].get_color() == "tab:blue"


def test_the_other_panels_have_a_stick_per_peak(study: tuple[Figure, np.ndarray, np.ndarray]) -> None:
    figure, predicted, true = study
    true_peaks, peaks = (find_peaks(p[None], XRD.two_theta_deg) for p in (true, predicted))
    aligned = align_peaks(peaks, true_peaks)
    assert not np.array_equal(aligned.two_theta_deg, peaks.two_theta_deg)
    for axis, of_panel in ((figure.axes[2], peaks), (figure.axes[3], aligned)):
        drawn = {collection.get_label(): sticks(collection) for collection in axis.collections}
        for label, expected in (("true", true_peaks), ("predicted", of_panel)):
            position, height = expected.of(0)
            np.testing.assert_array_equal(drawn[label], np.stack([position, 0 * height, height], axis=1))
    assert "1.54184 Å" in figure.axes[3].get_xlabel()


def test_each_panel_says_how_near_the_two_are_in_it(study: tuple[Figure, np.ndarray, np.ndarray]) -> None:
    figure, predicted, true = study
    rows = table2(predicted[None], true[None], XRD.two_theta_deg, dtw=DtwSettings(n_jobs=1))
    true_peaks, peaks = (find_peaks(p[None], XRD.two_theta_deg) for p in (true, predicted))
    of_rows: tuple[Peaks, ...] = (peaks, peaks, align_peaks(peaks, true_peaks))
    texts = [axis.texts[0].get_text() for axis in figure.axes[1:]]
    for text, row, of_row in zip(texts, TABLE2_ROWS, of_rows, strict=True):
        f1 = {at: peak_scores(true_peaks, of_row)[f"peak_f1_{at}deg"][0] for at in ("2", "1", "0.5")}
        assert f"1 − cosine {rows[row]['cosine_distance'][0]:.2f}," in text
        assert f"1 − Pearson {rows[row]['pearson_distance'][0]:.2f};" in text
        assert f"F1 of peaks {f1['2']:.2f} at 2°, {f1['1']:.2f} at 1°, {f1['0.5']:.2f} at 0.5°" in text
    assert len(set(texts)) == 3


def test_it_can_be_rendered(study: tuple[Figure, np.ndarray, np.ndarray]) -> None:
    canvas = FigureCanvasAgg(study[0])
    canvas.draw()
    assert np.asarray(canvas.buffer_rgba()).std() > 10


def test_patterns_without_a_peak_have_a_case_study(nacl: Crystal) -> None:
    flat = np.full(XRD.n_points, 3.0, dtype=np.float32)
    figure = case_study(nacl, flat, simulate_pattern(nacl, XRD), XRD, title="flat")
    assert "F1 of peaks 0.00 at 2°" in figure.axes[2].texts[0].get_text()
    FigureCanvasAgg(figure).draw()
