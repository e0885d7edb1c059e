"""Slips that can be read as a formula, but surely mean another compound: told instead of answered."""

from __future__ import annotations

import re
import unicodedata

from deepxrd.chem.elements import ATOMIC_NUMBERS
from deepxrd.chem.formula import BRACKETS, parse_formula
from deepxrd.chem.formula_sums import SYMBOL
from deepxrd.errors import FormulaError

_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
_ROMAN = re.compile(r"\((?:I{1,3}|IV|VI{0,3})\)|I{2,}(?![a-z])")
_ACTINIUM = re.compile(r"OAc(?![a-z])")
_LEADING_ZERO = re.compile(r"(?<![\d.])0(?=\d)", re.ASCII)
_OXIDE_OF_ONE = re.compile(r"([A-Z][a-z]?)([23]0|[1-9]\d?0[1-9]\d?)", re.ASCII)  # H20, Al203, W18049
_WATER = re.compile(r"((?:^|[^A-Za-z0-9)])[\d/]*H)20(?![A-Za-z0-9]|\.\d)", re.ASCII)  # ·5H20, (H20)5
_NOTHING_OF = re.compile(r"([A-Z][a-z]?|\))0+(?![\d.])", re.ASCII)  # LiC0O2, Mg0; not Ba0.0Sr1.0TiO3
_ZERO_INSIDE = re.compile(r"[1-9]\d?0[1-9]\d?", re.ASCII)
_SMALL = 20  # atoms: formulas with larger numbers, such as alloys in per cent, may well hold 104 of something
_NICKNAMES = {
    "YBCO": "YBa2Cu3O7",
    "BSCCO": "Bi2Sr2CaCu2O8",
    "BSCF": "Ba0.5Sr0.5Co0.8Fe0.2O3",
    "BFO": "BiFeO3",
    "BBO": "BaB2O4",
    "CFO": "CoFe2O4",
    "KNN": "K0.5Na0.5NbO3",
}
"""Names of ceramics whose letters are elements, too."""
_AS_WRITTEN = frozenset({"CO", "HF", "HO", "PO", "SN"})
"""Compounds of two elements that are read in this order, although Co, Hf, Ho, Po and Sn are elements."""
_METALS = frozenset("KVYW")  # with one letter; UC is no copper, but CU is
_LAST_USUAL = 94
_ONE_CHARGE = frozenset({"H", "NH4", "Li", "Na", "K", "Rb", "Cs", "Ag", "Cu", "Tl"})
_NO_CHLORIDES = frozenset({"H", "N", "O", "F", "Cl", "Br"})  # HCI3 is iodoform
_TWICE = re.compile(r"([A-Z])([A-Z])\2(?=\d)", re.ASCII)
_CHLORIDE = re.compile(r"(NH4|[A-Z][a-z]?)CI([2-6]?)(?![A-Za-z\d])", re.ASCII)
_IN_SMALL = re.compile(r"(Po4|No3)(?![\d.])", re.ASCII)


def nothing_in(text: str) -> str | None:
    """What to write instead of a formula with a whole number of zero, whether it can be read or not; None if fine.

    ``LiC0O2`` would be read as LiO2, and ``Mg0`` as nothing.

    Args:
        text: as a person typed it.
    """
    plain = _plain(text)
    zero = _NOTHING_OF.search(plain)
    if zero is None:
        return None
    readings = (plain[: zero.start()] + zero[1] + letter + plain[zero.end() :] for letter in "oO")
    meant = " or ".join(reading for reading in readings if _can_be_typed(reading))
    asked = f"did you mean {meant}? If not, leave" if meant else "leave"
    return f"has the amount 0 in {zero[0]!r}: {asked} out what there is 0 of"


def _can_be_typed(plain: str) -> bool:
    try:
        parse_formula(plain)
    except FormulaError:
        return False
    is_usual = all(ATOMIC_NUMBERS[symbol] <= _LAST_USUAL for symbol in SYMBOL.findall(plain)) and "Po" not in plain
    return is_usual and not _NOTHING_OF.search(plain) and slip_in(plain) is None


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).translate(BRACKETS).split())


def slip_in(text: str) -> str | None:
    """What is wrong with a formula that can be read, and what to write instead; None in nearly all cases.

    Args:
        text: as a person typed it.
    """
    plain = _plain(text)
    if plain in _NICKNAMES:
        return f"is a short name: write {_NICKNAMES[plain]}, or {'1'.join(plain)} if its letters are elements"
    if _ROMAN.search(plain):
        return (
            "has Roman numerals, which say iodine and vanadium: leave oxidation states out, and write I2, I3 for iodine"
        )
    if _ACTINIUM.search(plain):
        return "has actinium, Ac: write CH3COO for acetate, or AcO for actinium"
    return _zero_for_oxygen(plain) or _element_in_capitals(plain) or _letters_of_another_case(plain)


def _zero_for_oxygen(plain: str) -> str | None:
    if _LEADING_ZERO.search(plain):
        meant, way_out = (_LEADING_ZERO.sub(each, plain) for each in ("O", ""))
        return f"has the digit 0 where the letter O may be meant: write {meant}, or {way_out} without the 0"
    if alone := _OXIDE_OF_ONE.fullmatch(plain):
        if alone[1] == "C":  # there are fullerenes of 20 and more
            return None
        meant = alone[1] + _with_oxygen(alone[2])
        return f"is {alone[1]} and nothing else, with the digit 0: write {meant} with the letter O, or {alone[1]}"
    if _WATER.search(plain):
        meant = _WATER.sub(lambda match: f"{match[1]}2O", plain)
        return f"has the digit 0 in water: write {meant} with the letter O, or H20.0"
    symbols, numbers = set(SYMBOL.findall(plain)), _NUMBER.findall(plain)
    odd = [number for number in numbers if _ZERO_INSIDE.fullmatch(number)]
    others = [float(number) for number in numbers if number not in odd]
    if len(odd) != 1 or "O" in symbols or {"C", "H"} <= symbols or max(others, default=0) >= _SMALL:
        return None
    meant, way_out = (plain.replace(odd[0], each) for each in (_with_oxygen(odd[0]), f"{odd[0]}.0"))
    return f"has the digit 0 where the letter O may be meant: write {meant}, or {way_out}"


def _with_oxygen(number: str) -> str:
    return re.sub(r"(?<=\d)0", "O", number, count=1)


def _letters_of_another_case(plain: str) -> str | None:
    """``LiCOO2`` for LiCoO2, ``NaCI`` for NaCl, ``LiFePo4`` for LiFePO4."""
    if twice := _TWICE.search(plain):
        symbol = twice[1] + twice[2].lower()
        meant = plain[: twice.start()] + symbol + plain[twice.end(2) :]
        if (
            0 < ATOMIC_NUMBERS.get(symbol, 0) <= _LAST_USUAL
            and symbol != "Po"
            and twice[1] not in SYMBOL.findall(meant)
        ):
            way_out = plain[: twice.start(2)] + "1" + plain[twice.start(2) :]
            return f"has {twice[2]} twice in a row: did you mean {meant}? If not, write {way_out}"
    if (chloride := _CHLORIDE.match(plain)) and _is_chloride(*chloride.groups()):
        meant, way_out = (plain.replace("CI", each, 1) for each in ("Cl", "C1I"))
        return f"has carbon and iodine, a capital I: did you mean {meant}? If not, write {way_out}"
    if small := _IN_SMALL.search(plain):
        element = {"P": "polonium", "N": "nobelium"}[small[0][0]]
        meant, way_out = plain.replace(small[0], small[0].upper()), plain.replace(small[0], f"{small[0]}.0")
        return f"has {element}, {small[0][:2]}: did you mean {meant}? If not, write {way_out}"
    return None


def _is_chloride(positive: str, amount: str) -> bool:
    """Whether there is such a chloride: not of HCI3, iodoform, and YCI, a carbide iodide."""
    return positive not in _NO_CHLORIDES if amount else positive in _ONE_CHARGE


def _element_in_capitals(plain: str) -> str | None:
    """``NI``, which is nitrogen and iodine, for nickel."""
    symbol = plain.capitalize()
    is_symbol = len(plain) == 2 and 0 < ATOMIC_NUMBERS.get(symbol, 0) <= _LAST_USUAL  # noqa: PLR2004 - letters
    if not is_symbol or not plain.isupper() or plain in _AS_WRITTEN or _METALS & set(plain):
        return None
    return f"reads as {plain[0]} and {plain[1]}: write {symbol} for the element, or {plain[0]}1{plain[1]}"
