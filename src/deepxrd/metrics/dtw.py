"""Dynamic time warping between patterns, by the C routines of dtaidistance."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ConfigError, DeepXRDError
from deepxrd.io.stopping import worker_pool

_CHUNK = 256
"""Patterns that one process takes at a time; fewer are not worth starting a process for."""


@dataclass(frozen=True)
class DtwSettings:
    """How far patterns may be warped, and at what price.

    Attributes:
        window_deg: how far a point may be from its counterpart, degrees; None for any distance. The paper names none,
            and 30° is nearly none: between 400 patterns of real ternaries and predictions of two kinds, the mean
            distance is 1 to 3 % above the unlimited one, in a third of the time. At 20° it is 5 to 6 % above, at 10°
            17 to 25 %, at 2° 44 to 70 %.
        penalty: price of each step that stretches one pattern against the other, as the height of a peak (of 100)
            whose loss would cost as much. The paper names none.
        n_jobs: processes; -1 is one per core.
        absolute: whether to take Σ |s_i − t_j| + p · detours in place of the root of the sum of squares; the paper does
            not say which.
    """

    window_deg: float | None = 30.0
    penalty: float = 0.0
    n_jobs: int = -1
    absolute: bool = False

    def __post_init__(self) -> None:
        if self.window_deg is not None and not 0 <= self.window_deg < math.inf:
            msg = f"a DTW window must be a number of degrees, 0 or more, or null for none, not {self.window_deg!r}"
            raise ConfigError(msg)
        if not 0 <= self.penalty < math.inf:
            msg = f"a DTW penalty must be 0 or more, not {self.penalty!r}"
            raise ConfigError(msg)
        if self.n_jobs == 0:
            msg = "n_jobs of DTW must be a number of processes, or -1 for one per core, not 0"
            raise ConfigError(msg)


def dtw_distance(
    predicted: NDArray[np.floating],
    true: NDArray[np.floating],
    two_theta_deg: NDArray[np.float64],
    *,
    settings: DtwSettings | None = None,
) -> NDArray[np.float64]:
    """Least √(Σ (s_i − t_j)² + p² · detours) over monotonic alignments of two patterns, each scaled to largest = 1.

    An alignment walks from the first pair of points to the last; a detour is a step in which only one of i and j
    advances, and p is the penalty. The paper does not say on what scale its DTW is; ours counts the highest peak as 1.

    Args:
        predicted: ``(n, n_points)``, largest = 100.
        true: the same shape.
        two_theta_deg: the grid, ``(n_points,)``; where it is uneven, the window is as wide as on an even one.
        settings: window, penalty and processes.

    Returns:
        ``(n,)``.

    Raises:
        DeepXRDError: dtaidistance or its C library is missing.
    """
    from joblib import delayed, effective_n_jobs  # to predict needs no processes

    settings = settings or DtwSettings()
    _library()  # before any process is started, so that the error is one
    step_deg = (two_theta_deg[-1] - two_theta_deg[0]) / (len(two_theta_deg) - 1)
    # dtaidistance counts the diagonal itself: its window of 1 allows no shift
    window = None if settings.window_deg is None else round(settings.window_deg / step_deg) + 1
    a, b = (np.array(x, dtype=np.float64, order="C") / 100 for x in (predicted, true))
    starts = range(0, len(a), _CHUNK)
    inner, penalty = "squared euclidean", settings.penalty / 100
    if settings.absolute:
        inner, penalty = "euclidean", math.sqrt(penalty)  # dtaidistance squares it with either
    chunks = [(a[i : i + _CHUNK], b[i : i + _CHUNK], window, penalty, inner) for i in starts]
    if not chunks:
        return np.zeros(0)
    n_jobs = min(effective_n_jobs(settings.n_jobs), len(chunks))
    # The C routines hold the interpreter's lock, so threads would not help; and they refuse joblib's read-only memmaps.
    parts = worker_pool(n_jobs, max_nbytes=None)(delayed(_distances)(*chunk) for chunk in chunks)
    return np.concatenate(parts)


def _distances(
    a: NDArray[np.float64], b: NDArray[np.float64], window: int | None, penalty: float, inner: str
) -> NDArray[np.float64]:
    """DTW of each pair of rows: one C call of a millisecond each; dtaidistance knows batches only as all with all."""
    fast = _library().distance_fast
    # Pruning saves nothing here, and its bound can be missed by a rounding error.
    settings = {"window": window, "penalty": penalty, "use_pruning": False, "inner_dist": inner}
    return np.array([fast(x, y, **settings) for x, y in zip(a, b, strict=True)])


def _library() -> Any:
    """The module ``dtaidistance.dtw``, with its C library.

    Raises:
        DeepXRDError: it is not there.
    """
    try:
        library = importlib.import_module("dtaidistance.dtw")
    except ImportError as error:
        msg = f"DTW needs the package dtaidistance ({error}); install it by: pip install dtaidistance"
        raise DeepXRDError(msg) from error
    if library.dtw_cc is None:
        msg = (
            "dtaidistance is installed without its C library, and without it DTW would take hours; install a wheel: "
            "pip install --force-reinstall --only-binary dtaidistance dtaidistance"
        )
        raise DeepXRDError(msg)
    return library
