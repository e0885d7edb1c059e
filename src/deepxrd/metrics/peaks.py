"""How well predicted peaks match true ones.

In the formulas P and T are the predicted and the true peaks, and M the pairs of one of each that were matched, every
peak at most once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.xrd import Peaks

TOLERANCES_DEG: tuple[float, ...] = (2.0, 1.0, 0.5)
"""How far a predicted peak may be from the true one it matches."""
Q_TOLERANCES: tuple[float, ...] = (0.005, 0.01, 0.02)
"""The same whatever the wavelength: by what share the larger q may exceed the smaller."""
CURVE_TOLERANCES_DEG: tuple[float, ...] = tuple(i / 10 for i in range(1, 31))
"""Where scores are taken for the curve over the tolerance: 0.1 to 3°."""

_LEAST_SINE = 1e-12  # keeps ln q finite at 2θ = 0


def match_peaks(true: Peaks, predicted: Peaks, *, tolerance_deg: float) -> NDArray[np.int64]:
    """Pair true and predicted peaks within the tolerance, each peak used at most once.

    Both lists are walked in order of angle, and two peaks are paired as soon as they are close enough. On a line, with
    one tolerance for all, no other pairing has more pairs. All patterns are walked at once.

    Returns:
        For each true peak the column of its predicted one, −1 if it has none: ``(n, true width)``.
    """
    return _walk(true.two_theta_deg, predicted.two_theta_deg, tolerance_deg)


def match_count(true: Peaks, predicted: Peaks, *, tolerance_deg: float) -> NDArray[np.int64]:
    """How many pairs :func:`match_peaks` finds: ``(n,)``."""
    return _count(match_peaks(true, predicted, tolerance_deg=tolerance_deg))


def mean_f1(true: Peaks, predicted: Peaks) -> NDArray[np.float64]:
    """F1 of each pattern's peaks, the mean over `TOLERANCES_DEG`: ``(n,)``; 0 where neither side has peaks."""
    total = np.maximum(true.count + predicted.count, 1)
    each = [2 * match_count(true, predicted, tolerance_deg=tolerance) / total for tolerance in TOLERANCES_DEG]
    return np.asarray(np.mean(each, axis=0))


def match_count_q(true: Peaks, predicted: Peaks, *, tolerance: float) -> NDArray[np.int64]:
    """How many pairs there are where q = 4π sin θ / λ may differ by a share, whatever the wavelength: ``(n,)``.

    Two peaks may be paired if max(q) / min(q) ≤ 1 + tolerance, that is |Δ ln q| ≤ ln(1 + tolerance): it does not matter
    which one is true, λ cancels, and on the axis ln q the tolerance is one for all, so the walk of :func:`match_peaks`
    finds the most pairs here too. A lattice that is too large by a share shifts every peak by that share in q.
    """
    return _count(_walk(_log_q(true), _log_q(predicted), float(np.log1p(tolerance))))


def matched_intensity(true: Peaks, predicted: Peaks, *, tolerance_deg: float) -> NDArray[np.float64]:
    """Intensity that both sides have in common, Σ min(s, t) over the pairs of :func:`match_peaks`: ``(n,)``."""
    partner = match_peaks(true, predicted, tolerance_deg=tolerance_deg)
    if not partner.size or not predicted.intensity.size:
        return np.zeros(len(true.count))
    heights = np.take_along_axis(predicted.intensity, np.maximum(partner, 0), axis=1)
    return np.asarray(np.where(partner >= 0, np.minimum(heights, true.intensity), 0.0).sum(axis=1))


def recall_any(true: Peaks, predicted: Peaks, *, tolerance_deg: float) -> NDArray[np.float64]:
    """Share of true peaks with some predicted peak within the tolerance; several may use the same one: ``(n,)``."""
    near = np.zeros(true.two_theta_deg.shape, dtype=bool)
    for column in range(predicted.two_theta_deg.shape[1]):
        with np.errstate(invalid="ignore"):  # padding minus padding
            near |= np.abs(true.two_theta_deg - predicted.two_theta_deg[:, column, None]) <= tolerance_deg
    return _ratio(near.sum(axis=1), true.count, empty=predicted.count == 0)


def tolerance_curve(
    true: Peaks, predicted: Peaks, *, tolerances_deg: tuple[float, ...] = CURVE_TOLERANCES_DEG
) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and F1 of each pattern over the tolerance.

    Args:
        true: peaks of the true patterns.
        predicted: peaks of the predicted patterns, as many.
        tolerances_deg: where the curve is taken.

    Returns:
        ``precision``, ``recall`` and ``f1``, each ``(n, n_tolerances)``; they never fall along a row.
    """
    each = [match_count(true, predicted, tolerance_deg=tolerance) for tolerance in tolerances_deg]
    matched = np.stack(each, axis=1)
    return _one_to_one(matched, true.count[:, None], predicted.count[:, None])


def curve_area(curve: NDArray[np.float64], tolerances_deg: tuple[float, ...]) -> NDArray[np.float64]:
    """Area under curves ``(n, n_tolerances)`` by trapezia, over the length of the range: a mean score, ``(n,)``."""
    area = np.trapezoid(curve, np.array(tolerances_deg), axis=1)
    return np.asarray(area / (tolerances_deg[-1] - tolerances_deg[0]))


def peak_scores(
    true: Peaks, predicted: Peaks, *, tolerances_deg: tuple[float, ...] = TOLERANCES_DEG, full: bool = False
) -> dict[str, NDArray[np.float64]]:
    """All peak scores, per pattern.

    ``peak_recall_any`` (at 2°) is one reading of the paper's "peak position match percentage". The rest is one-to-one:
    precision = |M| / |P|, recall = |M| / |T|, F1 = 2 |M| / (|P| + |T|). With no peak on either side all are 1; with
    none on one side all are 0.

    ``full`` adds the same three

    - weighted by intensity, ``peak_f1_intensity_2deg`` …: 2 Σ_M min(s, t) / (Σ_T s + Σ_P t), that is with the
      intensity that both sides have in common in place of the number of pairs, and sums of intensity in place of
      numbers of peaks. Where all peaks are equally high it is the plain score; a strong peak that is missed, or much
      too weak, costs more.
    - with a tolerance in q, free of the wavelength, ``peak_f1_q1pct`` …: see :func:`match_count_q`.
    - averaged over tolerances from 0.1 to 3°, ``peak_f1_area`` …: see :func:`curve_area`.

    Args:
        true: peaks of the true patterns.
        predicted: peaks of the predicted patterns, as many.
        tolerances_deg: where to score.
        full: whether to give all of them; it takes ten times as long.

    Returns:
        Arrays ``(n,)`` by name, such as ``peak_f1_2deg``.
    """
    scores = {"peak_recall_any": recall_any(true, predicted, tolerance_deg=2.0)}
    for tolerance in tolerances_deg:
        matched = match_count(true, predicted, tolerance_deg=tolerance)
        scores |= _named(_one_to_one(matched, true.count, predicted.count), f"{tolerance:g}deg")
    return scores | _more_scores(true, predicted, tolerances_deg) if full else scores


def _more_scores(true: Peaks, predicted: Peaks, tolerances_deg: tuple[float, ...]) -> dict[str, NDArray[np.float64]]:
    """What ``full`` adds; see :func:`peak_scores`."""
    scores: dict[str, NDArray[np.float64]] = {}
    for tolerance in tolerances_deg:
        common = matched_intensity(true, predicted, tolerance_deg=tolerance)
        sums = true.intensity.sum(axis=1), predicted.intensity.sum(axis=1)
        scores |= _named(_one_to_one(common, *sums), f"intensity_{tolerance:g}deg")
    for tolerance in Q_TOLERANCES:
        matched = match_count_q(true, predicted, tolerance=tolerance)
        scores |= _named(_one_to_one(matched, true.count, predicted.count), f"q{100 * tolerance:g}pct")
    curves = tolerance_curve(true, predicted)
    return scores | _named({name: curve_area(curve, CURVE_TOLERANCES_DEG) for name, curve in curves.items()}, "area")


def _named(scores: dict[str, NDArray[np.float64]], at: str) -> dict[str, NDArray[np.float64]]:
    return {f"peak_{name}_{at}": values for name, values in scores.items()}


def _one_to_one(
    matched: NDArray[np.number], true: NDArray[np.number], predicted: NDArray[np.number]
) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and F1 from what was matched and what there was on each side, counts or intensities."""
    neither = (true == 0) & (predicted == 0)
    return {
        "precision": _ratio(matched, predicted, empty=neither),
        "recall": _ratio(matched, true, empty=neither),
        "f1": _ratio(2 * matched, true + predicted, empty=neither),
    }


def _walk(a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float) -> NDArray[np.int64]:
    """Walk both lists of positions ``(n, width)``, infinite after the last: the column of each a's partner, or −1."""
    n = len(a)
    rows = np.arange(n)
    partner = np.full(a.shape, -1, dtype=np.int64)
    a, b = _with_end(a), _with_end(b)
    i, j = (np.zeros(n, dtype=np.int64) for _ in range(2))
    for _ in range(a.shape[1] + b.shape[1]):
        x, y = a[rows, i], b[rows, j]
        active = np.isfinite(x) & np.isfinite(y)
        if not active.any():
            break
        gap = np.subtract(x, y, out=np.zeros(n), where=active)
        pair = active & (np.abs(gap) <= tolerance)
        partner[rows[pair], i[pair]] = j[pair]
        i += pair | (active & (gap < -tolerance))
        j += pair | (active & (gap > tolerance))
    return partner


def _with_end(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same rows with one more infinity, so that a walk may step past the last peak."""
    return np.pad(positions, ((0, 0), (0, 1)), constant_values=np.inf)


def _log_q(peaks: Peaks) -> NDArray[np.float64]:
    """Logarithm of sin θ, which is ln q up to a constant: ``(n, width)``, infinite after the last peak."""
    theta = np.radians(np.where(peaks.valid, peaks.two_theta_deg, 0.0) / 2)
    return np.where(peaks.valid, np.log(np.maximum(np.sin(theta), _LEAST_SINE)), np.inf)


def _count(partner: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray((partner >= 0).sum(axis=1))


def _ratio(part: NDArray[np.number], whole: NDArray[np.number], *, empty: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Part over whole; where the whole is nothing, 1 if ``empty`` (nothing was there to be found), else 0."""
    some = whole > 0
    return np.where(some, part / np.where(some, whole, 1), empty.astype(np.float64))
