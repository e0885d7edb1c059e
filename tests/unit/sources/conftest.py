"""CIF text for the tests of readers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


def cif_text(
    sites: str = "A1 Sr 0 0 0 1\nB1 Ti 0.5 0.5 0.5 1\nX1 O 0.5 0.5 0 1",
    *,
    cell: tuple[float, ...] = (3.905, 3.905, 3.905, 90, 90, 90),
    group: str | None = "P m -3 m",
    formula: str = "",
    operators: tuple[str, ...] = (),
    extra: str = "",
    columns: str = "label type_symbol fract_x fract_y fract_z occupancy",
    name: str = "x",
) -> str:
    """A small CIF; of SrTiO3, unless it is told otherwise."""
    lines = [f"data_{name}", *(f"_cell_{tag} {value}" for tag, value in zip(_CELL, cell, strict=True))]
    lines += [f"_symmetry_space_group_name_H-M '{group}'"] if group else []
    lines += [f"_chemical_formula_sum '{formula}'"] if formula else []
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{each}'" for each in operators)] if operators else []
    lines += [extra, "loop_", *(f"_atom_site_{column}" for column in columns.split()), sites]
    return "\n".join(lines) + "\n"


@pytest.fixture
def cif() -> Callable[..., str]:
    """Makes the text of a small CIF."""
    return cif_text
