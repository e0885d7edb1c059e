"""How unlike two elements are, as chemists see it: the distance that "nearest composition" is made of."""

from __future__ import annotations

import math
import warnings
from functools import cache

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS

PROPERTY_WEIGHTS: dict[str, float] = {
    "mendeleev_no": 1 / 12,
    "X": 1.5,
    "atomic_radius": 2.0,
    "group": 1 / 8,
    "row": 1 / 4,
}
"""Properties of pymatgen's ``Element`` and what each is multiplied with; radius in Å, electronegativity by Pauling."""


@cache
def element_properties() -> NDArray[np.float64]:
    """Weighted properties of the elements, ``(1 + 118, 5)``, row = atomic number; row 0 stands for none and is zero.

    Where pymatgen has no value (electronegativity of He, Ne, Ar; atomic radius of He, Ne, Kr, Xe, At, Rn, Fr and all
    beyond Am; next to everything beyond Lr), the element takes that of the nearest lighter one that has it. None of
    these is among the paper's 84 elements.
    """
    from pymatgen.core import Element

    table = np.zeros((1 + len(SYMBOLS), len(PROPERTY_WEIGHTS)))
    with warnings.catch_warnings():  # pymatgen warns about each value that it does not have
        warnings.simplefilter("ignore")
        for number, symbol in enumerate(SYMBOLS, start=1):
            for column, (name, weight) in enumerate(PROPERTY_WEIGHTS.items()):
                value = getattr(Element(symbol), name)
                known = value is not None and not math.isnan(value)
                table[number, column] = weight * float(value) if known else table[number - 1, column]
    table.setflags(write=False)
    return table


@cache
def element_distances() -> NDArray[np.float64]:
    """Euclidean distances between weighted properties, ``(1 + 118, 1 + 118)``, by atomic number."""
    table = element_properties()
    distances = np.sqrt(((table[:, None] - table[None]) ** 2).sum(axis=-1))
    distances.setflags(write=False)
    return np.asarray(distances)
