"""Lists of candidates of many compositions as tables with a row for each composition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_of(
    owner: NDArray[np.int64], score: NDArray[np.float64], n: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the best ``most`` of each composition, best first, and their ranks."""
    order = np.lexsort((np.arange(len(owner)), -score, owner))
    start = np.searchsorted(owner[order], np.arange(n))
    rank = np.arange(len(order)) - start[owner[order]]
    kept = rank < most
    return order[kept], rank[kept]


def spread(
    values: NDArray[np.generic],
    owner: NDArray[np.int64],
    rank: NDArray[np.int64],
    shape: tuple[int, int],
    fill: float = 0,
) -> NDArray:  # type: ignore[type-arg]
    """Values of all candidates with a row for each composition, ``(n, k, …)``.

    Args:
        values: ``(m, …)``.
        owner: which composition each is of, ``(m,)``.
        rank: its column, ``(m,)``.
        shape: n and k.
        fill: where there is none.
    """
    out = np.full((*shape, *values.shape[1:]), fill, dtype=values.dtype)
    out[owner, rank] = values
    return out
