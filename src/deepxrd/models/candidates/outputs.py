"""What an ensemble of networks says together: the expected pattern, and the peaks with the highest expected F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.models.candidates.decode import decode, draw
from deepxrd.models.candidates.network import Output
from deepxrd.xrd import Peaks, XrdSettings, normalise


@dataclass(frozen=True, eq=False)
class EnsembleOutputs:
    """Of n compositions.

    Attributes:
        patterns: by name, each ``(n, n_points)`` float32 in 0 to 100: ``decoded``, drawn from the peaks, and
            ``expected``, the mean over what could be.
        peaks: those with the highest expected F1.
        peak_probability: of each, that a true one is within 1°, ``(n, width)``; 0 where there is padding.
        expected_f1: mean over tolerances of 2, 1 and 0.5°, ``(n,)``.
    """

    patterns: dict[str, NDArray[np.float32]]
    peaks: Peaks
    peak_probability: NDArray[np.float64]
    expected_f1: NDArray[np.float64]


@torch.no_grad()
def averaged(answers: Sequence[Output]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The expected patterns ``(n, n_points)`` in 0 to 100, and the density of peaks, of several networks together."""
    pattern = torch.stack([each.pattern.float() for each in answers]).mean(0)
    density = torch.stack([each.peaks.float().sigmoid() for each in answers]).double().mean(0)
    return normalise(np.maximum(pattern.cpu().numpy(), 0.0)), density.cpu().numpy()


def ensemble_outputs(answers: Sequence[Output], xrd: XrdSettings) -> EnsembleOutputs:
    """Average the answers of networks and decode them.

    Args:
        answers: of each network, for the same n compositions.
        xrd: the grid.
    """
    expected, density = averaged(answers)
    peaks, probability, f1 = decode(density, expected, xrd)
    return EnsembleOutputs({"decoded": draw(peaks, xrd), "expected": expected}, peaks, probability, f1)
