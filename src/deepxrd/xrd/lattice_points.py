"""Which reciprocal lattice points reflect: rows of them, for many crystals at once.

In units of ``u = sin^2(theta) = wavelength^2 |g|^2 / 4`` a reflection (h, k, l) lies at ``u = (hkl) M (hkl)^T``. All
with the same (h, k) form a *row*, in which u is a parabola of l. Rows start at the l nearest to its vertex, so that
``l = l0 + j`` with ``|j| <= reach``: even in a skew cell two thirds of such a box are inside the limiting sphere.
Only rows with ``h > 0``, or ``h = 0`` and ``k >= 0`` are made: real form factors give I(-h-k-l) = I(hkl) (Friedel).
Where the symmetry of a crystal is known, one of several rows that are alike stands for all, and of a row that is its
own mirror image only ``j >= 0`` is computed; see `row_symmetry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.xrd.packing import PackedCrystals, ragged_arange
from deepxrd.xrd.row_symmetry import RowSymmetry

_SLACK = 1e-6  # in units of an index; what it lets in by mistake is weighed with zero later
_ROWS_PER_PANEL = 160
_SITE_ROWS_PER_PANEL = 1 << 20  # bounds the phase table of one panel


@dataclass(frozen=True)
class Rows:
    """Rows of reflections, those of one panel side by side; every array has the length ``n_rows``.

    Attributes:
        hkl: h, k and l0, ``(n_rows, 3)`` float64.
        u_origin: u at (h, k, l0).
        u_slope: linear coefficient of u in j.
        u_curvature: quadratic coefficient of u in j.
        crystal: position of the crystal in the group, int64.
        reach: the largest j.
        weight: how often each reflection counts, float64.
        first_weight: how often that of j = 0 does.
    """

    hkl: NDArray[np.float64]
    u_origin: NDArray[np.float64]
    u_slope: NDArray[np.float64]
    u_curvature: NDArray[np.float64]
    crystal: NDArray[np.int64]
    reach: NDArray[np.int64]
    weight: NDArray[np.float64]
    first_weight: NDArray[np.float64]

    def take(self, index: NDArray[np.intp]) -> Rows:
        """The rows at ``index``, in that order."""
        return Rows(*(column[index] for column in vars(self).values()))


@dataclass(frozen=True)
class Panel:
    """Rows ``start`` to ``stop``, all of one crystal and computed with the same ``reach``: one matrix product.

    Panels depend on their crystal alone, never on what else is simulated: that keeps results bit-identical.
    """

    crystal: int
    start: int
    stop: int
    reach: int
    mirrored: bool
    n_elements: int
    n_sites: int

    @property
    def shape(self) -> tuple[int, bool, int]:
        """What panels of one batch have in common."""
        return self.reach, self.mirrored, self.n_elements

    @property
    def j_min(self) -> int:
        """Where j starts; it ends at `reach`."""
        return 0 if self.mirrored else -self.reach

    @property
    def n_j(self) -> int:
        """Values of j."""
        return self.reach - self.j_min + 1


def enumerate_rows(metric: NDArray[np.float64], symmetry: RowSymmetry, u_max: float) -> Rows:
    """The rows that hold a point with ``u <= u_max``, ordered by crystal, within it by falling reach.

    Args:
        metric: M of each crystal, ``(n, 3, 3)``.
        symmetry: of rows that it makes alike one is given.
        u_max: the limiting sphere.
    """
    m13, m23, m33 = metric[:, 0, 2], metric[:, 1, 2], metric[:, 2, 2]
    # M seen along the rows (Schur complement): u at the vertex of the parabola of a row, were l not an integer
    a11 = metric[:, 0, 0] - m13**2 / m33
    a12 = metric[:, 0, 1] - m13 * m23 / m33
    a22 = metric[:, 1, 1] - m23**2 / m33
    h_alone = a11 - a12**2 / a22

    n_h = np.floor(np.sqrt(u_max / h_alone) + _SLACK).astype(np.int64) + 1
    crystal = np.repeat(np.arange(len(metric)), n_h)
    h = ragged_arange(n_h).astype(np.float64)
    half_k = np.sqrt(np.maximum((u_max - h**2 * h_alone[crystal]) / a22[crystal], 0.0)) + _SLACK
    centre_k = -h * (a12 / a22)[crystal]
    k_first = np.where(h == 0, 0.0, np.ceil(centre_k - half_k))
    n_k = np.maximum(np.floor(centre_k + half_k) - k_first + 1, 0).astype(np.int64)

    k = np.repeat(k_first, n_k) + ragged_arange(n_k)
    h, crystal = np.repeat(h, n_k), np.repeat(crystal, n_k)
    times = symmetry.chosen(crystal, h.astype(np.int64), k.astype(np.int64))
    stands = np.flatnonzero(times)
    h, k, crystal, times = h[stands], k[stands], crystal[stands], times[stands]
    curvature = m33[crystal]
    vertex = -(h * (m13 / m33)[crystal] + k * (m23 / m33)[crystal])
    mirrored = symmetry.mirrored[crystal]
    vertex = np.where(mirrored, np.rint(2 * vertex) / 2, vertex)
    origin = np.where(mirrored, np.ceil(vertex), np.rint(vertex))
    offset = origin - vertex
    u_vertex = h * (a11[crystal] * h + 2 * a12[crystal] * k) + a22[crystal] * k**2
    half_l = np.sqrt(np.maximum(u_max - u_vertex, 0.0) / curvature) + _SLACK
    reach = np.floor(half_l + np.where(mirrored, -offset, np.abs(offset))).astype(np.int64)
    # of (00l) only l > 0 is there, as Friedel's law asks for
    weight = np.where(mirrored & ((h > 0) | (k > 0)), 2, 1) * times
    rows = Rows(
        hkl=np.stack([h, k, origin], axis=1),
        u_origin=u_vertex + curvature * offset**2,
        u_slope=2 * curvature * offset,
        u_curvature=curvature,
        crystal=crystal,
        reach=reach,
        weight=weight.astype(np.float64),
        first_weight=np.where(mirrored & (offset == 0), 0.5, 1.0),
    )
    kept = np.flatnonzero(half_l >= np.abs(offset))
    return rows.take(kept[np.lexsort((-reach[kept], crystal[kept]))])


def cut_panels(rows: Rows, crystals: PackedCrystals) -> tuple[Rows, list[Panel]]:
    """Cut the rows of each crystal into panels of like reach, and sort the panels by the work they are.

    Returns:
        The rows in the order of the panels, and the panels.
    """
    n_rows = np.bincount(rows.crystal, minlength=len(crystals))
    n_sites = np.diff(crystals.site_start)
    most = np.maximum(np.minimum(_ROWS_PER_PANEL, _SITE_ROWS_PER_PANEL // n_sites), 2)
    size = np.maximum(-(-n_rows // np.maximum(np.rint(n_rows / most).astype(np.int64), 1)), 1)
    n_parts = -(-n_rows // size)
    crystal = np.repeat(np.arange(len(crystals)), n_parts)
    part = ragged_arange(n_parts)
    first_row = np.cumsum(n_rows) - n_rows
    start = first_row[crystal] + part * size[crystal]
    length = np.minimum(start + size[crystal], (first_row + n_rows)[crystal]) - start
    reach = _rounded_reach(rows.reach[start])
    n_elements, mirrored = np.diff(crystals.element_start)[crystal], crystals.symmetry.mirrored[crystal]

    order = np.lexsort((crystal, part, -reach, mirrored, n_elements))
    length = length[order]
    stop = np.cumsum(length)
    rows = rows.take(np.repeat(start[order], length) + ragged_arange(length))
    sizes = (n_elements[order], n_sites[crystal[order]])
    fields = (crystal[order], stop - length, stop, reach[order], mirrored[order], *sizes)
    return rows, [Panel(*values) for values in zip(*(field.tolist() for field in fields), strict=True)]


def batches(panels: list[Panel], *, max_points: int) -> Iterator[list[Panel]]:
    """Consecutive panels of one reach that together make at most ``max_points`` table entries (or one panel).

    No batch holds two panels of the same crystal: their reflections would be summed in an order that depends on the
    size of the batch.
    """
    batch: list[Panel] = []
    taken: set[int] = set()
    points = 0
    for panel in panels:
        work = (panel.stop - panel.start) * max(panel.n_j, panel.n_sites)
        alike = bool(batch) and panel.shape == batch[0].shape
        if batch and not (alike and points + work <= max_points and panel.crystal not in taken):
            yield batch
            batch, taken, points = [], set(), 0
        batch.append(panel)
        taken.add(panel.crystal)
        points += work
    if batch:
        yield batch


def _rounded_reach(reach: NDArray[np.int64]) -> NDArray[np.int64]:
    """Round up to three significant bits and a half, so that few different shapes occur: at most 1/8 is wasted."""
    step = 2 ** np.maximum(np.floor(np.log2(np.maximum(reach, 1))).astype(np.int64) - 3, 0)
    return np.asarray(-(-reach // step) * step)
