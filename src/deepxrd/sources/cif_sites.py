"""From the sites of an asymmetric unit to all atoms of a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deepxrd.chem import Crystal
from deepxrd.chem.crystal import READABLE_ATOMS, close_pairs
from deepxrd.errors import SourceError
from deepxrd.sources.cif_symmetry import Symmetry

_SAME_PLACE_ANGSTROM = 0.05  # coordinates of two digits are off by that much
_SNAP_ANGSTROM = 0.3  # two full atoms of one site cannot be closer: it lies on a symmetry element
_OVERFULL = 1.05  # what occupancies may sum to: they were refined, and rounded, each for itself
_NOTICEABLE = 1e-6


@dataclass(frozen=True)
class Sites:
    """Sites of the asymmetric unit.

    Attributes:
        labels: for messages.
        atomic_numbers: ``(n,)`` int64.
        coords: fractional, ``(n, 3)``.
        occupancies: ``(n,)``.
    """

    labels: list[str]
    atomic_numbers: NDArray[np.int64]
    coords: NDArray[np.float64]
    occupancies: NDArray[np.float64]


def fill_cell(lattice: NDArray[np.float64], sites: Sites, symmetry: Symmetry) -> tuple[Crystal, tuple[str, ...]]:
    """All atoms of the cell, sites near special positions moved onto them; and remarks on what was repaired.

    Raises:
        SourceError: an occupancy is impossible, or the cell would hold too many atoms.
    """
    for label, occupancy in zip(sites.labels, sites.occupancies.tolist(), strict=True):
        if not 0 <= occupancy <= _OVERFULL:
            msg = f"the occupancy of {label} is {occupancy:g}, not within 0 to 1"
            raise SourceError(msg)
    filled = np.flatnonzero(sites.occupancies > 0)
    if len(filled) * len(symmetry) > 20 * READABLE_ATOMS:
        msg = f"{len(filled):,} sites under {len(symmetry)} operators are more atoms than can be read"
        raise SourceError(msg)
    if len(symmetry) == 1:
        owner, coords = filled, sites.coords[filled] % 1.0
    else:
        orbits = [_orbit(lattice, sites.coords[i], float(sites.occupancies[i]), symmetry) for i in filled]
        owner = np.repeat(filled, [len(orbit) for orbit in orbits])
        coords = np.concatenate(orbits) if orbits else np.empty((0, 3))
    return _merge(lattice, coords, owner, sites)


def _orbit(
    lattice: NDArray[np.float64], place: NDArray[np.float64], occupancy: float, symmetry: Symmetry
) -> NDArray[np.float64]:
    """All places that symmetry gives one site, ``(multiplicity, 3)`` in [0, 1)."""
    for _ in range(2):  # the second time from the special position itself
        images = symmetry.rotations @ place + symmetry.translations
        shift = np.rint(images - place)
        distance = np.linalg.norm((images - place - shift) @ lattice, axis=1)
        near = distance < _SNAP_ANGSTROM
        if occupancy * near.sum() <= _OVERFULL:  # split sites of a disordered atom may be that close
            near = distance < _SAME_PLACE_ANGSTROM
        place = (images - shift)[near].mean(axis=0)
    images = (symmetry.rotations @ place + symmetry.translations) % 1.0
    delta = images[:, None] - images[None]
    same = np.linalg.norm((delta - np.rint(delta)) @ lattice, axis=-1) < _SAME_PLACE_ANGSTROM
    return np.asarray(images[np.argmax(same, axis=1) == np.arange(len(images))])


def _merge(
    lattice: NDArray[np.float64], coords: NDArray[np.float64], owner: NDArray[np.intp], sites: Sites
) -> tuple[Crystal, tuple[str, ...]]:
    """Drop atoms that are listed twice, and scale places that are a little more than full.

    Args:
        lattice: of the cell.
        coords: of all atoms, ``(n, 3)``.
        owner: the site that each atom comes from, ``(n,)``.
        sites: of the asymmetric unit.
    """
    remarks: list[str] = []
    numbers, occupancies = sites.atomic_numbers[owner], sites.occupancies[owner]
    place = _places(lattice, coords)
    order = np.lexsort((owner, numbers, place))
    again = np.zeros(len(coords), dtype=bool)
    again[order[1:]] = (np.diff(place[order]) == 0) & (np.diff(numbers[order]) == 0)
    full = np.bincount(place, weights=occupancies, minlength=1)
    again &= (full[place] > _OVERFULL) & (occupancies > 1 - _NOTICEABLE)
    if again.any():
        remarks.append("atoms that are listed twice counted once")
        kept = ~again
        numbers, coords, occupancies = numbers[kept], coords[kept], occupancies[kept]
        owner, place = owner[kept], place[kept]
        full = np.bincount(place, weights=occupancies, minlength=1)
    if full.max() > _OVERFULL:
        there = dict.fromkeys(sites.labels[i] for i in owner[place == full.argmax()])
        msg = f"the occupancies of {', '.join(there)} at one place sum to {full.max():.4g}"
        raise SourceError(msg)
    if full.max() > 1 + _NOTICEABLE:
        remarks.append("occupancies that sum to a little more than 1 scaled to 1")
    return Crystal(lattice, numbers, coords, occupancies / np.maximum(full[place], 1.0)), tuple(remarks)


def _places(lattice: NDArray[np.float64], coords: NDArray[np.float64]) -> NDArray[np.int64]:
    """A number for each atom, the same for those at one place, ``(n,)``."""
    n = len(coords)
    if n == 0 or abs(np.linalg.det(lattice)) < _SAME_PLACE_ANGSTROM**3:
        return np.arange(n)
    pairs = close_pairs(lattice, coords, _SAME_PLACE_ANGSTROM)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
