"""Properties of the elements, as numbers."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS
from deepxrd.models.baselines.element_distance import element_properties


@cache
def element_table() -> NDArray[np.float64]:
    """Properties of the elements, ``(1 + 118, 7)``, row = atomic number; row 0 stands for none and is zero.

    Those of :func:`element_properties`, then pymatgen's average ionic radius in Å (0 where it has none) and the atomic
    number.
    """
    from pymatgen.core import Element

    radius = np.zeros(1 + len(SYMBOLS))
    with warnings.catch_warnings():  # pymatgen warns about each value that it does not have
        warnings.simplefilter("ignore")
        for number, symbol in enumerate(SYMBOLS, start=1):
            radius[number] = float(Element(symbol).average_ionic_radius or 0.0)
    table = np.column_stack([element_properties(), radius, np.arange(1 + len(SYMBOLS))])
    table.setflags(write=False)
    return table
