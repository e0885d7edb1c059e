"""How well predicted peaks match true ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.xrd import Peaks

TOLERANCES_DEG: tuple[float, ...] = (2.0, 1.0, 0.5)
"""How far a predicted peak may be from the true one it matches."""


def match_count(true: Peaks, predicted: Peaks, *, tolerance_deg: float) -> NDArray[np.int64]:
    """Pairs of one true and one predicted peak within the tolerance, each peak used at most once: ``(n,)``.

    Both lists are walked in order of angle, and two peaks are paired as soon as they are close enough. On a line, with
    one tolerance for all, no other pairing has more pairs. All patterns are walked at once.
    """
    n = len(true.count)
    rows = np.arange(n)
    a, b = _with_end(true.two_theta_deg), _with_end(predicted.two_theta_deg)
    i, j, matched = (np.zeros(n, dtype=np.int64) for _ in range(3))
    for _ in range(a.shape[1] + b.shape[1]):
        x, y = a[rows, i], b[rows, j]
        active = np.isfinite(x) & np.isfinite(y)
        if not active.any():
            break
        gap = np.subtract(x, y, out=np.zeros(n), where=active)
        pair = active & (np.abs(gap) <= tolerance_deg)
        matched += pair
        i += pair | (active & (gap < -tolerance_deg))
        j += pair | (active & (gap > tolerance_deg))
    return matched


def recall_any(true: Peaks, predicted: Peaks, *, tolerance_deg: float) -> NDArray[np.float64]:
    """Share of true peaks with some predicted peak within the tolerance; several may use the same one: ``(n,)``."""
    near = np.zeros(true.two_theta_deg.shape, dtype=bool)
    for column in range(predicted.two_theta_deg.shape[1]):
        with np.errstate(invalid="ignore"):  # padding minus padding
            near |= np.abs(true.two_theta_deg - predicted.two_theta_deg[:, column, None]) <= tolerance_deg
    return _ratio(near.sum(axis=1), true.count, empty=predicted.count == 0)


def peak_scores(
    true: Peaks, predicted: Peaks, *, tolerances_deg: tuple[float, ...] = TOLERANCES_DEG
) -> dict[str, NDArray[np.float64]]:
    """All peak scores, per pattern.

    ``peak_recall_any`` (at 2°) is one reading of the paper's "peak position match percentage". The rest is one-to-one:
    precision = matched / predicted, recall = matched / true, F1 = 2 matched / (true + predicted). With no peak on
    either side all are 1; with none on one side all are 0.

    Args:
        true: peaks of the true patterns.
        predicted: peaks of the predicted patterns, as many.
        tolerances_deg: where to score.

    Returns:
        Arrays ``(n,)`` by name, such as ``peak_f1_2deg``.
    """
    scores = {"peak_recall_any": recall_any(true, predicted, tolerance_deg=2.0)}
    neither = (true.count == 0) & (predicted.count == 0)
    for tolerance in tolerances_deg:
        matched = match_count(true, predicted, tolerance_deg=tolerance)
        at = f"{tolerance:g}deg"
        scores[f"peak_precision_{at}"] = _ratio(matched, predicted.count, empty=neither)
        scores[f"peak_recall_{at}"] = _ratio(matched, true.count, empty=neither)
        scores[f"peak_f1_{at}"] = _ratio(2 * matched, true.count + predicted.count, empty=neither)
    return scores


def _with_end(two_theta_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same rows with one more infinity, so that a walk may step past the last peak."""
    return np.pad(two_theta_deg, ((0, 0), (0, 1)), constant_values=np.inf)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64], *, empty: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Part over whole; where the whole is nothing, 1 if ``empty`` (nothing was there to be found), else 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), empty.astype(np.float64))
