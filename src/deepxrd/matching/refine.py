"""Structures refined against a scan: Gauss-Newton with priors on softened intensities, many alone or some together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.model import (
    LORENTZ,
    N_PARAMETERS,
    SCALE,
    SHIFT,
    STRAIN,
    TEXTURE,
    THERMAL,
    WIDTH,
    calculated,
    calculated_with_slopes,
    grid_of,
)
from deepxrd.matching.observed import Observed, View
from deepxrd.matching.profile import N_STRAIN, Grid, Stack
from deepxrd.matching.screen import THERMAL_B

Floats = NDArray[np.float64]

TYPICAL_FWHM = 0.0014
"""1/Å, 0.12° for Cu Kα."""
TEXTURE_DOUBT = 0.4
_SHIFT_DOUBT, _WIDTH_DOUBT, _LORENTZ_DOUBT, _THERMAL_DOUBT = 0.05, 0.5, 0.3, 0.7
_LOW = np.array([-150.0, -0.6, np.log(2e-4), 0.0, -0.5, -1.2, *[-0.15] * N_STRAIN])
_HIGH = np.array([150.0, 0.6, np.log(0.02), 1.0, 5.0, 1.2, *[0.15] * N_STRAIN])
_MISFIT = 0.25
"""Standard deviation of softened intensities that a right structure leaves: texture, absorption, wrong sites."""
Stages = tuple[tuple[float, float, int], ...]
STAGES: Stages = ((0.004, 0.001, 5), (0.002, 0.0004, 5), (0.001, 0.0002, 6))
"""Blur of both patterns, 1/Å; step of the grid; steps of the refinement. Coarse first, since lines must overlap."""


@dataclass(frozen=True, eq=False)
class Prior:
    """What is expected of parameters, ``(m, N_PARAMETERS)`` each; a deviation of 0 keeps a parameter where it is."""

    mean: Floats
    deviation: Floats

    def take(self, rows: NDArray[np.int64]) -> Prior:
        """That of some structures."""
        return Prior(self.mean[rows], self.deviation[rows])

    def with_texture(self) -> Prior:
        """The same, and texture is refined."""
        deviation = self.deviation.copy()
        deviation[:, TEXTURE] = TEXTURE_DOUBT
        return Prior(self.mean, deviation)


def prior_of(strain: Floats, doubt: Floats, n_free: NDArray[np.int64]) -> Prior:
    """The prior of each structure, without texture.

    Args:
        strain: expected of all lengths, ``(m,)``.
        doubt: its standard deviation, ``(m,)``.
        n_free: free strains of each, ``(m,)``; the first three, or all if they are fewer, are along axes.
    """
    m = len(strain)
    mean, deviation = np.zeros((m, N_PARAMETERS)), np.zeros((m, N_PARAMETERS))
    mean[:, WIDTH], mean[:, LORENTZ], mean[:, THERMAL] = np.log(TYPICAL_FWHM), 0.5, THERMAL_B
    deviation[:, SCALE] = 1e3
    deviation[:, SHIFT], deviation[:, WIDTH], deviation[:, LORENTZ] = _SHIFT_DOUBT, _WIDTH_DOUBT, _LORENTZ_DOUBT
    deviation[:, THERMAL] = _THERMAL_DOUBT
    place = np.arange(N_STRAIN)
    mean[:, STRAIN:] = np.where(place < np.minimum(n_free, 3)[:, None], strain[:, None], 0.0)
    deviation[:, STRAIN:] = np.where(place < n_free[:, None], doubt[:, None], 0.0)
    return Prior(mean, deviation)


def refine_each(
    observed: Observed,
    stack: Stack,
    prior: Prior,
    start: Floats,
    *,
    stages: Stages = STAGES,
    beside: Callable[[Grid, float], Floats] | None = None,
    fresh_scale: bool = True,
) -> tuple[Floats, Floats]:
    """Refine each structure alone.

    Args:
        observed: the scan.
        stack: m structures.
        prior: of their parameters.
        start: of the parameters, ``(m, N_PARAMETERS)``.
        stages: see `STAGES`.
        beside: counts that other phases make on a grid at a blur, which stay as they are.
        fresh_scale: whether the scales that are given say nothing.

    Returns:
        Parameters ``(m, N_PARAMETERS)``; and half the sum of squares of the last stage, priors included, ``(m,)``.
    """
    parameters, cost = start.copy(), np.zeros(stack.size)
    for number, (sigma, step, n_steps) in enumerate(stages):
        view, grid = observed.view(sigma, step), grid_of(observed, step)
        others = np.zeros(grid.n) if beside is None else beside(grid, sigma)
        if fresh_scale and number == 0:
            parameters = _scaled_to(view, grid, stack, parameters, others)
        parameters, cost = _descend(_alone(view, grid, stack, others), prior, parameters, n_steps)
    return parameters, cost


def refine_together(
    observed: Observed,
    stack: Stack,
    prior: Prior,
    start: Floats,
    *,
    stages: Stages = STAGES[1:],
) -> tuple[Floats, float]:
    """Refine structures that make up one scan, with one shift for all.

    Returns:
        Parameters ``(m, N_PARAMETERS)``; and half the sum of squares of the last stage, priors included.
    """
    m = stack.size
    place = np.arange(m * N_PARAMETERS).reshape(m, N_PARAMETERS)
    place[1:, SHIFT] = place[0, SHIFT]
    joint = Prior(
        prior.mean.reshape(1, -1),
        np.where(place == np.arange(place.size).reshape(place.shape), prior.deviation, 0.0).reshape(1, -1),
    )
    parameters, cost = start.copy(), np.zeros(1)
    parameters[:, SHIFT] = start[0, SHIFT]
    bounds = (np.tile(_LOW, m), np.tile(_HIGH, m))
    for sigma, step, n_steps in stages:
        view, grid = observed.view(sigma, step), grid_of(observed, step)
        evaluate = _together(view, grid, stack, place)
        found, cost = _descend(evaluate, joint, parameters.reshape(1, -1), n_steps, bounds=bounds)
        parameters = found[:, place.ravel()].reshape(m, N_PARAMETERS)
    return parameters, float(cost[0])


Evaluate = Callable[[Floats], tuple[Floats, Floats, Floats]]
"""From parameters ``(m, p)`` to half the sum of squares, minus its gradient, and the curvature: ``(m,)``, ``(m, p)``,
``(m, p, p)``; priors are left to `_descend`."""


def _weight(view: View, grid: Grid) -> float:
    """Of a point of the grid: neighbours under one line are no new points."""
    return grid.step / (2.5 * float(np.hypot(view.sigma, TYPICAL_FWHM / 2))) / _MISFIT**2


def _alone(view: View, grid: Grid, stack: Stack, others: Floats) -> Evaluate:
    target, weight, unit = view.target, _weight(view, grid), 100.0 / view.largest
    others = unit * others[view.inside]

    def evaluate(parameters: Floats) -> tuple[Floats, Floats, Floats]:
        slopes = unit * calculated_with_slopes(grid, stack, parameters, view.sigma)[:, :, view.inside]
        made = np.maximum(slopes[:, 0], 0.0) + others
        rest = target - view.soft(made)
        slopes /= (view.softness + made)[:, None]
        return (
            0.5 * weight * (rest**2).sum(axis=1),
            weight * np.einsum("mpn,mn->mp", slopes, rest),
            weight * (slopes @ slopes.transpose(0, 2, 1)),
        )

    return evaluate


def _together(view: View, grid: Grid, stack: Stack, place: NDArray[np.int64]) -> Evaluate:
    target, weight, unit = view.target, _weight(view, grid), 100.0 / view.largest

    def evaluate(parameters: Floats) -> tuple[Floats, Floats, Floats]:
        each = parameters[0][place]
        slopes = unit * calculated_with_slopes(grid, stack, each, view.sigma)[:, :, view.inside]
        made = np.maximum(slopes[:, 0], 0.0).sum(axis=0)
        slopes[0, SHIFT] = slopes[:, SHIFT].sum(axis=0)
        flat = slopes.reshape(place.size, -1) / (view.softness + made)
        rest = target - view.soft(made)
        return (
            np.array([0.5 * weight * (rest**2).sum()]),
            weight * (flat @ rest)[None],
            weight * (flat @ flat.T)[None],
        )

    return evaluate


def _descend(
    evaluate: Evaluate,
    prior: Prior,
    parameters: Floats,
    n_steps: int,
    *,
    bounds: tuple[Floats, Floats] = (_LOW, _HIGH),
) -> tuple[Floats, Floats]:
    """Steps of Levenberg and Marquardt, each row with its own damping."""
    free = prior.deviation > 0
    fixed = ~free
    precision = np.where(free, 1 / np.where(free, prior.deviation, 1.0) ** 2, 0.0)
    damping = np.full(len(parameters), 1e-2)

    def with_prior(values: Floats) -> tuple[Floats, Floats, Floats]:
        cost, downhill, curvature = evaluate(values)
        away = values - prior.mean
        np.einsum("mpp->mp", curvature)[...] += precision
        return cost + 0.5 * (precision * away**2).sum(axis=1), downhill - precision * away, curvature

    cost, downhill, curvature = with_prior(parameters)
    for _ in range(n_steps):
        matrix = curvature.copy()
        matrix[fixed[:, :, None] | fixed[:, None, :]] = 0.0
        diagonal = np.einsum("mpp->mp", matrix)
        diagonal *= 1 + damping[:, None]
        diagonal[fixed] = 1.0
        diagonal += 1e-9
        step = np.linalg.solve(matrix, np.where(free, downhill, 0.0)[..., None])[..., 0]
        tried = np.clip(parameters + step, *bounds)
        new_cost, new_downhill, new_curvature = with_prior(tried)
        better = new_cost < cost
        parameters = np.where(better[:, None], tried, parameters)
        cost = np.where(better, new_cost, cost)
        downhill = np.where(better[:, None], new_downhill, downhill)
        curvature = np.where(better[:, None, None], new_curvature, curvature)
        damping = np.where(better, damping * 0.3, damping * 8)
    return parameters, cost


def _scaled_to(view: View, grid: Grid, stack: Stack, parameters: Floats, others: Floats) -> Floats:
    """The largest value of each pattern that of what others leave of the scan."""
    made = calculated(grid, stack, parameters, view.sigma)[:, view.inside].max(axis=1)
    left = float((view.pattern * view.largest / 100 - others)[view.inside].max())
    out = parameters.copy()
    out[:, SCALE] += np.log(max(left, 1e-3 * view.largest) / np.maximum(made, 1e-300))
    out[:, SCALE] = np.clip(out[:, SCALE], _LOW[SCALE], _HIGH[SCALE])  # a structure may have no line there
    return out
