"""Compositions that no model may learn from, be chosen by or be scored on here: those the shipped library marks.

Released models are scored on exactly these compositions by others, so a single one in a training part, as a template or
in a test that somebody chooses by would make those scores worthless. They stand in the library for users alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from deepxrd.chem import Formula
from deepxrd.errors import SelectionError
from deepxrd.library import SHIPPED, Library
from deepxrd.sources import Source

REASON = "held out: known to users of the library, never learned from or scored on"
"""Why a record is left out of a data set, as its manifest counts it."""

_PUBLISHED_BEFORE = frozenset({"f4d4b26f1c080e50ddb449501ab752900f588a1627f9667fcc83fa416b89f156"})
"""Hashes of the one table that results were published on before compositions were held out. It has 25 of the 4,453, and
keeps them, so that those results can be repeated; no model that is released is fitted on it."""


@cache
def held_out_compositions() -> frozenset[str]:
    """Reduced formulas of all compositions that are held out.

    Raises:
        LibraryError: the library that comes with the package is damaged.
    """
    return Library.open(SHIPPED).held_out_formulas()


def refused_compositions(source: Source, fingerprint: Mapping[str, str]) -> frozenset[str]:
    """What must not be taken from a source; nothing where its structures are made up or published on before.

    Args:
        source: of the structures.
        fingerprint: what it says of its content.
    """
    if source.made_up or fingerprint.get("sha256") in _PUBLISHED_BEFORE:
        return frozenset()
    return held_out_compositions()


def refuse_held_out(formulas: Iterable[Formula], refused: frozenset[str], *, where: str) -> None:
    """Make sure that none of some compositions is held out, however they came to be there.

    Raises:
        SelectionError: one is.
    """
    found = sorted({formula.reduced for formula in formulas} & refused)
    if found:
        msg = (
            f"{where} holds {len(found)} compositions that are held out and must never be learned from or scored on, "
            f"such as {', '.join(found[:5])}: it was built before they were left out; delete it and run the same "
            "command to build it anew"
        )
        raise SelectionError(msg)
