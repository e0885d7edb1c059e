"""All scores of predicted patterns at once, per pattern."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.metrics.distances import DISTANCES, all_distances, as_double
from deepxrd.metrics.peaks import peak_scores
from deepxrd.xrd import find_peaks


def score_patterns(
    predicted: NDArray[np.float32],
    true: NDArray[np.float32],
    two_theta_deg: NDArray[np.float64],
    *,
    full: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Distances and peak scores of each predicted pattern.

    Args:
        predicted: ``(n, n_points)``, largest = 100.
        true: the same shape.
        two_theta_deg: the grid, ``(n_points,)``.
        full: whether to give every score but DTW, which `deepxrd.metrics.table2` has; without, those that are cheap
            enough for every epoch.

    Returns:
        Arrays ``(n,)`` by name; see :func:`deepxrd.metrics.distances.all_distances` and :func:`peak_scores`.
    """
    if full:
        scores = all_distances(predicted, true, two_theta_deg)
    else:
        a, b = as_double(predicted), as_double(true)
        scores = {name: distance(a, b).numpy() for name, distance in DISTANCES.items()}
    return scores | peak_scores(find_peaks(true, two_theta_deg), find_peaks(predicted, two_theta_deg), full=full)
