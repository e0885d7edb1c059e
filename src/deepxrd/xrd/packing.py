"""Many crystals as a few long arrays, ready for the batched engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.crystal import Crystal
from deepxrd.xrd.row_symmetry import RowSymmetry, row_symmetry

_AXIS_ORDERS = np.array([[1, 2, 0], [2, 0, 1], [0, 1, 2]])


@dataclass(frozen=True)
class PackedCrystals:
    """Sites of all crystals end to end, those of one element side by side.

    Attributes:
        reciprocal_metric: ``g_i . g_j`` of the reciprocal vectors in Å^-2, ``(n, 3, 3)``; the axes are turned so that
            the last is the one along which symmetry helps most, or whose lattice planes lie farthest apart.
        frac_coords: ``(n_sites, 3)``, axes turned likewise.
        occupancies: ``(n_sites,)``.
        site_start: crystal i has the sites ``site_start[i]`` to ``site_start[i + 1]``, ``(n + 1,)``.
        element_start: crystal i has the elements ``element_start[i]`` to ``element_start[i + 1]``, ``(n + 1,)``.
        element_number: atomic number of each element of each crystal, ``(n_elements,)``.
        element_site: its first site, and one past the last site of all, ``(n_elements + 1,)``.
        symmetry: which rows of reflections are alike.
    """

    reciprocal_metric: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    occupancies: NDArray[np.float64]
    site_start: NDArray[np.int64]
    element_start: NDArray[np.int64]
    element_number: NDArray[np.int64]
    element_site: NDArray[np.int64]
    symmetry: RowSymmetry

    def __len__(self) -> int:
        return len(self.reciprocal_metric)


def pack_crystals(crystals: Sequence[Crystal]) -> PackedCrystals:
    """Bring crystals, each with at least one site, into the form that the engine works on."""
    n_sites = np.array([len(crystal.atomic_numbers) for crystal in crystals], dtype=np.int64)
    numbers = np.concatenate([crystal.atomic_numbers for crystal in crystals])
    owner = np.repeat(np.arange(len(crystals)), n_sites)
    order = np.lexsort((numbers, owner))
    numbers = numbers[order]

    reciprocal = np.linalg.inv(np.stack([crystal.lattice for crystal in crystals])).transpose(0, 2, 1)
    metric = reciprocal @ reciprocal.transpose(0, 2, 1)
    symmetry, chosen = row_symmetry(crystals, metric, _AXIS_ORDERS)
    axes = _AXIS_ORDERS[chosen]
    coords = np.concatenate([crystal.frac_coords for crystal in crystals])[order]
    is_first = np.ones(len(numbers), dtype=bool)
    is_first[1:] = (numbers[1:] != numbers[:-1]) | (owner[1:] != owner[:-1])
    element_site = np.flatnonzero(is_first)
    n_elements = np.bincount(owner[element_site], minlength=len(crystals))
    return PackedCrystals(
        reciprocal_metric=metric[np.arange(len(crystals))[:, None, None], axes[:, :, None], axes[:, None, :]],
        frac_coords=np.take_along_axis(coords, axes[owner], axis=1),
        occupancies=np.concatenate([crystal.occupancies for crystal in crystals])[order],
        site_start=np.concatenate([[0], np.cumsum(n_sites)]),
        element_start=np.concatenate([[0], np.cumsum(n_elements)]),
        element_number=numbers[element_site],
        element_site=np.append(element_site, len(numbers)),
        symmetry=symmetry,
    )


def consecutive_groups(sizes: NDArray[np.float64], *, limit: float) -> list[tuple[int, int]]:
    """Cut a sequence into runs whose sizes sum to at most ``limit``; what is larger makes a run of its own.

    Example:
        >>> consecutive_groups(np.array([2.0, 1.0, 2.0, 9.0, 1.0]), limit=3)
        [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    bounds, total = [0], 0.0
    for position, size in enumerate(sizes.tolist()):
        if total + size > limit and position > bounds[-1]:
            bounds.append(position)
            total = 0.0
        total += size
    return list(pairwise([*bounds, len(sizes)]))


def ragged_arange(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """``0 .. length - 1`` for each length, end to end.

    Example:
        >>> ragged_arange(np.array([2, 0, 3])).tolist()
        [0, 1, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
