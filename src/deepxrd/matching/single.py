"""Which structure alone explains a scan best: a first look at all, then the best refined, at last with texture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.model import N_PARAMETERS, STRAIN, TEXTURE, calculated, grid_of
from deepxrd.matching.observed import COARSE_STEP, FINE_STEP, Observed
from deepxrd.matching.phases import PhaseToTry
from deepxrd.matching.profile import N_STRAIN, Grid, Stack
from deepxrd.matching.reflections import Reflections, texture_axes, texture_cosines
from deepxrd.matching.refine import STAGES, Prior, prior_of, refine_each
from deepxrd.matching.screen import COARSE_SIGMA, coarse_grid, coarse_view, correlation, screen, soft

Floats = NDArray[np.float64]

N_REFINED, N_TEXTURED = 20, 8
"""Structures that are refined at all, and those of them with texture and at full resolution."""
HULL_WEIGHT, TEXTURE_WEIGHT = 0.2, 0.05
"""Taken off a similarity per eV/atom above the hull, and per unit of the logarithm of March and Dollase's parameter."""
FINE_SIGMA = 0.001
_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Candidate:
    """A structure with its reflections, ready to be tried.

    Attributes:
        phase: the structure.
        reflections: in the range of the scan.
    """

    phase: PhaseToTry
    reflections: Reflections


@dataclass(frozen=True, eq=False)
class Fit:
    """A structure as it fits.

    Attributes:
        candidate: the structure.
        parameters: refined, ``(N_PARAMETERS,)``; see `deepxrd.matching.model`.
        cosines: of its texture, ``(n, n_images)``; None where none was looked at.
        axis: of its texture, h, k, l of the conventional cell.
        coarse, fine: correlations of softened patterns at two resolutions.
    """

    candidate: Candidate
    parameters: Floats
    coarse: float
    fine: float
    cosines: Floats | None = None
    axis: tuple[int, int, int] | None = None

    @property
    def phase(self) -> PhaseToTry:
        """The structure."""
        return self.candidate.phase

    @property
    def similarity(self) -> float:
        """The mean of both correlations."""
        return (self.coarse + self.fine) / 2

    @property
    def score(self) -> float:
        """Similarity less what makes the fit less believable."""
        return (
            self.similarity - HULL_WEIGHT * self.phase.hull - TEXTURE_WEIGHT * abs(float(self.parameters[TEXTURE]))
        )


def best_single(observed: Observed, candidates: Sequence[Candidate], *, n_refined=N_REFINED, n_textured=N_TEXTURED) -> list[Fit]:
    """Fits of the structures that alone explain a scan best, the best first."""
    if not candidates:
        return []
    similarity, strain = screened(observed, candidates)
    rough = similarity - HULL_WEIGHT * np.array([each.phase.hull for each in candidates])
    order = np.argsort(-rough, kind="stable")[:n_refined]
    chosen = [candidates[i] for i in order.tolist()]
    prior, start = prior_for(chosen), None
    start = start_at(prior, chosen, strain[order])
    stack = Stack.of([each.reflections for each in chosen])
    parameters, _ = refine_each(observed, stack, prior, start, stages=STAGES[:2])
    fits = judged(observed, chosen, stack, parameters)
    best = sorted(range(len(fits)), key=lambda i: -fits[i].score)[:n_textured]
    return sorted(
        textured(observed, [chosen[i] for i in best], prior.take(np.array(best)), parameters[best]),
        key=lambda fit: -fit.score,
    )


def screened(observed: Observed, candidates: Sequence[Candidate]) -> tuple[Floats, Floats]:
    """Similarity and strain of each candidate at a first look."""
    view, grid = coarse_view(observed), coarse_grid(observed)
    found = []
    for start in range(0, len(candidates), _AT_ONCE):
        some = candidates[start : start + _AT_ONCE]
        stack = Stack.of([each.reflections for each in some])
        expected = np.array([each.phase.strain for each in some])
        doubt = np.array([each.phase.doubt for each in some])
        found.append(screen(view, grid, stack, expected, doubt))
    return np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])


def prior_for(candidates: Sequence[Candidate]) -> Prior:
    """What is expected of the parameters of candidates."""
    return prior_of(
        np.array([each.phase.strain for each in candidates]),
        np.array([each.phase.doubt for each in candidates]),
        np.array([len(each.reflections.slopes) for each in candidates]),
    )


def start_at(prior: Prior, candidates: Sequence[Candidate], strain: Floats) -> Floats:
    """Parameters to begin with: what is expected, at a strain of all lengths."""
    start = prior.mean.copy()
    n_axes = np.array([min(len(each.reflections.slopes), 3) for each in candidates])
    start[:, STRAIN:] = np.where(np.arange(N_STRAIN) < n_axes[:, None], strain[:, None], 0.0)
    return start


def textured(
    observed: Observed,
    candidates: Sequence[Candidate],
    prior: Prior,
    parameters: Floats,
    *,
    beside: Callable[[Grid, float], Floats] | None = None,
) -> list[Fit]:
    """Fits at full resolution, each with the axis of texture that suits it best."""
    owner, axes, cosines = [], [], []
    for number, each in enumerate(candidates):
        phase = each.phase
        for axis in texture_axes(phase.setting):
            owner.append(number)
            axes.append(axis)
            cosines.append(texture_cosines(phase.crystal, phase.setting, each.reflections.hkl, axis))
    rows = np.array(owner)
    prior = prior.with_texture()
    stack = Stack.of([candidates[i].reflections for i in owner], cosines)
    tried, cost = refine_each(
        observed, stack, prior.take(rows), parameters[rows], stages=STAGES[1:2], beside=beside, fresh_scale=False
    )
    best = [int(np.flatnonzero(rows == i)[np.argmin(cost[rows == i])]) for i in range(len(candidates))]
    stack = Stack.of([each.reflections for each in candidates], [cosines[i] for i in best])
    refined, _ = refine_each(
        observed, stack, prior, tried[best], stages=STAGES[2:], beside=beside, fresh_scale=False
    )
    return judged(observed, candidates, stack, refined, [cosines[i] for i in best], [axes[i] for i in best])


def judged(
    observed: Observed,
    candidates: Sequence[Candidate],
    stack: Stack,
    parameters: Floats,
    cosines: Sequence[Floats] | None = None,
    axes: Sequence[tuple[int, int, int]] | None = None,
) -> list[Fit]:
    """Refined structures with their similarities."""
    coarse = similarities(observed, stack, parameters, COARSE_SIGMA, COARSE_STEP)
    fine = similarities(observed, stack, parameters, FINE_SIGMA, FINE_STEP)
    return [
        Fit(
            each,
            parameters[i],
            float(coarse[i]),
            float(fine[i]),
            None if cosines is None else cosines[i],
            None if axes is None else axes[i],
        )
        for i, each in enumerate(candidates)
    ]


def similarities(observed: Observed, stack: Stack, parameters: Floats, sigma: float, step: float) -> Floats:
    """Correlation of each calculated pattern with the scan, both softened and blurred."""
    view, grid = observed.view(sigma, step), grid_of(observed, step)
    made = calculated(grid, stack, parameters, sigma)[:, view.inside]
    largest = made.max(axis=1, keepdims=True)
    return correlation(soft(view.pattern[view.inside]), soft(100 * made / np.where(largest > 0, largest, 1.0)))
