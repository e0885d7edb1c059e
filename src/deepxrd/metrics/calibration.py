"""Whether probabilities keep what they promise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TENTHS = 10


def reliability_bins(
    promised: NDArray[np.floating], came: NDArray[np.floating | np.bool_]
) -> list[tuple[float, float, int]]:
    """Mean promise, mean outcome and number of samples in each tenth of the promise that has any.

    Args:
        promised: from 0 to 1, ``(n,)``.
        came: what came of it, from 0 to 1, ``(n,)``.
    """
    place = np.minimum((np.asarray(promised) * _TENTHS).astype(int), _TENTHS - 1)
    chosen = [np.flatnonzero(place == tenth) for tenth in range(_TENTHS)]
    return [(float(promised[rows].mean()), float(came[rows].mean()), len(rows)) for rows in chosen if len(rows)]


def calibration_error(promised: NDArray[np.floating], came: NDArray[np.floating | np.bool_]) -> float:
    """Expected calibration error: mean distance of promise and outcome over tenths, weighted by their numbers.

    Naeini et al. 2015, section 2, with ten bins of equal width; not a number without samples.

    Example:
        >>> calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([1.0, 1.0, 1.0, 0.0]))
        0.0
    """
    if not len(promised):
        return float("nan")
    return sum(n * abs(said - true) for said, true, n in reliability_bins(promised, came)) / len(promised)
