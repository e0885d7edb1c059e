"""A unit cell with all its atoms, as 3Dmol.js draws it: it would leave symmetry to be worked out in the browser."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS
from deepxrd.library import AsymmetricUnit

_MOST_ATOMS = 2000
_EDGE = 1e-3
"""Atoms so near to a face of the cell, in fractions of an edge, are drawn on the opposite face too."""
_NAMES = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


def cell_view(unit: AsymmetricUnit) -> str:
    """CIF text of the conventional cell without symmetry; of a very large cell `n_not_drawn` atoms are left out."""
    crystal = unit.to_crystal(primitive=False)
    coords = crystal.frac_coords[:_MOST_ATOMS]
    coords, owner = _with_images(np.where(coords > 1 - _EDGE, coords - 1, coords))  # 0.9999 is on a face as 0.0001 is
    lines = [
        "data_cell",
        *(f"_cell_{name} {value:.6f}" for name, value in zip(_NAMES, unit.cell, strict=True)),
        "loop_",
    ]
    lines += [f"_atom_site_{name}" for name in ("label", "type_symbol", "fract_x", "fract_y", "fract_z")]
    symbols = [SYMBOLS[number - 1] for number in crystal.atomic_numbers.tolist()]
    for place, xyz in zip(owner.tolist(), coords.tolist(), strict=True):
        lines.append(f"{symbols[place]}{place + 1} {symbols[place]} {xyz[0]:.5f} {xyz[1]:.5f} {xyz[2]:.5f}")
    return "\n".join(lines) + "\n"


def n_not_drawn(unit: AsymmetricUnit) -> int:
    """Atoms of the conventional cell that `cell_view` leaves out, since a browser draws no more."""
    return max(0, int(unit.multiplicities.sum()) - _MOST_ATOMS)


def _with_images(coords: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Coordinates with those on faces, edges and corners repeated, ``(m, 3)``; and the site of each, ``(m,)``."""
    parts, owners = [coords], [np.arange(len(coords))]
    for shift in itertools.product((0, 1), repeat=3):
        if not any(shift):
            continue
        on = np.flatnonzero((coords[:, np.array(shift, dtype=bool)] < _EDGE).all(axis=1))
        parts.append(coords[on] + shift)
        owners.append(on)
    return np.concatenate(parts), np.concatenate(owners).astype(np.int64)
