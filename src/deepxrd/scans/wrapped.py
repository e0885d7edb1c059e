"""Lines of an angle and the intensities of several steps from it on, as Rigaku's programs export them.

Such a table looks like samples side by side. It is told by its numbers: where its columns change most from one line to
the next, at the flanks of peaks, the last of a line still goes over into the first of the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEWEST_ACROSS, _FEWEST_LINES = 4, 5
_EVEN = 1e-3  # of a line's range
_FINEST_DEG, _COARSEST_DEG = 2e-3, 0.3
_STEEP = 0.05  # of the lines
_SMOOTH = 0.5  # change over the end of a line, by that of a column


def unwrapped(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Angles and intensities in one row, ``(n,)`` each; None if the table is none of these.

    Args:
        table: ``(lines, 1 + steps)``; the last line may end in NaN.
    """
    across = table.shape[1] - 1
    if across < _FEWEST_ACROSS or len(table) < _FEWEST_LINES or not np.isfinite(table[:-1]).all():
        return None
    ranges = np.diff(table[:, 0])
    step = float(ranges.mean()) / across
    if not _FINEST_DEG <= step <= _COARSEST_DEG or np.ptp(ranges) > max(_EVEN * across * step, 2e-3):
        return None
    whole = table[:-1, 1:]
    down = np.abs(np.diff(whole, axis=0)).mean(axis=1)
    over = np.abs(whole[1:, 0] - whole[:-1, -1])
    along = np.abs(np.diff(whole, axis=1)).mean(axis=1)[:-1]
    steep = np.argsort(down)[-max(3, round(_STEEP * len(down))) :]
    if max(over[steep].mean(), along[steep].mean()) > _SMOOTH * down[steep].mean():
        return None
    angles = table[:, :1] + step * np.arange(across)
    values = table[:, 1:].ravel()
    last = len(values) - int(np.argmax(np.isfinite(values[::-1])))
    return angles.ravel()[:last], values[:last]
