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
        n_samples: of the test part.
        test: mean of each score.
        intervals: lower and upper end of the 95 % interval of each mean, by bootstrap over chemical systems.
        curves: precision, recall and F1 at each of ``CURVE_TOLERANCES_DEG``, means over samples.
        fallbacks: samples for which a baseline had nothing to go by and gave the mean training pattern.
        test_without_fallbacks: means over the other samples; None where all or none are such.
    """

    n_samples: int
    test: dict[str, float]
    intervals: dict[str, list[float]]
    curves: dict[str, list[float]]
    fallbacks: int = 0
    test_without_fallbacks: dict[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def score(
    task: Task,
    predicted: NDArray[np.float32],
    *,
    label: str,
    n_resamples: int,
    fallbacks: NDArray[np.bool_] | None = None,
) -> tuple[Summary, pd.DataFrame]:
    """Score predictions of the test part.

    Args:
        task: what was to be predicted.
        predicted: ``(n_test, n_points)``, largest = 100.
        label: what the progress bar says.
        n_resamples: of the test part's chemical systems, for the intervals.
        fallbacks: for which samples a baseline had nothing to go by, ``(n_test,)``; None for none.

    Returns:
        The summary; and a row per sample with its composition, stoichiometry, material id, sites and every score.
    """
    grid = task.xrd.two_theta_deg

    def scores_of(predicted: NDArray[np.float32], true: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        curves = tolerance_curve(find_peaks(true, grid), find_peaks(predicted, grid))
        return score_patterns(predicted, true, grid, full=True) | {_CURVE + name: curves[name] for name in CURVE_SCORES}

    scores = in_parts(scores_of, predicted, task.true, label=f"Scoring {label}")
    curves = {name: scores.pop(_CURVE + name) for name in CURVE_SCORES}
    samples = task.store.identity(task.targets)
    intervals = mean_intervals(scores, groups=[each.chemical_system for each in task.formulas], n_resamples=n_resamples)
    n_test = len(predicted)
    found = np.ones(n_test, dtype=np.bool_) if fallbacks is None else ~fallbacks
    partial = (
        {name: float(values[found].mean()) for name, values in scores.items()} if 0 < found.sum() < n_test else None
    )
    summary = Summary(
        n_samples=n_test,
        test={name: float(values.mean()) for name, values in scores.items()},
        intervals={name: [interval.low, interval.high] for name, interval in intervals.items()},
        curves={name: curves[name].mean(axis=0).tolist() for name in CURVE_SCORES},
        fallbacks=n_test - int(found.sum()),
        test_without_fallbacks=partial,
    )
    return summary, pd.concat([samples, pd.DataFrame(scores)], axis=1)
