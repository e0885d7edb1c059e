"""One spectral line of the batched engine: from packed crystals to patterns on a common scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem.elements import SYMBOLS
from deepxrd.errors import PatternError
from deepxrd.xrd.fine_grid import LEAST_ROWS, make_fine_grid, theta_of_w
from deepxrd.xrd.form_factors import form_factors
from deepxrd.xrd.lattice_points import Panel, Rows, batches, cut_panels, enumerate_rows
from deepxrd.xrd.packing import PackedCrystals
from deepxrd.xrd.settings import XrdSettings

_OUTSIDE = 2.0  # an u beyond the limiting sphere
_FAR = 1e36  # stands for 1 - u there: the point then falls into the bin before the range, which is lost


@lru_cache(maxsize=8)
def line_engine(settings: XrdSettings, wavelength_angstrom: float, device: str) -> LineEngine:
    """The engine for one spectral line, kept: its tables take some 15 ms to make."""
    return LineEngine(settings, wavelength_angstrom, device)


@dataclass(frozen=True)
class _Group:
    """Crystals of one call on the device.

    Attributes:
        hkl1: h, k, l0 and 1 of each row, ``(4, n_rows)`` float64.
        u_origin, u_slope, u_curvature: see `Rows`, ``(n_rows,)`` float64.
        weight, first_weight: see `Rows`, ``(n_rows,)`` float32.
        is_origin: whether h = k = 0, ``(n_rows,)``.
        bin_offset: first bin of the row's crystal, ``(n_rows,)`` int64.
        form_factor_offset: where the table of each element begins, ``(n_elements, n_rows)`` int32.
        coords: per crystal x, y, z, and 0 for one and -1/4 for the other of two lines per site, ``(2 n_sites, 4)``.
        occupancies: per crystal, likewise twice per site, ``(2 n_sites,)`` float32.
        element_sizes: per crystal the number of sites of each element.
    """

    hkl1: torch.Tensor
    u_origin: torch.Tensor
    u_slope: torch.Tensor
    u_curvature: torch.Tensor
    weight: torch.Tensor
    first_weight: torch.Tensor
    is_origin: torch.Tensor
    bin_offset: torch.Tensor
    form_factor_offset: torch.Tensor
    coords: Sequence[torch.Tensor]
    occupancies: Sequence[torch.Tensor]
    element_sizes: list[list[int]]


class LineEngine:
    """Patterns for one wavelength.

    Args:
        settings: range, grid, width and form factors.
        wavelength_angstrom: the wavelength.
        device: where torch computes.
    """

    def __init__(self, settings: XrdSettings, wavelength_angstrom: float, device: str) -> None:
        self.grid = make_fine_grid(settings, device=device)
        self._settings = settings
        self._wavelength = wavelength_angstrom
        self._device = device
        self._u_max = math.sin(math.radians(settings.two_theta_max_deg / 2)) ** 2
        self._last_place = self.grid.n_bins * (1 - 1e-12)
        edges = self.grid.w_origin + self.grid.bin_width * np.arange(self.grid.n_bins + 1)
        s_squared = (np.sin(theta_of_w(edges)) / wavelength_angstrom) ** 2
        factors = form_factors(
            settings.form_factors, s_squared, debye_waller_b_angstrom2=settings.debye_waller_b_angstrom2
        )
        self._known = np.asarray(np.isfinite(factors).all(axis=1))
        steps = np.diff(factors, axis=1)
        self._factor = torch.from_numpy(factors[:, :-1].astype(np.float32)).to(device).ravel()
        self._factor_step = torch.from_numpy(steps.astype(np.float32)).to(device).ravel()

    def patterns(self, crystals: PackedCrystals, *, max_points: int) -> torch.Tensor:
        """Patterns on one common scale of intensity, ``(n, n_points)``."""
        self._check_elements(crystals.element_number)
        metric = crystals.reciprocal_metric * (self._wavelength**2 / 4)
        rows, panels = cut_panels(enumerate_rows(metric, crystals.symmetry, self._u_max), crystals)
        group = self._to_device(crystals, rows)
        n_patterns = max(len(crystals), LEAST_ROWS)
        moments = torch.zeros(self.grid.n_moments, n_patterns * self.grid.n_bins, device=self._device)
        for batch in batches(panels, max_points=max_points):
            self._accumulate(group, batch, moments)
        return self.grid.smooth(moments.view(self.grid.n_moments, n_patterns, -1))[: len(crystals)]

    def _check_elements(self, numbers: NDArray[np.int64]) -> None:
        """Raise `PatternError` if there is no form factor for one of the elements."""
        unknown = numbers[~self._known[numbers - 1]]
        if len(unknown):
            table = self._settings.form_factors
            msg = f"the form factors {table!r} lack {SYMBOLS[int(unknown[0]) - 1]}: leave out such structures"
            raise PatternError(msg)

    def _to_device(self, crystals: PackedCrystals, rows: Rows) -> _Group:
        """Copy a group to the device."""
        n_elements = np.diff(crystals.element_start)
        slots = np.zeros((int(n_elements.max()), len(crystals)), dtype=np.int32)
        for slot in range(len(slots)):
            has = n_elements > slot
            slots[slot, has] = crystals.element_number[crystals.element_start[:-1][has] + slot] - 1
        sizes = np.diff(crystals.element_site).tolist()
        bounds = crystals.element_start.tolist()
        twice = np.repeat(np.column_stack([crystals.frac_coords, np.zeros(len(crystals.frac_coords))]), 2, axis=0)
        twice[1::2, 3] = -0.25
        per_crystal = (2 * np.diff(crystals.site_start)).tolist()

        def load(array: NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

        return _Group(
            hkl1=load(np.vstack([rows.hkl.T, np.ones(len(rows.hkl))])),
            u_origin=load(rows.u_origin),
            u_slope=load(rows.u_slope),
            u_curvature=load(rows.u_curvature),
            weight=load(rows.weight.astype(np.float32)),
            first_weight=load(rows.first_weight.astype(np.float32)),
            is_origin=load((rows.hkl[:, :2] == 0).all(axis=1)),
            bin_offset=load(rows.crystal * self.grid.n_bins),
            form_factor_offset=load(slots[:, rows.crystal] * np.int32(self.grid.n_bins)),
            coords=load(twice).split_with_sizes(per_crystal),
            occupancies=load(np.repeat(crystals.occupancies, 2).astype(np.float32)).split_with_sizes(per_crystal),
            element_sizes=[sizes[a:b] for a, b in pairwise(bounds)],
        )

    def _accumulate(self, group: _Group, batch: list[Panel], moments: torch.Tensor) -> None:
        """Add the reflections of one batch to the bins of their crystals."""
        rows = slice(batch[0].start, batch[-1].stop)
        bins, fraction, weight = self._place_and_weigh(group, rows, batch[0])
        real, imaginary = self._structure_factors(group, batch, bins, fraction)
        intensity = real.square_().addcmul_(imaginary, imaginary).mul_(weight)
        index = (bins.to(torch.int64) + group.bin_offset[rows]).view(-1)
        if self.grid.second_from is not None:
            second = fraction >= self.grid.second_from[bins.to(torch.int64)]
            moments[0].scatter_add_(0, index, intensity.masked_fill(second, 0.0).view(-1))
            moments[1].scatter_add_(0, index, intensity.masked_fill_(~second, 0.0).view(-1))
            return
        moments[0].scatter_add_(0, index, intensity.view(-1))
        for moment in moments[1:]:
            moment.scatter_add_(0, index, intensity.mul_(fraction).view(-1))

    def _place_and_weigh(
        self, group: _Group, rows: slice, like: Panel
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where the points of a batch lie on the fine grid, and their Lorentz-polarisation factor.

        Places need float64: near 2θ = 180° the factor diverges as (1 - u)^-1/2, and a narrow Gaussian makes many bins.

        Returns:
            Three tensors ``(n_j, n_rows)``, j along the first axis: the bin, int32; the place within it, and the factor
            times how often the reflection counts, float32.
        """
        j = torch.arange(like.j_min, like.reach + 1, dtype=torch.float64, device=self._device)[:, None]
        u = (j * group.u_curvature[rows]).add_(group.u_slope[rows]).mul_(j).add_(group.u_origin[rows])
        u[: 1 - like.j_min].index_fill_(1, torch.nonzero(group.is_origin[rows])[:, 0], _OUTSIDE)  # (000) and (00-l)
        v = torch.threshold_(1.0 - u, 1.0 - self._u_max, _FAR)
        u32, v32 = u.to(torch.float32), v.to(torch.float32)
        cos_theta = v.sqrt_()
        cos32 = cos_theta.to(torch.float32)
        place = u.sqrt_().sub_(cos_theta)
        place.mul_(0.5 / self.grid.bin_width).add_((0.5 - self.grid.w_origin) / self.grid.bin_width)
        place.clamp_(0.0, self._last_place)
        bins = place.to(torch.int32)
        times = group.weight[rows]
        weight = v32.mul_(u32).mul_(-4 * times).add_(2 * times).div_(cos32.mul_(u32))  # 1 + cos² 2θ = 2 - 4 u v
        if like.mirrored:
            weight[0] *= group.first_weight[rows]
        return bins, place.sub_(bins).to(torch.float32), weight

    def _structure_factors(
        self, group: _Group, batch: list[Panel], bins: torch.Tensor, fraction: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Real and imaginary part of F at the points of a batch, ``(n_j, n_rows)`` float32 each."""
        rows = slice(batch[0].start, batch[-1].stop)
        products = self._products(group, batch)
        for slot in range(len(products)):
            entry = (bins + group.form_factor_offset[slot, rows]).view(-1)
            factor = torch.index_select(self._factor, 0, entry)
            factor.addcmul_(torch.index_select(self._factor_step, 0, entry), fraction.view(-1))
            if slot == 0:
                total = products[0].mul_(factor.view_as(fraction))
            else:
                total.addcmul_(products[slot], factor.view_as(fraction))
        return total[0], total[1]

    def _products(self, group: _Group, batch: list[Panel]) -> torch.Tensor:
        """Real and imaginary part of the sum of ``exp(2 pi i (h x + k y + l z))`` over the sites of each element.

        Returns:
            ``(n_elements, 2, n_j, n_rows)`` float32.
        """
        n_elements, n_j, n_rows = batch[0].n_elements, batch[0].n_j, batch[-1].stop - batch[0].start
        products = torch.empty(n_elements, 2, n_j, n_rows, device=self._device)
        heights = [panel.stop - panel.start for panel in batch]
        # all views in a few calls: there are thousands of small products, and a slice costs as much as one of them
        results = [part.view(2 * n_j, n_rows).split_with_sizes(heights, dim=1) for part in products]
        sizes = [size for panel in batch for size in group.element_sizes[panel.crystal]]
        columns = self._column_factors(group, batch).split_with_sizes([2 * size for size in sizes], dim=1)
        areas = (2 * np.array(sizes) * np.repeat(heights, n_elements)).tolist()
        rows = self._row_factors(group, batch).split_with_sizes(areas)
        for position, (column, row) in enumerate(zip(columns, rows, strict=True)):
            panel, slot = divmod(position, n_elements)
            torch.mm(column, row.view(column.shape[1], -1), out=results[slot][panel])
        return products

    def _row_factors(self, group: _Group, batch: list[Panel]) -> torch.Tensor:
        """Cosine and sine of ``2 pi (h x + k y + l0 z)``; per panel a block ``(sites, 2, rows)``, all end to end."""
        heights = [panel.stop - panel.start for panel in batch]
        sizes = [2 * panel.n_sites * height for panel, height in zip(batch, heights, strict=True)]
        turns = torch.empty(sum(sizes), dtype=torch.float64, device=self._device)
        hkls = group.hkl1[:, batch[0].start : batch[-1].stop].split_with_sizes(heights, dim=1)
        for panel, hkl, block in zip(batch, hkls, turns.split_with_sizes(sizes), strict=True):
            torch.mm(group.coords[panel.crystal], hkl, out=block.view(-1, hkl.shape[1]))
        return _cosine(turns)

    def _column_factors(self, group: _Group, batch: list[Panel]) -> torch.Tensor:
        """What the row factors are multiplied with, ``(2 n_j, 2 n_sites)``: occupancy and phase of j z.

        ``(c + i s) (C + i S)`` has the real part ``c C - s S`` and the imaginary part ``c S + s C``.
        """
        coords = torch.cat([group.coords[panel.crystal] for panel in batch])
        occupancies = torch.cat([group.occupancies[panel.crystal] for panel in batch])
        j = torch.arange(batch[0].j_min, batch[0].reach + 1, dtype=torch.float64, device=self._device)[:, None]
        # the columns of a site: its own phase (cosine), and that less a quarter turn (sine); the imaginary part of
        # the product is its real part a quarter turn further back
        turns = j * coords[:, 2] - coords[:, 3]
        return _cosine(torch.cat((turns, turns - 0.25))).mul_(occupancies)


def _cosine(turns: torch.Tensor) -> torch.Tensor:
    """Cosine of phases in turns, float64 in, float32 out. Uses up ``turns``."""
    return turns.frac_().to(torch.float32).mul_(2 * math.pi).cos_()
