"""Numbers that tell crystal systems apart, from positions of sharp lines: how well a lattice of each explains them.

With a line at q = 1/d², a cubic lattice has q = A (h² + k² + l²), a tetragonal one q = A (h² + k²) + C l², a hexagonal
one q = A (h² + hk + k²) + C l², and an orthorhombic one q = A h² + B k² + C l². Each kind is tried by giving some of
the first lines low indices, which fixes A, B and C, and by counting which of the others then have indices too: a line
that is explained counts by how improbable that were by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_LINES = 14
"""Lines of which positions and intensities are features; fewer are indexed."""
_INDEXED = 10
_TOLERANCE_DEG = 0.05
_MISSED = -3.0  # of a line that is not explained
_LEAST_CHANCE = 1e-3
_KEPT = 150  # orthorhombic lattices, the smallest, that are looked at closely
_LARGEST_ANGSTROM, _LARGEST_Q = 35.0, 0.6
_CUBIC = (1, 2, 3, 4, 5, 6, 8, 11, 12, 16)


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of n patterns.

    Attributes:
        two_theta_deg: ascending, ``(n, k)``; not a number is padding.
        intensity: 0 to 100, ``(n, k)``.
    """

    two_theta_deg: Floats
    intensity: Floats

    def above(self, least: float) -> Lines:
        """Those of at least some intensity, pushed together."""
        kept = (self.intensity >= least) & np.isfinite(self.two_theta_deg)
        order = np.argsort(~kept, axis=1, kind="stable")
        angles, values = np.where(kept, self.two_theta_deg, np.nan), np.where(kept, self.intensity, 0.0)
        return Lines(np.take_along_axis(angles, order, axis=1), np.take_along_axis(values, order, axis=1))


def line_features(lines: Lines, wavelength_angstrom: float) -> NDArray[np.float32]:
    """What a classifier sees of a pattern: 1/d², ratios, intensities, scores of lattices, ``(n, n_features)``."""
    half = np.radians(lines.two_theta_deg / 2)
    q = (2 * np.sin(half) / wavelength_angstrom) ** 2
    with np.errstate(divide="ignore"):
        tolerance = np.abs(q / np.tan(half)) * np.radians(_TOLERANCE_DEG) + 1e-5
    first = np.full((len(q), N_LINES), np.nan)
    width = min(N_LINES, q.shape[1])
    first[:, :width] = q[:, :width]
    strongest = np.take_along_axis(q, lines.intensity.argmax(axis=1)[:, None], axis=1)
    heights = np.zeros((len(q), N_LINES))
    heights[:, :width] = lines.intensity[:, :width]
    columns = [
        first, first / first[:, :1], first[:, 2:8] / first[:, 1:2], first[:, 3:8] / first[:, 2:3],
        np.diff(first, axis=1) / first[:, :1], strongest / first[:, :1],
    ]  # fmt: skip
    plain = np.concatenate([np.nan_to_num(each, nan=-1.0) for each in columns], axis=1)
    count = np.isfinite(q).sum(axis=1, keepdims=True)
    scores = np.array([_scores(a[np.isfinite(a)][:_INDEXED], b) for a, b in zip(q, tolerance, strict=True)])
    return np.concatenate([plain, heights, count, scores], axis=1).astype(np.float32)


def _scores(q: Floats, tolerance: Floats) -> Floats:
    """Score, share of lines explained and size of the best lattice of each kind, ``(12,)``."""
    if len(q) < 4:
        return np.zeros(12)
    off = tolerance[: len(q)]
    cubic = np.array([[q[0] / n] for n in _CUBIC])
    pairs = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    triples = [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    found = [_best(cubic, _squares("cubic"), q, off)]
    for kind, places in (("tetragonal", pairs), ("hexagonal", pairs), ("orthorhombic", triples)):
        lattices = np.concatenate([_bases(kind) @ q[list(place)] for place in places])
        found.append(_best(lattices, _squares(kind), q, off))
    return np.concatenate(found)


def _best(lattices: Floats, squares: Floats, q: Floats, tolerance: Floats) -> Floats:
    """Of the lattice that explains lines best: its score, the share of lines explained, and its size."""
    sound = (lattices > _LARGEST_ANGSTROM**-2).all(axis=1) & (lattices < _LARGEST_Q).all(axis=1)
    lattices = lattices[sound]
    if not len(lattices):
        return np.zeros(3)
    lines = lattices @ squares.T
    reach = 1.05 * q[-1]
    density = (lines <= reach).sum(axis=1) / reach
    few = np.argsort(density, kind="stable")[:_KEPT]
    lattices, lines, density = lattices[few], lines[few], density[few]
    off = np.abs(lines[:, None, :] - q[None, :, None]).min(axis=2)
    chance = np.minimum(1, 2 * tolerance * density[:, None])
    explained = off < tolerance
    score = np.where(explained, -np.log(chance + _LEAST_CHANCE), _MISSED).sum(axis=1)
    best = int(score.argmax())
    return np.array([score[best], explained[best].mean(), lattices[best].prod() ** -0.5])


@cache
def _squares(kind: str) -> Floats:
    """What A, B and C are multiplied with for each reflection, ``(n, n_parameters)``."""
    if kind == "cubic":
        return np.array([[n] for n in range(1, 60) if n % 8 != 7 and n not in {28, 60}], dtype=np.float64)
    if kind == "orthorhombic":
        each = [(a * a, b * b, c * c) for a in range(6) for b in range(6) for c in range(6)]
        return np.array([row for row in each if 0 < sum(row) < 40], dtype=np.float64)
    plane = (0, 1, 2, 4, 5, 8, 9, 10, 13, 16, 17, 18, 20)
    if kind == "hexagonal":
        plane = (0, 1, 3, 4, 7, 9, 12, 13, 16, 19, 21, 25)
    return np.array([(m, c * c) for m in plane for c in range(9) if m + c], dtype=np.float64)


@cache
def _bases(kind: str) -> Floats:
    """Inverse matrices that turn q of chosen lines with low indices into A, B and C, ``(n, k, k)``."""
    if kind == "orthorhombic":
        low = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (4, 0, 0), (0, 4, 0), (0, 0, 4)]
        low += [(1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)]
    else:
        one, two = (2, 4) if kind == "tetragonal" else (3, 4)
        low = [(0, 1), (0, 4), (1, 0), (1, 1), (one, 0), (one, 1), (1, 4), (two, 0)]
    size, seen, out = len(low[0]), set(), []
    for chosen in permutations(low, size):
        matrix = np.array(chosen, dtype=np.float64)
        if abs(np.linalg.det(matrix)) < 1e-9:
            continue
        if kind == "orthorhombic":  # axes may be called by any names
            name = min(tuple(matrix[:, list(order)].ravel()) for order in permutations(range(3)))
            if name in seen:
                continue
            seen.add(name)
        out.append(np.linalg.inv(matrix))
    return np.array(out)
