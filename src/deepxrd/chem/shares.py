"""Amounts with decimals: shares of 1 or 100, whole numbers that were divided, and solid solutions."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm

from deepxrd.chem.alloys import is_alloy
from deepxrd.io import limits

MAX_DENOMINATOR = 1000
"""A decimal such as 0.3333 stands for 1/3: the nearest fraction with a denominator up to this is taken."""
OF_HYDRATES = frozenset({"H", "O"})
"""Elements whose amounts may be decimals in a formula of whole numbers: CaSO4·0.5H2O."""
_PER_CENT = 100
_ROUNDED = 0.005  # of a sum of shares that were rounded
_FEW_ATOMS = 12  # of an ordered compound that somebody wrote with decimals alone
_MOST_DIGITS = 3  # that decimals are looked at for, as `MAX_DENOMINATOR` says


def of_shares(amounts: dict[str, Fraction | int]) -> dict[str, Fraction | int]:
    """What amounts that add up to 1 or 100 are shares of; all others as they are.

    Those of an alloy in at% are shares of atoms, Cu70Zn30 is Cu0.7Zn0.3. Decimals of other elements are whole numbers
    that were divided: Si33.3O66.7 is SiO2.
    """
    present = {symbol: amount for symbol, amount in amounts.items() if amount}
    if len(present) == 1:
        return amounts
    rounded_by = _half_of_last_digit(present)
    total, off = sum(present.values()), rounded_by * len(present)
    whole = next((each for each in (1, _PER_CENT) if each - off <= total <= each + off), None)
    if whole is None:
        return amounts
    shares: dict[str, Fraction | int] = {symbol: Fraction(amount, whole) for symbol, amount in present.items()}
    if is_alloy(shares):
        return shares if total == whole else amounts
    return _few_atoms(shares, Fraction(rounded_by, whole)) or amounts if rounded_by else amounts


def is_hydrate(decimals: Mapping[str, Fraction | int], exact: Mapping[str, Fraction | int]) -> bool:
    """Whether decimals are those of water: CaSO4·0.5H2O, not YBa2Cu3O6.9."""
    return "H" in exact and decimals.keys() <= OF_HYDRATES


def is_divided(
    counts: tuple[tuple[str, int], ...], decimals: Mapping[str, Fraction | int], exact: Mapping[str, Fraction | int]
) -> bool:
    """Whether decimals are those of whole numbers that were divided, and not of a solid solution.

    By its sum, into shares of 1: Sr0.2Ti0.2O0.6; those of metals may be an alloy. Or to few atoms, where no elements
    share a site: Sr0.5Ti0.5O1.5, Fe0.6667O, BiS1.5; not Ce0.8Gd0.2O1.9 and Li0.5CoO2.
    """
    are_all = len(decimals) == len(exact)
    if are_all and abs(float(sum(exact.values())) - 1) < _ROUNDED:
        return not is_alloy(exact)
    is_one = len(decimals) == 1 and (len(exact) == 2 or counts[-1][0] in decimals)  # noqa: PLR2004 - a binary
    return (is_one or are_all) and sum(count for _, count in counts) <= _FEW_ATOMS


def whole_numbers(amounts: Mapping[str, Fraction | int]) -> dict[str, int]:
    """The smallest whole numbers in the ratio of amounts; of shares that have none below the limit, thousandths.

    Occupancies of four digits are the rule in CIFs of solid solutions, and together have no small denominator.
    """
    scale = lcm(*(amount.denominator for amount in amounts.values()))
    whole = _divided({symbol: int(amount * scale) for symbol, amount in amounts.items()})
    parts = MAX_DENOMINATOR if scale > 1 else 0
    while sum(whole.values()) > limits.FORMULA_ATOMS and parts:
        whole = _divided({symbol: max(1, round(amount * parts)) for symbol, amount in amounts.items()})
        parts //= 10
    return whole


def _half_of_last_digit(amounts: Mapping[str, Fraction | int]) -> Fraction | int:
    """What decimals may be off by, from the longest of them; 0 of whole numbers."""
    digits = 0
    while any((amount * 10**digits).denominator > 1 for amount in amounts.values()) and digits < _MOST_DIGITS:
        digits += 1  # thirds have no end: they were written with more digits than are kept
    return Fraction(1, 2 * 10**digits) if digits else 0


def _few_atoms(shares: Mapping[str, Fraction | int], rounded_by: Fraction | int) -> dict[str, Fraction | int] | None:
    """The smallest whole numbers that agree with shares of 1; exact ones, if there are any so small."""
    for off in (Fraction(0), rounded_by):
        for n_atoms in range(len(shares), _FEW_ATOMS + 1):
            counts: dict[str, Fraction | int] = {symbol: round(share * n_atoms) for symbol, share in shares.items()}
            fit = all(n and abs(Fraction(n, n_atoms) - shares[symbol]) <= off for symbol, n in counts.items())
            if fit and sum(counts.values()) == n_atoms:
                return counts
    return None


def _divided(whole: dict[str, int]) -> dict[str, int]:
    divisor = gcd(*whole.values())
    return {symbol: count // divisor for symbol, count in whole.items()}
