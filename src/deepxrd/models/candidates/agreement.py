"""Which candidates agree with the structures that are known of their compositions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.crystal_system import crystal_system_places
from deepxrd.models.candidates.cells import log_volume
from deepxrd.models.candidates.search import Found
from deepxrd.models.candidates.targets import Targets
from deepxrd.models.candidates.templates import Templates

if TYPE_CHECKING:
    from deepxrd.models.candidates.candidates import Candidates

Index = NDArray[np.int64]
Bools = NDArray[np.bool_]
_ALIKE = 0.2  # shapes of cells, as logarithms and radians: what is less alike is another structure
_CELL_SHARE, _CELL_RAD = 0.02, np.radians(2.0)


@dataclass(frozen=True, eq=False)
class Agreement:
    """Of n compositions with k candidates each; the truth is the most stable structure that is known of each.

    Attributes:
        known: whether there is a truth, ``(n,)``.
        structure: whether a candidate has its prototype, with the same elements on its sites, and a cell of about its
            shape, ``(n, k)``.
        space_group: whether a candidate has its space group, ``(n, k)``.
        crystal_system: whether a candidate has its crystal system, ``(n, k)``.
        cell: whether besides all edges are within 2 % and all angles within 2° of the true ones, ``(n, k)``.
        cell_off: how far the six cell parameters and the volume of a candidate with the true structure are from the
            true ones, in standard deviations that its cell has, ``(n_right, 7)``; not a number where one is fixed.
        true_space_group: ``(n,)``; 0 where there is no truth.
    """

    known: Bools
    structure: Bools
    space_group: Bools
    crystal_system: Bools
    cell: Bools
    cell_off: NDArray[np.float64]
    true_space_group: Index


def agreement(templates: Templates, known: Templates, candidates: Candidates) -> Agreement:
    """Compare candidates with what is known.

    Args:
        templates: that the candidates were made from.
        known: the structures of the compositions, from the same library.
        candidates: k of each of n compositions.
    """
    targets, found, place = candidates.targets, candidates.found, candidates.place
    mean = candidates.cells.mean
    item, row, _ = own_structures(templates, known, targets, found)
    stable = known.ground_state[row] > 0
    item, row = item[stable], row[stable]
    structure, cell = (np.zeros(len(found) + 1, dtype=bool) for _ in range(2))  # the last is that of padding
    structure[item] = True
    off = np.concatenate([np.log(known.cell[row, :3]), np.radians(known.cell[row, 3:])], axis=1) - mean[item]
    near = np.abs(off) <= np.array([np.log1p(_CELL_SHARE)] * 3 + [_CELL_RAD] * 3)
    cell[item[near.all(axis=1)]] = True
    volume = log_volume(mean[item] + off) - log_volume(mean[item])
    off = np.concatenate([off, volume[:, None]], axis=1)
    deviation = candidates.cells.with_volume[item]
    with np.errstate(divide="ignore", invalid="ignore"):
        cell_off = np.where(deviation > 0, off / deviation, np.nan)
    own = np.full(len(place), -1, dtype=np.int64)
    own[targets.owner] = targets.own
    true_group = np.zeros(int(max(own.max(initial=-1), known.composition.max(initial=-1))) + 2, dtype=np.int64)
    first = np.flatnonzero(known.ground_state > 0)
    true_group[known.composition[first]] = known.space_group[first]
    truth = np.where(own >= 0, true_group[own], 0)
    group = np.append(templates.space_group[found.member[:, 0]], 0)[place]
    there = (group > 0) & (truth > 0)[:, None]
    same = there & (group == truth[:, None])
    system = there & (crystal_system_places(group) == crystal_system_places(truth)[:, None])
    return Agreement(truth > 0, structure[place], same, system, cell[place], cell_off, truth)


def own_structures(
    templates: Templates, known: Templates, targets: Targets, found: Found
) -> tuple[Index, Index, NDArray[np.float64]]:
    """Pairs of a found structure type and a known structure of the same composition that is of this type.

    Args:
        templates: in which the types were found.
        known: structures to compare with, from the same library.
        targets: what was looked up.
        found: the types.

    Returns:
        Place in ``found``, place in ``known``, and how far the shapes of their cells are apart, ``(n_pairs,)`` each.
    """
    order = np.argsort(known.composition, kind="stable")
    sorted_compositions = known.composition[order]
    own, first = targets.own[found.target], found.member[:, 0]
    start = np.searchsorted(sorted_compositions, own)
    number = np.searchsorted(sorted_compositions, own, side="right") - start
    item = np.repeat(np.arange(len(found)), number)
    row = order[np.repeat(start, number) + np.arange(len(item)) - np.repeat(np.cumsum(number) - number, number)]
    same = known.prototype[row] == templates.prototype[first[item]]
    item, row = item[same], row[same]
    same = (known.elements[row] == found.elements[item]).all(axis=1)
    item, row = item[same], row[same]
    logs = np.log(known.cell[row, :3] / templates.cell[first[item], :3])
    turn = np.radians(np.abs(known.cell[row, 3:] - templates.cell[first[item], 3:])).max(axis=1, initial=0.0)
    off = np.abs(logs - logs.mean(axis=1, keepdims=True)).max(axis=1, initial=0.0) + turn
    alike = off < _ALIKE
    return item[alike], row[alike], off[alike]
