"""Cells of substituted structures from all near members of their structure type, by Gaussian processes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.element_distance import element_properties
from deepxrd.library.asymmetric import FREE_CELL_PARAMETERS
from deepxrd.library.space_groups import crystal_family
from deepxrd.models.candidates.features import element_table
from deepxrd.models.candidates.search import Found
from deepxrd.models.candidates.targets import Targets
from deepxrd.models.candidates.templates import Templates

Floats = NDArray[np.float64]

_WIDE, _NARROW, _NARROW_SHARE, _NOISE = 1.2, 0.4, 0.5, 0.02
_RADIUS_WEIGHT = 1 / 0.3  # per Å of the ionic radius
_AT_ONCE = 4096
_LEAST_VOLUME = 2.0  # Å^3 per atom
_USUAL, _USUAL_MEMBERS = 0.05, 4.0  # scatter of logarithms and radians, counted as that of so many further members


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of n candidates, as logarithms of edges (Å) and angles in radians.

    Attributes:
        mean: ``(n, 6)``.
        spread: of the members, as much of it as is left of the process, ``(n, 6)``; zero where there is one member.
        deviation: standard deviation of each parameter, ``(n, 6)``: the same, drawn towards what is usual where there
            are few members; zero where symmetry fixes a parameter.
        doubt: variance that is left of the process, 0 to 1.5, ``(n,)``.
        near: what each of the six nearest members says, by its own cell and additive volumes, ``(n, 6, 6)``.
        additive: logarithm of the additive volume per atom, Å^3, ``(n,)``.
    """

    mean: Floats
    spread: Floats
    deviation: Floats
    doubt: Floats
    near: Floats
    additive: Floats

    @property
    def with_volume(self) -> Floats:
        """``deviation``, and the volume's: the edges' in sum, as if all were off in the same sense, ``(n, 7)``."""
        return np.concatenate([self.deviation, self.deviation[:, :3].sum(axis=1, keepdims=True)], axis=1)


@cache
def descriptors() -> Floats:
    """Weighted properties of the elements and their ionic radius, ``(1 + 118, 6)``."""
    table = np.column_stack([element_properties(), element_table()[:, -2] * _RADIUS_WEIGHT])
    table.setflags(write=False)
    return table


def log_volume(cell: Floats) -> Floats:
    """Logarithm of the volume of cells, ``(…, 6)`` as in `Cells`."""
    cosines = np.cos(cell[..., 3:])
    square = 1 - (cosines**2).sum(axis=-1) + 2 * cosines.prod(axis=-1)
    return np.asarray(cell[..., :3].sum(axis=-1) + 0.5 * np.log(np.maximum(square, 1e-6)))


def log_additive(elements: NDArray[np.int64], counts: NDArray[np.int64], volume_angstrom3: Floats) -> Floats:
    """Logarithm of the additive volume per atom of the elements in slots, ``(…, WIDTH)``."""
    total = (volume_angstrom3[elements] * counts).sum(axis=-1)
    return np.asarray(np.log(np.maximum(total / np.maximum(counts.sum(axis=-1), 1), _LEAST_VOLUME)))


def log_additive_targets(targets: Targets, volume_angstrom3: Floats) -> Floats:
    """The same of targets, whose sites may be shared, ``(n,)``."""
    each = (volume_angstrom3[targets.mixed] * targets.filled).sum(axis=2)
    empty = np.maximum(1 - targets.filled.sum(axis=2), 0) * volume_angstrom3[targets.elements]
    total = ((each + empty) * targets.counts).sum(axis=1) / np.maximum(targets.counts.sum(axis=1), 1)
    return np.asarray(np.log(np.maximum(total, _LEAST_VOLUME)))


def predict_cells(templates: Templates, targets: Targets, found: Found, volume_angstrom3: Floats) -> Cells:
    """The cell of each found structure type with the target's elements in it.

    A Gaussian process (Rasmussen & Williams 2006, eq. 2.25 f.) on logarithms of edges, less a third of the additive
    volume's, and on angles; over descriptors of the elements by slot, each weighted by the root of its share of the
    atoms; from the nearest members, without the target's own structures. Edges that are equal in all members stay
    equal, and so do fixed angles.
    """
    additive = log_additive_targets(targets, volume_angstrom3)[found.target]
    parts = [
        _predict(templates, targets, found.take(np.arange(start, min(start + _AT_ONCE, len(found)))), volume_angstrom3)
        for start in range(0, len(found), _AT_ONCE)
    ]
    if not parts:
        none = np.zeros((0, 6))
        return Cells(none, none, none, np.zeros(0), np.zeros((0, 6, 6)), np.zeros(0))
    mean, spread, deviation, doubt, near = (np.concatenate(column) for column in zip(*parts, strict=True))
    third = additive[:, None] / 3
    mean[:, :3] += third
    near[:, :, :3] += third[:, None]
    return Cells(mean, spread, deviation, doubt, near, additive)


def _predict(templates: Templates, targets: Targets, found: Found, volume_angstrom3: Floats) -> tuple[Floats, ...]:
    member = np.maximum(found.member, 0)
    there = found.member >= 0
    counts = templates.counts[member[:, 0]]
    share = counts / counts.sum(axis=1, keepdims=True)
    n, k = member.shape
    weight = np.sqrt(share)[:, :, None]
    old = (descriptors()[templates.elements[member]] * weight[:, None]).reshape(n, k, -1)
    new = (_mean_descriptors(targets, found) * weight).reshape(n, -1)
    old = old - new[:, None]
    square = (old**2).sum(axis=2)
    between = np.maximum(square[:, :, None] + square[:, None] - 2 * (old @ old.transpose(0, 2, 1)), 0)
    kernel = _kernel(between) * there[:, :, None] * there[:, None]
    kernel[:, np.arange(k), np.arange(k)] = 1 + _NARROW_SHARE + _NOISE
    toward = _kernel(square) * there
    cell = templates.cell[member]
    own = log_additive(templates.elements[member], templates.counts[member], volume_angstrom3)
    known = np.concatenate([np.log(cell[..., :3]) - own[..., None] / 3, np.radians(cell[..., 3:])], axis=2)
    number = there.sum(axis=1)
    centre = (known * there[..., None]).sum(axis=1) / number[:, None]
    rest = (known - centre[:, None]) * there[..., None]
    solved = np.linalg.solve(kernel, np.concatenate([rest, toward[..., None]], axis=2))
    mean = centre + np.einsum("nk,nkc->nc", toward, solved[..., :6])
    doubt = np.clip(1 + _NARROW_SHARE - (toward * solved[..., 6]).sum(axis=1), 0, 1 + _NARROW_SHARE)
    variance = (rest**2).sum(axis=1) / np.maximum(number - 1, 1)[:, None]
    spread = np.sqrt(variance * (doubt[:, None] + _NOISE))
    free = _free()[templates.space_group[member[:, 0]]]
    usual = _USUAL_MEMBERS * _USUAL**2
    drawn = (variance * np.maximum(number - 1, 0)[:, None] + usual) / (
        np.maximum(number - 1, 0)[:, None] + _USUAL_MEMBERS
    )
    deviation = np.where(free, np.sqrt(drawn * (doubt[:, None] + _NOISE)), 0.0)
    near = np.take_along_axis(known, np.minimum(np.arange(6)[None], (number - 1)[:, None])[..., None], axis=1)
    return mean, spread, deviation, doubt, near


def _mean_descriptors(targets: Targets, found: Found) -> Floats:
    """Of what is in each slot, elements that share it by their shares, ``(n, WIDTH, 6)``."""
    of = found.target[:, None]
    mixed, filled = targets.mixed[of, found.slot], targets.filled[of, found.slot]
    total = filled.sum(axis=2)
    out = np.einsum("nws,nwsd->nwd", filled, descriptors()[mixed]) / np.where(total > 0, total, 1)[..., None]
    return np.where((found.elements > 0)[..., None], out, 0.0)


@cache
def _free() -> NDArray[np.bool_]:
    """Which cell parameters may vary in each space group, ``(231, 6)``; edges that must be equal vary together."""
    out = np.ones((231, 6), dtype=bool)
    out[:, 3:] = False
    for number in range(1, 231):
        free = FREE_CELL_PARAMETERS[crystal_family(number)]
        out[number, [place for place in free if place > 2]] = True  # noqa: PLR2004 - angles
    return out


def _kernel(square: Floats) -> Floats:
    return np.exp(square / (-2 * _WIDE**2)) + _NARROW_SHARE * np.exp(square / (-2 * _NARROW**2))
