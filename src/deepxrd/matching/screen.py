"""A first look at many structures: each as it is but for one strain, blurred, against the blurred scan."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.observed import COARSE_STEP, FINE_STEP, Observed, View
from deepxrd.matching.profile import Grid, Stack

Floats = NDArray[np.float64]

COARSE_SIGMA = 0.005
"""1/Å: 0.5° for Cu Kα, or one per cent of a spacing of 2 Å."""
THERMAL_B = 1.0
"""Isotropic displacement factor B of every atom, Å²."""
_STRAIN_STEP, _REACH = 0.003, 2.5  # of the strains that are tried; how many standard deviations to each side
_SCALES = (3.0, 10.0, 30.0, 90.0)  # of a further phase: its strongest line, where the scan's is 100


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
    """The grid of the first look; Kα1 and Kα2 are one there."""
    mean = observed.wavelengths.mean_angstrom / observed.wavelength_angstrom
    n = len(observed.x[:: round(COARSE_STEP / FINE_STEP)])
    length, polarisation = observed.wavelength_angstrom, observed.polarisation
    lines = ((mean, 1.0), *observed.further_lines)
    return Grid(float(observed.x[0]), COARSE_STEP, n, lines, length, polarisation)


def screen(observed: Observed, stack: Stack, strain: Floats, doubt: Floats) -> tuple[Floats, Floats]:
    """The best correlation of each structure with a scan, and at which strain.

    Args:
        observed: the scan.
        stack: the structures, m of them.
        strain: expected of each, ``(m,)``.
        doubt: standard deviation of that, ``(m,)``.

    Returns:
        Correlations of softened patterns ``(m,)``, and strains ``(m,)``.
    """
    view = coarse_view(observed)
    target = view.target
    best, at = np.full(stack.size, -np.inf), strain.copy()
    for tried, patterns in _strained(coarse_grid(observed), stack, strain, doubt, view.inside):
        found = correlation(target, view.soft(100 * patterns))
        better = found > best
        best, at = np.where(better, found, best), np.where(better, tried, at)
    return best, at


def screen_beside(
    observed: Observed, stack: Stack, strain: Floats, doubt: Floats, others: Floats
) -> tuple[Floats, Floats]:
    """How much each structure explains that others do not, and at which strain.

    Args:
        observed: the scan.
        stack: the structures, m of them.
        strain: expected of each, ``(m,)``.
        doubt: standard deviation of that, ``(m,)``.
        others: counts of the phases that are there, on the grid of `coarse_view`.

    Returns:
        The part of the squared misfit that goes, ``(m,)``; and strains ``(m,)``.
    """
    view = coarse_view(observed)
    target = view.target
    there = np.maximum(100 / view.largest * others[view.inside], 0.0)
    before = float(((target - view.soft(there)) ** 2).sum())
    best, at = np.full(stack.size, -np.inf), strain.copy()
    for tried, patterns in _strained(coarse_grid(observed), stack, strain, doubt, view.inside):
        for scale in _SCALES:
            gain = 1 - ((target - view.soft(there + scale * patterns)) ** 2).sum(axis=1) / before
            better = gain > best
            best, at = np.where(better, gain, best), np.where(better, tried, at)
    return best, at


def _strained(
    grid: Grid, stack: Stack, strain: Floats, doubt: Floats, inside: NDArray[np.bool_]
) -> Iterator[tuple[Floats, Floats]]:
    """Strains ``(m,)`` and the blurred patterns at them, the largest value 1, ``(m, n)``."""
    n = int(np.ceil(_REACH * float(doubt.max(initial=0.0)) / _STRAIN_STEP))
    root = np.sqrt(stack.q)
    blur = np.exp(-0.5 * (COARSE_SIGMA * grid.frequencies) ** 2)
    for step in np.linspace(-_REACH, _REACH, 2 * n + 1) if n else np.zeros(1):
        tried = strain + step * doubt
        alpha = grid.lines[0][0]
        x = root * (1 - tried[stack.owner]) * alpha
        weight = stack.intensity * np.exp(-0.5 * THERMAL_B * x**2) * grid.factor(x)
        bins = sum(
            grid.deposit(x * (ratio / alpha), stack.owner, stack.size, weight[None] * share)[:, 0]
            for ratio, share in grid.lines
        )
        patterns = np.maximum(grid.cut(grid.transform(np.asarray(bins)) * blur)[:, inside], 0.0)
        largest = patterns.max(axis=1, keepdims=True)
        yield tried, patterns / np.where(largest > 0, largest, 1.0)
