"""What is predicted of formulas, by whatever predicts: patterns, peaks, and candidate structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.xrd import Peaks, XrdSettings, find_peaks

if TYPE_CHECKING:
    from deepxrd.models.candidates.candidates import Candidates


@dataclass(frozen=True, eq=False)
class Predictions:
    """What is predicted of n formulas.

    Attributes:
        patterns: ``(n, n_points)`` float32, from 0 to 100.
        columns: what else is known of each formula, arrays ``(n,)`` by name.
        further: other patterns by name, such as the expected one, of the same shape as ``patterns``.
        peaks: the peaks with their predicted intensities, where they are predicted apart; None where they are those of
            ``patterns``.
        peak_probability: of each of ``peaks``, that a true one is within 1°, ``(n, width)``, 0 where there is padding;
            None where there are none.
        candidates: candidate structures, of some hundred formulas each, in order; empty where nothing has any.
        name: what ``patterns`` are called in files.
    """

    patterns: NDArray[np.float32]
    columns: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    further: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    peaks: Peaks | None = None
    peak_probability: NDArray[np.float64] | None = None
    candidates: tuple[Candidates, ...] = ()
    name: str = "pattern"

    def peaks_of(self, row: int, xrd: XrdSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Angles (degrees 2θ) and predicted intensities of one formula's peaks, each ``(n_peaks,)``."""
        if self.peaks is not None:
            return self.peaks.of(row)
        return find_peaks(self.patterns[row : row + 1], xrd.two_theta_deg).of(0)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The predictions of several lists of formulas as those of one.

        Args:
            parts: at least one, all by the same predictor.
        """
        first = parts[0]
        peaks = [part.peaks for part in parts if part.peaks is not None]
        said = [part.peak_probability for part in parts if part.peak_probability is not None]
        width = max((each.shape[1] for each in said), default=0)
        padded = [np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in said]
        return cls(
            np.concatenate([part.patterns for part in parts]),
            {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns},
            {name: np.concatenate([part.further[name] for part in parts]) for name in first.further},
            Peaks.join(peaks) if peaks else None,
            np.concatenate(padded) if padded else None,
            tuple(each for part in parts for each in part.candidates),
            first.name,
        )
