"""Table 2 of the paper: distances of whole patterns, of their peaks, and of their peaks after alignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.metrics.distances import all_distances
from deepxrd.metrics.dtw import DtwSettings, dtw_distance
from deepxrd.xrd import find_peaks
from deepxrd.xrd.alignment import align_peaks, stick_patterns

TABLE2_ROWS: tuple[str, ...] = ("prediction", "peak", "peak_alignment")
"""Rows of Table 2, by the names of ``table2.csv``."""


def table2(
    predicted: NDArray[np.floating],
    true: NDArray[np.floating],
    two_theta_deg: NDArray[np.float64],
    *,
    dtw: DtwSettings | None = DtwSettings(),  # noqa: B008 - it cannot be changed
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Every distance of each pattern, for each row of Table 2 (Dong et al. 2022).

    Row ``prediction`` compares the patterns as they are. Row ``peak`` compares stick patterns of their peaks: local
    maxima of 10 or more, merged within 2°, all else zero. Row ``peak_alignment`` does so after the predicted peaks
    were moved onto the true ones; it uses the truth, and so says what a prediction would be worth if its positions were
    right to 2°.

    Args:
        predicted: ``(n, n_points)``, largest = 100.
        true: the same shape.
        two_theta_deg: the grid, ``(n_points,)``.
        dtw: window, penalty and processes of DTW; None leaves it out.

    Returns:
        For each of `TABLE2_ROWS`, arrays ``(n,)`` by distance: those of
        :func:`deepxrd.metrics.distances.all_distances`, and ``dtw`` unless left out.
    """
    true_peaks, peaks = find_peaks(true, two_theta_deg), find_peaks(predicted, two_theta_deg)
    sticks = stick_patterns(true_peaks, two_theta_deg)
    pairs = (
        (predicted, true),
        (stick_patterns(peaks, two_theta_deg), sticks),
        (stick_patterns(align_peaks(peaks, true_peaks), two_theta_deg), sticks),
    )
    table = {row: all_distances(a, b, two_theta_deg) for row, (a, b) in zip(TABLE2_ROWS, pairs, strict=True)}
    if dtw is not None:
        for row, (a, b) in zip(TABLE2_ROWS, pairs, strict=True):
            table[row]["dtw"] = dtw_distance(a, b, two_theta_deg, settings=dtw)
    return table
