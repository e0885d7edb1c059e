"""A pattern as a CSV table: 2θ and intensity, or several curves over 2θ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.io.files import atomic_path

ANGLES = "two_theta_deg"
"""Name of the first column."""


def write_pattern(path: Path, two_theta_deg: NDArray[np.floating], curves: Mapping[str, NDArray[np.floating]]) -> None:
    """Write a pattern atomically.

    Args:
        path: of the file.
        two_theta_deg: (n_points,), degrees.
        curves: (n_points,) each, by the names of their columns.
    """
    header, table = ",".join([ANGLES, *curves]), np.column_stack([two_theta_deg, *curves.values()])
    with atomic_path(path) as temporary:
        np.savetxt(temporary, table, "%.4f", delimiter=",", header=header, comments="")
