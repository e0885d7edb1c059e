"""From reflections to a pattern: a Gaussian or a stick at each, on an even grid, the largest value 100."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.xrd.settings import XrdSettings

_CUTOFF_SIGMAS = 6.0  # beyond it a Gaussian is under 2e-8 of its height


def smooth_reflections(
    two_theta_deg: NDArray[np.float64], intensity: NDArray[np.float64], settings: XrdSettings
) -> NDArray[np.float32]:
    """Sum a Gaussian per reflection onto the grid and scale the largest value to 100.

    The Gaussians are summed at their exact places: nothing is binned. With a width of 0 all of a reflection goes to the
    grid point nearest to it, and what is more than half a step beyond the grid is lost.

    Args:
        two_theta_deg: where the reflections are, ``(n_reflections,)``.
        intensity: how strong they are, any unit, ``(n_reflections,)``.
        settings: grid and width.

    Returns:
        The pattern, ``(n_points,)`` float32; zeros where there is no reflection.
    """
    step, sigma = settings.step, settings.sigma
    reach = int(np.ceil(_CUTOFF_SIGMAS * sigma / step))
    position = (settings.coordinate(np.asarray(two_theta_deg, dtype=np.float64)) - settings.grid[0]) / step
    nearest = np.rint(position).astype(np.int64)
    index = nearest[:, None] + np.arange(-reach, reach + 1)[None]
    distance = (index - position[:, None]) * (step / sigma) if sigma else np.zeros(index.shape)
    weight = np.asarray(intensity)[:, None] * np.exp(-0.5 * distance**2)
    inside = (index >= 0) & (index < settings.n_points)
    pattern = np.bincount(index[inside], weights=weight[inside], minlength=settings.n_points).astype(np.float64)
    smooth: NDArray[np.float32] = normalise(pattern[None])[0]
    return smooth


def normalise(patterns: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale each pattern so that its largest value is 100; one without a positive value becomes zeros.

    Args:
        patterns: ``(n, n_points)``.

    Returns:
        ``(n, n_points)`` float32.
    """
    largest = patterns.max(axis=1, keepdims=True)
    positive = largest > 0
    return np.where(positive, 100.0 * patterns / np.where(positive, largest, 1.0), 0.0).astype(np.float32)
