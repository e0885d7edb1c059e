"""Alloys: compositions in shares of atoms whose elements take one another's places, such as Cu0.7Zn0.3."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from deepxrd.chem.element_distance import element_distances
from deepxrd.chem.element_properties import element_property
from deepxrd.chem.elements import ATOMIC_NUMBERS

_ALIKE = 1.2  # distance between elements; Au and Cu have 1.10, Ni and Al, which order, 1.27
_MAIN = 0.85  # of all atoms; so little else is dissolved, whatever it is: Ti0.9Al0.06V0.04
_NO_METALS = frozenset({"H", "N", "O", "F", "P", "S", "Cl", "Br", "I", "He", "Ne", "Ar", "Kr", "Xe", "Rn"})
_SEMIMETALS = frozenset({"B", "C", "Si", "Ge", "As", "Se", "Sb", "Te", "At"})


def is_alloy(shares: Mapping[str, Fraction | int]) -> bool:
    """Whether elements would rather share one kind of site than form an ordered compound.

    So it is where one metal makes up nearly all, or where all are metals, or of one group, and much like the one that
    there is most of, or one of those.

    Args:
        shares: of all atoms, by element symbol.
    """
    if _NO_METALS & shares.keys():
        return False
    most = max(shares.values())
    main = [symbol for symbol, share in shares.items() if share == most]
    if most >= _MAIN and main[0] not in _SEMIMETALS:
        return True
    numbers = [ATOMIC_NUMBERS[symbol] for symbol in shares]
    are_metals = not _SEMIMETALS & shares.keys() or len(set(element_property("group")[numbers])) == 1
    farthest = element_distances()[[ATOMIC_NUMBERS[symbol] for symbol in main]][:, numbers].max(axis=1)
    return bool(are_metals and farthest.min() <= _ALIKE)
