"""Stoichiometries such as ABC3: letters that stand for any elements, and how many atoms there are of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

from deepxrd.chem.formula import lettered
from deepxrd.errors import ConfigError

_SHOWN = 80  # characters of what cannot be read
_PART = re.compile(r"([A-Z])([1-9]\d{0,6})?")


@dataclass(frozen=True)
class Stoichiometry:
    """How many atoms of each element there are, whatever the elements.

    Attributes:
        amounts: in the smallest whole numbers, ascending.
    """

    amounts: tuple[int, ...]

    @property
    def name(self) -> str:
        """Letters by ascending amount, such as ``ABC3``: as pymatgen and the Materials Project write it."""
        return lettered(self.amounts)

    @property
    def descending(self) -> str:
        """Letters by descending amount, such as ``A3BC``: as OPTIMADE writes it."""
        return lettered(self.amounts[::-1])

    def check_elements(self, n_elements: int | Sequence[int] | None) -> None:
        """Make sure that numbers of elements given beside it have its own among them.

        Raises:
            ConfigError: they have not.
        """
        numbers = numbers_of_elements(n_elements)
        if numbers is not None and len(self.amounts) not in numbers:
            asked = " or ".join(map(str, numbers))
            msg = (
                f"the stoichiometry {self.name} has {len(self.amounts)} elements, but {asked} are asked for: set "
                f"data.selection.n_elements={len(self.amounts)}, or another stoichiometry"
            )
            raise ConfigError(msg)


def numbers_of_elements(given: Any) -> tuple[int, ...] | None:
    """How many elements a composition may have: what settings give as one number, a list of them, or null for any.

    Returns:
        The numbers in ascending order; None for any.

    Raises:
        ConfigError: there are none, or one is no number of elements.
    """
    if given is None:
        return None
    numbers = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    wrong = [each for each in numbers if isinstance(each, bool) or not isinstance(each, int) or each < 1]
    if wrong or not numbers:
        msg = f"{given!r} is no number of elements: give one from 1 on, a list of them, or null for any"
        raise ConfigError(msg)
    return tuple(sorted(set(numbers)))


def parse_stoichiometry(text: Any) -> Stoichiometry:
    """Read a stoichiometry.

    A letter stands for any element, whichever letter it is and wherever it stands: ``ABX3``, ``A3BC`` and ``ABO3`` are
    all ``ABC3``. Amounts are reduced as those of formulas are: ``A2B2C2`` is ``ABC``.

    Args:
        text: single capital letters, each with its amount unless that is one.

    Raises:
        ConfigError: it is none, or names a letter twice, which may mean one element or two.
    """
    if not isinstance(text, str) or not re.fullmatch(rf"({_PART.pattern})+", text):
        msg = (
            f"{repr(text)[:_SHOWN]} is no stoichiometry; write single capital letters with their amounts, such as ABC3 "
            "or AB2C4"
        )
        raise ConfigError(msg)
    parts = _PART.findall(text)
    letters = [letter for letter, _ in parts]
    for letter in letters:
        if letters.count(letter) > 1:
            msg = (
                f"the stoichiometry {text!r} names {letter} more than once: give each element a letter of its own, and "
                "each letter the sum of its atoms"
            )
            raise ConfigError(msg)
    amounts = sorted(int(amount or 1) for _, amount in parts)
    divisor = gcd(*amounts)
    return Stoichiometry(tuple(amount // divisor for amount in amounts))
