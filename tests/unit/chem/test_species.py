from __future__ import annotations

import pytest

from deepxrd.chem import ATOMIC_NUMBERS
from deepxrd.chem.species import atomic_number_of, atomic_number_of_label
from deepxrd.errors import SourceError


@pytest.mark.parametrize(
    ("species", "element"),
    [
        ("Sr", "Sr"),
        ("SR", "Sr"),
        ("fe", "Fe"),
        ("Sr2+", "Sr"),
        ("Sr+2", "Sr"),
        ("O-", "O"),
        ("O2-", "O"),
        ("O1-", "O"),
        ("Mo4+", "Mo"),
        ("Fe3", "Fe"),
        ("Fe2.5+", "Fe"),
        ("D", "H"),
        (" Ti ", "Ti"),
        ("CO", "Co"),
        ("CO3+", "Co"),
        ("HO3+", "Ho"),
        ("Po4+", "Po"),
        ("Sr0+", "Sr"),
    ],
)
def test_elements_with_and_without_charge(species: str, element: str) -> None:
    assert atomic_number_of(species) == ATOMIC_NUMBERS[element]


@pytest.mark.parametrize(
    "species",
    [
        *("Vac", "Va", "X", "X0+", "OH", "", "M", "Q", "T", "Wat", "Fe/Ti", "Fe0.5Ti0.5", "H2O", "?"),
        # each passed for an element: nihonium, copernicium, nobelium, cobalt, polonium
        *("NH4", "NH4+", "NH", "CN", "CN-", "CN1-", "NO3", "NO3-", "CO3", "CO32-", "PO4", "PO43-"),
    ],
)
def test_what_is_no_element_is_refused_by_name(species: str) -> None:
    with pytest.raises(SourceError, match="unknown species"):
        atomic_number_of(species)


@pytest.mark.parametrize(
    ("label", "expected", "element"),
    [
        ("Sr1", "", "Sr"),
        ("O2A", "", "O"),
        ("SiA", "", "Si"),
        ("TI1", "", "Ti"),
        ("Fe(1)", "", "Fe"),
        ("D1", "", "H"),
        ("CA1", "Ca C", None),
        ("CA1", "Ca O", "Ca"),
        ("CA1", "C O", "C"),
        ("OH", "H O Cd", "O"),
        ("CO1", "Co O", "Co"),
        ("W1", "", "W"),
        ("B1", "", "B"),
    ],
)
def test_labels(label: str, expected: str, element: str | None) -> None:
    numbers = {ATOMIC_NUMBERS[symbol] for symbol in expected.split()}
    if element is None:
        with pytest.raises(SourceError, match="may be Ca or C"):
            atomic_number_of_label(label, numbers)
    else:
        assert atomic_number_of_label(label, numbers) == ATOMIC_NUMBERS[element]


@pytest.mark.parametrize("label", ["OH", "OW1", "Ow2", "Wat1", "Vac1", "Cat1", "M1", "X", "A1", "", "1", "CO1"])
def test_labels_that_name_no_element_are_refused(label: str) -> None:
    with pytest.raises(SourceError, match="the label"):
        atomic_number_of_label(label)
