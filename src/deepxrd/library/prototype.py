"""Prototypes: a space group and, element by element, the Wyckoff positions of the sites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deepxrd.errors import LibraryError
from deepxrd.library.space_groups import N_GROUPS, space_group
from deepxrd.library.symmetry import letters_text

_RUN = re.compile(r"([a-zA])(\d*)")
_LABEL = re.compile(r"(\d{1,3}):((?:[a-zA]\d{0,5})+(?:\|(?:[a-zA]\d{0,5})+)*)")


@dataclass(frozen=True)
class Prototype:
    """The arrangement of sites that many structures share, elements left open.

    Attributes:
        space_group: 1 to 230.
        texts: the letters of each element's sites, such as ``ac2``; in order, in the choice of axes and origin that
            comes first in the alphabet.
        assignments: ways in which the lists of letters that `of` was given stand in ``texts``: more than one where
            a change of origin exchanges them, as in CsCl.
    """

    space_group: int
    texts: tuple[str, ...]
    assignments: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, number: int, sites: Sequence[str]) -> Prototype:
        """The prototype of a space group and, for each element, the letters of its sites, such as ``["a", "b", "c"]``.

        Raises:
            LibraryError: there is no such group, or no such position in it.
        """
        if not 1 <= number <= N_GROUPS:
            msg = f"there is no space group {number}: give a number from 1 to {N_GROUPS}"
            raise LibraryError(msg)
        group = space_group(number)
        letters = [_letters(text) for text in sites]
        for letter in (letter for each in letters for letter in each):
            if letter not in group.index:
                known = ", ".join(group.index)
                msg = f"space group {number} has no Wyckoff position {letter!r}: it has {known}"
                raise LibraryError(msg)
        if not letters or not all(letters):
            msg = f"a prototype needs the Wyckoff letters of each element, such as a, b and c; not {list(sites)}"
            raise LibraryError(msg)
        best: tuple[str, ...] | None = None
        assignments: list[tuple[int, ...]] = []
        for change in group.normalisers:
            texts = [letters_text([change.letters[x] for x in each]) for each in letters]
            ordered = tuple(sorted(texts))
            if best is None or ordered < best:
                best, assignments = ordered, []
            if ordered == best:
                assignments += _orders(texts, ordered)
        return cls(number, best or (), tuple(dict.fromkeys(assignments)))

    @classmethod
    def from_label(cls, label: str) -> Prototype:
        """The prototype of a name such as ``221:a|b|c``.

        Raises:
            LibraryError: the text is no such name.
        """
        match = _LABEL.fullmatch(label)
        if match is None:
            msg = f"{label!r} is no prototype: write the space group and each element's sites, such as 221:a|b|c"
            raise LibraryError(msg)
        return cls.of(int(match[1]), match[2].split("|"))

    @classmethod
    def from_runs(cls, number: int, runs: Sequence[tuple[int, int, int]]) -> Prototype:
        """The prototype that a library keeps as runs of slot, letter's code and number of sites."""
        texts = [""] * (1 + max(slot for slot, _, _ in runs))
        for slot, code, count in runs:
            texts[slot] += f"{chr(code)}{count if count > 1 else ''}"
        return cls(number, tuple(texts))

    @property
    def label(self) -> str:
        """Its name, such as ``221:a|b|c``."""
        return f"{self.space_group}:{'|'.join(self.texts)}"

    @property
    def n_elements(self) -> int:
        """How many elements it has."""
        return len(self.texts)

    @property
    def runs(self) -> list[tuple[int, int, int]]:
        """Slot, letter's code and number of sites of each run, as a library keeps them."""
        return [
            (slot, ord(letter), int(count or 1))
            for slot, text in enumerate(self.texts)
            for letter, count in _RUN.findall(text)
        ]


def _letters(text: str) -> list[str]:
    """Letters of a text such as ``ac2``, each as often as it occurs."""
    return [letter for letter, count in _RUN.findall(text) for _ in range(int(count or 1))]


def _orders(texts: list[str], ordered: tuple[str, ...]) -> list[tuple[int, ...]]:
    """All ways to take the texts in order; more than one where some are equal."""
    out: list[tuple[int, ...]] = [()]
    for text in ordered:
        out = [(*way, i) for way in out for i, own in enumerate(texts) if own == text and i not in way]
    return out
