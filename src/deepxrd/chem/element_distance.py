"""How unlike two elements are, as chemists see it: the distance that "nearest composition" is made of."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.element_properties import element_property
from deepxrd.chem.elements import SYMBOLS

PROPERTY_WEIGHTS: dict[str, float] = {
    "mendeleev_number": 1 / 12,
    "electronegativity": 1.5,
    "atomic_radius_angstrom": 2.0,
    "group": 1 / 8,
    "row": 1 / 4,
}
"""Properties of the elements and what each is multiplied with; electronegativity by Pauling."""


@cache
def element_properties() -> NDArray[np.float64]:
    """Weighted properties of the elements, ``(1 + 118, 5)``, row = atomic number; row 0 stands for none and is zero.

    Where there is no value (electronegativity of He, Ne, Ar; atomic radius of He, Ne, Kr, Xe, At, Rn, Fr and all
    beyond Am; next to everything beyond Lr), the element takes that of the nearest lighter one that has it. None of
    these is among the paper's 84 elements.
    """
    table = np.zeros((1 + len(SYMBOLS), len(PROPERTY_WEIGHTS)))
    for column, (name, weight) in enumerate(PROPERTY_WEIGHTS.items()):
        values = element_property(name)
        for number in range(1, len(table)):
            known = np.isfinite(values[number])
            table[number, column] = weight * values[number] if known else table[number - 1, column]
    table.setflags(write=False)
    return table


@cache
def element_distances() -> NDArray[np.float64]:
    """Euclidean distances between weighted properties, ``(1 + 118, 1 + 118)``, by atomic number."""
    table = element_properties()
    distances = np.sqrt(((table[:, None] - table[None]) ** 2).sum(axis=-1))
    distances.setflags(write=False)
    return np.asarray(distances)
