from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial import distance as scipy_distance

from deepxrd.errors import PatternError
from deepxrd.metrics import all_distances, peak_scores, score_patterns
from deepxrd.metrics.running import PatternScores, SampleMean
from deepxrd.xrd import XrdSettings, find_peaks, smooth_reflections

_GRID = XrdSettings().two_theta_deg
_MEAN_TOL = 1e-5  # sums are held in float32


@pytest.fixture(scope="module")
def patterns() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """45 true patterns and as many predictions: reflections somewhat shifted, lost and added; one is empty."""
    rng = np.random.default_rng(0)
    predicted, true = [], []
    for _ in range(45):
        places, heights = rng.uniform(5, 175, 12), rng.uniform(1, 100, 12)
        kept = rng.random(12) < 0.8
        shifted = places[kept] + rng.normal(0, 1, kept.sum())
        true.append(smooth_reflections(places, heights, XrdSettings()))
        predicted.append(smooth_reflections(shifted, heights[kept], XrdSettings()))
    predicted[7][:] = 0
    return np.stack(predicted), np.stack(true)


@pytest.mark.parametrize("batch_size", [1, 7, 44, 45])
def test_means_do_not_depend_on_the_size_of_the_batch(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]], batch_size: int
) -> None:
    predicted, true = patterns
    scores = PatternScores(_GRID)
    for start in range(0, 45, batch_size):
        part = slice(start, start + batch_size)
        scores.update(torch.from_numpy(predicted[part]), torch.from_numpy(true[part]))
    expected = {name: values.mean() for name, values in score_patterns(predicted, true, _GRID).items()}
    computed = {name: float(value) for name, value in scores.compute().items()}
    assert computed == pytest.approx(expected, rel=_MEAN_TOL)
    assert expected["peak_f1_0.5deg"] < expected["peak_f1_2deg"] < 1, "the scores of this data differ"


def test_each_score_stands_under_its_own_name(patterns: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    predicted, true = patterns
    scores = score_patterns(predicted, true, _GRID)
    assert tuple(PatternScores.names) == tuple(PatternScores(_GRID).names)
    assert set(PatternScores.names) == set(scores)
    wide = np.delete(predicted, 7, axis=0).astype(float), np.delete(true, 7, axis=0).astype(float)
    cosine = [scipy_distance.cosine(a, b) for a, b in zip(*wide, strict=True)]
    pearson = [scipy_distance.correlation(a, b) for a, b in zip(*wide, strict=True)]
    np.testing.assert_allclose(np.delete(scores["cosine_distance"], 7), cosine, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.delete(scores["pearson_distance"], 7), pearson, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.delete(scores["mse"], 7), ((wide[0] - wide[1]) ** 2).mean(axis=1), rtol=1e-9)
    peaks = peak_scores(find_peaks(true, _GRID), find_peaks(predicted, _GRID))
    for name, values in peaks.items():
        np.testing.assert_array_equal(scores[name], values)


def test_a_perfect_prediction_has_perfect_scores(patterns: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    _, true = patterns
    scores = score_patterns(true, true, _GRID)
    for name, values in scores.items():
        np.testing.assert_allclose(values, 1.0 if name.startswith("peak_") else 0.0, rtol=0, atol=1e-9, err_msg=name)


def test_an_empty_prediction_scores_zero_and_is_at_distance_1(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    scores = score_patterns(*patterns, _GRID)
    assert all(values[7] == 0 for name, values in scores.items() if name.startswith("peak_"))
    assert scores["cosine_distance"][7] == scores["pearson_distance"][7] == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_predictions_of_another_precision_are_scored_too(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]], dtype: torch.dtype
) -> None:
    scores, expected = PatternScores(_GRID), PatternScores(_GRID)
    predicted, true = (torch.from_numpy(x).to(dtype) for x in patterns)
    scores.update(predicted, true)
    expected.update(predicted.float(), true.float())
    torch.testing.assert_close(scores.compute(), expected.compute())


def test_scores_start_anew_after_a_reset(patterns: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    predicted, true = (torch.from_numpy(x) for x in patterns)
    scores = PatternScores(_GRID)
    scores.update(predicted, true)
    scores.reset()
    scores.update(true[:3], true[:3])
    assert float(scores.compute()["peak_f1_2deg"]) == pytest.approx(1)


def test_full_scores_hold_the_cheap_ones_and_all_others(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    cheap, full = (score_patterns(*patterns, _GRID, full=full) for full in (False, True))
    predicted, true = patterns
    peaks = peak_scores(find_peaks(true, _GRID), find_peaks(predicted, _GRID), full=True)
    expected = all_distances(predicted, true, _GRID) | peaks
    assert set(full) == set(expected) > set(cheap)
    for name, values in full.items():
        assert values.shape == (45,)
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(values, expected[name])
        np.testing.assert_array_equal(values, cheap.get(name, values))


def test_a_perfect_prediction_has_perfect_full_scores(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    _, true = patterns
    for name, values in score_patterns(true, true, _GRID, full=True).items():
        np.testing.assert_allclose(values, 1.0 if name.startswith("peak_") else 0.0, rtol=0, atol=1e-7, err_msg=name)


def test_the_mean_of_batches_is_the_mean_of_their_samples() -> None:
    values = torch.rand(11)
    mean = SampleMean()
    for batch in values.split(4):  # 4, 4 and 3
        mean.update(batch.mean(), len(batch))
    assert mean.compute().item() == pytest.approx(values.mean().item(), rel=1e-6)
    mean.update(torch.tensor(float("nan")), 1)
    assert torch.isnan(mean.compute()), "a loss that is no number is not hidden"


@pytest.mark.parametrize("scale", [0.01, 20.0])
def test_patterns_on_another_scale_are_refused(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]], scale: float
) -> None:
    predicted, true = (scale * each for each in patterns)
    with pytest.raises(PatternError, match=rf"true pattern 0 is {100 * scale:.4g}.*highest point of 100"):
        score_patterns(predicted, true, _GRID)


def test_arrays_of_other_shapes_are_refused(patterns: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    predicted, true = patterns
    for given in ((predicted[0], true[0], _GRID), (predicted[:3], true, _GRID), (predicted, true, _GRID[:5])):
        with pytest.raises(PatternError, match=r"give twice \(n, n_points\)"):
            score_patterns(*given)


def test_no_patterns_and_empty_ones_are_scored() -> None:
    assert score_patterns(np.zeros((0, 1024), np.float32), np.zeros((0, 1024), np.float32), _GRID)["mse"].shape == (0,)
    zeros = np.zeros((1, 1024), np.float32)
    assert score_patterns(zeros, zeros, _GRID)["mse"] == [0]
