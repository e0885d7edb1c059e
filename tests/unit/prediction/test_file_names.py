import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import SYMBOLS, Formula, parse_formula
from deepxrd.prediction.file_names import file_name


@pytest.mark.parametrize(
    ("one", "other"), [("CO", "Co"), ("CaCO3", "CaCo3"), ("SN", "Sn"), ("PB", "Pb"), ("HfO2", "HFO2"), ("NiO", "NIO")]
)
def test_formulas_that_differ_by_case_alone_have_other_names_whatever_the_case(one: str, other: str) -> None:
    names = [file_name(parse_formula(text)) for text in (one, other)]
    assert len({name.lower() for name in names}) == 2


def test_all_pairs_of_elements_have_names_of_their_own_and_most_are_plain() -> None:
    pairs = itertools.combinations(SYMBOLS[:94], 2)
    formulas = {parse_formula("".join(pair)) for pair in pairs} | {parse_formula(symbol) for symbol in SYMBOLS}
    names = [file_name(formula) for formula in formulas]
    assert len({name.lower() for name in names}) == len(formulas)
    assert sum(name == formula.reduced for name, formula in zip(names, formulas, strict=True)) > 0.8 * len(formulas)


_formulas = st.dictionaries(
    st.sampled_from(["C", "O", "Co", "N", "I", "Ni", "S", "Si", "Sn", "F", "H", "Hf", "Ho"]),
    st.integers(1, 3),
    min_size=1,
).map(lambda amounts: parse_formula("".join(f"{symbol}{n}" for symbol, n in amounts.items())))


@given(st.lists(_formulas, min_size=2, max_size=40, unique=True))
def test_names_are_alike_without_case_only_for_one_formula(formulas: list[Formula]) -> None:
    names = [file_name(formula) for formula in formulas]
    assert len({name.lower() for name in names}) == len(formulas)
    assert all(name.startswith(formula.reduced) for name, formula in zip(names, formulas, strict=True))


@pytest.mark.parametrize("text", ["CoN", "PrN"])
def test_no_name_is_one_that_windows_keeps_for_devices(text: str) -> None:
    assert file_name(parse_formula(text)).lower() not in {"con", "prn", "aux", "nul"}


def test_names_of_very_long_formulas_fit_on_a_disk_and_differ() -> None:
    """The system's ``File name too long`` ended a prediction that was computed already."""
    texts = ["".join(f"{symbol}{1000 + i + (i == last)}" for i, symbol in enumerate(SYMBOLS[:60])) for last in (0, 59)]
    names = [file_name(parse_formula(text)) for text in [*texts, "".join(SYMBOLS)]]
    assert len({name.lower() for name in names}) == 3
    assert all(len(name) <= 140 for name in names)


def test_a_formula_of_all_elements_has_a_name_at_once() -> None:
    assert file_name(parse_formula("".join(SYMBOLS)))
