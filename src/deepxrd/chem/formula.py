"""Chemical formulas: parsing, reduction to the smallest whole numbers, and the stoichiometry's name."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from string import ascii_lowercase, ascii_uppercase

from deepxrd.chem.elements import ATOMIC_NUMBERS, ELECTRONEGATIVITY, SYMBOLS
from deepxrd.chem.formula_sums import TwoReadingsError, may_be_sum, refuse_numbers_after_blanks, shown, split_sum
from deepxrd.chem.shares import MAX_DENOMINATOR, is_divided, is_hydrate, of_shares, whole_numbers
from deepxrd.errors import FormulaError
from deepxrd.io import limits

_TOKEN = re.compile(r"(?P<element>[A-Z][a-z]?)|(?P<open>\()|(?P<close>\))|(?P<number>\d+(?:\.\d+)?|\.\d+)", re.ASCII)
BRACKETS = str.maketrans("[]{}", "()()")
_APART = "write one formula at a time, each an argument or a row of its own; decimals have a point"
_CHARGE = "leave charges, names and open amounts such as 1-x out, and write a sum with ·, as CuSO4·5H2O"
_FRACTION = "write a fraction as a decimal, such as 0.6667 for 2/3"
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_WANTED = {
    **dict.fromkeys(",;|", _APART),
    **dict.fromkeys("/⁄", _FRACTION),
    **dict.fromkeys("+-−–^", _CHARGE),
    **dict.fromkeys(_SUPERSCRIPTS, "leave charges and isotopes out: amounts are plain digits or subscripts"),
    **dict.fromkeys("αβγδεζηθικλσχω", "leave Greek letters out, such as the prefix α-"),
    ":": "write a dopant with its amount, as SrTi0.99Nb0.01O3",
    "_": "write amounts without _, as SrTiO3",
}
"""What to do about a sign that no formula has."""
_STATE = re.compile(r"\((?:s|l|g|aq|cr|am)\)")
_LETTERS = [*ascii_uppercase, *(a + b for a in ascii_uppercase for b in ascii_lowercase)]


def lettered(amounts: Iterable[int]) -> str:
    """Letters for elements that are left open, each with its amount unless that is one: ``ABC3`` of 1, 1 and 3."""
    return "".join(f"{letter}{n if n > 1 else ''}" for letter, n in zip(_LETTERS, amounts, strict=False))


@dataclass(frozen=True)
class Formula:
    """A composition in its smallest whole numbers, elements in order of electronegativity (as pymatgen prints them).

    Attributes:
        counts: pairs (element symbol, number of its atoms in the reduced formula).
        decimals: of a solid solution the amounts that were written with decimals, in the order of ``counts``: those of
            barium and strontium in Ba0.6Sr0.4TiO3; of an alloy in at% its shares. Formulas of one composition are equal
            however they were written.
    """

    counts: tuple[tuple[str, int], ...]
    decimals: Mapping[str, Fraction | int] = field(default_factory=dict, compare=False)

    @property
    def is_mixed(self) -> bool:
        """Whether it was written as a solid solution is."""
        return bool(self.decimals)

    @property
    def written(self) -> tuple[object, ...]:
        """What an answer hangs on: the composition, and of a solid solution how it was written."""
        return self.counts, *self.decimals.items()

    @cached_property
    def reduced(self) -> str:
        """The reduced formula without brackets, such as ``Fe3O2F4``; equal compositions give equal strings."""
        return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in self.counts)

    @cached_property
    def anonymous(self) -> str:
        """The stoichiometry, letters by ascending amount, such as ``ABC3`` for SrTiO3 (pymatgen's notation)."""
        return lettered(sorted(count for _, count in self.counts))

    @property
    def elements(self) -> tuple[str, ...]:
        """Element symbols, in the order of ``counts``."""
        return tuple(symbol for symbol, _ in self.counts)

    @property
    def chemical_system(self) -> str:
        """The set of elements, such as ``O-Sr-Ti``: symbols in alphabetical order."""
        return "-".join(sorted(self.elements))

    def __str__(self) -> str:
        return self.reduced


def parse_formula(text: str) -> Formula:
    """Parse a chemical formula and reduce it to its smallest whole numbers.

    Brackets of any kind nest, subscripts may be Unicode, decimals are read as fractions (``Li0.5CoO2`` is LiCo2O4), and
    amounts of an alloy that add up to 100 as at% (``Cu70Zn30``).
    Sums are joined by ``·``, ``*`` or a dot, each part with a number before it: ``CuSO4·5H2O``, ``2CaO.SiO2``; see
    `deepxrd.chem.formula_sums` for the dots.

    Args:
        text: the formula, for example ``SrTiO3``, ``Fe3(OF2)2`` or ``SrTiO₃``.

    Raises:
        FormulaError: the text is no formula, names an unknown element, or can be read in two ways.
    """
    return formula_from_amounts(of_shares(parse_amounts(text)), text)


def parse_amounts(text: str) -> dict[str, Fraction | int]:
    """Amount of each element as the formula gives them, not reduced, in the order in which they are written.

    Raises:
        FormulaError: as for `parse_formula`.
    """
    if not isinstance(text, str) or not text.strip():
        msg = f"empty formula {text!r}: write one such as 'SrTiO3'"
        raise FormulaError(msg)
    if len(text) > limits.FORMULA_CHARACTERS:
        msg = f"{shown(text)} has {len(text):,} characters: a formula may have {limits.FORMULA_CHARACTERS:,}"
        raise FormulaError(msg)
    if raised := next((character for character in text if character in _SUPERSCRIPTS), None):
        msg = f"cannot read formula {shown(text)} at {shown(text[text.index(raised) :])}: {_WANTED[raised]}"
        raise FormulaError(msg)
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    plain = plain.translate(BRACKETS)
    if len(plain.split()) > 1:
        refuse_numbers_after_blanks(plain, text)
    if not may_be_sum(plain):
        return _amounts("".join(plain.split()), text)
    try:
        terms = split_sum(plain, text)
    except TwoReadingsError as error:
        sum_, decimal = str(error), formula_from_amounts(_amounts("".join(plain.split()), text), text)
        msg = (
            f"formula {shown(text)} can be read in two ways, as the sum {sum_} or with a decimal number as {decimal}: "
            f"write {sum_} or {sum_.replace('·', '*')} for the one, {decimal} for the other"
        )
        raise FormulaError(msg) from error
    total: dict[str, Fraction | int] = {}
    for term in terms:
        for symbol, amount in _amounts(term.body, text).items():
            total[symbol] = total.get(symbol, 0) + amount * term.coefficient
    return total


def chemical_systems(formulas: Iterable[str]) -> list[str]:
    """The chemical system of each formula: what samples are grouped by where they are no independent draws.

    Raises:
        FormulaError: a text is no formula.
    """
    return [parse_formula(text).chemical_system for text in formulas]


def formula_from_amounts(amounts: Mapping[str, Fraction | int], text: str = "") -> Formula:
    """Build a reduced formula from amounts per element.

    Args:
        amounts: a positive amount per element symbol.
        text: what to call the input in an error.

    Raises:
        FormulaError: nothing is left after dropping zero amounts, or the reduced formula is absurdly large.
    """
    exact = {symbol: amount for symbol, amount in amounts.items() if amount}
    if not exact:
        msg = f"formula {shown(text)} holds no atoms"
        raise FormulaError(msg)
    whole = whole_numbers(exact)
    if sum(whole.values()) > limits.FORMULA_ATOMS:
        msg = f"formula {shown(text)} has more than {limits.FORMULA_ATOMS} atoms in its reduced form"
        raise FormulaError(msg)
    order = sorted(whole, key=lambda symbol: (ELECTRONEGATIVITY[symbol], symbol))
    counts = tuple((symbol, whole[symbol]) for symbol in order)
    decimals = {symbol: exact[symbol] for symbol in order if exact[symbol].denominator > 1}
    is_mixed = bool(decimals) and not (is_hydrate(decimals, exact) or is_divided(counts, decimals, exact))
    return Formula(counts, decimals if is_mixed else {})


def formula_from_atomic_numbers(atomic_numbers: list[int], occupancies: list[float] | None = None) -> Formula:
    """Reduced formula of a list of sites, given by atomic number and, where partial, occupancy.

    Raises:
        FormulaError: no atoms, too many, or so little of an element that it would vanish.
    """
    if occupancies is None:
        counts: dict[str, Fraction] = {SYMBOLS[z - 1]: Fraction(n) for z, n in Counter(atomic_numbers).items()}
    else:
        totals: dict[str, float] = {}
        for z, occupancy in zip(atomic_numbers, occupancies, strict=True):
            totals[SYMBOLS[z - 1]] = totals.get(SYMBOLS[z - 1], 0.0) + occupancy
        counts = {symbol: Fraction(total).limit_denominator(MAX_DENOMINATOR) for symbol, total in totals.items()}
        vanished = next((symbol for symbol, total in totals.items() if total and not counts[symbol]), None)
        if vanished is not None:
            msg = f"the amount {totals[vanished]:g} of {vanished} is too small: the least is 1/{MAX_DENOMINATOR}"
            raise FormulaError(msg)
    return formula_from_amounts(counts)


def _amounts(plain: str, text: str) -> dict[str, Fraction | int]:
    """Amount per element of a formula free of blanks; ``text`` is how the user wrote it."""
    stack: list[dict[str, Fraction | int]] = [{}]
    position = 0
    while position < len(plain):
        match = _TOKEN.match(plain, position)
        if match is None or match["number"]:
            at = shown(plain[position:])
            msg = f"cannot read formula {shown(text)} at {at}: {_wanted(plain, position, in_bracket=len(stack) > 1)}"
            raise FormulaError(msg)
        position = match.end()
        if match["open"]:
            stack.append({})
            continue
        if match["close"]:
            if len(stack) == 1:
                msg = f"formula {shown(text)} closes a bracket that was never opened"
                raise FormulaError(msg)
            group = stack.pop()
        else:
            group = {_known_element(match["element"], text): 1}
        factor, position = _factor(plain, position, text)
        for symbol, amount in group.items():
            stack[-1][symbol] = stack[-1].get(symbol, 0) + amount * factor
    if len(stack) > 1:
        msg = f"formula {shown(text)} opens a bracket that is never closed"
        raise FormulaError(msg)
    return stack[0]


def _wanted(plain: str, position: int, *, in_bracket: bool) -> str:
    """What to do about a place where no element and no bracket stands."""
    if in_bracket and plain[position] == ",":
        return "give each element its amount, as (Mg0.9Fe0.1)2SiO4"
    if in_bracket and _STATE.match(plain, position - 1):
        return "leave the state out, such as (s)"
    return _WANTED.get(plain[position], "expected an element such as 'Ti' or a bracket")


def _known_element(symbol: str, text: str) -> str:
    if symbol not in ATOMIC_NUMBERS:
        hint = " (write H for deuterium and tritium)" if symbol in {"D", "T"} else ""
        msg = f"unknown element {symbol!r} in formula {shown(text)}{hint}"
        raise FormulaError(msg)
    return symbol


def _factor(plain: str, position: int, text: str) -> tuple[Fraction | int, int]:
    """The number that follows an element or a bracket, one where there is none, and where reading continues."""
    match = _TOKEN.match(plain, position)
    if match is None or not match["number"]:
        return 1, position
    if len(match["number"]) > limits.FORMULA_DIGITS:
        n_digits = len(match["number"])
        msg = f"formula {shown(text)} has a number of {n_digits:,} digits: {limits.FORMULA_DIGITS} are the most"
        raise FormulaError(msg)
    if match["number"].isdecimal():
        return int(match["number"]), match.end()  # whole numbers are the rule, and far quicker than fractions
    exact = Fraction(match["number"])
    factor = exact.limit_denominator(MAX_DENOMINATOR)
    if exact and not factor:
        msg = f"the amount {match['number']} in formula {shown(text)} is too small: the least is 1/{MAX_DENOMINATOR}"
        raise FormulaError(msg)
    return factor, match.end()
