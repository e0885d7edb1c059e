"""What an ensemble of networks says together: the expected pattern, and the peaks with the highest expected F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.models.candidates.decode import decode, draw
from deepxrd.models.candidates.network import Output
from deepxrd.xrd import Peaks, XrdSettings, find_peaks, normalise


@dataclass(frozen=True, eq=False)
class EnsembleOutputs:
    """Of n compositions.

    Attributes:
        patterns: by name, each ``(n, n_points)`` float32 in 0 to 100: ``decoded``, drawn from the peaks, and
            ``expected``, the mean over what could be.
        peaks: those with the highest expected F1.
        peak_probability: of each, that a true one is within 1°, ``(n, width)``; 0 where there is padding.
        expected_f1: mean over tolerances of 2, 1 and 0.5°, ``(n,)``.
        share: the mean share of each candidate, ``(n, k)``.
    """

    patterns: dict[str, NDArray[np.float32]]
    peaks: Peaks
    peak_probability: NDArray[np.float64]
    expected_f1: NDArray[np.float64]
    share: NDArray[np.float64]


@torch.no_grad()
def ensemble_outputs(answers: Sequence[Output], xrd: XrdSettings) -> EnsembleOutputs:
    """Average the answers of networks and decode them.

    Args:
        answers: of each network, for the same n compositions.
        xrd: the grid.
    """
    pattern = torch.stack([each.pattern.float() for each in answers]).mean(0)
    density = torch.stack([each.peaks.float().sigmoid() for each in answers]).double().mean(0)
    expected = normalise(np.maximum(pattern.cpu().numpy(), 0.0))
    peaks, probability, f1 = decode(density.cpu().numpy(), expected, xrd)
    share = torch.stack([each.weight.float().softmax(-1) for each in answers]).double().mean(0).cpu().numpy()
    return EnsembleOutputs({"decoded": draw(peaks, xrd), "expected": expected}, peaks, probability, f1, share)


def without_answer(
    made: EnsembleOutputs, answered: NDArray[np.bool_], mean: NDArray[np.float32], xrd: XrdSettings
) -> EnsembleOutputs:
    """The same with the mean training pattern, its peaks without a probability, where there is no candidate.

    Args:
        made: of n compositions.
        answered: which of them have a candidate, ``(n,)``.
        mean: the mean training pattern, ``(n_points,)`` in 0 to 100.
        xrd: the grid.
    """
    if answered.all():
        return made
    n = len(answered)
    own = find_peaks(np.broadcast_to(mean, (n, len(mean))), xrd.two_theta_deg)
    parts = [_flat(made.peaks, answered), _flat(own, ~answered)]
    rows, angle, intensity = (np.concatenate(each) for each in zip(*parts, strict=True))
    sure = np.concatenate([made.peak_probability[made.peaks.valid & answered[:, None]], np.zeros(len(parts[1][0]))])
    return EnsembleOutputs(
        {name: np.where(answered[:, None], each, mean) for name, each in made.patterns.items()},
        Peaks.from_flat(rows, angle, intensity, n),
        Peaks.from_flat(rows, angle, sure, n).intensity,
        np.where(answered, made.expected_f1, 0.0),
        np.where(answered[:, None], made.share, 0.0),
    )


def _flat(
    peaks: Peaks, wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Row, angle and intensity of each peak of some rows."""
    inside = peaks.valid & wanted[:, None]
    return np.nonzero(inside)[0], peaks.two_theta_deg[inside], peaks.intensity[inside]
