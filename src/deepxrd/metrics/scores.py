"""All scores of predicted patterns at once, per pattern."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import PatternError
from deepxrd.metrics.distances import DISTANCES, all_distances, as_double
from deepxrd.metrics.peaks import peak_scores
from deepxrd.xrd import THRESHOLD, find_peaks

_HIGHEST = 100.0
_TOLERANCE = 1.0  # of 100; what bfloat16 rounds to is nearer


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

    Raises:
        PatternError: the arrays are of other shapes, or the highest point of a true pattern is not 100; a pattern of
            zeros is taken.
    """
    _check(np.asarray(predicted), np.asarray(true), np.asarray(two_theta_deg))
    if full:
        scores = all_distances(predicted, true, two_theta_deg)
    else:
        a, b = as_double(predicted), as_double(true)
        scores = {name: distance(a, b).numpy() for name, distance in DISTANCES.items()}
    return scores | peak_scores(find_peaks(true, two_theta_deg), find_peaks(predicted, two_theta_deg), full=full)


def _check(predicted: NDArray[np.float32], true: NDArray[np.float32], two_theta_deg: NDArray[np.float64]) -> None:
    """Refuse what would give scores without a meaning."""
    if true.ndim != 2 or predicted.shape != true.shape or two_theta_deg.shape != true.shape[1:]:  # noqa: PLR2004
        msg = (
            f"predicted patterns {predicted.shape} and true patterns {true.shape} on a grid {two_theta_deg.shape}: "
            "give twice (n, n_points) and (n_points,); a single pattern is pattern[None]"
        )
        raise PatternError(msg)
    highest = true.max(axis=1, initial=0.0)
    wrong = np.flatnonzero((highest > 0) & (np.abs(highest - _HIGHEST) > _TOLERANCE))
    if wrong.size:
        msg = (
            f"the highest point of true pattern {wrong[0]} is {highest[wrong[0]]:.4g}: scale true patterns and "
            f"predicted ones to a highest point of 100, since peaks are what reaches {THRESHOLD:g}"
        )
        raise PatternError(msg)
