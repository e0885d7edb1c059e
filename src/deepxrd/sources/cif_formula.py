"""The formula that a CIF declares, and whether the sites of its cell are that compound."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from gemmi import cif

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS
from deepxrd.chem.formula import parse_amounts
from deepxrd.errors import FormulaError
from deepxrd.sources.cif_values import text_of

_SUM = ("_chemical_formula_sum", "_chemical_formula.sum")
_STRUCTURAL = ("_chemical_formula_structural",)
_UNITS = ("_cell_formula_units_Z", "_cell.formula_units_Z")
_HEAVY_HYDROGEN = re.compile(r"\bD(?=[\d.\s)\]]|$)")
_WORD = re.compile(r"[A-Z][a-z]?\d*\.?\d*", re.ASCII)
_CHARGE = re.compile(r"\s+\d*[+-]$")
_UNIT_TOLERANCE = 0.02  # of the number of units: sites of disordered crystals hold shares
_SHARE_TOLERANCE = (0.01, 0.005)  # of an amount, and per atom of it: shares of disordered crystals are rounded
_WHOLE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class DeclaredFormula:
    """What a block says it holds.

    Attributes:
        text: the formula as it is written.
        amounts: atoms of each element; empty where there is no readable formula.
        units: formula units in the cell (Z); 0 where it is not given.
        remark: what could not be read, in words; empty in most cases.
    """

    text: str
    amounts: dict[str, Fraction | int]
    units: float
    remark: str = ""

    @property
    def atomic_numbers(self) -> frozenset[int]:
        """The elements."""
        return frozenset(ATOMIC_NUMBERS[symbol] for symbol in self.amounts)

    def difference(self, found: dict[int, float]) -> str | None:
        """How the atoms in a cell differ from the formula, in words; None if they do not, or there is no formula.

        Args:
            found: atoms per cell by atomic number, shares of partly filled sites among them.
        """
        if not self.amounts:
            return None
        atoms = {SYMBOLS[z - 1]: amount for z, amount in found.items()}
        per_unit = sum(atoms.values()) / float(sum(self.amounts.values()))
        held = {symbol: amount / per_unit for symbol, amount in atoms.items()}
        whole = all(abs(n - round(n)) < _WHOLE_TOLERANCE for n in [*atoms.values(), *map(float, self.amounts.values())])
        both = f"its sites are {_in_words(atoms)}, but its formula is {self.text!r}"
        if missing := sorted(self.amounts.keys() - held.keys()):
            return f"{both}: no site for {', '.join(missing)}"
        if more := sorted(held.keys() - self.amounts.keys()):
            return f"{both}: it has no {', '.join(more)}"
        for symbol, amount in self.amounts.items():
            wanted = float(amount)
            tolerance = _WHOLE_TOLERANCE if whole else _SHARE_TOLERANCE[0] + _SHARE_TOLERANCE[1] * wanted
            if abs(held[symbol] - wanted) > tolerance:
                return f"{both}: the amounts differ"
        return self._wrong_number_of_units(per_unit)

    def _wrong_number_of_units(self, per_unit: float) -> str | None:
        """Sites in the right ratio may still be too few: the formula may be given in multiples of its unit, too."""
        whole = [int(n) for n in self.amounts.values() if n == int(n)]
        multiple = gcd(*whole) if len(whole) == len(self.amounts) else 1
        if not self.units or any(
            abs(n - self.units) <= _UNIT_TOLERANCE * self.units for n in (per_unit, per_unit * multiple)
        ):
            return None
        return f"its cell holds {per_unit:.4g} units of {self.text!r}, but _cell_formula_units_Z is {self.units:g}"


def declared_formula(block: cif.Block) -> DeclaredFormula:
    """The formula of a block: the sum, else the structural formula where that can be read."""
    units = float(cif.as_number(text_of(block, _UNITS) or "?"))
    units = units if units > 0 else 0.0
    remark = ""
    for tags in (_SUM, _STRUCTURAL):
        text = text_of(block, tags)
        if not text:
            continue
        try:
            amounts = _amounts_of(_HEAVY_HYDROGEN.sub("H", _CHARGE.sub("", text)))
        except FormulaError:
            remark = remark or f"{tags[0]} cannot be read, so sites are not held against it"
            continue
        return DeclaredFormula(text, {symbol: n for symbol, n in amounts.items() if n}, units)
    return DeclaredFormula("", {}, units, remark)


def _amounts_of(text: str) -> dict[str, Fraction | int]:
    """Amounts of a formula whose elements stand apart, as in every sum: a dot there is always a decimal point."""
    words = text.split()
    if not all(_WORD.fullmatch(word) for word in words):
        return parse_amounts(text)
    total: dict[str, Fraction | int] = {}
    for word in words:
        for symbol, amount in parse_amounts(word).items():
            total[symbol] = total.get(symbol, 0) + amount
    return total


def _in_words(atoms: dict[str, float]) -> str:
    return " ".join(f"{symbol}{round(amount, 3):g}" for symbol, amount in sorted(atoms.items()))
