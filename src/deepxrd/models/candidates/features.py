"""Properties of the elements, as numbers."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS
from deepxrd.chem.element_distance import element_properties
from deepxrd.chem.element_properties import element_property


@cache
def element_table() -> NDArray[np.float64]:
    """Properties of the elements, ``(1 + 118, 7)``, row = atomic number; row 0 stands for none and is zero.

    Those of :func:`element_properties`, then the average ionic radius in Å (0 where there is none) and the atomic
    number.
    """
    radius = np.nan_to_num(element_property("average_ionic_radius_angstrom"))
    table = np.column_stack([element_properties(), radius, np.arange(1 + len(SYMBOLS))])
    table.setflags(write=False)
    return table
