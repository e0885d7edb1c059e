"""Texture: grains that lie along a plane, by March and Dollase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.library.space_groups import space_group
from deepxrd.matching.reflections import rotations_of_reflections

Floats = NDArray[np.float64]

_LOW_INDICES = (
    (0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0, -1), (1, -1, 0), (0, 1, -1),
)  # fmt: skip


def texture_axes(setting: int) -> list[tuple[int, int, int]]:
    """Plate normals that are tried, as h, k, l of the conventional cell: one of each orbit of low indices."""
    out: list[tuple[int, int, int]] = []
    seen: set[tuple[int, ...]] = set()
    basis = space_group(setting).primitive_basis
    for axis in _LOW_INDICES:
        images = {tuple(row) for row in (np.array(axis) @ basis.T @ rotations_of_reflections(setting)).tolist()}
        if not images & seen:
            out.append(axis)
        seen |= images
    return out


def texture_cosines(crystal: Crystal, setting: int, hkl: NDArray[np.int64], axis: tuple[int, int, int]) -> Floats:
    """Squared cosines between an axis and all reflections of each orbit, ``(n, n_images)``.

    Args:
        crystal: a primitive cell in the standard setting of a space group.
        setting: number of that group.
        hkl: one of each orbit, of the primitive cell, ``(n, 3)``.
        axis: h, k, l of the conventional cell.
    """
    reciprocal = np.linalg.inv(crystal.lattice).T
    rotations = rotations_of_reflections(setting)
    images = np.einsum("ni,mij,jk->nmk", hkl, _half(rotations), reciprocal)
    normal = np.array(axis) @ space_group(setting).primitive_basis.T @ reciprocal
    along = images @ (normal / np.linalg.norm(normal))
    return np.asarray(along**2 / (images**2).sum(axis=2))


def _half(rotations: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each R and -R the first: both turn a plane alike."""
    flat = rotations.reshape(len(rotations), 9)
    first = np.take_along_axis(flat, (flat != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    return rotations[first > 0]


def march_dollase(cosines: Floats, log_r: Floats) -> tuple[Floats, Floats]:
    """Factor of a reflection's intensity by texture, mean over its orbit, and its derivative by the logarithm of r.

    ``(r² cos² α + sin² α / r)^(-3/2)``: Dollase, J. Appl. Cryst. 19 (1986) 267.

    Args:
        cosines: cos² α, ``(n, n_images)``.
        log_r: logarithm of r of each reflection's structure, ``(n,)``.
    """
    r = np.exp(log_r)[:, None]
    along, across = r**2 * cosines, (1 - cosines) / r
    base = along + across
    factor = base**-1.5
    return factor.mean(axis=1), (-1.5 * factor / base * (2 * along - across)).mean(axis=1)
