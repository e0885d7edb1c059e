from __future__ import annotations

import re
import warnings
from fractions import Fraction
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Element

from deepxrd.chem import (
    ELECTRONEGATIVITY,
    SYMBOLS,
    Formula,
    formula_from_amounts,
    formula_from_atomic_numbers,
    parse_formula,
)
from deepxrd.errors import FormulaError

_NATURAL = SYMBOLS[:94]
_COUNT = st.sampled_from(["", "1", "2", "3", "4", "7", "12"])


@st.composite
def _formulas(draw: st.DrawFn, depth: int = 2) -> str:
    """Text such as ``Fe3(OF2)2``; brackets nest up to ``depth`` times."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        if depth and draw(st.booleans()):
            parts.append(f"({draw(_formulas(depth=depth - 1))}){draw(_COUNT)}")
        else:
            parts.append(draw(st.sampled_from(_NATURAL)) + draw(_COUNT))
    return "".join(parts)


_amounts = st.dictionaries(st.sampled_from(_NATURAL), st.integers(1, 40), min_size=1, max_size=6)


def _text(amounts: dict[str, int]) -> str:
    return "".join(f"{symbol}{count}" for symbol, count in amounts.items())


@given(_formulas())
def test_any_formula_with_brackets_reads_as_pymatgen_reads_it(text: str) -> None:
    counts = {str(element): int(n) for element, n in Composition(text).items()}
    divisor = gcd(*counts.values())  # pymatgen's own reduction keeps H2 and O2 as molecules
    assert dict(parse_formula(text).counts) == {symbol: n // divisor for symbol, n in counts.items()}


@given(_amounts)
def test_elements_stand_in_the_order_in_which_pymatgen_prints_them(amounts: dict[str, int]) -> None:
    by_pymatgen = re.findall(r"[A-Z][a-z]?", Composition(amounts).formula)
    assert list(parse_formula(_text(amounts)).elements) == by_pymatgen


@given(_amounts)
def test_the_stoichiometry_is_that_of_pymatgen(amounts: dict[str, int]) -> None:
    assert parse_formula(_text(amounts)).anonymous == Composition(amounts).anonymized_formula


@given(_amounts, st.integers(1, 30), st.integers(0, 1000))
def test_neither_order_nor_scale_changes_a_formula(amounts: dict[str, int], scale: int, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(sorted(amounts)).tolist()
    again = parse_formula("".join(f"{symbol}{amounts[symbol] * scale}" for symbol in shuffled))
    assert again == parse_formula(_text(amounts))
    assert again.reduced == parse_formula(_text(amounts)).reduced


@given(_amounts)
def test_the_reduced_formula_reads_as_itself(amounts: dict[str, int]) -> None:
    formula = parse_formula(_text(amounts))
    assert parse_formula(formula.reduced) == formula
    assert str(formula) == formula.reduced


@given(_amounts)
def test_sites_in_any_order_give_the_formula_of_their_numbers(amounts: dict[str, int]) -> None:
    numbers = [SYMBOLS.index(symbol) + 1 for symbol, count in amounts.items() for _ in range(count)]
    shuffled = np.random.default_rng(0).permutation(numbers).tolist()
    assert formula_from_atomic_numbers(shuffled) == parse_formula(_text(amounts))


@pytest.mark.parametrize(
    ("text", "reduced"),
    [
        ("Fe3(OF2)2", "Fe3O2F4"),
        ("SrTiO3", "SrTiO3"),
        ("O3TiSr", "SrTiO3"),
        ("SrTiO₃", "SrTiO3"),
        ("V(C₂N₃)₃", "VC6N9"),
        ("Al₁₂Mg₁₇", "Mg17Al12"),
        ("H2 O", "H2O"),
        ("[Fe{CN}6]2", "FeC6N6"),
        ("O8", "O"),
        ("Li0.5CoO2", "LiCo2O4"),
        ("La.5Sr.5MnO3", "SrLaMn2O6"),
        ("Ca0.3333Ti0.6667", "CaTi2"),
        ("FeO0", "Fe"),
        ("HeNe", "HeNe"),
        ("CaCO3(H2O)", "CaH2CO4"),
    ],
)
def test_written_formulas_reduce_as_a_chemist_would(text: str, reduced: str) -> None:
    assert parse_formula(text).reduced == reduced


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("   ", "'   '"),
        ("SrXxO3", "'Xx'"),
        ("D2O", "write H for deuterium"),
        ("T2O", "write H for deuterium"),
        ("Fe(O3", "never closed"),
        ("FeO)3", "never opened"),
        ("3FeO", "'3FeO'"),
        ("srtio3", "'srtio3'"),
        ("Fe2+O3", r"'\+O3'"),
        ("Fe-O", "'-O'"),
        ("()", "no atoms"),
        ("Fe0", "no atoms"),
        ("Fe2000000O", "1000000 atoms"),
        ("Fe1/2O", "'/2O'"),
    ],
)
def test_what_is_no_formula_is_refused_with_the_offending_part(text: str, named: str) -> None:
    with pytest.raises(FormulaError, match=named) as caught:
        parse_formula(text)
    assert repr(text) in str(caught.value), "the message shows what was typed"


@pytest.mark.parametrize(
    "text",
    [
        "CuSO4 5H2O",
        "CuSO4 5 H2O",
        "NaBr 2H2O",
        "NaBr 2 H2O",
        "Al2(SO4)3 18H2O",
        "Na2(SO4) 10H2O",
        "KAl(SO4)2 12(H2O)",
        "CaSO4 ½H2O",
        "Al2O3 2SiO2 2H2O",
        "Fe2 3",
    ],
)
def test_a_number_behind_a_blank_is_not_joined_with_what_is_before_it(text: str) -> None:
    """``CuSO4 5H2O`` was read as CuSO with 45 H2O."""
    with pytest.raises(FormulaError, match=r"has a blank in .* write a sum with ·"):
        parse_formula(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Na 2 S O 4", "Na2SO4"),
        ("Li 1.0 Fe 1.0 P 1.0 O 4.0", "LiFePO4"),
        ("Ca ( O H ) 2", "Ca(OH)2"),
        ("Ca(OH) 2", "Ca(OH)2"),
        ("(N H4)2 S O4", "(NH4)2SO4"),
        ("2 CaO · 3 SiO2", "Ca2Si3O8"),
        ("CuSO4 . 5 H2O", "CuSO4(H2O)5"),
    ],
)
def test_blanks_that_part_nothing_are_left_out(text: str, plain: str) -> None:
    assert parse_formula(text) == parse_formula(plain)


@pytest.mark.parametrize("text", ["Na¹¹BH₄", "Li₂¹³CO₃", "²³⁵UO2", "Fe³O⁴", "SO₄²⁻"])
def test_isotopes_and_charges_are_no_amounts(text: str) -> None:
    """``Na¹¹BH₄`` was read as Na11BH4."""
    with pytest.raises(FormulaError, match="leave charges and isotopes out"):
        parse_formula(text)


@pytest.mark.parametrize("value", [None, 3, 2.5, ["Fe"]])
def test_what_is_no_text_is_refused_by_name(value: object) -> None:
    with pytest.raises(FormulaError, match=re.escape(repr(value))):
        parse_formula(value)  # type: ignore[arg-type]


def test_an_amount_too_small_to_be_read_as_a_fraction_is_not_dropped_in_silence() -> None:
    try:
        formula = parse_formula("Fe0.0001O")
    except FormulaError as error:
        assert "0.0001" in str(error)  # noqa: PT017 - either is sound: refusing, or the exact formula
    else:
        assert formula.reduced == "FeO10000"


def test_occupancies_near_simple_fractions_are_read_as_those() -> None:
    assert formula_from_atomic_numbers([26, 26, 8], [0.33333, 0.33334, 1.0]).reduced == "Fe2O3"


def test_an_element_of_which_there_is_next_to_nothing_does_not_vanish() -> None:
    with pytest.raises(FormulaError, match=r"the amount 0\.0004 of Ag is too small: the least is 1/1000"):
        formula_from_atomic_numbers([11, 17, 47], [1.0, 1.0, 0.0004])
    assert formula_from_atomic_numbers([11, 17, 47, 47, 47], [1.0, 1.0, 0.0004, 0.0003, 0.0003]).elements == (
        "Na",
        "Ag",
        "Cl",
    )


def test_occupancies_without_a_small_common_denominator_make_a_formula() -> None:
    """An ordinary solid solution was refused as ``formula ''``, and with it a whole build."""
    occupancies = [0.6134, 0.2333, 0.1533, 0.9127, 0.0873, 0.9871, 0.9871, 0.9871]
    formula = formula_from_atomic_numbers([57, 38, 20, 25, 26, 8, 8, 8], occupancies)
    written = parse_formula("La0.6134Sr0.2333Ca0.1533Mn0.9127Fe0.0873O2.9613")
    for found in (dict(formula.counts), dict(written.counts)):
        total = sum(found.values())
        assert {symbol: count / total * 4.9613 for symbol, count in found.items()} == pytest.approx(
            {"La": 0.6134, "Sr": 0.2333, "Ca": 0.1533, "Mn": 0.9127, "Fe": 0.0873, "O": 2.9613}, abs=6e-4
        )


@given(st.dictionaries(st.sampled_from(_NATURAL), st.floats(0.001, 400.0), min_size=1, max_size=12))
def test_any_occupancies_make_a_formula_in_their_ratio(totals: dict[str, float]) -> None:
    numbers = [SYMBOLS.index(symbol) + 1 for symbol in totals]
    counts = dict(formula_from_atomic_numbers(numbers, list(totals.values())).counts)
    scale = sum(totals.values()) / sum(counts.values())
    assert sum(counts.values()) <= 1_000_000
    for symbol, total in totals.items():
        assert counts[symbol] * scale == pytest.approx(total, rel=0.01, abs=0.02), symbol


def test_amounts_may_be_fractions_and_zeros_are_dropped() -> None:
    amounts = {"Fe": Fraction(1, 3), "O": Fraction(1, 2), "H": Fraction(0)}
    assert formula_from_amounts(amounts) == Formula((("Fe", 2), ("O", 3)))


def test_a_formula_of_more_than_26_elements_still_has_a_stoichiometry() -> None:
    assert parse_formula("".join(SYMBOLS[:28])).anonymous == "ABCDEFGHIJKLMNOPQRSTUVWXYZAaAb"


def test_electronegativities_are_those_of_pymatgen() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns about elements that have no value
        theirs = {symbol: float(Element(symbol).X) for symbol in SYMBOLS}
    for symbol, value in theirs.items():
        assert ELECTRONEGATIVITY[symbol] == (np.inf if np.isnan(value) else value), symbol


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("Ba0.6Sr0.4TiO3", True),
        ("Li0.5CoO2", True),
        ("Fe0.95O", True),
        ("Ba3Sr2Ti5O15", False),
        ("CaSO4·0.5H2O", False),
        ("H0.5WO3", False),
        ("YBa2Cu3O6.9", True),
        ("CeO1.9", True),
        ("Ba1.0Ti1.0O3", False),
        ("Sr0.2Ti0.2O0.6", False),
        ("Ce0.8Gd0.2O1.9", True),
        ("Sr0.5Ti0.5O1.5", False),
        ("Na1.5Cl1.5", False),
        ("Fe0.6667O", False),
        ("Fe1.5O2", False),
        ("BiS1.5", False),
        ("LaNiCl2.5", False),
        ("Na0.5WO3", True),
        ("Cu1.8S", True),
        ("Ti0.33Zr0.33Hf0.33", False),
        ("Y0.077Ba0.154Cu0.231O0.538", False),
        ("LaFeAsO0.9F0.1", True),
        ("TiC0.5N0.5", True),
    ],
)
def test_decimals_tell_a_solid_solution(text: str, *, mixed: bool) -> None:
    formula = parse_formula(text)
    assert formula.is_mixed is mixed
    assert formula == parse_formula(formula.reduced)


@pytest.mark.parametrize(
    ("text", "reduced"),
    [
        ("Si33.3O66.7", "SiO2"),
        ("Ti33.3O66.7", "TiO2"),
        ("Ti0.333O0.667", "TiO2"),
        ("Ti0.33O0.67", "TiO2"),
        ("Ti0.3333O0.6667", "TiO2"),
        ("Al40.0O60.0", "Al2O3"),
        ("Al40O60", "Al2O3"),
        ("Fe0.4O0.6", "Fe2O3"),
        ("Fe42.9O57.1", "Fe3O4"),
        ("Ti0.3O0.7", "Ti3O7"),  # exact: not rounded any further
        ("Sr20.0Ti20.0O60.0", "SrTiO3"),
        ("Mg14.3Al28.6O57.1", "MgAl2O4"),
        ("Ca0.333Ti0.333O0.333", "CaTiO"),
    ],
)
def test_shares_of_what_is_no_alloy_are_whole_numbers_that_were_divided(text: str, reduced: str) -> None:
    """``Si33.3O66.7`` was read as Si333O667, and answered as oxygen with a little silicon."""
    formula = parse_formula(text)
    assert formula == parse_formula(reduced)
    assert not formula.is_mixed


@pytest.mark.parametrize("text", ["Cu70Zn30", "Fe0.65Ni0.35", "Cu66.7Zn33.3", "Co0.333Cr0.333Ni0.334"])
def test_alloys_stay_shares(text: str) -> None:
    assert parse_formula(text).is_mixed


@pytest.mark.parametrize(
    ("text", "reduced"),
    [("Ba0.33Sr0.67TiO3", "Ba33Sr67Ti100O300"), ("Al20.5O30.5", "Al41O61"), ("Fe43.21O56.79", "Fe4321O5679")],
)
def test_decimals_that_nothing_small_agrees_with_are_a_solid_solution(text: str, reduced: str) -> None:
    assert parse_formula(text) == parse_formula(reduced)
    assert parse_formula(text).is_mixed
