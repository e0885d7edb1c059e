"""A first look at many structures: each as it is but for one strain, blurred, against the blurred scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.observed import COARSE_STEP, FINE_STEP, Observed, View
from deepxrd.matching.profile import Grid, Stack

Floats = NDArray[np.float64]

COARSE_SIGMA = 0.005
"""1/Å: 0.5° for Cu Kα, or one per cent of a spacing of 2 Å."""
THERMAL_B = 1.0
"""Isotropic displacement factor B of every atom, Å²."""
STRAIN_STEP = 0.003
SOFTNESS = 3.0
"""Intensities are compared as ln(1 + I / SOFTNESS), the largest 100: weak lines then tell as strong ones do."""


def soft(pattern: Floats) -> Floats:
    """ln(1 + I / SOFTNESS)."""
    return np.asarray(np.log1p(np.maximum(pattern, 0.0) / SOFTNESS))


def correlation(one: Floats, others: Floats) -> Floats:
    """Pearson correlation of one with each of others, ``(n,)`` and ``(..., n)`` to ``(...,)``; 0 for what is flat."""
    one = one - one.mean()
    others = others - others.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(one) * np.linalg.norm(others, axis=-1)
    return np.asarray((others @ one) / np.where(length > 0, length, np.inf))


def coarse_view(observed: Observed) -> View:
    """The scan as it is looked at first."""
    return observed.view(COARSE_SIGMA, COARSE_STEP)


def coarse_grid(observed: Observed) -> Grid:
    """The grid of the first look; the lines of the tube are one there."""
    mean = observed.wavelengths.mean_angstrom / observed.wavelength_angstrom
    n = len(observed.x[:: round(COARSE_STEP / FINE_STEP)])
    return Grid(observed.x[0], COARSE_STEP, n, ((mean, 1.0),), observed.wavelength_angstrom, observed.polarisation)


def screen(
    view: View, grid: Grid, stack: Stack, strain: Floats, doubt: Floats, *, reach: float = 2.5
) -> tuple[Floats, Floats]:
    """The best correlation of each structure, and at which strain.

    Args:
        view: the scan.
        grid: of the view.
        stack: the structures, m of them.
        strain: expected of each, ``(m,)``.
        doubt: standard deviation of that, ``(m,)``.
        reach: how many of these are looked at to each side.

    Returns:
        Correlations of softened patterns ``(m,)``, and strains ``(m,)``.
    """
    n = int(np.ceil(reach * float(doubt.max(initial=0.0)) / STRAIN_STEP))
    steps = np.linspace(-reach, reach, 2 * n + 1) if n else np.zeros(1)
    root = np.sqrt(stack.q)
    blur = np.exp(-0.5 * (COARSE_SIGMA * grid.frequencies) ** 2)
    target = soft(view.pattern[view.inside])
    best, at = np.full(stack.size, -np.inf), strain.copy()
    for step in steps:
        tried = strain + step * doubt
        x = root * (1 - tried[stack.owner]) * grid.lines[0][0]
        weight = stack.intensity * np.exp(-0.5 * THERMAL_B * x**2) * grid.factor(x)
        patterns = grid.cut(grid.transform(grid.deposit(x, stack.owner, stack.size, weight[None])[:, 0]) * blur)
        patterns = patterns[:, view.inside]
        largest = patterns.max(axis=1, keepdims=True)
        found = correlation(target, soft(100 * patterns / np.where(largest > 0, largest, 1.0)))
        better = found > best
        best, at = np.where(better, found, best), np.where(better, tried, at)
    return best, at
