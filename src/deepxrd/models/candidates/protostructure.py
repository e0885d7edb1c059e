"""Which crystals are of one kind: the same stoichiometry and space group, with alike sites for the elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepxrd.chem import Crystal
from deepxrd.chem.symmetry import quiet_spglib
from deepxrd.io.progress import progress_bar

SYMPREC_ANGSTROM = 0.1


@dataclass(frozen=True)
class Protostructure:
    """The kind of a crystal.

    Attributes:
        label: equal for crystals of one kind, such as ``ABC3_221_1m-3m_1m-3m_34/mm.m`` for cubic perovskites: the
            stoichiometry, the number of the space group and, for each element, its orbits: atoms in the primitive cell
            and symbol of the site symmetry. Elements are in order of their number of atoms, then of their orbits, so
            that it does not matter which element is where.
        space_group: 1 to 230; 0 where spglib finds none.
        n_primitive: atoms in the primitive cell.
    """

    label: str
    space_group: int
    n_primitive: int


def protostructure(crystal: Crystal) -> Protostructure | None:
    """The kind of a crystal; None where spglib finds no symmetry, or sites are shared or partly filled.

    Sites are told apart by multiplicity and site symmetry and not by Wyckoff letter. Letters depend on the choice of
    origin: X of a cubic perovskite is on 3c with A at the origin and on 3d with B there, and spglib takes either, as
    the input has it. Site symmetries are the same for all positions that a change of origin exchanges.
    """
    import spglib

    if not np.all(crystal.occupancies == 1.0):
        return None
    cell = (crystal.lattice.tolist(), crystal.frac_coords.tolist(), crystal.atomic_numbers.tolist())
    try:
        found = spglib.get_symmetry_dataset(cell, symprec=SYMPREC_ANGSTROM)
    except spglib.SpglibError:
        return None
    if found is None:  # spglib tells of a failure in this way or in the other, as its settings have it
        return None
    n_atoms, n_primitive = len(crystal.atomic_numbers), len(set(found.mapping_to_primitive))
    firsts, sizes = np.unique(found.crystallographic_orbits, return_counts=True)
    orbits: dict[int, list[str]] = {}
    for first, size in zip(firsts, sizes, strict=True):
        symbol = found.site_symmetry_symbols[first]
        orbits.setdefault(int(crystal.atomic_numbers[first]), []).append(f"{size * n_primitive // n_atoms}{symbol}")
    parts = sorted((int((crystal.atomic_numbers == z).sum()), "+".join(sorted(each))) for z, each in orbits.items())
    label = "_".join([crystal.formula.anonymous, str(found.number), *(text for _, text in parts)])
    return Protostructure(label, int(found.number), n_primitive)


def protostructures(crystals: Sequence[Crystal]) -> list[Protostructure]:
    """The kinds of many crystals; one without a kind gets a label of its own, so that it is like no other."""
    kinds = []
    with quiet_spglib(), progress_bar() as bar:
        for place, crystal in enumerate(bar.track(crystals, description="Finding kinds of structures")):
            kind = protostructure(crystal)
            kinds.append(kind or Protostructure(f"unknown_{place}", 0, len(crystal.atomic_numbers)))
    return kinds
