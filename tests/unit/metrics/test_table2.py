from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import distance as scipy_distance

from deepxrd.metrics import TABLE2_ROWS, DtwSettings, all_distances, table2
from deepxrd.xrd import XrdSettings, smooth_reflections

_GRID = XrdSettings().two_theta_deg
_SERIAL = DtwSettings(n_jobs=1)


def _pattern(places: list[float], heights: list[float]) -> NDArray[np.float32]:
    return smooth_reflections(np.array(places), np.array(heights), XrdSettings())


@pytest.fixture(scope="module")
def patterns() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Three predictions: every peak off by 1°; one by 5°; the truth itself."""
    heights = [100.0, 60.0, 30.0]
    true = [_pattern([30, 60, 90], heights), _pattern([40, 80, 120], heights), _pattern([25, 50, 75], heights)]
    predicted = [_pattern([31, 61, 91], heights), _pattern([45, 80, 120], heights), true[2]]
    return np.stack(predicted), np.stack(true)


def test_the_table_has_the_papers_rows_and_every_distance_of_each_sample(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    table = table2(*patterns, _GRID, dtw=_SERIAL)
    assert tuple(table) == TABLE2_ROWS == ("prediction", "peak", "peak_alignment")
    for cells in table.values():
        assert set(cells) == {*all_distances(*patterns, _GRID), "dtw"}
        assert all(values.shape == (3,) and np.isfinite(values).all() for values in cells.values())


def test_the_first_row_is_that_of_the_whole_patterns(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    cells = table2(*patterns, _GRID, dtw=_SERIAL)["prediction"]
    for name, values in all_distances(*patterns, _GRID).items():
        np.testing.assert_array_equal(cells[name], values)
    expected = [scipy_distance.cosine(a.astype(float), b.astype(float)) for a, b in zip(*patterns, strict=True)]
    np.testing.assert_allclose(cells["cosine_distance"], expected, atol=1e-9)


def test_peaks_alone_share_nothing_until_they_are_aligned(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    table = table2(*patterns, _GRID, dtw=_SERIAL)
    np.testing.assert_allclose(table["peak"]["cosine_distance"][[0, 2]], [1, 0], atol=1e-12)
    # The second sample's strongest peak is 5° off: too far to be aligned, so the others' share of the norm remains.
    share = 1 - (60**2 + 30**2) / (100**2 + 60**2 + 30**2)
    assert table["peak"]["cosine_distance"][1] == pytest.approx(share, abs=1e-4)
    np.testing.assert_allclose(table["peak_alignment"]["cosine_distance"], [0, share, 0], atol=1e-4)
    assert table["peak_alignment"]["wasserstein_deg"][1] == pytest.approx(5 * 100 / 190, rel=0.04)  # by whole points


def test_a_perfect_prediction_is_at_no_distance_in_every_row(
    patterns: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    for cells in table2(*patterns, _GRID, dtw=_SERIAL).values():
        np.testing.assert_allclose([values[2] for values in cells.values()], 0, atol=1e-6)


def test_the_settings_of_dtw_are_used(patterns: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    stiff, free = (table2(*patterns, _GRID, dtw=DtwSettings(w, n_jobs=1))["prediction"]["dtw"] for w in (0, None))
    predicted, true = patterns
    np.testing.assert_allclose(stiff, np.linalg.norm((predicted.astype(float) - true) / 100, axis=1), atol=1e-9)
    assert (free[:2] < 0.5 * stiff[:2]).all()
