"""A crystal by its symmetry as CIF text (Hall, Allen & Brown, Acta Cryst. A 47, 655 (1991); core dictionary 3)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS, Crystal
from deepxrd.io.files import safe_name
from deepxrd.library.asymmetric import AsymmetricUnit
from deepxrd.library.space_groups import DENOMINATOR, space_group
from deepxrd.library.symmetry import find_asymmetric_unit, without_symmetry

_AXES = "xyz"


def crystal_cif(crystal: Crystal, *, name: str, comment: str = "") -> str:
    """A crystal as CIF text with the symmetry that it has within 0.01 Å."""
    return cif_text(find_asymmetric_unit(crystal) or without_symmetry(crystal), name=name, comment=comment)


def cif_text(unit: AsymmetricUnit, *, name: str, comment: str = "") -> str:
    """Cell, symmetry and sites of a crystal as CIF text.

    Args:
        unit: the crystal.
        name: of the data block; characters that a name may not have become ``_``.
        comment: lines to stand before the block, such as licence and citation.
    """
    group = space_group(unit.space_group)
    crystal = unit.to_crystal(primitive=False)
    formula_sum, n_units = _formula_sum(crystal)
    block, symbol = safe_name(name) or "crystal", group.symbol.replace("_", "")  # the dictionary has 21, not 2_1
    keys = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = [
        *(f"# {line}" for line in comment.splitlines()),
        f"data_{block}",
        f"_chemical_formula_sum {_quoted(formula_sum)}",
        f"_cell_formula_units_Z {n_units}",
        *(f"_cell_{key} {value:.6f}" for key, value in zip(keys, unit.cell.tolist(), strict=True)),
        f"_cell_volume {crystal.volume:.4f}",
        f"_space_group_name_H-M_alt {_quoted(symbol)}",
        f"_space_group_IT_number {group.number}",
        f"_symmetry_space_group_name_H-M {_quoted(symbol)}",
        f"_symmetry_Int_Tables_number {group.number}",
        "loop_",
        "_space_group_symop_id",
        "_space_group_symop_operation_xyz",
        *(
            f"{i} '{operation_text(rotation, translation)}'"
            for i, (rotation, translation) in enumerate(zip(group.rotations, group.translations, strict=True), start=1)
        ),
        "loop_",
        "_atom_site_label",
        "_atom_site_type_symbol",
        "_atom_site_symmetry_multiplicity",
        "_atom_site_Wyckoff_symbol",
        "_atom_site_fract_x",
        "_atom_site_fract_y",
        "_atom_site_fract_z",
        "_atom_site_occupancy",
        *_site_lines(unit),
    ]
    return "\n".join(lines) + "\n"


def operation_text(rotation: NDArray[np.float64], translation: NDArray[np.float64]) -> str:
    """A symmetry operation as in the International Tables.

    Example:
        >>> operation_text(np.array([[1.0, -1, 0], [1, 0, 0], [0, 0, -1]]), np.array([0, 0.5, 1 / 3]))
        'x-y,x+1/2,-z+1/3'
    """
    parts = []
    for row, shift in zip(rotation.tolist(), translation.tolist(), strict=True):
        terms = [f"{'+' if value > 0 else '-'}{axis}" for value, axis in zip(row, _AXES, strict=True) if value]
        fraction = Fraction(round(shift * DENOMINATOR), DENOMINATOR) % 1
        text = "".join(terms) + (f"+{fraction}" if fraction else "")
        parts.append(text.removeprefix("+"))
    return ",".join(parts)


def _site_lines(unit: AsymmetricUnit) -> list[str]:
    """One line per site, labels numbered for each element."""
    seen: dict[int, int] = {}
    lines = []
    rows = zip(
        unit.atomic_numbers.tolist(),
        unit.multiplicities.tolist(),
        unit.letters,
        (unit.frac_coords % 1.0).tolist(),
        unit.occupancies.tolist(),
        strict=True,
    )
    for z, multiplicity, letter, coords, occupancy in rows:
        seen[z] = seen.get(z, 0) + 1
        symbol = SYMBOLS[z - 1]
        place = " ".join(f"{x:.8f}" for x in coords)
        lines.append(f"{symbol}{seen[z]} {symbol} {multiplicity} {letter} {place} {occupancy:.6g}")
    return lines


def _formula_sum(crystal: Crystal) -> tuple[str, int]:
    """Elements as the dictionary has them, C, H, then by the alphabet, or by the alphabet alone; and units in the cell.

    Of shared or partly filled sites all that is in the cell is one unit: shares of sites seldom have whole multiples
    that are small, and Z must be a whole number.
    """
    if np.all(crystal.occupancies == 1.0):
        amounts = {symbol: float(count) for symbol, count in crystal.formula.counts}
    else:
        totals = np.bincount(crystal.atomic_numbers, weights=crystal.occupancies)
        amounts = {SYMBOLS[z - 1]: float(totals[z]) for z in np.flatnonzero(totals).tolist()}
    n_units = round(float(crystal.occupancies.sum()) / sum(amounts.values()))
    first = [symbol for symbol in ("C", "H") if "C" in amounts and symbol in amounts]
    order = [*first, *sorted(set(amounts) - set(first))]
    return " ".join(f"{symbol}{_amount(amounts[symbol])}" for symbol in order), n_units


def _amount(value: float) -> str:
    text = np.format_float_positional(value, precision=6, fractional=False, trim="-")
    return "" if text == "1" else text


def _quoted(text: str) -> str:
    return f"'{text}'"
