"""Which rows of reflections are alike by symmetry, so that one of them stands for all.

An operation of the point group takes x to W x + t and the reflection (h, k, l) to Wᵀ (h, k, l), where I is the same,
and u, too. Of these operations those count that take whole rows (h, k) to whole rows: (h, k) becomes A (h, k), and l
becomes ±l plus what depends on the row. By Friedel's law the sign of A does not matter; if −1 is among the A that leave
l its sign, each row is its own mirror image about the vertex of its parabola, and half of it is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.crystal import Crystal

_MOST = 6
"""Operations of a plane lattice, A and −A counted once."""
_FEWEST_SITES = 16  # with fewer, to look for rows that are alike takes as long as to compute them
_METRIC_TOL = 1e-6  # of the largest element: beyond that the cell does not have the symmetry
_WIDE = 1 << 21  # more than twice any index k


@dataclass(frozen=True)
class RowSymmetry:
    """Operations on the rows of n crystals.

    Attributes:
        exchanges: A of each crystal, the first 1, then zeros where it has no more, ``(n, 6, 2, 2)`` int64.
        n_exchanges: how many A there are, ``(n,)``.
        mirrored: whether each row is its own mirror image, ``(n,)``.
    """

    exchanges: NDArray[np.int64]
    n_exchanges: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    @classmethod
    def none(cls, n: int) -> RowSymmetry:
        """Of crystals whose symmetry is not known."""
        exchanges = np.zeros((n, _MOST, 2, 2), dtype=np.int64)
        exchanges[:, 0] = np.eye(2, dtype=np.int64)
        return cls(exchanges, np.ones(n, dtype=np.int64), np.zeros(n, dtype=bool))

    def chosen(self, crystal: NDArray[np.int64], h: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.int64]:
        """For how many rows each row stands; 0 if another stands for it.

        Args:
            crystal: of each row, ``(n_rows,)``.
            h: of each row, at least 0.
            k: of each row, at least 0 where h is 0.
        """
        own = h * _WIDE + k
        stands, fixed = np.ones(len(own), dtype=bool), np.ones(len(own), dtype=np.int64)
        number = self.n_exchanges[crystal]
        for place in range(1, _MOST):
            rows = np.flatnonzero(number > place)
            if not len(rows):
                break
            a = self.exchanges[crystal[rows], place]
            new_h = a[:, 0, 0] * h[rows] + a[:, 0, 1] * k[rows]
            new_k = a[:, 1, 0] * h[rows] + a[:, 1, 1] * k[rows]
            image = new_h * _WIDE + new_k
            image = np.abs(image)  # Friedel's law
            stands[rows] &= image <= own[rows]
            fixed[rows] += image == own[rows]
        return np.where(stands, number // fixed, 0)


def row_symmetry(
    crystals: Sequence[Crystal], metric: NDArray[np.float64], orders: NDArray[np.int64]
) -> tuple[RowSymmetry, NDArray[np.int64]]:
    """What the rotations of crystals do to rows along the axis that is best for it.

    Rotations that a cell does not have are not believed, and those of crystals of few sites are not looked at.

    Args:
        crystals: n of them.
        metric: of their reciprocal lattices, ``(n, 3, 3)``.
        orders: three orders of the axes, the i-th with axis i as its last, ``(3, 3)``.

    Returns:
        The operations, in the order of axes that is chosen; and which, ``(n,)``: that with the fewest rows to compute,
        among equals that whose last axis has its lattice planes farthest apart.
    """
    out, chosen = RowSymmetry.none(len(crystals)), np.argmin(np.einsum("nii->ni", metric), axis=1)
    alike: dict[bytes, list[int]] = {}
    for place, crystal in enumerate(crystals):
        if crystal.rotations is not None and len(crystal.atomic_numbers) >= _FEWEST_SITES:
            alike.setdefault(crystal.rotations.tobytes(), []).append(place)
    for name, places in alike.items():
        rotations = np.frombuffer(name, dtype=np.int8).reshape(-1, 3, 3).astype(np.float64)
        own = metric[places]
        moved = np.einsum("mia,nab,mjb->nmij", rotations, own, rotations)
        off = np.abs(moved - own[:, None]).max(axis=(1, 2, 3))
        there = np.array(places)[off <= _METRIC_TOL * np.abs(own).max(axis=(1, 2))]
        if not len(there):
            continue
        ways = [_along_rows(name, tuple(order)) for order in orders.tolist()]
        gain = np.array([len(exchanges) * (1 + mirrored) for exchanges, mirrored in ways])
        best = np.where(gain[chosen[there]] == gain.max(), chosen[there], gain.argmax())
        chosen[there] = best
        for way, (exchanges, mirrored) in enumerate(ways):
            some = there[best == way]
            out.exchanges[some, : len(exchanges)] = exchanges
            out.n_exchanges[some], out.mirrored[some] = len(exchanges), mirrored
    return out, chosen


@lru_cache(maxsize=3 * 2 * 230)  # of the space groups, in their conventional and primitive cells
def _along_rows(rotations: bytes, order: tuple[int, ...]) -> tuple[NDArray[np.int64], bool]:
    """The different A, up to their sign, 1 first; and whether −1 is among them."""
    whole = np.frombuffer(rotations, dtype=np.int8).reshape(-1, 3, 3).astype(np.int64)
    turned = whole.transpose(0, 2, 1)[:, order][:, :, order]  # acts on (h, k, l)
    kept = turned[(turned[:, 0, 2] == 0) & (turned[:, 1, 2] == 0)]
    plane = kept[:, :2, :2] * kept[:, 2, 2, None, None]  # with Friedel's law so that l keeps its sign
    mirrored = bool((plane == -np.eye(2, dtype=np.int64)).all(axis=(1, 2)).any())
    flat = plane.reshape(-1, 4)
    first = np.take_along_axis(flat, (flat != 0).argmax(axis=1)[:, None], axis=1)
    different = np.unique(flat * np.sign(first), axis=0).reshape(-1, 2, 2)
    is_one = (different == np.eye(2, dtype=np.int64)).all(axis=(1, 2))
    return np.concatenate([different[is_one], different[~is_one]]), mirrored
