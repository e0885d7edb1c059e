"""Names of files for formulas: different ones even on disks that do not tell ``Co`` from ``CO``."""

from __future__ import annotations

import hashlib
import re
from functools import cache

from deepxrd.chem import ATOMIC_NUMBERS, ELECTRONEGATIVITY, Formula

_BY_LOWER_CASE = {symbol.lower(): symbol for symbol in ATOMIC_NUMBERS}
_RESERVED = frozenset({"con", "prn", "aux", "nul"})
"""Names that Windows keeps for devices, whatever follows the dot: cobalt nitride, CoN, would be one."""
_FIRST = (-1.0, "")
_LONGEST, _CUT = 140, 100
"""Characters: what follows, such as the id of a known phase, has some 90, and disks take 255."""


def file_name(formula: Formula) -> str:
    """A name without its ending, such as ``SrTiO3``; it depends on the formula alone.

    Where another reduced formula may have the same letters in another case, the elements follow one by one: ``CO_C-O``
    and ``Co_Co``. One that would be too long for a disk is cut, and ends in a hash.
    """
    plain = formula.reduced
    if len(plain) <= _LONGEST and plain.lower() not in _RESERVED and _n_readings(plain.lower(), _FIRST) == 1:
        return plain
    spelled = "-".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in formula.counts)
    if len(name := f"{plain}_{spelled}") <= _LONGEST:
        return name
    return f"{plain[:_CUT]}_{hashlib.sha256(plain.encode()).hexdigest()[:16]}"


@cache
def _n_readings(letters: str, after: tuple[float, str]) -> int:
    """In how many ways letters without case are elements with their counts, in the order of reduced formulas.

    Args:
        letters: what is left to be read, in lower case.
        after: electronegativity and symbol of the element before it, which all that follow come after.
    """
    if not letters:
        return 1
    total = 0
    for length in (1, 2):
        symbol = _BY_LOWER_CASE.get(letters[:length])
        if symbol is None or len(letters) < length or (place := (ELECTRONEGATIVITY[symbol], symbol)) <= after:
            continue
        rest = re.sub(r"^\d+", "", letters[length:])
        total += _n_readings(rest, place)
    return total
