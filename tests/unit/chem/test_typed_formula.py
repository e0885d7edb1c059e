"""Formulas as people type them: the table of shared/cases/README.md, more of each kind, and any text at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import parse_formula, parse_typed_formula
from deepxrd.chem.typed_formula import hint
from deepxrd.errors import FormulaError


@pytest.mark.parametrize(
    ("typed", "same_as"),
    [
        ("Al2O3.3H2O", "Al2H6O6"),
        ("WO3.2H2O", "WH4O5"),
        ("BaO.6Fe2O3", "BaFe12O19"),
        ("CuSO4·5H2O", "CuSO9H10"),
        ("CuSO₄⋅5H₂O", "CuSO9H10"),
        ("CuSO4*5H2O", "CuSO9H10"),
        ("CuSO4 • 5 H2O", "CuSO9H10"),
        ("CuSO4×5H2O", "CuSO9H10"),
        ("CuSO4 . 5H2O", "CuSO9H10"),
        ("MgO·Al2O3", "MgAl2O4"),
        ("2CaO.SiO2", "Ca2SiO4"),
        ("2CaO.5SiO2", "Ca2Si5O12"),
        ("PbO.TiO2", "PbTiO3"),
        ("Al2O3.SiO2", "Al2SiO5"),
        ("K2O.Al2O3.6SiO2", "K2Al2Si6O16"),
        ("Al2(SO4)3.18H2O", "Al2S3O30H36"),
        ("Na2CO3.10H2O", "Na2CO13H20"),
        ("Ca3Al2O6.3CaSO4.32H2O", "Ca6Al2S3O50H64"),
        ("CaSO4.0.5H2O", "Ca2S2O9H2"),
        ("CaSO4·½H2O", "Ca2S2O9H2"),
        ("CaSO4·1/2H2O", "Ca2S2O9H2"),
        ("[Cu(NH3)4]SO4.H2O", "CuN4H14SO5"),
    ],
)
def test_sums_are_read(typed: str, same_as: str) -> None:
    assert parse_typed_formula(typed) == parse_formula(same_as)


@pytest.mark.parametrize(
    ("typed", "same_as"),
    [
        ("Li0.5CoO2", "LiCo2O4"),
        ("La.5Sr.5MnO3", "LaSrMn2O6"),
        ("LaSr1.5MnO4", "La2Sr3Mn2O8"),
        ("YBa2Cu3O6.5", "Y2Ba4Cu6O13"),
        ("BaTiO2.5N", "Ba2Ti2O5N2"),
    ],
)
def test_decimal_points_stay_decimal_points(typed: str, same_as: str) -> None:
    assert parse_typed_formula(typed) == parse_formula(same_as)


@pytest.mark.parametrize(
    ("typed", "readings"),
    [
        ("TiO2.5H2O", ("TiO2·5H2O", "Ti2H4O7")),
        ("WO3.5H2O", ("WO3·5H2O", "H4W2O9")),
        ("SiO2.25H2O", ("SiO2·25H2O", "O13")),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_and_both_are_shown(typed: str, readings: tuple[str, str]) -> None:
    with pytest.raises(FormulaError, match="two ways") as caught:
        parse_typed_formula(typed)
    assert all(reading in str(caught.value) for reading in (typed, *readings))


@pytest.mark.parametrize("typed", ["TiO2.5H2O", "WO3.5H2O"])
def test_the_ways_out_that_a_refusal_names_are_read(typed: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(typed)
    first, second, third = re.search(r"write (\S+) or (\S+) for the one, (\S+) for", str(caught.value)).groups()  # type: ignore[union-attr]
    assert parse_formula(first) == parse_formula(second) != parse_formula(third)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("SIO2", "SiO2"),
        ("NIO", "NiO"),
        ("HFO2", "HfO2"),
        ("COO", "CoO"),
        ("CUO", "CuO"),
        ("SNO2", "SnO2"),
        ("INP", "InP"),
        ("BIF3", "BiF3"),
        ("SRTIO3", "SrTiO3"),
        ("NACL", "NaCl"),
        ("srtio3", "SrTiO3"),
        ("nacl", "NaCl"),
        ("GAAS", "GaAs"),
        ("NITI", "NiTi"),
        ("CACO3", "CaCO3"),
        ("NA2CO3", "Na2CO3"),
        ("CO3O4", "Co3O4"),
        ("LICOO2", "LiCoO2"),
        ("INSB", "InSb"),
        ("NISI", "NiSi"),
        ("COSI", "CoSi"),
        ("COSB3", "CoSb3"),
    ],
)
def test_capitals_get_a_hint(typed: str, meant: str) -> None:
    with pytest.raises(FormulaError, match=rf"did you mean {meant}\?"):
        parse_typed_formula(typed)


def test_the_way_out_of_capitals_is_read() -> None:
    assert parse_typed_formula("S1I1O2") == parse_formula("SIO2")


@pytest.mark.parametrize(
    "typed",
    [
        *["CO2", "CO", "H2O", "HF", "BN", "UO2", "H2CO3", "KHCO3", "NH4NO3", "VN", "YPO4", "KOH"],
        *["NO", "HCN", "PH3", "SI4", "KHF2", "KBF4", "HBO2", "BHO2", "B(HO)3", "BCN", "(NH4)2CO3"],
    ],
)
def test_capitals_that_mean_what_they_say_are_read(typed: str) -> None:
    assert parse_typed_formula(typed) == parse_formula(typed)


def test_capitals_that_may_mean_something_else_are_read_with_a_hint() -> None:
    assert parse_typed_formula("KNBO3") == parse_formula("K1N1B1O3")
    assert hint("KNBO3") == "KNbO3"
    assert hint("SrTiO3") is None
    assert hint("KHF2") is None
    assert hint("(NH4)2CO3") is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("CoCrFeNi", "Cr0.25Fe0.25Co0.25Ni0.25"),
        ("CoCrNi", "Cr0.3333Co0.3333Ni0.3333"),
        ("Al0.3CoCrFeNi", None),  # of unlike metals, whose order nobody knows
        ("CuZn", None),
        ("Co0.2Cr0.2Fe0.2Mn0.2Ni0.2", None),
        ("LaNi5", None),
    ],
)
def test_many_metals_in_whole_numbers_get_a_hint_at_their_alloy(typed: str, meant: str | None) -> None:
    assert hint(typed) == meant
    assert meant is None or parse_formula(meant).is_mixed


@pytest.mark.parametrize(
    ("typed", "reduced"),
    [
        ("La0.7Sr0.3MnO3", "La7Sr3Mn10O30"),
        ("YBa2Cu3O6.9", "Y10Ba20Cu30O69"),
        ("Li0.5CoO2", "LiCo2O4"),
        ("WO2.9", "W10O29"),
    ],
)
def test_solid_solutions_are_read(typed: str, reduced: str) -> None:
    assert parse_typed_formula(typed) == parse_formula(reduced)


@pytest.mark.parametrize(
    ("typed", "sum_"),
    [("CuSO4.5H2O", "CuSO4·5H2O"), ("Mg(NO3)2.6H2O", "Mg(NO3)2·6H2O"), ("Na2CO3.5H2O", "Na2CO3·5H2O")],
)
def test_a_dot_behind_an_oxyanion_joins(typed: str, sum_: str) -> None:
    assert parse_typed_formula(typed) == parse_formula(sum_)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("CuSO4·xH2O", "'x' for a number"),
        ("CuSO4.xH2O", "'x' for a number"),
        ("SrTiO3,BaTiO3", "write one formula at a time"),
        ("SrTiO3; BaTiO3", "write one formula at a time"),
        ("Ca2+CO3", "leave charges"),
        ("SO₄²⁻", "leave charges"),
        ("α-Al2O3", "leave Greek letters out, such as the prefix α-"),
        ("NaCl(s)", "leave the state out"),
        ("NaCl(aq)", "leave the state out"),
        ("SrTiO3:Nb", "write a dopant with its amount"),
        ("SrTiO_3", "write amounts without _"),
        ("(Mg,Fe)2SiO4", "give each element its amount, as (Mg0.9Fe0.1)2SiO4"),
        ("YBa2Cu3O7-δ", "open amounts such as 1-x"),
        ("SrTiO3\nBaTiO3", "goes over several lines"),
        ("Si\r\nO2", "goes over several lines"),
        ("·H2O", "nothing between two dots"),
        ("Al2O3··H2O", "nothing between two dots"),
        ("CaSO4·1/0H2O", "divides by zero"),
        ("Fe" + "9" * 500, "a number of 500 digits"),
        ("Fe" + "9" * 5000, "5,002 characters"),
        ("F" * 131_072, "131,072 characters"),
        ("CaO·" + "9" * 500 + "SiO2", "a number of 500 digits"),
        ("((((Fe999999999999)999999999999)999999999999)999999999999)O", "more than 1000000 atoms"),
        ("Fe٣O", "'٣O'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_short_sentence(typed: str, said: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(said)) as caught:
        parse_typed_formula(typed)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("typed", "meant", "way_out"),
    [
        ("Ti02", "TiO2", "Ti2"),
        ("PbTi03", "PbTiO3", "PbTi3"),
        ("Na2S04", "Na2SO4", "Na2S4"),
        ("H20", "H2O", "H"),
        ("Na20", "Na2O", "Na"),
        ("Al203", "Al2O3", "Al"),
        ("Fe304", "Fe3O4", "Fe"),
        ("W18049", "W18O49", "W"),
        ("MgAl204", "MgAl2O4", "MgAl204.0"),
        ("BaFe12019", "BaFe12O19", "BaFe12019.0"),
        ("YBCO", "YBa2Cu3O7", "Y1B1C1O"),
        ("NI", "Ni", "N1I"),
        ("SI", "Si", "S1I"),
        ("CU", "Cu", "C1U"),
    ],
)
def test_slips_are_refused_with_what_is_meant_and_a_way_out(typed: str, meant: str, way_out: str) -> None:
    """Each was answered as another compound: ``Al203`` as aluminium, ``PbTi03`` as PbTi3."""
    with pytest.raises(FormulaError, match=rf"write {re.escape(meant)}\b.* or {re.escape(way_out)}\b"):
        parse_typed_formula(typed)
    assert parse_typed_formula(way_out) == parse_formula(typed)
    parse_typed_formula(meant)


@pytest.mark.parametrize("sign", ["·", "*", ".", "∙"])
def test_hydrates_with_the_digit_0_are_refused(sign: str) -> None:
    """``CuSO4·5H20`` was answered with a hundred hydrogen atoms."""
    with pytest.raises(FormulaError, match=rf"write CuSO4{re.escape(sign)}5H2O with the letter O"):
        parse_typed_formula(f"CuSO4{sign}5H20")
    with pytest.raises(FormulaError, match=r"write CuSO4\(H2O\)5 with the letter O"):
        parse_typed_formula("CuSO4[H20]5")
    assert parse_typed_formula("H20RuC6NO14") == parse_formula("H20RuC6NO14")
    assert parse_typed_formula("C10H20") == parse_formula("CH2")
    assert parse_typed_formula("CuSO4·H20.0") == parse_formula("CuSO4H20")


@pytest.mark.parametrize(
    ("typed", "zero", "meant"),
    [
        ("LiC0O2", "C0", "LiCoO2"),
        ("NaCl0", "Cl0", "NaClO"),
        ("AlO0H", "O0", "AlOOH"),
        ("Na0Cl", "Na0", "NaOCl"),
        ("Mg0", "Mg0", "MgO"),
        ("Ni0", "Ni0", "NiO"),
        ("Zn0", "Zn0", "ZnO"),
        ("M0S2", "M0", "MoS2"),
        ("C0", "C0", "Co or CO"),
        ("Fe(OH)0", ")0", "Fe(OH)O"),
        ("Ca₀O", "Ca0", "CaOO"),
    ],
)
def test_an_amount_of_zero_is_refused_and_not_left_out(typed: str, zero: str, meant: str) -> None:
    """``LiC0O2`` was answered as LiO2."""
    with pytest.raises(FormulaError, match=re.escape(f"the amount 0 in {zero!r}: did you mean {meant}? If not, leave")):
        parse_typed_formula(typed)


@pytest.mark.parametrize(("typed", "same_as"), [("Ba0.0Sr1.0TiO3", "SrTiO3"), ("Sr1TiO3.0", "SrTiO3"), ("C60", "C")])
def test_a_member_of_a_series_may_have_an_amount_of_zero(typed: str, same_as: str) -> None:
    assert parse_typed_formula(typed) == parse_formula(same_as)


@pytest.mark.parametrize(
    ("typed", "meant", "way_out"),
    [
        ("LiCOO2", "LiCoO2", "LiC1OO2"),
        ("NaCI", "NaCl", "NaC1I"),
        ("AgCI", "AgCl", "AgC1I"),
        ("HCI", "HCl", "HC1I"),
        ("NH4CI", "NH4Cl", "NH4C1I"),
        ("CuCI2", "CuCl2", "CuC1I2"),
        ("FeCI3·6H2O", "FeCl3·6H2O", "FeC1I3·6H2O"),
        ("TiCI4", "TiCl4", "TiC1I4"),
        ("LiFePo4", "LiFePO4", "LiFePo4.0"),
        ("Ca3(Po4)2", "Ca3(PO4)2", "Ca3(Po4.0)2"),
    ],
)
def test_letters_of_another_case_are_refused_with_what_is_meant_and_a_way_out(
    typed: str, meant: str, way_out: str
) -> None:
    """``NaCI`` was answered as a compound of sodium, carbon and iodine."""
    with pytest.raises(FormulaError, match=re.escape(f"did you mean {meant}? If not, write {way_out}")):
        parse_typed_formula(typed)
    assert parse_typed_formula(way_out) == parse_formula(typed)
    parse_typed_formula(meant)


@pytest.mark.parametrize(
    "typed",
    [
        *["CH3COOH", "HCOONa", "CH3COO2H", "FeOOH", "CaCO3"],
        *["CI4", "C2I4", "CHI3", "CH3I", "HCI3", "H3CI", "YCI", "Y2CI2", "H6PbCI3N", "CIF3"],
        *["Po", "PoO2", "PbPo"],
    ],
)
def test_carbon_iodine_and_polonium_are_read_where_they_can_be(typed: str) -> None:
    assert parse_typed_formula(typed) == parse_formula(typed)


@pytest.mark.parametrize("typed", ["Fe(III)", "Fe(II)SO4", "Fe(III)2O3", "Cu(I)Cl", "FeIIIPO4", "Pb[IV]O2", "Fe(Ⅲ)Cl3"])
def test_oxidation_states_are_not_read_as_iodine(typed: str) -> None:
    with pytest.raises(FormulaError, match="Roman numerals"):
        parse_typed_formula(typed)


def test_acetate_is_not_read_as_actinium() -> None:
    with pytest.raises(FormulaError, match="CH3COO for acetate"):
        parse_typed_formula("Zn(OAc)2")
    assert parse_typed_formula("Zn(CH3COO)2") == parse_formula("ZnC4H6O4")
    assert parse_typed_formula("AcOF") == parse_formula("AcOF")


@pytest.mark.parametrize(
    "typed",
    [
        "C60",
        "C20",
        "CsPbI3",
        "CuI",
        "VI2",
        "S8",
        "La0.05Sr0.95MnO3",
        "Ta11Co104B30",
        "Ba20Hg103",
        "C20H102",
        "Zr525Ni104",
    ],
)
def test_what_is_no_slip_is_read(typed: str) -> None:
    assert parse_typed_formula(typed) == parse_formula(typed)


@pytest.mark.parametrize("typed", ["(NH4)2SO4", "P(OH)3", "H2O2", "NH4HSO4", "Ca(H2PO2)2", "PN", "(NH4)2S2O8"])
def test_what_is_told_as_understood_can_be_typed_again(typed: str) -> None:
    """``H8SN2O4``, which is said of ammonium sulfate, was refused for a compound of tin."""
    formula = parse_typed_formula(typed)
    assert parse_typed_formula(str(formula)) == formula


@pytest.mark.parametrize(
    "typed", ["quartz", "Quartz", "perovskite", "stainless steel", "halite", "brass", "rutile", "iron"]
)
def test_names_are_refused_as_such(typed: str) -> None:
    with pytest.raises(FormulaError, match="names are not read: write the formula") as caught:
        parse_typed_formula(typed)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("typed", ["nan", " nan", "None", "<NA>"])
def test_a_missing_value_is_refused_as_such(typed: str) -> None:
    """pandas writes ``nan``, for which NaN was suggested."""
    with pytest.raises(FormulaError, match="is a missing value"):
        parse_typed_formula(typed)


_PIECES = st.sampled_from(
    ["Al2O3", "H2O", "SiO2", "Ca", "O", "5", "3", "0.5", ".", "·", "*", "(", ")", " ", "x", "½", "/", "SIO"]
)


@given(st.one_of(st.text(max_size=40), st.lists(_PIECES, max_size=8).map("".join)))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    try:
        formula = parse_typed_formula(text)
    except FormulaError:
        return
    assert parse_formula(formula.reduced) == formula


_COMPOUND = st.sampled_from(["CaO", "SiO2", "Al2O3", "H2O", "MgCl2", "Na2CO3", "CuSO4", "Fe2O3", "NaCl"])


@given(st.lists(st.tuples(st.integers(1, 24), _COMPOUND), min_size=2, max_size=4), st.sampled_from("·*•⋅"))
def test_a_sum_is_its_parts(terms: list[tuple[int, str]], sign: str) -> None:
    joined = sign.join(f"{n if n > 1 else ''}{compound}" for n, compound in terms)
    assert parse_typed_formula(joined) == parse_formula("".join(f"({compound}){n}" for n, compound in terms))
