"""Scores of predicted patterns: pure functions per pattern, and torchmetrics classes over them."""

from deepxrd.metrics.distances import cosine_distance, mean_squared_error, pearson_distance
from deepxrd.metrics.peaks import TOLERANCES_DEG, match_count, peak_scores, recall_any
from deepxrd.metrics.scores import PatternScores, score_patterns

__all__ = [
    "TOLERANCES_DEG",
    "PatternScores",
    "cosine_distance",
    "match_count",
    "mean_squared_error",
    "peak_scores",
    "pearson_distance",
    "recall_any",
    "score_patterns",
]
