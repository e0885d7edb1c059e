"""Crystal systems of space groups (International Tables for Crystallography A, table 2.1.1.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CRYSTAL_SYSTEMS = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic")
UNKNOWN = "unknown"
_LAST_SPACE_GROUP = np.array([2, 15, 74, 142, 167, 194, 230])


def crystal_system(number: int) -> str:
    """Crystal system of a space group; ``unknown`` for 0.

    >>> crystal_system(221)
    'cubic'
    """
    return CRYSTAL_SYSTEMS[int(crystal_system_places(np.array([number]))[0])] if number > 0 else UNKNOWN


def crystal_system_places(space_groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of the crystal system of each space group, 1 to 230, among `CRYSTAL_SYSTEMS`."""
    return np.searchsorted(_LAST_SPACE_GROUP, space_groups).astype(np.int64)
