"""The cell that is drawn has all its atoms."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from deepxrd.chem import Crystal
from deepxrd.library import AsymmetricUnit
from deepxrd.library.symmetry import find_asymmetric_unit
from deepxrd.serve import cell_view as cell_view_module
from deepxrd.serve.cell_view import cell_view, n_not_drawn


@pytest.mark.parametrize(
    ("name", "atoms"),
    # counted by hand with corners, edges and faces: 8 + 1; 8 + 6 and 12 + 1; 8 in diamond with its centre as origin
    [
        ("cscl", [{"Cs": 8, "Cl": 1}, {"Cs": 1, "Cl": 8}]),  # the origin may be at either
        ("nacl", [{"Na": 14, "Cl": 13}, {"Na": 13, "Cl": 14}]),
        ("silicon", [{"Si": 8}]),
    ],
)
def test_corners_edges_and_faces_are_filled(
    name: str, atoms: list[dict[str, int]], request: pytest.FixtureRequest
) -> None:
    crystal: Crystal = request.getfixturevalue(name)
    unit = find_asymmetric_unit(crystal)
    assert unit is not None
    rows = [line.split() for line in cell_view(unit).splitlines() if len(line.split()) == 5]
    counted = Counter(row[1] for row in rows)
    assert counted in atoms
    assert all(0 <= float(value) <= 1 for row in rows for value in row[2:])


@pytest.mark.parametrize("near", [0.0001, 0.9999])
@pytest.mark.parametrize(("n_on_faces", "drawn"), [(0, 1), (1, 2), (2, 4), (3, 8)])
def test_an_atom_on_either_side_of_a_face_is_on_the_opposite_one_too(near: float, n_on_faces: int, drawn: int) -> None:
    coords = [near] * n_on_faces + [0.5] * (3 - n_on_faces)
    text = cell_view(unit_of(coords))
    rows = [line.split() for line in text.splitlines() if len(line.split()) == 5]
    assert len({tuple(row[2:]) for row in rows}) == len(rows) == drawn
    assert all(-0.001 < float(value) < 1.001 for row in rows for value in row[2:])


def test_atoms_that_are_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = unit_of([0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9])
    assert n_not_drawn(unit) == 0
    monkeypatch.setattr(cell_view_module, "_MOST_ATOMS", 2)
    assert n_not_drawn(unit) == 1
    assert sum(len(line.split()) == 5 for line in cell_view(unit).splitlines()) == 2


def unit_of(*coords: list[float]) -> AsymmetricUnit:
    """Iron atoms in P1."""
    n = len(coords)
    cell = np.array([4.0, 5.0, 6.0, 90.0, 90.0, 90.0])
    return AsymmetricUnit(1, cell, np.full(n, 26, dtype=np.int64), "a" * n, np.array(coords), np.ones(n))
