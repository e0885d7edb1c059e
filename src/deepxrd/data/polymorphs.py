"""The structures that a store does not hold: all others that its source knows of some of its compositions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deepxrd.chem import Crystal
from deepxrd.sources import ReadFailure, StructureRecord


def other_structures(
    records: Iterable[StructureRecord | ReadFailure], chosen: Sequence[tuple[str, str]]
) -> list[list[Crystal]]:
    """Read the source once more for the structures that were not taken.

    Args:
        records: what the source yields, the same as when the store was built.
        chosen: composition and material id of the samples whose polymorphs are wanted.

    Returns:
        For each sample the structures of its composition with another material id, in the source's order; perhaps none.
    """
    taken = dict(chosen)
    found: dict[str, list[Crystal]] = {composition: [] for composition in taken}
    for record in records:
        if isinstance(record, ReadFailure):
            continue
        composition = record.crystal.formula.reduced
        if composition in found and record.material_id != taken[composition]:
            found[composition].append(record.crystal)
    return [found[composition] for composition, _ in chosen]
