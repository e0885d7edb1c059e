"""Numbers that describe a candidate: the composition, its nearest templates, and how they agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.models.candidates.cells import Cells, descriptors, log_volume
from deepxrd.models.candidates.search import Found
from deepxrd.models.candidates.targets import Targets
from deepxrd.models.candidates.templates import WIDTH, Templates

Floats = NDArray[np.float32]
_NEAR, _FURTHEST = 6, 9.0
_FEW = 4  # an exact number of structure types would tell which are known from the composition alone
N_BEFORE, N_CELL = 72 + WIDTH, 23
"""Columns of `describe` and of `describe_cells`."""


def describe(templates: Templates, targets: Targets, found: Found) -> Floats:
    """Of each found structure type, ``(n, n_features)``: what can be said before its cell is known.

    The last `WIDTH` columns are the shares of atoms by slot.
    """
    first = found.member[:, 0]
    counts = templates.counts[first]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    there = counts > 0
    new, old = descriptors()[found.elements], descriptors()[templates.elements[first]]
    mean = (new * share[..., None]).sum(axis=1)
    spread = np.sqrt((share[..., None] * (new - mean[:, None]) ** 2).sum(axis=1))
    change = (new - old) * there[..., None]
    size = (there.sum(axis=1) - 1)[:, None]
    distance = np.minimum(found.distance[:, :_NEAR], _FURTHEST)
    least = np.full(len(targets), _FURTHEST, dtype=np.float32)
    np.minimum.at(least, found.target, distance[:, 0])
    number = np.bincount(found.target, minlength=len(targets))
    columns = [
        found.votes,
        np.log(np.maximum(found.votes[:, 4:5], 1e-9)),
        distance,
        distance[:, :3].mean(axis=1, keepdims=True),
        np.stack(
            [
                templates.n_atoms[first],
                templates.space_group[first],
                there.sum(axis=1),
                templates.hull[first],
                templates.ground_state[first],
                least[found.target],
                np.minimum(number, _FEW)[found.target],
                targets.cost[found.target],
            ],
            axis=1,
        ),
        mean,
        spread,
        np.where(there[..., None], new, np.inf).min(axis=1),
        np.where(there[..., None], new, -np.inf).max(axis=1),
        (change * share[..., None]).sum(axis=1),
        np.abs(change).max(axis=1),
        new[:, 0],
        np.take_along_axis(new, size[..., None], axis=1)[:, 0],
        share,
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def describe_cells(templates: Templates, found: Found, cells: Cells) -> Floats:
    """What the predicted cells add, ``(n, 23)``; volumes are per atom and relative to additive ones."""
    atoms = np.log(templates.n_atoms[found.member[:, 0]])
    volume = log_volume(cells.mean) - atoms - cells.additive
    near = log_volume(cells.near) - atoms[:, None] - cells.additive[:, None]
    weight = np.exp(-found.distance[:, :_NEAR] / (found.distance[:, :1] + 0.3)).astype(np.float64)
    mean = (near * weight).sum(axis=1) / weight.sum(axis=1)
    columns = [volume, mean, cells.additive, cells.doubt, near.std(axis=1), cells.near.std(axis=1), cells.spread, near]
    return np.concatenate([each if each.ndim > 1 else each[:, None] for each in columns], axis=1).astype(np.float32)
