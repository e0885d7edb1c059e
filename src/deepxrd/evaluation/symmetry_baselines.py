"""Crystal systems, space groups and cells by baselines: the majority, and the chemically nearest composition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal, Formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system_places
from deepxrd.evaluation.symmetry_scores import Truth
from deepxrd.models.baselines.neighbours import NeighbourSearch
from deepxrd.models.baselines.volumes import AdditiveVolumes
from deepxrd.models.candidates.symmetry import N_SPACE_GROUPS, Symmetry

NEAREST = 8
"""Compositions that are looked at for five space groups."""
Index = NDArray[np.int64]


def majority(train: Truth, n: int) -> Symmetry:
    """The same for all: shares of the training part, and the median cell of the likeliest space group.

    Args:
        train: structures of the training part.
        n: compositions to answer.
    """
    known = train.space_group[train.space_group > 0]
    systems = np.bincount(crystal_system_places(known), minlength=len(CRYSTAL_SYSTEMS)) / max(1, len(known))
    shares = np.bincount(known, minlength=231) / max(1, len(known))
    best = np.argsort(-shares, kind="stable")[:N_SPACE_GROUPS]
    cell = np.median(train.cell[train.space_group == best[0]], axis=0)
    volume = float(np.median(train.volume_per_atom))
    return Symmetry(
        np.tile(systems, (n, 1)),
        np.tile(np.where(shares[best] > 0, best, 0), (n, 1)),
        np.tile(shares[best], (n, 1)),
        np.tile(cell[:, None], (n, 1, 3)),
        np.full((n, 3), volume),
        np.full((n, 3), np.nan),
    )


def neighbour_rows(train: Sequence[Formula], formulas: Sequence[Formula]) -> Index:
    """Rows of the nearest training compositions of the same stoichiometry, ``(n, NEAREST)``; −1 where there is none."""
    return NeighbourSearch(train).nearest(formulas, NEAREST).row


def nearest(rows: Index, train: Truth, otherwise: Symmetry, *, scale: NDArray[np.float64] | None = None) -> Symmetry:
    """What the nearest training composition has; further space groups are those of the next nearest.

    Args:
        rows: of `neighbour_rows`; those whose space group is not known are passed over.
        train: structures of the training part.
        otherwise: what is said where there is no neighbour.
        scale: volume of each composition over that of its nearest neighbour, ``(n,)``, which substitution scales the
            cell by; without it the cell is copied.
    """
    groups = np.where(rows >= 0, train.space_group[rows], 0)
    numbers = np.zeros((len(rows), N_SPACE_GROUPS), dtype=np.int64)
    for row, each in enumerate(groups.tolist()):
        distinct = list(dict.fromkeys(number for number in each if number > 0))[:N_SPACE_GROUPS]
        numbers[row, : len(distinct)] = distinct
    first = rows[np.arange(len(rows)), (groups > 0).argmax(axis=1)]
    found = numbers[:, 0] > 0
    ratio = np.ones(len(rows)) if scale is None else scale
    cell = train.cell[first].copy()
    cell[:, :3] *= ratio[:, None] ** (1 / 3)
    probability = np.zeros((len(rows), N_SPACE_GROUPS))
    probability[:, 0] = 1.0
    systems = np.eye(len(CRYSTAL_SYSTEMS))[crystal_system_places(np.maximum(numbers[:, 0], 1))]
    each = Symmetry(
        systems,
        numbers,
        probability,
        np.repeat(cell[..., None], 3, axis=2),
        np.repeat((train.volume_per_atom[first] * ratio)[:, None], 3, axis=1),
        np.full((len(rows), 3), np.nan),
    )
    return Symmetry(
        crystal_systems=_either(found, each.crystal_systems, otherwise.crystal_systems),
        space_groups=_either(found, each.space_groups, otherwise.space_groups),
        space_group_probability=_either(found, each.space_group_probability, otherwise.space_group_probability),
        cell=_either(found, each.cell, otherwise.cell),
        volume_per_atom=_either(found, each.volume_per_atom, otherwise.volume_per_atom),
        density=_either(found, each.density, otherwise.density),
    )


def volume_ratios(
    rows: Index, train: Sequence[Formula], crystals: Sequence[Crystal], formulas: Sequence[Formula]
) -> NDArray[np.float64]:
    """Volume of each composition over that of its nearest neighbour, by additive volumes, ``(n,)``; 1 without any.

    Args:
        rows: of `neighbour_rows`.
        train: compositions of the training part.
        crystals: their structures.
        formulas: the n compositions.
    """
    out, there = np.ones(len(rows)), np.flatnonzero(rows[:, 0] >= 0)
    near = [train[row] for row in rows[there, 0].tolist()]
    out[there] = AdditiveVolumes(train, crystals).ratio([formulas[place] for place in there.tolist()], near)
    return out


def _either(found: NDArray[np.bool_], yes: NDArray[Any], no: NDArray[Any]) -> NDArray[Any]:
    return np.where(found.reshape(-1, *[1] * (yes.ndim - 1)), yes, no)
