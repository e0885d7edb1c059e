"""The commands give the numbers that they gave before the modules were moved; each tolerance says why it is so wide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_runs import CANDIDATES, FORMULAS, N_POINTS, RUNS, processor
from make import kept
from numpy.typing import NDArray

PATTERN = 0.1
"""Of 100. Files hold four decimals or float16 (0.03 at 100) and processors differ in float32's last bits (0.001 after
the networks): a tenth is three times both, and a thousandth of what predictions are off by."""
PLACE_DEG = 0.002
"""Peaks are chosen among points of the grid, and written with three decimals: the same point or another, 0.18° away."""
PROBABILITY = 0.0101
"""Written with two decimals: the last may be rounded otherwise."""
TIPPED = 1
"""Formulas of a run whose chosen peaks may differ: a choice between sets of nearly the same use may tip with the last
bits of another processor. None may on the processor that the numbers are from."""
LEAST_HEIGHT = 12.5
"""The drawing of decoded peaks lifts lower ones to a height of 12, so that they can be found. How they are drawn is no
prediction, so nothing is asked of its intensities below this but that they stay below."""
SIMILARITY = 0.002
"""Similarities have four decimals; a step of the refinement moves them by less than this."""
LENGTH = 0.002
"""Of a refined cell, Å: a step of the refinement."""
MATCHED = 0.02
"""Probabilities of a match: what steps of the refinement do to them."""
EXPECTED_F1 = 0.002
"""Mean of probabilities, kept as float32."""
LOSS, SCORE = 0.003, 0.1
"""Of a training on another processor: twelve steps of Adam blow the last bits up. With two threads instead of one, or
with torch's own layers, losses differed by up to 0.0012 and peak scores, which count a few small peaks, by 0.075."""
SAME = 2e-6
"""Of a training on the same processor with the same torch: all is the same; 1e-6 is for the decimals of the files."""


def exact(before: dict[str, Any]) -> bool:
    """Whether the numbers are from this very kind of processor and release of torch."""
    return bool(before["processor"] == processor())


def assert_decoded(found: NDArray[np.float64], before: NDArray[np.float64], tipped: NDArray[np.bool_]) -> None:
    """Hold decoded patterns, but for the formulas that tipped, to those before wherever they are not low."""
    high = before > LEAST_HEIGHT
    off = np.where(high, np.abs(found - before), np.maximum(found - LEAST_HEIGHT - PATTERN, 0)).max(axis=1)
    assert off[~tipped].max() <= PATTERN


@pytest.fixture
def found_and_before(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a command gives now and what it gave before."""
    return RUNS[request.param](tmp_path), kept(request.param)


@pytest.mark.parametrize("found_and_before", ["predicted"], indirect=True)
def test_the_shipped_weights_predict_the_same_patterns_and_peaks(
    found_and_before: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    found, before = found_and_before
    assert found["formulas"] == before["formulas"]
    assert found["expected"].shape == (len(FORMULAS), N_POINTS)
    np.testing.assert_allclose(found["expected"], before["expected"], atol=PATTERN)
    new, old = np.array(found["peaks"]), np.array(before["peaks"])
    tipped = np.array([not _same_peaks(new[new[:, 0] == i], old[old[:, 0] == i]) for i in range(len(FORMULAS))])
    assert tipped.sum() <= (0 if exact(before) else TIPPED), np.array(before["formulas"])[tipped]
    assert_decoded(found["decoded"], before["decoded"], tipped)


def _same_peaks(found: NDArray[np.float64], before: NDArray[np.float64]) -> bool:
    return found.shape == before.shape and bool(
        np.all(np.abs(found[:, 1] - before[:, 1]) <= PLACE_DEG)
        and np.all(np.abs(found[:, 2] - before[:, 2]) <= PROBABILITY)
    )


@pytest.mark.parametrize("found_and_before", ["screened"], indirect=True)
def test_a_screening_gives_the_same_rows_and_patterns(
    found_and_before: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    found, before = found_and_before
    for name in ("lines", "formulas", "known", "skipped"):
        assert found[name] == before[name]
    np.testing.assert_allclose(found["expected"], before["expected"], atol=PATTERN)
    off = np.abs(np.subtract(found["expected_f1"], before["expected_f1"]))
    assert off.max() <= EXPECTED_F1
    high = before["decoded"] > LEAST_HEIGHT
    tipped = (np.abs(found["decoded"] - before["decoded"]) * high).max(axis=1) > PATTERN
    assert tipped.sum() <= (0 if exact(before) else TIPPED), np.array(before["formulas"])[tipped]
    assert_decoded(found["decoded"], before["decoded"], tipped)


@pytest.mark.parametrize("found_and_before", ["matched"], indirect=True)
def test_a_measurement_is_matched_by_the_same_ranking(
    found_and_before: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    found, before = found_and_before
    assert before["formulas"][0] == "SrTiO3", "the measurement is of SrTiO3"
    assert found["formulas"] == before["formulas"]
    assert set(found["formulas"]) <= set(CANDIDATES)
    np.testing.assert_allclose(found["similarity"], before["similarity"], atol=SIMILARITY)
    np.testing.assert_allclose(found["probability_of_match"], before["probability_of_match"], atol=MATCHED)
    np.testing.assert_allclose(found["a_angstrom"], before["a_angstrom"], atol=LENGTH)


@pytest.mark.parametrize("found_and_before", ["trained"], indirect=True)
def test_a_small_training_takes_the_same_course(found_and_before: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found, before = found_and_before
    for name in ("parts", "parameters", "best_epoch", "compositions"):
        assert found[name] == before[name], name
    same = exact(before)
    for name, values in before["curves"].items():
        np.testing.assert_allclose(found["curves"][name], values, atol=SAME if same else LOSS, err_msg=name)
    for name, value in before["test"].items():
        distance = name.endswith("distance")
        tolerance = SAME if same else LOSS if distance else SCORE
        if name == "mse":
            assert found["test"][name] == pytest.approx(value, rel=SAME if same else SCORE)
        else:
            assert found["test"][name] == pytest.approx(value, abs=tolerance), name
    if same:
        np.testing.assert_allclose(found["pearson_distance"], before["pearson_distance"], atol=1.1e-5)
        np.testing.assert_allclose(found["own"], before["own"], atol=PATTERN)
    else:
        np.testing.assert_allclose(found["pearson_distance"], before["pearson_distance"], atol=10 * LOSS)
