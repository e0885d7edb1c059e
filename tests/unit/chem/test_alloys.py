"""Which compositions in shares of atoms are alloys, and how such formulas are read."""

from itertools import permutations

import pytest

from deepxrd.chem import SYMBOLS, parse_formula, parse_typed_formula
from deepxrd.chem.alloys import is_alloy
from deepxrd.chem.element_structures import room_temperature_prototype
from deepxrd.chem.formula import parse_amounts


@pytest.mark.parametrize(
    ("text", "alloy"),
    [
        ("Cu0.7Zn0.3", True),
        ("Mo0.5W0.5", True),
        ("Si0.8Ge0.2", True),
        ("Ti0.9Al0.06V0.04", True),  # little is dissolved, whatever it is
        ("Fe0.98C0.02", True),
        ("Co0.2Cr0.2Fe0.2Mn0.2Ni0.2", True),
        ("Cu70Zn30", True),
        ("Ti90Al6V4", True),
        ("Ni0.5Al0.5", False),  # not much alike, and ordered
        ("Al50Ni50", False),
        ("Ga0.5As0.5", False),
        ("Fe0.75C0.25", False),
        ("Mg0.67Si0.33", False),
        ("Fe0.95O0.05", False),
        ("Sr20Ti20O60", False),
        ("CuZn", False),
        ("Cu100", False),
    ],
)
def test_metals_that_are_alike_are_an_alloy(text: str, *, alloy: bool) -> None:
    formula = parse_typed_formula(text)
    assert formula.is_mixed is alloy
    assert formula.written == parse_formula(text).written
    if alloy:
        assert formula.decimals.keys() == set(formula.elements)
        assert sum(formula.decimals.values()) == 1


def test_per_cent_and_shares_are_the_same() -> None:
    assert parse_formula("Cu70Zn30").written == parse_formula("Cu0.7Zn0.3").written


@pytest.mark.parametrize(
    "text", ["Nb0.25Mo0.25Ta0.25W0.25", "Co0.2Cr0.2Fe0.2Mn0.2Ni0.2", "Ti0.34Al0.33V0.33", "Cu0.5Au0.5"]
)
def test_the_order_of_the_elements_does_not_matter(text: str) -> None:
    shares = list(parse_amounts(text).items())
    assert len({is_alloy(dict(some)) for some in permutations(shares)}) == 1


@pytest.mark.parametrize(
    ("symbol", "prototype"),
    [("Fe", "229:a"), ("Ni", "225:a"), ("Ti", "194:c"), ("Nd", "194:ac"), ("Ge", "227:a"), ("Te", None), ("Hg", None)],
)
def test_elements_have_the_structure_of_room_temperature(symbol: str, prototype: str | None) -> None:
    assert room_temperature_prototype(symbol) == prototype


def test_every_element_is_answered() -> None:
    assert {room_temperature_prototype(symbol) for symbol in SYMBOLS} == {
        None, "225:a", "229:a", "194:c", "194:ac", "227:a", "166:c", "166:ac",
    }  # fmt: skip
