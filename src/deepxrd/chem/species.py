"""Species as files write them, such as ``Fe3+``, ``O-`` or ``D``, and the elements they are."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import takewhile

from deepxrd.chem.elements import ATOMIC_NUMBERS
from deepxrd.errors import SourceError

_CHARGED = re.compile(r"([A-Za-z]{1,2})(?:\d*\.?\d*[+-]|[+-]\d*\.?\d*|\d)?")
_IONS = re.compile(r"NH[234]?(?:\d*\+)?|CN(?:\d*-)?|NO[23]?(?:\d*-)?|CO3(?:2-)?|PO[34](?:\d-)?")
"""Groups of atoms that would pass for nihonium, copernicium, nobelium, cobalt and polonium in capitals."""
_GROUPS = frozenset({"OH", "OW", "WAT", "NH", "CH"})
"""Labels of water, hydroxide and the like: their hydrogens have no site of their own."""


def atomic_number_of(species: str) -> int:
    """Atomic number of an element with or without its charge; deuterium counts as hydrogen.

    Args:
        species: ``Sr``, ``SR``, ``Sr2+``, ``Sr+2``, ``O-``, ``Fe3`` or ``D``.

    Raises:
        SourceError: it is no element, such as ``Vac``, ``X``, ``OH`` or ``NH4``.
    """
    plain = species.strip()
    match = None if _IONS.fullmatch(plain) else _CHARGED.fullmatch(plain)
    symbol = match.group(1).capitalize() if match else ""
    if symbol == "D":
        return 1
    if symbol not in ATOMIC_NUMBERS:
        msg = f"unknown species {species!r}: it is no element"
        raise SourceError(msg)
    return ATOMIC_NUMBERS[symbol]


def atomic_number_of_label(label: str, expected: Collection[int] = ()) -> int:
    """Atomic number that a site's label begins with, where nothing else says what is there.

    ``Ca1`` and ``O2A`` are plain. ``CA1`` may be calcium or carbon, and ``OH`` a hydroxide: those are read only where
    the declared formula leaves one choice.

    Args:
        label: of the site.
        expected: atomic numbers of the declared formula; empty if there is none.

    Raises:
        SourceError: the label names no element, or may mean several.
    """
    letters = "".join(takewhile(_is_letter, label.strip()))
    one, two, third = letters[:1].upper(), letters[:2].capitalize(), letters[2:3]
    if len(letters) <= 1:
        choices = [one]
    elif letters[1].islower():
        choices = [] if third.islower() else [two]  # "Cat" and "Vac" are words, "SiA" is silicon
    else:
        choices = [two, one]
    if letters.upper() in _GROUPS and not expected:
        choices = []
    fitting = {symbol: _number(symbol) for symbol in choices if symbol in ATOMIC_NUMBERS or symbol == "D"}
    if expected:
        fitting = {symbol: z for symbol, z in fitting.items() if z in expected}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    what = f"may be {' or '.join(fitting)}" if fitting else "names no element"
    msg = f"the label {label!r} {what}, and there is no type symbol that says what it is"
    raise SourceError(msg)


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _number(symbol: str) -> int:
    return 1 if symbol == "D" else ATOMIC_NUMBERS[symbol]
