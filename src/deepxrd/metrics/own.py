"""Scores of a researcher's own, beside those that every run has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ConfigError


class Metric(ABC):
    """A score of predicted patterns, called with all of a part or some of it: a sample's score is its own."""

    @abstractmethod
    def __call__(
        self, predicted: NDArray[np.float32], true: NDArray[np.float32], two_theta_deg: NDArray[np.float64]
    ) -> NDArray[np.floating]:
        """Score each pattern.

        Args:
            predicted: ``(n, n_points)``, largest = 100.
            true: the same shape.
            two_theta_deg: the grid, ``(n_points,)``.

        Returns:
            ``(n,)``, finite numbers.
        """


def own_scores(
    metrics: Mapping[str, Metric],
    predicted: NDArray[np.float32],
    true: NDArray[np.float32],
    two_theta_deg: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Scores of each pattern by name, arrays ``(n,)``.

    Raises:
        ConfigError: a metric gives something else than a finite number per pattern.
    """
    found = {}
    for name, metric in metrics.items():
        values = np.asarray(metric(predicted, true, two_theta_deg))
        if values.shape != (len(true),) or not np.issubdtype(values.dtype, np.number):
            msg = f"metrics.{name} gives {values.dtype} {values.shape} for {len(true)} patterns: one number for each"
            raise ConfigError(msg)
        if not np.isfinite(values).all():
            wrong = int(np.flatnonzero(~np.isfinite(values))[0])
            msg = f"metrics.{name} gives {values[wrong]} for pattern {wrong}: give a finite number in any case"
            raise ConfigError(msg)
        found[name] = values.astype(np.float64)
    return found
