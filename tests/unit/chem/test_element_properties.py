import math
import warnings

import pytest
from pymatgen.core import Element

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS
from deepxrd.chem.element_properties import element_property

PYMATGEN = {
    "mendeleev_number": "mendeleev_no",
    "electronegativity": "X",
    "atomic_radius_angstrom": "atomic_radius",
    "group": "group",
    "row": "row",
    "average_ionic_radius_angstrom": "average_ionic_radius",
    "mass_dalton": "atomic_mass",
}


@pytest.mark.parametrize("name", PYMATGEN)
def test_every_value_is_pymatgens(name: str) -> None:
    values = element_property(name)
    assert values.shape == (1 + len(SYMBOLS),)
    assert math.isnan(values[0])
    for symbol in SYMBOLS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of each value that it does not have
            theirs = float(getattr(Element(symbol), PYMATGEN[name]) or "nan")
        ours = values[ATOMIC_NUMBERS[symbol]]
        assert ours == theirs or (math.isnan(ours) and math.isnan(theirs)), symbol


def test_another_property_is_none_of_the_table() -> None:
    with pytest.raises(KeyError):
        element_property("colour")
