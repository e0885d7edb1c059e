"""The slowly varying part of a measured pattern."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def snip(intensity: NDArray[np.float64], *, half_width: int) -> NDArray[np.float64]:
    """Background by SNIP: each point is lowered to the mean of two neighbours, ever nearer ones.

    Statistics-sensitive non-linear iterative peak clipping (Ryan et al. 1988), on the double logarithm of the square
    root of counts, with windows that shrink (Morháč et al. 1997), which leaves no steps at peaks.

    Args:
        intensity: counts at even steps, ``(n,)``; below zero counts as zero.
        half_width: points from the middle of the widest peak to its foot.

    Returns:
        ``(n,)``, at most ``intensity`` wherever that is positive.
    """
    level = np.log1p(np.log1p(np.sqrt(np.maximum(intensity, 0.0) + 1.0)))
    n = len(level)
    for reach in range(min(half_width, (n - 1) // 2), 0, -1):
        middle = slice(reach, n - reach)
        level[middle] = np.minimum(level[middle], (level[: n - 2 * reach] + level[2 * reach :]) / 2)
    background: NDArray[np.float64] = np.expm1(np.expm1(level)) ** 2 - 1.0
    return background
