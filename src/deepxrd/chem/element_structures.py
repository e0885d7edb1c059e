"""Structures of the elements at room temperature, which alloys inherit."""

from __future__ import annotations

from functools import cache

_PROTOTYPES = {"fcc": "225:a", "bcc": "229:a", "hcp": "194:c", "diamond": "227:a", "rhombohedral": "166:c"}
_DOUBLE = {"La": "194:ac", "Pr": "194:ac", "Nd": "194:ac", "Sm": "166:ac"}
"""Close packed like those above, in another stacking."""
_OTHERS = frozenset({"Se", "Te", "Hg"})
"""Chains in a hexagonal cell, which ASE counts among the close packed; and a liquid."""


@cache
def room_temperature_prototype(symbol: str) -> str | None:
    """Prototype of an element's structure at room temperature, such as ``229:a`` for iron, by space group and letters.

    Known of metals and semimetals with a simple structure; of others None. From `ase.data.reference_states` (values of
    Ashcroft and Mermin, and WebElements), but for the stacking of lanthanides. What is most stable at 0 K, by which
    databases go, can be another structure: of titanium it is the ω phase.
    """
    from ase.data import atomic_numbers, reference_states  # only alloys need it

    known = reference_states[atomic_numbers[symbol]] or {}
    return None if symbol in _OTHERS else _DOUBLE.get(symbol) or _PROTOTYPES.get(str(known.get("symmetry")))
