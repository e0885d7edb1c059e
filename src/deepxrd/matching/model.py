"""The calculated pattern of a structure, and its derivatives by all that is refined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.observed import FINE_STEP, Observed
from deepxrd.matching.profile import N_STRAIN, Grid, Stack, shape
from deepxrd.matching.texture import march_dollase

Floats = NDArray[np.float64]

SCALE, SHIFT, WIDTH, LORENTZ, THERMAL, TEXTURE, STRAIN = range(7)
N_PARAMETERS = STRAIN + N_STRAIN
"""Logarithm of the scale; shift in degrees; logarithm of the width in 1/Å; share of the Lorentzian; B in Å²; logarithm
of the March-Dollase parameter; strains."""


def grid_of(observed: Observed, step: float) -> Grid:
    """The grid of a view of a scan."""
    n = len(observed.x[:: round(step / FINE_STEP)])
    return Grid(float(observed.x[0]), step, n, observed.lines, observed.wavelength_angstrom, observed.polarisation)


def calculated(grid: Grid, stack: Stack, parameters: Floats, sigma: float) -> Floats:
    """Counts of each structure, ``(m, n)``.

    Args:
        grid: where.
        stack: m structures.
        parameters: ``(m, N_PARAMETERS)``.
        sigma: of a further Gaussian blur, 1/Å.
    """
    weights, _, x = _weights(grid, stack, parameters, slopes=False)
    spectra = _spectra(grid, stack, x, weights)
    line, _, _ = shape(grid.frequencies, np.exp(parameters[:, WIDTH]), parameters[:, LORENTZ], sigma)
    scale = np.exp(parameters[:, SCALE])[:, None] / grid.step
    return grid.cut(spectra[:, 0] * line * scale)


def calculated_with_slopes(grid: Grid, stack: Stack, parameters: Floats, sigma: float) -> Floats:
    """Counts, which are their own derivative by the logarithm of the scale, and all other derivatives.

    Returns:
        ``(m, N_PARAMETERS, n)``.
    """
    weights, moved, x = _weights(grid, stack, parameters, slopes=True)
    spectra = _spectra(grid, stack, x, np.concatenate([weights, moved]))
    shapes = shape(grid.frequencies, np.exp(parameters[:, WIDTH]), parameters[:, LORENTZ], sigma)
    scale = np.exp(parameters[:, SCALE])[:, None, None] / grid.step
    line, by_width, by_share = (each[:, None, :] * scale for each in shapes)
    base, by_factor, by_place = spectra[:, :1], spectra[:, 1:3], spectra[:, 3:]
    by_place = by_place * (-1j * grid.frequencies * line)  # a line that moves up changes by minus its derivative
    made = [base * line, by_place[:, :1], base * by_width, base * by_share, by_factor * line, by_place[:, 1:]]
    return grid.cut(np.concatenate(made, axis=1))


def _weights(grid: Grid, stack: Stack, parameters: Floats, *, slopes: bool) -> tuple[Floats, Floats, Floats]:
    """Intensities with their derivatives by B and texture ``(3, n)``, weights of lines that move, and places."""
    p = parameters[stack.owner].T
    q = np.maximum(stack.q + (p[STRAIN:] * stack.slopes).sum(axis=0), 1e-6)
    root = np.sqrt(q)
    weight = stack.intensity * grid.factor(root) * np.exp(-0.5 * p[THERMAL] * q)
    by_texture = np.zeros_like(weight)
    if stack.cosines is not None:
        factor, slope = march_dollase(stack.cosines, p[TEXTURE])
        weight, by_texture = weight * factor, weight * slope
    tilt = grid.tilt(root)
    x = root + p[SHIFT] * tilt
    if not slopes:
        return weight[None], np.zeros((0, len(x))), x
    return (
        np.array([weight, -0.5 * q * weight, by_texture]),
        np.array([weight * tilt, *(weight * 0.5 / root * stack.slopes)]),
        x,
    )


def _spectra(grid: Grid, stack: Stack, x: Floats, weights: Floats) -> NDArray[np.complex128]:
    bins = sum(grid.deposit(x * ratio, stack.owner, stack.size, weights * share) for ratio, share in grid.lines)
    return grid.transform(np.asarray(bins))
