import itertools
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, parse_formula, parse_stoichiometry
from deepxrd.errors import ConfigError
from deepxrd.sources.optimade import optimade_filter


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ABC3", "ABC3"),
        ("A3BC", "ABC3"),
        ("ABX3", "ABC3"),
        ("ABO3", "ABC3"),
        ("A2B2C2", "ABC"),
        ("AB2C4", "AB2C4"),
        ("X4A2B", "AB2C4"),
        ("A10BC2", "AB2C10"),
        ("A", "A"),
        ("X2", "A"),
    ],
)
def test_letters_stand_for_any_elements(text: str, name: str) -> None:
    assert parse_stoichiometry(text).name == name


@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.randoms())
def test_names_are_pymatgens_whatever_the_letters_and_their_order(amounts: list[int], random: object) -> None:
    letters = list(ascii_uppercase)
    random.shuffle(letters)  # type: ignore[attr-defined]
    text = "".join(f"{letter}{n}" for letter, n in zip(letters, amounts, strict=False))
    found = parse_stoichiometry(text)
    composition = Composition(dict(zip(SYMBOLS, amounts, strict=False)))
    assert found.name == composition.anonymized_formula
    assert parse_stoichiometry(found.name) == parse_stoichiometry(found.descending) == found
    assert found.name == parse_formula(composition.formula.replace(" ", "")).anonymous


@given(
    st.dictionaries(st.sampled_from(["Fe", "O", "Ti", "Sr", "Ba", "Na", "Cl", "S", "K"]), st.integers(1, 9), min_size=1)
)
def test_the_name_of_a_formulas_stoichiometry_is_canonical(amounts: dict[str, int]) -> None:
    assert set(amounts) <= set(ATOMIC_NUMBERS)
    anonymous = parse_formula("".join(f"{symbol}{n}" for symbol, n in amounts.items())).anonymous
    assert parse_stoichiometry(anonymous).name == anonymous


def test_each_database_gets_its_own_spelling() -> None:
    for order in itertools.permutations(("A", "B", "X3")):
        assert optimade_filter("".join(order), 3) == 'chemical_formula_anonymous="A3BC"'
    assert parse_stoichiometry("AB2C4").descending == "A4B2C"


@pytest.mark.parametrize(
    "text",
    ["", "abc3", "AB-C", "3AB", "A(BC)3", "AB C3", "ABC0", "AB01", "SrTiO3", "A" + "9" * 5000, "ABC₃", None, False, 3],
)
def test_what_is_no_stoichiometry_is_refused_by_name(text: object) -> None:
    with pytest.raises(ConfigError, match="no stoichiometry") as caught:
        parse_stoichiometry(text)
    assert repr(text)[:40] in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["ABA3", "A2A", "ABCB"])
def test_a_letter_that_may_mean_one_element_or_two_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="more than once"):
        parse_stoichiometry(text)
