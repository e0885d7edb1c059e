"""A crystal by its symmetry: space group, cell, and one site of each orbit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal, lattice_from_parameters
from deepxrd.library.space_groups import SpaceGroup, crystal_family, space_group

FREE_CELL_PARAMETERS: dict[str, tuple[int, ...]] = {
    "triclinic": (0, 1, 2, 3, 4, 5),
    "monoclinic": (0, 1, 2, 4),
    "orthorhombic": (0, 1, 2),
    "tetragonal": (0, 2),
    "hexagonal": (0, 2),
    "cubic": (0,),
}
"""Which of a, b, c, alpha, beta, gamma are free in each crystal family; see `full_cells` for the others."""


@dataclass(frozen=True, eq=False)
class AsymmetricUnit:
    """One site of each orbit, in the standard setting of a space group.

    A site shared by several elements stands once for each of them, as in `Crystal`.

    Attributes:
        space_group: 1 to 230.
        cell: a, b, c in Å and alpha, beta, gamma in degrees of the conventional cell, ``(6,)`` float64.
        atomic_numbers: ``(n_sites,)`` int64.
        letters: Wyckoff letter of each site.
        frac_coords: ``(n_sites, 3)`` float64, each on the first coordinate triplet of its Wyckoff position.
        occupancies: ``(n_sites,)`` float64 in (0, 1].
    """

    space_group: int
    cell: NDArray[np.float64]
    atomic_numbers: NDArray[np.int64]
    letters: str
    frac_coords: NDArray[np.float64]
    occupancies: NDArray[np.float64]

    @property
    def multiplicities(self) -> NDArray[np.int64]:
        """Sites of each orbit in the conventional cell, ``(n_sites,)``."""
        group = space_group(self.space_group)
        return np.array([group.positions[group.index[letter]].multiplicity for letter in self.letters], dtype=np.int64)

    def to_crystal(self, *, primitive: bool = True) -> Crystal:
        """All sites of the primitive or of the conventional cell."""
        group = space_group(self.space_group)
        kinds = np.array([group.index[letter] for letter in self.letters], dtype=np.int64)
        coords, owner = expand(group, kinds, self.frac_coords, primitive=primitive)
        lattice = lattices(group, self.cell[None], primitive=primitive)[0]
        rotations = group.rotations_in(primitive=primitive)
        return Crystal(lattice, self.atomic_numbers[owner], coords, self.occupancies[owner], rotations)


def expand(
    group: SpaceGroup, kinds: NDArray[np.int64], frac_coords: NDArray[np.float64], *, primitive: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All sites of the cell from one of each orbit, for any number of crystals of one space group at once.

    Args:
        group: the space group.
        kinds: for each site its place in ``group.positions``, ``(n,)``.
        frac_coords: in the conventional cell, ``(n, 3)``.
        primitive: whether the primitive cell is filled, or the conventional one.

    Returns:
        Coordinates in the cell asked for, within [0, 1), ``(m, 3)``; and for each the site it comes from, ``(m,)``,
        in order.
    """
    share = group.n_centrings if primitive else 1
    used, place = np.unique(kinds, return_inverse=True)
    positions = [group.positions[kind] for kind in used.tolist()]
    lists = [position.images[: position.multiplicity // share] for position in positions]
    counts = np.array([len(images) for images in lists])
    starts = np.cumsum(counts) - counts
    per_site = counts[place]
    owner = np.repeat(np.arange(len(kinds)), per_site)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(per_site) - per_site, per_site)
    operation = np.concatenate(lists)[starts[place][owner] + within]
    moved = np.einsum("nij,nj->ni", group.rotations[operation], frac_coords[owner]) + group.translations[operation]
    if primitive:
        moved = moved @ np.linalg.inv(group.primitive_basis)
    return wrap(moved), owner


def wrap(coords: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates within [0, 1); what is a rounding error below 1 becomes 0."""
    inside = coords % 1.0
    return np.asarray(np.where(inside > 1.0 - 1e-9, 0.0, inside))


def lattices(group: SpaceGroup, cells: NDArray[np.float64], *, primitive: bool) -> NDArray[np.float64]:
    """Cell vectors, rows, Å, ``(n, 3, 3)``, from six parameters ``(n, 6)`` of the conventional cell."""
    vectors = lattice_from_parameters(cells[:, :3], cells[:, 3:])
    return np.asarray(group.primitive_basis @ vectors) if primitive else vectors


def full_cells(number: int, free: NDArray[np.float64]) -> NDArray[np.float64]:
    """All six cell parameters from those that the family leaves free, ``(n, n_free)`` to ``(n, 6)``."""
    family = crystal_family(number)
    cells = np.full((len(free), 6), 90.0)
    cells[:, list(FREE_CELL_PARAMETERS[family])] = free
    if family in {"tetragonal", "hexagonal", "cubic"}:
        cells[:, 1] = cells[:, 0]
    if family == "cubic":
        cells[:, 2] = cells[:, 0]
    if family == "hexagonal":
        cells[:, 5] = 120.0
    return cells


def cell_parameters(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """a, b, c in Å and alpha, beta, gamma in degrees of cell vectors ``(3, 3)``, rows."""
    lengths = np.linalg.norm(lattice, axis=1)
    unit = lattice / lengths[:, None]
    cosines = np.array([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]])
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))])
