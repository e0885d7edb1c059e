"""Formulas as people type them: what the parser understands, and hints where something else may be meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction

from deepxrd.chem.alloys import is_alloy
from deepxrd.chem.elements import ELECTRONEGATIVITY
from deepxrd.chem.encoding import PAPER_ELEMENTS
from deepxrd.chem.formula import Formula, parse_amounts, parse_formula
from deepxrd.chem.formula_sums import SYMBOL, shown
from deepxrd.chem.typed_slips import nothing_in, slip_in
from deepxrd.errors import FormulaError

_RUN = re.compile(r"[A-Za-z]+")
_ANIONS = frozenset({"C", "N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I"})
_METALS = frozenset({"K", "V", "Y", "W", "U"})  # those with one letter
_USUAL = frozenset(PAPER_ELEMENTS)  # the other 34, such as He and No, are hardly ever meant
_MOST_LETTERS = 40
_MOST_LETTERS_ALONE = 6  # HgCdTe; what is longer and has no number is a name, such as perovskite
_FEWEST_IN_ALLOY = 3
_CARBONATE = re.compile(r"(?<=[A-Z0-9(])CO(?=3(?![A-Z0-9.]))")  # not CO3O4
_MISSING = frozenset({"nan", "None", "none", "null", "NULL", "<NA>"})  # NaN is sodium and nitrogen
_NAME = re.compile(r"[A-Za-z][a-z]{3,}(?:[ -][a-z]+)*")


def parse_typed_formula(text: str) -> Formula:
    """Parse a formula that a person typed.

    Beyond `parse_formula` it refuses what was surely meant otherwise: ``SIO2``, which says sulfur and iodine, and what
    `deepxrd.chem.typed_slips` finds, such as ``Ti02`` and ``Fe(III)``.

    Raises:
        FormulaError: it cannot be parsed, or is refused; the message says what may be meant.
    """
    if isinstance(text, str) and len(text.strip().splitlines()) > 1:
        msg = (
            f"{shown(text)} goes over several lines: write one formula; in a table, look for a quotation mark too many"
        )
        raise FormulaError(msg)
    if isinstance(text, str) and (nothing := nothing_in(text)):
        msg = f"{shown(text)} {nothing}"
        raise FormulaError(msg)
    if isinstance(text, str) and text.strip() in _MISSING:
        msg = f"{shown(text)} is a missing value of a table, and no formula: leave the row out, or write one"
        raise FormulaError(msg)
    meant = in_usual_case(text, of_metals=True) if isinstance(text, str) else None
    try:
        formula = parse_formula(text)
    except FormulaError as error:
        if meant is None:
            if isinstance(text, str) and _NAME.fullmatch(text.strip()):
                msg = f"{error}; names are not read: write the formula, such as SiO2 for quartz"
                raise FormulaError(msg) from error
            raise
        msg = f"{error}; did you mean {meant}?"
        raise FormulaError(msg) from error
    if meant is not None and _is_doubtful(set(formula.elements), set(SYMBOL.findall(meant))):
        way_out = re.sub(r"(?<=[A-Z])(?=[A-Z])", "1", text.strip())
        msg = f"{shown(text)} reads as {', '.join(parse_amounts(text))}: did you mean {meant}? If not, write {way_out}"
        raise FormulaError(msg)
    if slip := slip_in(text):
        msg = f"{shown(text)} {slip}"
        raise FormulaError(msg)
    return formula


def parse_each(
    formulas: Iterable[str | Formula], check: Callable[[str], Formula] = parse_typed_formula
) -> list[Formula]:
    """Parse a list of formulas, of which some may be parsed already.

    Args:
        formulas: as a person typed them, or parsed.
        check: parses one of them.

    Raises:
        FormulaError: one cannot be parsed, or is no text; or a text is given in place of a list: letter by letter,
            ``CO`` would be carbon and oxygen.
    """
    if isinstance(formulas, str) or not isinstance(formulas, Iterable):
        wanted = formulas if isinstance(formulas, str) else "SrTiO3"
        msg = f"needed is a list of formulas, not {formulas!r}: give [{wanted!r}]"
        raise FormulaError(msg)
    parsed = []
    for place, formula in enumerate(formulas):
        if not isinstance(formula, str | Formula):
            msg = f"formula {place} is {formula!r}: give a text such as 'SrTiO3', or leave it out"
            raise FormulaError(msg)
        parsed.append(check(formula) if isinstance(formula, str) else formula)
    return parsed


def hint(text: str) -> str | None:
    """Another formula that may be meant by one that can be read; None in most cases.

    Such as KNbO3 by ``KNBO3``, and Co0.3333Cr0.3333Ni0.3333, whose elements share sites, by ``CoCrNi``.

    Raises:
        FormulaError: the text cannot be read.
    """
    return in_usual_case(text) or _as_alloy(parse_formula(text))


def _as_alloy(formula: Formula) -> str | None:
    """A formula of metals in whole numbers, as an alloy is written; of two of them, which often order, None."""
    atoms = sum(count for _, count in formula.counts)
    shares = {symbol: Fraction(count, atoms) for symbol, count in formula.counts}
    if len(shares) < _FEWEST_IN_ALLOY or formula.is_mixed or not is_alloy(shares):
        return None
    written = "".join(f"{symbol}{float(share):.4g}" for symbol, share in shares.items())
    return written if parse_formula(written).is_mixed else None


def in_usual_case(text: str, *, of_metals: bool = False) -> str | None:
    """The same letters as other elements, for a text all in capitals or all in small letters.

    Args:
        text: as a person typed it.
        of_metals: whether capitals may be those of metals alone: too much for a text that says what it means, as KHF2.

    Returns:
        Such as ``SiO2`` for ``SIO2``; None if there is no other compound of a metal with an anion in it.
    """
    letters = "".join(_RUN.findall(text))
    most = _MOST_LETTERS_ALONE if letters == text.strip() else _MOST_LETTERS
    if not 1 < len(letters) <= most or not (letters.isupper() or letters.islower()):
        return None
    capitals = _CARBONATE.sub("C1O", _RUN.sub(lambda run: run.group().upper(), text))
    runs = {run: _fewest_symbols(run) for run in _RUN.findall(capitals)}
    if any(symbols is None for symbols in runs.values()):
        return None
    meant = _RUN.sub(lambda run: "".join(runs[run.group()] or ()), capitals).replace("C1O", "CO").strip()
    symbols = [symbol for run in _RUN.findall(capitals) for symbol in runs[run] or ()]
    is_compound = len(set(symbols)) > 1 and any(len(symbol) > 1 for symbol in symbols)
    if letters == text.strip() and letters.islower():  # brass and halite are words, nacl is none
        is_compound &= symbols == sorted(symbols, key=ELECTRONEGATIVITY.__getitem__)
    if meant == text.strip() or not is_compound:
        return None
    return meant if _ANIONS & set(symbols) or (of_metals and letters.isupper()) else None


def _fewest_symbols(run: str) -> list[str] | None:
    """The shortest list of elements that a run of capitals can be cut into; of equals, long symbols first."""
    best: list[list[str] | None] = [[]]
    for end in range(1, len(run) + 1):
        choices = []
        for length in (1, 2):
            symbol = run[end - length : end].capitalize()
            before = best[end - length] if end >= length else None
            if before is not None and symbol in _USUAL:
                choices.append([*before, symbol])
        best.append(min(choices, key=lambda symbols: (len(symbols), [-len(s) for s in symbols]), default=None))
    return best[-1]


def _is_doubtful(read: set[str], meant: set[str]) -> bool:
    """Whether what was read is surely not meant: no metal, nothing organic, no ammonium, phosphite or borate."""
    metals = read & _METALS
    if metals == {"U"} and "U" not in meant:  # CUO is no uranium
        metals = set()
    return not metals and not ("H" in read and read & {"B", "C", "N", "P"})
