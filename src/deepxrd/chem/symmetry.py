"""Where symmetry begins: the tolerances of all that looks for space groups, and spglib's calls.

Two conventions, each for its purpose. What is *kept* by its symmetry, in libraries and as templates, is held to a
narrow tolerance, by moyopy (`deepxrd.library.symmetry`), since its pattern must survive. What is *said* of structures
on data cards and drawings follows the Materials Project, by spglib, so that it can be compared with what is found
there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deepxrd.chem.crystal import Crystal

KEPT_SYMPREC_ANGSTROM = 0.01
"""How far sites may be from where symmetry would have them, in what is kept."""

KEPT_NARROWER_SYMPREC_ANGSTROM = 0.001
"""The same for structures whose patterns do not survive the first."""

SAID_TOLERANCES = ((0.1, 5.0), (0.001, 1.0))
"""Å and degrees, the second where the first finds no group: those of the Materials Project (emmet's SymmetryData)."""


def space_group_number(crystal: Crystal) -> int:
    """Number of a crystal's space group by spglib with `SAID_TOLERANCES`, 1 to 230; 0 where it finds none.

    Sites shared by several elements are one kind of site of their own.
    """
    import spglib

    sites: dict[tuple[float, ...], list[tuple[int, float]]] = {}
    rows = zip(crystal.frac_coords.tolist(), crystal.atomic_numbers.tolist(), crystal.occupancies.tolist(), strict=True)
    for xyz, number, occupancy in rows:
        sites.setdefault(tuple(xyz), []).append((number, round(occupancy, 3)))
    kinds: dict[tuple[tuple[int, float], ...], int] = {}
    labels = [kinds.setdefault(tuple(sorted(there)), len(kinds) + 1) for there in sites.values()]
    for symprec_angstrom, angle_tolerance_deg in SAID_TOLERANCES:
        try:
            with quiet_spglib():
                found = spglib.get_symmetry_dataset(
                    (crystal.lattice.tolist(), list(sites), labels),
                    symprec=symprec_angstrom,
                    angle_tolerance=angle_tolerance_deg,
                )
        except spglib.SpglibError:
            continue
        if found is not None:  # spglib tells of a failure in this way or in the other, as its settings have it
            return int(found.number)
    return 0


@contextmanager
def quiet_spglib() -> Iterator[None]:
    """Keep the C library from writing to standard error each time it narrows a tolerance and tries again."""
    before = os.environ.get("SPGLIB_WARNING")
    os.environ["SPGLIB_WARNING"] = "OFF"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SPGLIB_WARNING"]
        else:
            os.environ["SPGLIB_WARNING"] = before
