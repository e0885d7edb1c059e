"""The cell that is drawn has all its atoms."""

from __future__ import annotations

from collections import Counter

import pytest

from deepxrd.chem import Crystal
from deepxrd.library.symmetry import find_asymmetric_unit
from deepxrd.serve.cell_view import cell_view


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
