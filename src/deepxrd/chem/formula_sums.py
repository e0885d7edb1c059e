"""Sums of formulas such as ``CuSO4·5H2O`` or ``2CaO.SiO2``: where one part ends, and which dots are decimal points."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from deepxrd.errors import FormulaError
from deepxrd.io.limits import FORMULA_DIGITS

_SIGNS = str.maketrans(dict.fromkeys("⋅∙•‧・∗*×", "·") | {"⁄": "/"})
_SPACED_DOT = re.compile(r"\.\s+(?=[0-9A-Z(])")
_SEPARATING_DOT = re.compile(r"\.(?=[a-z]?[A-Z(]|\d*\.\d+[A-Z(])")  # before a letter or a decimal: CaSO4.0.5H2O
_OPEN_DOT = re.compile(r"(\d*)\.(\d+)(?=[A-Z(])")
_LEADING = re.compile(r"(\d+(?:\.\d+)?(?:/\d+)?|\.\d+)(?=[A-Z(])", re.ASCII)
_UNKNOWN_AMOUNT = re.compile(r"\(?([a-z])\)?(?=[A-Z(])")
SYMBOL = re.compile(r"[A-Z][a-z]?")
_LETTER_OR_BRACKET = re.compile(r"[A-Z(]")
_ZERO_AMOUNT = re.compile(r"(?<![\d.])0+(?![\d.])")
_ANIONS = frozenset({"C", "N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Te", "I"})
_USUAL_SHARES = frozenset({"5", "25", "75", "33", "34", "66", "67"})
"""Decimals that formulas are often written with: O2.5 is as likely as 5 H2O after O2."""
_OXYANION = re.compile(r"(?:[NC]O3|BO3|(?:S|P|Si|Cl|V|Cr|Mn|As|Se|Mo|W)O4)\)?\d*$")
"""What a salt may end with: its oxygen is counted already, so a dot behind it joins, as in CuSO4.5H2O."""
_BEFORE_NUMBER = re.compile(r"(\S*[A-Za-z0-9)])\s+(\d[\d./]*|\.\d+)(?=(\s*)(\S?))", re.ASCII)
_MOST_PARTS = 40  # ettringite has 32 H2O
_SHOWN_CHARACTERS = 60


class TwoReadingsError(FormulaError):
    """A formula whose dot may join two parts or be a decimal point; the message is the reading as a sum."""


@dataclass(frozen=True)
class Term:
    """One part of a sum.

    Attributes:
        coefficient: how often it is there.
        body: the formula, without blanks.
    """

    coefficient: Fraction | int
    body: str


def shown(text: str) -> str:
    """A text as an error shows it: quoted, and cut if it is long."""
    if len(text) <= _SHOWN_CHARACTERS:
        return repr(text)
    return f"{text[:_SHOWN_CHARACTERS]!r}… ({len(text):,} characters)"


def may_be_sum(plain: str) -> bool:
    """Whether there is anything in a formula that this module has to look at."""
    return not plain.isascii() or "." in plain or "*" in plain


def refuse_numbers_after_blanks(plain: str, text: str) -> None:
    """Make sure that a blank before a number parts nothing: ``CuSO4 5H2O`` is a sum, and not 45 H2O.

    Elements and amounts that all stand apart, as in ``Na 2 S O 4``, are plain.

    Args:
        plain: the formula, normalised.
        text: as the user wrote it.

    Raises:
        FormulaError: a number may be that of a further part.
    """
    for match in _BEFORE_NUMBER.finditer(plain.translate(_SIGNS)):
        before, number, blank, after = match.groups()
        glued = not blank and bool(_LETTER_OR_BRACKET.match(after))
        apart = bool(after) and len(SYMBOL.findall(before)) > 1
        if before[-1].isdigit() or glued or apart:
            end = f"{before} {number}"
            msg = (
                f"formula {shown(text)} has a blank in {shown(end)}: write a sum with ·, as CuSO4·5H2O, or leave the "
                "blank out"
            )
            raise FormulaError(msg)


def split_sum(plain: str, text: str) -> list[Term]:
    """The parts of a formula; one, if it is no sum.

    A dot before a letter joins two parts. A dot between digits is a decimal point, unless what stands on both sides
    are compounds (``Al2O3.3H2O``). Where both could be meant (``TiO2.5H2O``) the formula is refused, but not behind
    an anion that has its oxygen already (``CuSO4.5H2O``).

    Args:
        plain: the formula, normalised, perhaps with blanks.
        text: as the user wrote it.

    Raises:
        FormulaError: a part is empty, or its number unknown.
        TwoReadingsError: a dot may join two parts or be a decimal point.
    """
    joined = "".join(_SPACED_DOT.sub("·", plain.translate(_SIGNS)).split())
    parts = [dotted for part in joined.split("·") for dotted in _split_at_dots(part.rstrip("."))]
    if len(parts) == 1:
        return [Term(1, parts[0])]
    return [_term(part, text) for part in parts]


def _split_at_dots(part: str) -> list[str]:
    """Cut one part at those of its dots that join."""
    pieces = _SEPARATING_DOT.split(part)
    certain = len(pieces) > 1 or ("." in part and _LEADING.match(part) is not None)
    return [cut for piece in pieces for cut in _split_at_open_dots(piece, certain=certain)]


def _split_at_open_dots(piece: str, *, certain: bool) -> list[str]:
    """Cut at dots that may be decimal points; ``certain`` if other dots of the formula join parts."""
    dots = [match for match in _OPEN_DOT.finditer(piece) if match.start() > 0]
    if not dots:
        return [piece]
    bounds = [0, *(dot.start(2) for dot in dots), len(piece) + 1]
    cuts = [piece[start : stop - 1] for start, stop in pairwise(bounds)]
    if not all(_is_compound(cut) for cut in cuts) or any(dot[2].startswith("0") for dot in dots):
        return [piece]
    doubtful = any(
        dot[2] in _USUAL_SHARES or dot[1] == "1" or int(dot[2][:3]) > _MOST_PARTS
        for dot in dots
        if not _OXYANION.search(piece[: dot.end(1)])
    )
    if doubtful and not certain:
        raise TwoReadingsError("·".join(cuts))
    return cuts


def _is_compound(cut: str) -> bool:
    """Whether a piece could stand alone: two elements, an anion among them, and no amount of zero."""
    body = cut[match.end() :] if (match := _LEADING.match(cut)) else cut
    elements = set(SYMBOL.findall(body))
    return len(elements) > 1 and bool(elements & _ANIONS) and not _ZERO_AMOUNT.search(body)


def _term(part: str, text: str) -> Term:
    if not part:
        msg = f"formula {shown(text)} has nothing between two dots, or before the first or after the last"
        raise FormulaError(msg)
    if unknown := _UNKNOWN_AMOUNT.match(part):
        msg = f"formula {shown(text)} has {unknown[1]!r} for a number: say how many, or leave that part out"
        raise FormulaError(msg)
    leading = _LEADING.match(part)
    if leading is None:
        return Term(1, part)
    if len(leading[1]) > FORMULA_DIGITS:
        msg = f"formula {shown(text)} has a number of {len(leading[1]):,} digits: {FORMULA_DIGITS} are the most"
        raise FormulaError(msg)
    over, _, under = leading[1].partition("/")
    if under and not int(under):
        msg = f"formula {shown(text)} divides by zero"
        raise FormulaError(msg)
    return Term(Fraction(over) / int(under or 1), part[leading.end() :])
