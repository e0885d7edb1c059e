"""Table 2 of the paper under each way to read what the paper leaves open, and how near each comes to its numbers.

Open are the offset of a network's output, to which its Pearson loss is blind; the unit of the Jensen–Shannon
divergence; the scale of DTW; what a "peak" is; and how peaks are aligned. And the width of the lines, which is a
setting of the patterns themselves (``xrd.sigma_deg``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from deepxrd.metrics.distances import (
    as_double,
    cosine_distance,
    jensen_shannon_divergence,
    pearson_distance,
)
from deepxrd.metrics.dtw import DtwSettings, dtw_distance
from deepxrd.xrd import MERGE_WITHIN_DEG, THRESHOLD, Peaks, align_peaks, find_peaks, stick_patterns
from deepxrd.xrd.alignment import ALIGN_WITHIN_DEG

JSD_READINGS: Mapping[str, str] = {
    "nats": "½ Σ …, natural logarithm",
    "bits": "the same, binary logarithm",
    "root of nats": "its root, natural logarithm",
    "root of bits": "its root, binary logarithm",
}
DTW_READINGS: Mapping[str, str] = {
    "root": "√(Σ difference²), highest peak 1",
    "squares": "Σ difference², highest peak 1",
    "absolute": "Σ |difference|, highest peak 1",
}
OFFSET_READINGS: Mapping[str, str] = {
    "least 0": "a prediction's least value is 0",
    "mean 0": "a prediction's mean is 0, in its cosine",
}
PEAK_READINGS: Mapping[str, str] = {
    "merged": "local maxima of 10 or more, merged, each one point",
    "all": "local maxima of 10 or more, not merged, each one point",
    "cut": "the pattern, zero where it is under 10",
}
_MERGE_WITHIN_DEG = {"merged": MERGE_WITHIN_DEG, "all": 0.0}
_TAKES = {
    "one, kept": "each for one true peak; what none takes stays",
    "one, dropped": "each for one true peak; what none takes is left out",
    "many, kept": "each for one or more true peaks; what none takes stays",
    "many, dropped": "each for one or more true peaks; what none takes is left out",
}
ALIGN_READINGS: Mapping[str, str] = {
    f"{peaks}, {name}": f"{peaks} peaks, {text}" for peaks in _MERGE_WITHIN_DEG for name, text in _TAKES.items()
}
_PREDICTION, _PEAK, _ALIGNED = "prediction", "peak", "peak_alignment"


@dataclass(frozen=True)
class Reading:
    """One choice for all that is open but the width: names of the five tables above."""

    offset: str
    jsd: str
    dtw: str
    peak: str
    align: str

    def cells(self) -> dict[tuple[str, str], str]:
        """Where :func:`measure` has each of the twelve numbers, by row and distance of Table 2."""
        rows = {
            _PREDICTION: f"{_PREDICTION}: {self.offset}",
            _PEAK: f"{_PEAK}: {self.peak}",
            _ALIGNED: f"{_ALIGNED}: {self.align}",
        }
        names = {"cosine": "cosine", "pearson": "pearson", "jsd": f"jsd, {self.jsd}", "dtw": f"dtw, {self.dtw}"}
        return {(row, name): f"{rows[row]} | {names[name]}" for row in rows for name in names}


READINGS: tuple[Reading, ...] = tuple(
    Reading(*each) for each in product(OFFSET_READINGS, JSD_READINGS, DTW_READINGS, PEAK_READINGS, ALIGN_READINGS)
)
OURS = Reading("least 0", "nats", "root", "merged", "merged, one, kept")
"""What `deepxrd.metrics.table2` computes."""


def measure(
    predicted: NDArray[np.floating],
    true: NDArray[np.floating],
    two_theta_deg: NDArray[np.float64],
    *,
    dtw: DtwSettings | None = None,
) -> dict[str, float]:
    """Every number of Table 2 in every reading, the mean over the patterns.

    Args:
        predicted: ``(n, n_points)``, largest = 100.
        true: the same shape.
        two_theta_deg: the grid, ``(n_points,)``.
        dtw: window, penalty and processes.

    Returns:
        By ``ROW | DISTANCE``, see :meth:`Reading.cells`.
    """
    found: dict[str, float] = {}
    for row, pair in _pairs(predicted, true, two_theta_deg).items():
        for name, values in _distances(*pair, two_theta_deg, dtw or DtwSettings()).items():
            found[f"{row} | {name}"] = float(values.mean())
    plain, centred = (f"{_PREDICTION}: {offset}" for offset in OFFSET_READINGS)
    found |= {key.replace(plain, centred): value for key, value in found.items() if key.startswith(plain)}
    about_mean = as_double(predicted - predicted.mean(axis=1, keepdims=True))
    return found | {f"{centred} | cosine": float(cosine_distance(about_mean, as_double(true)).mean())}


def deviation(measured: Mapping[str, float], paper: Mapping[tuple[str, str], float], reading: Reading) -> float:
    """How far a reading is from the paper's numbers: the mean of |ours − paper's| / paper's over all of them.

    Args:
        measured: as `measure` gives it.
        paper: its numbers by row and distance.
        reading: the choice.
    """
    cells = reading.cells()
    return float(np.mean([abs(measured[cells[key]] - value) / value for key, value in paper.items()]))


def nearest(measured: Mapping[str, float], paper: Mapping[tuple[str, str], float]) -> tuple[Reading, float]:
    """The reading that is nearest to the paper's numbers, and how far it is; see :func:`deviation`."""
    found = {reading: deviation(measured, paper, reading) for reading in READINGS}
    best = min(found, key=lambda reading: found[reading])
    return best, found[best]


def align_shared(predicted: Peaks, true: Peaks, *, keep: bool, within_deg: float = ALIGN_WITHIN_DEG) -> Peaks:
    """Put the largest predicted peak within reach onto each true peak, though another may have taken it already.

    Args:
        predicted: peaks of n predicted patterns.
        true: peaks of as many true patterns.
        keep: whether predicted peaks that no true peak takes stay where they are.
        within_deg: how far a peak may be moved.
    """
    rows, angles, heights = [], [], []
    taken = np.zeros(predicted.two_theta_deg.shape, dtype=bool)
    for column in range(true.two_theta_deg.shape[1] if predicted.two_theta_deg.shape[1] else 0):
        at = np.flatnonzero(true.count > column)
        target = true.two_theta_deg[at, column]
        near = predicted.valid[at] & (np.abs(predicted.two_theta_deg[at] - target[:, None]) <= within_deg)
        largest = np.where(near, predicted.intensity[at], -np.inf).argmax(axis=1)
        found = near.any(axis=1)
        rows.append(at[found])
        angles.append(target[found])
        heights.append(predicted.intensity[at[found], largest[found]])
        taken[at[found], largest[found]] = True
    left = predicted.valid & ~taken if keep else np.zeros_like(taken)
    rows.append(np.nonzero(left)[0])
    angles.append(predicted.two_theta_deg[left])
    heights.append(predicted.intensity[left])
    return Peaks.from_flat(np.concatenate(rows), np.concatenate(angles), np.concatenate(heights), len(predicted.count))


def _pairs(
    predicted: NDArray[np.floating], true: NDArray[np.floating], two_theta_deg: NDArray[np.float64]
) -> dict[str, tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Predicted and true patterns of each row of Table 2, in each reading of it."""
    pairs = {
        f"{_PREDICTION}: least 0": (predicted, true),
        f"{_PEAK}: cut": (over_threshold(predicted), over_threshold(true)),
    }
    for kind, within_deg in _MERGE_WITHIN_DEG.items():
        theirs, ours = (find_peaks(each, two_theta_deg, merge_within_deg=within_deg) for each in (true, predicted))
        sticks, moved = stick_patterns(theirs, two_theta_deg), align_peaks(ours, theirs)
        aligned = {
            "one, kept": moved,
            "one, dropped": _at_any(moved, theirs),
            "many, kept": align_shared(ours, theirs, keep=True),
            "many, dropped": align_shared(ours, theirs, keep=False),
        }
        pairs[f"{_PEAK}: {kind}"] = (stick_patterns(ours, two_theta_deg), sticks)
        for name, peaks in aligned.items():
            pairs[f"{_ALIGNED}: {kind}, {name}"] = (stick_patterns(peaks, two_theta_deg), sticks)
    return pairs


def _at_any(peaks: Peaks, true: Peaks) -> Peaks:
    """Only those peaks that stand exactly where a true one does."""
    same = np.zeros(peaks.two_theta_deg.shape, dtype=bool)
    for column in range(true.two_theta_deg.shape[1]):
        same |= peaks.two_theta_deg == true.two_theta_deg[:, column, None]
    same &= peaks.valid
    return Peaks.from_flat(np.nonzero(same)[0], peaks.two_theta_deg[same], peaks.intensity[same], len(peaks.count))


def over_threshold(patterns: NDArray[np.floating]) -> NDArray[np.floating]:
    """The same patterns, zero where they are under the paper's threshold of peaks."""
    return np.where(patterns >= THRESHOLD, patterns, 0.0)


def _distances(
    predicted: NDArray[np.floating],
    true: NDArray[np.floating],
    two_theta_deg: NDArray[np.float64],
    settings: DtwSettings,
) -> dict[str, NDArray[np.float64]]:
    """Distances of each pattern in each unit and scale, by name."""
    a, b = as_double(predicted), as_double(true)
    nats = np.maximum(jensen_shannon_divergence(a, b).numpy(), 0.0)
    bits = nats / np.log(2)
    root, absolute = (
        dtw_distance(predicted, true, two_theta_deg, settings=replace(settings, absolute=absolute))
        for absolute in (False, True)
    )
    return {
        "cosine": cosine_distance(a, b).numpy(),
        "pearson": pearson_distance(a, b).numpy(),
        "jsd, nats": nats,
        "jsd, bits": bits,
        "jsd, root of nats": np.sqrt(nats),
        "jsd, root of bits": np.sqrt(bits),
        "dtw, root": root,
        "dtw, squares": root**2,
        "dtw, absolute": absolute,
    }
