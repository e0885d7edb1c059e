"""Properties of the elements, from a table of the package: pymatgen takes longer to import than a prediction."""

from __future__ import annotations

from functools import cache
from math import isfinite, nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.elements import ELECTRONEGATIVITY, SYMBOLS

_TABLE = Path(__file__).with_name("element_properties.csv")


@cache
def element_property(name: str) -> NDArray[np.float64]:
    """One property of all elements, ``(1 + 118,)`` by atomic number; NaN for none and where there is no value.

    The values are those of pymatgen 2026.10.24's ``Element``, which says where each is from.

    Args:
        name: ``mendeleev_number``, ``electronegativity`` (Pauling's), ``atomic_radius_angstrom``, ``group``, ``row``,
            ``average_ionic_radius_angstrom`` or ``mass_dalton``.

    Raises:
        KeyError: the table has no such column.
    """
    values = np.array([float("nan"), *_columns()[name]])
    values.setflags(write=False)
    return values


@cache
def _columns() -> dict[str, list[float]]:
    head, *lines = _TABLE.read_text(encoding="utf-8").splitlines()
    symbols, *columns = zip(*(line.split(",") for line in lines), strict=True)
    if symbols != SYMBOLS:
        msg = f"{_TABLE} does not hold the elements in order"
        raise ValueError(msg)
    found = zip(head.split(",")[1:], columns, strict=True)
    table = {name: [float(text or "nan") for text in texts] for name, texts in found}
    known = [ELECTRONEGATIVITY[symbol] for symbol in SYMBOLS]
    return {**table, "electronegativity": [value if isfinite(value) else nan for value in known]}
