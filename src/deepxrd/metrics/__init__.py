"""Scores of predicted patterns: pure functions per pattern; `deepxrd.metrics.running` has torchmetrics classes."""

from deepxrd.metrics.bootstrap import (
    Interval,
    PairedDifference,
    holm,
    mean_interval,
    mean_intervals,
    paired_difference,
)
from deepxrd.metrics.distances import (
    all_distances,
    cosine_distance,
    jensen_shannon_distance,
    jensen_shannon_divergence,
    mean_squared_error,
    mean_squared_log_error,
    pearson_distance,
    wasserstein_distance,
    weighted_profile_r,
)
from deepxrd.metrics.dtw import DtwSettings, dtw_distance
from deepxrd.metrics.own import Metric, own_scores
from deepxrd.metrics.peaks import (
    CURVE_TOLERANCES_DEG,
    Q_TOLERANCES,
    TOLERANCES_DEG,
    curve_area,
    match_count,
    match_count_q,
    match_peaks,
    matched_intensity,
    peak_scores,
    recall_any,
    tolerance_curve,
)
from deepxrd.metrics.scores import score_patterns
from deepxrd.metrics.table2 import TABLE2_ROWS, table2

__all__ = [
    "CURVE_TOLERANCES_DEG",
    "Q_TOLERANCES",
    "TABLE2_ROWS",
    "TOLERANCES_DEG",
    "DtwSettings",
    "Interval",
    "Metric",
    "PairedDifference",
    "all_distances",
    "cosine_distance",
    "curve_area",
    "dtw_distance",
    "holm",
    "jensen_shannon_distance",
    "jensen_shannon_divergence",
    "match_count",
    "match_count_q",
    "match_peaks",
    "matched_intensity",
    "mean_interval",
    "mean_intervals",
    "mean_squared_error",
    "mean_squared_log_error",
    "own_scores",
    "paired_difference",
    "peak_scores",
    "pearson_distance",
    "recall_any",
    "score_patterns",
    "table2",
    "tolerance_curve",
    "wasserstein_distance",
    "weighted_profile_r",
]
