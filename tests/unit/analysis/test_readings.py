"""Table 2 in each reading, against plain loops and against what `table2` computes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon

from deepxrd.analysis.readings import ALIGN_READINGS, OURS, READINGS, align_shared, deviation, measure, nearest
from deepxrd.analysis.readings_page import MATCH_SCORES, ReadingsTable, figure, page
from deepxrd.metrics import DtwSettings, table2
from deepxrd.xrd import Peaks

_TOL = 1e-9
GRID = np.linspace(0, 60, 341)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    made = 100 * rng.random((2, 3, len(GRID))) ** 40
    made *= 100 / made.max(axis=2, keepdims=True)
    return made[0], made[1]


@pytest.fixture(scope="module")
def measured(pair: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    return measure(*pair, GRID, dtw=DtwSettings(n_jobs=1))


def test_our_reading_is_what_table_2_computes(pair: tuple[np.ndarray, np.ndarray], measured: dict[str, float]) -> None:
    table, cells = table2(*pair, GRID, dtw=DtwSettings(n_jobs=1)), OURS.cells()
    names = {"cosine": "cosine_distance", "pearson": "pearson_distance", "jsd": "jsd", "dtw": "dtw"}
    for (row, name), cell in cells.items():
        assert measured[cell] == pytest.approx(table[row][names[name]].mean(), abs=1e-6), cell


def test_the_units_of_jsd_are_those_of_scipy(pair: tuple[np.ndarray, np.ndarray], measured: dict[str, float]) -> None:
    roots = {name: [jensenshannon(a, b, base=base) for a, b in zip(*pair, strict=True)] for name, base in
             (("nats", np.e), ("bits", 2))}  # fmt: skip
    for name, values in roots.items():
        assert measured[f"prediction: least 0 | jsd, root of {name}"] == pytest.approx(np.mean(values), abs=1e-6)
        assert measured[f"prediction: least 0 | jsd, {name}"] == pytest.approx(np.mean(np.square(values)), abs=1e-6)


def peaks_of(*rows: list[tuple[float, float]]) -> Peaks:
    flat = np.array([(number, *peak) for number, row in enumerate(rows) for peak in row])
    return Peaks.from_flat(flat[:, 0].astype(np.int64), flat[:, 1], flat[:, 2], len(rows))


def test_a_shared_peak_goes_to_every_true_peak_within_reach() -> None:
    predicted = peaks_of([(10.0, 50.0), (11.0, 90.0), (30.0, 20.0)], [(5.0, 40.0)])
    true = peaks_of([(9.5, 100.0), (12.5, 40.0), (20.0, 30.0)], [(40.0, 100.0)])
    kept = align_shared(predicted, true, keep=True)
    assert list(zip(*(each.tolist() for each in kept.of(0)), strict=True)) == [
        (9.5, 90.0), (10.0, 50.0), (12.5, 90.0), (30.0, 20.0),
    ]  # fmt: skip
    assert kept.of(1)[0].tolist() == [5.0]
    dropped = align_shared(predicted, true, keep=False)
    assert dropped.of(0)[0].tolist() == [9.5, 12.5]
    assert dropped.count.tolist() == [2, 0]


def test_a_pattern_is_at_no_distance_from_itself(pair: tuple[np.ndarray, np.ndarray]) -> None:
    same = measure(pair[0], pair[0], GRID, dtw=DtwSettings(n_jobs=1))
    unmoved = {name: value for name, value in same.items() if "all, many" not in name}  # a high peak takes its foot
    assert max(abs(value) for name, value in unmoved.items() if "dtw" in name or "jsd, nats" in name) < 1e-6
    assert len({name.partition(" | ")[0] for name in same}) == 2 + 3 + len(ALIGN_READINGS)


def test_an_offset_changes_the_cosine_alone(measured: dict[str, float], pair: tuple[np.ndarray, np.ndarray]) -> None:
    changed = [name for name, value in measured.items() if name.startswith("prediction: mean 0")
               and value != measured[name.replace("mean 0", "least 0")]]  # fmt: skip
    assert changed == ["prediction: mean 0 | cosine"]
    centred = pair[0] - pair[0].mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1) * np.linalg.norm(pair[1], axis=1)
    expected = 1 - (centred * pair[1]).sum(axis=1) / norms
    assert measured[changed[0]] == pytest.approx(expected.mean(), abs=_TOL)


def test_the_nearest_reading_of_numbers_made_by_one_is_that_one(measured: dict[str, float]) -> None:
    hidden = READINGS[157]
    paper = {key: measured[cell] for key, cell in hidden.cells().items()}
    assert nearest(measured, paper) == (hidden, 0.0)
    assert deviation(measured, {key: 2 * value for key, value in paper.items()}, hidden) == pytest.approx(0.5)


def test_the_page_and_the_figure_hold_every_width_and_the_paper_s_numbers(measured: dict[str, float]) -> None:
    metrics = {"epochs": 20, "best_epoch": 4, "n_test": 3, "test": dict.fromkeys(MATCH_SCORES, 0.5)}
    runs = [
        (
            {"sigma_deg": sigma, "means": {k: v * (1 + seed / 100) for k, v in measured.items()}},
            {**metrics, "seed": seed},
        )
        for sigma in (0.5, 0.0)
        for seed in (1, 2)
    ]
    beside = pd.DataFrame([{"sigma_deg": sigma, **measured} for sigma in (0.0, 0.1)])
    assert "substitution" not in page(ReadingsTable.of(runs))
    table = ReadingsTable.of(runs, beside=beside)
    text = page(table)
    assert "| σ = 0.1° |" in text.partition("## The same by substitution")[2]
    assert "| sticks | σ = 0.5° | the paper |" in text
    assert "0.884" in text
    assert "0.681" in text
    assert table.means.index.tolist() == [0.0, 0.5]
    assert len(figure(table).axes) == 3
