"""All scores of one model on a task: per sample, as means with intervals, and over the tolerance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.evaluation.task import Task, in_parts
from deepxrd.metrics import score_patterns, tolerance_curve
from deepxrd.metrics.bootstrap import mean_intervals
from deepxrd.xrd import find_peaks

CURVE_SCORES = ("precision", "recall", "f1")
_CURVE = "curve "


@dataclass(frozen=True)
class Summary:
    """What is kept of a model's scores besides those of each sample.

    Attributes:
        test: mean of each score.
        intervals: lower and upper end of the 95 % interval of each mean.
        curves: precision, recall and F1 at each of ``CURVE_TOLERANCES_DEG``, means over samples.
        fallbacks: samples for which a baseline had nothing to go by.
    """

    test: dict[str, float]
    intervals: dict[str, list[float]]
    curves: dict[str, list[float]]
    fallbacks: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def score(
    task: Task, predicted: NDArray[np.float32], *, label: str, n_resamples: int, fallbacks: int = 0
) -> tuple[Summary, pd.DataFrame]:
    """Score predictions of the test part.

    Args:
        task: what was to be predicted.
        predicted: ``(n_test, n_points)``, largest = 100.
        label: what the progress bar says.
        n_resamples: of the test samples, for the intervals.
        fallbacks: samples for which a baseline had nothing to go by.

    Returns:
        The summary; and a row per sample with its composition, stoichiometry, material id, sites and every score.
    """
    grid = task.xrd.two_theta_deg

    def scores_of(predicted: NDArray[np.float32], true: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        curves = tolerance_curve(find_peaks(true, grid), find_peaks(predicted, grid))
        return score_patterns(predicted, true, grid, full=True) | {_CURVE + name: curves[name] for name in CURVE_SCORES}

    scores = in_parts(scores_of, predicted, task.true, label=f"Scoring {label}")
    curves = {name: scores.pop(_CURVE + name) for name in CURVE_SCORES}
    intervals = mean_intervals(scores, n_resamples=n_resamples)
    summary = Summary(
        test={name: float(values.mean()) for name, values in scores.items()},
        intervals={name: [interval.low, interval.high] for name, interval in intervals.items()},
        curves={name: curves[name].mean(axis=0).tolist() for name in CURVE_SCORES},
        fallbacks=fallbacks,
    )
    return summary, pd.concat([task.store.identity(task.rows["test"]), pd.DataFrame(scores)], axis=1)
