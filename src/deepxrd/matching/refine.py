"""Structures refined against a scan, many at once: Gauss-Newton with priors on softened intensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.observed import FINE_STEP, Observed, View
from deepxrd.matching.profile import N_STRAIN, Grid, Stack, shape
from deepxrd.matching.screen import SOFTNESS, THERMAL_B, soft

Floats = NDArray[np.float64]

SCALE, SHIFT, WIDTH, LORENTZ, THERMAL, TEXTURE, STRAIN = range(7)
N_PARAMETERS = STRAIN + N_STRAIN
"""Logarithm of the scale; shift in degrees; logarithm of the width; share of the Lorentzian; B in Å²; logarithm of the
March-Dollase parameter; strains."""
TYPICAL_FWHM = 0.0014
"""1/Å, 0.12° for Cu Kα."""
_SHIFT_DOUBT, _WIDTH_DOUBT, _LORENTZ_DOUBT, _THERMAL_DOUBT, _TEXTURE_DOUBT = 0.05, 0.5, 0.3, 0.7, 0.4
_LOW = np.array([-np.inf, -0.6, np.log(2e-4), 0.0, -0.5, -1.2, *[-0.15] * N_STRAIN])
_HIGH = np.array([np.inf, 0.6, np.log(0.02), 1.0, 5.0, 1.2, *[0.15] * N_STRAIN])
_MISFIT = 0.25
"""Standard deviation of softened intensities that a right structure leaves: texture, absorption, wrong sites."""
STAGES = ((0.004, 0.001, 5), (0.002, 0.0004, 5), (0.001, 0.0002, 6))
"""Blur of both patterns, 1/Å; step of the grid; steps of the refinement. Coarse first, since lines must overlap."""


@dataclass(frozen=True, eq=False)
class Refined:
    """Structures refined, m of them.

    Attributes:
        stack: their reflections.
        parameters: ``(m, N_PARAMETERS)``.
        cost: half the sum of squares, priors included, of the last stage, ``(m,)``.
        texture: cos² of the angle between reflections and the axis of texture, see `texture_factor`.
    """

    stack: Stack
    parameters: Floats
    cost: Floats


@dataclass(frozen=True, eq=False)
class Prior:
    """What is expected of parameters, ``(m, N_PARAMETERS)`` each; a deviation of 0 keeps a parameter where it is."""

    mean: Floats
    deviation: Floats


def prior_of(strain: Floats, doubt: Floats, n_axes: NDArray[np.int64], n_free: NDArray[np.int64]) -> Prior:
    """The prior of each structure, without texture.

    Args:
        strain: expected of all lengths, ``(m,)``.
        doubt: its standard deviation, ``(m,)``.
        n_axes: how many of the free strains are along axes, ``(m,)``.
        n_free: free strains, ``(m,)``.
    """
    m = len(strain)
    mean, deviation = np.zeros((m, N_PARAMETERS)), np.zeros((m, N_PARAMETERS))
    mean[:, WIDTH], mean[:, LORENTZ], mean[:, THERMAL] = np.log(TYPICAL_FWHM), 0.5, THERMAL_B
    deviation[:, SCALE] = 1e3
    deviation[:, SHIFT], deviation[:, WIDTH], deviation[:, LORENTZ] = _SHIFT_DOUBT, _WIDTH_DOUBT, _LORENTZ_DOUBT
    deviation[:, THERMAL] = _THERMAL_DOUBT
    place = np.arange(N_STRAIN)
    mean[:, STRAIN:] = np.where(place < n_axes[:, None], strain[:, None], 0.0)
    deviation[:, STRAIN:] = np.where(place < n_free[:, None], doubt[:, None], 0.0)
    return Prior(mean, deviation)


def refine(observed: Observed, stack: Stack, prior: Prior, start: Floats, *, polarisation: float = 1.0, stages=STAGES) -> Refined:
    parameters = start.copy()
    cost = np.zeros(stack.size)
    for sigma, step, n_steps in stages:
        view, grid = observed.view(sigma, step), fine_grid(observed, step, polarisation)
        parameters, cost = _descend(view, grid, stack, prior, parameters, n_steps)
    return Refined(stack, parameters, cost)


def fine_grid(observed: Observed, step: float, polarisation: float) -> Grid:
    n = len(observed.x[:: round(step / FINE_STEP)])
    return Grid(observed.x[0], step, n, observed.lines, observed.wavelength_angstrom, polarisation)


def patterns(grid: Grid, stack: Stack, parameters: Floats, sigma: float) -> Floats:
    """Calculated patterns, ``(m, n)``."""
    return _model(grid, stack, parameters, sigma, slopes=False)[0]


def _model(grid: Grid, stack: Stack, parameters: Floats, sigma: float, *, slopes: bool = True) -> tuple[Floats, Floats]:
    """Patterns ``(m, n)``, and their derivatives ``(m, N_PARAMETERS, n)``."""
    p, owner = parameters[stack.owner].T, stack.owner
    q = np.maximum(stack.q + (p[STRAIN:] * stack.slopes).sum(axis=0), 1e-6)
    root = np.sqrt(q)
    weight = stack.intensity * grid.factor(root) * np.exp(-0.5 * p[THERMAL] * q)
    tilt = grid.tilt(root)
    x = root + p[SHIFT] * tilt
    rows = [weight]
    if slopes:
        rows += [weight * tilt, *(weight * 0.5 / root * stack.slopes), -0.5 * q * weight]
    weights = np.array(rows)
    bins = sum(
        grid.deposit(x * ratio, owner, stack.size, weights * share) for ratio, share in grid.lines
    )
    spectra = grid.transform(np.asarray(bins))
    scale = np.exp(parameters[:, SCALE])[:, None, None]
    line, by_width, by_share = shape(grid.frequencies, np.exp(parameters[:, WIDTH]), parameters[:, LORENTZ], sigma)
    line, by_width, by_share = (each[:, None, :] / grid.step * scale for each in (line, by_width, by_share))
    base = spectra[:, :1]
    if not slopes:
        return grid.cut(base * line)[:, 0], np.zeros(0)
    moved = -1j * grid.frequencies * line  # a line that moves up changes by minus its derivative
    out = [base * line, spectra[:, 1:2] * moved, base * by_width, base * by_share, spectra[:, 2 + N_STRAIN :] * line]
    out += [np.zeros_like(base), spectra[:, 2 : 2 + N_STRAIN] * moved]
    made = grid.cut(np.concatenate(out, axis=1))
    return made[:, 0], made


def _descend(
    view: View, grid: Grid, stack: Stack, prior: Prior, parameters: Floats, n_steps: int
) -> tuple[Floats, Floats]:
    """Steps of Levenberg and Marquardt, each structure with its own damping."""
    target = soft(view.pattern[view.inside])
    weight = grid.step / (2.5 * np.hypot(view.sigma, TYPICAL_FWHM / 2)) / _MISFIT**2  # neighbours are no new points
    parameters = _rescaled(view, grid, stack, parameters)
    free = prior.deviation > 0
    precision = np.where(free, 1 / np.where(free, prior.deviation, 1.0) ** 2, 0.0)
    damping = np.full(stack.size, 1e-2)

    def evaluate(values: Floats) -> tuple[Floats, Floats, Floats]:
        made, by = _model(grid, stack, values, view.sigma)
        made, by = np.maximum(made[:, view.inside], 0.0), by[:, :, view.inside]
        rest = target - soft(made)
        cost = 0.5 * weight * (rest**2).sum(axis=1) + 0.5 * (precision * (values - prior.mean) ** 2).sum(axis=1)
        by = by / (SOFTNESS + made)[:, None]
        return cost, rest, by

    cost, rest, by = evaluate(parameters)
    for _ in range(n_steps):
        gradient = weight * np.einsum("mpn,mn->mp", by, rest) - precision * (parameters - prior.mean)
        hessian = weight * (by @ by.transpose(0, 2, 1))
        diagonal = np.einsum("mpp->mp", hessian)
        diagonal += precision
        diagonal *= 1 + damping[:, None]
        fixed = ~free
        hessian[fixed[:, :, None] | fixed[:, None, :]] = 0.0
        np.einsum("mpp->mp", hessian)[fixed] = 1.0
        np.einsum("mpp->mp", hessian)[...] += 1e-9
        step = np.linalg.solve(hessian, np.where(free, gradient, 0.0)[..., None])[..., 0]
        tried = np.clip(parameters + step, _LOW, _HIGH)
        new_cost, new_rest, new_by = evaluate(tried)
        better = new_cost < cost
        parameters = np.where(better[:, None], tried, parameters)
        cost = np.where(better, new_cost, cost)
        rest = np.where(better[:, None], new_rest, rest)
        by = np.where(better[:, None, None], new_by, by)
        damping = np.where(better, damping * 0.3, damping * 8)
    return parameters, cost


def _rescaled(view: View, grid: Grid, stack: Stack, parameters: Floats) -> Floats:
    """The largest value of each pattern that of the scan."""
    made = patterns(grid, stack, parameters, view.sigma)[:, view.inside]
    out = parameters.copy()
    out[:, SCALE] += np.log(100.0 / np.maximum(made.max(axis=1), 1e-300))
    return out
