"""Which structure alone explains a scan best: a first look at all, then the best refined, at last with texture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.library.space_groups import crystal_family, space_group
from deepxrd.matching.candidate import Candidate, symmetrised
from deepxrd.matching.model import STRAIN, TEXTURE, calculated, grid_of
from deepxrd.matching.observed import COARSE_STEP, FINE_STEP, Observed
from deepxrd.matching.phases import PhaseToTry
from deepxrd.matching.profile import N_STRAIN, Grid, Stack
from deepxrd.matching.refine import STAGES, Prior, prior_of, refine_each
from deepxrd.matching.screen import COARSE_SIGMA, correlation, screen, screen_beside
from deepxrd.matching.texture import texture_axes, texture_cosines

Floats = NDArray[np.float64]
Axis = tuple[int, int, int]
"""Of texture: h, k, l of the conventional cell."""
Beside = Callable[[Grid, float], Floats]
"""Counts that other phases make on a grid at a blur, ``(n,)``."""

N_REFINED, N_TEXTURED = 20, 8
"""Structures that are refined, some once more in a higher symmetry; and of them with texture and at full resolution."""
HULL_WEIGHT, TEXTURE_WEIGHT = 0.2, 0.05
"""Taken off a similarity per eV/atom above the hull, and per unit of the logarithm of March and Dollase's parameter."""
PRIOR_WEIGHT = 0.005
"""Taken off per unit of minus the logarithm of a predicted structure's probability."""
CELL_WEIGHT = 0.005
"""Taken off per standard deviation that a cell is unusual: of two that fit alike, as chromium and iron do, it tells."""
FINE_SIGMA = 0.001
"""1/Å: 0.1° for Cu Kα."""
N_AXES = 3
"""Strains along axes, which come first of those that are free."""
_MOST_DEVIATIONS = 4.0
_ALIKE = 0.005  # of scores of one formula
_AT_ONCE = 64
_LEAST_PROBABILITY = 1e-3
_BEGUN_WITH = (-0.3, 0.3)  # of the logarithm of March and Dollase's parameter, in cubic structures
_LEAST_GAIN = 0.2  # part of the squared misfit that texture of a cubic structure must explain
_PER_FORMULA = 4  # structures of one formula among those that are refined: some formulas have dozens that look alike


@dataclass(frozen=True, eq=False)
class Fit:
    """A structure as it fits.

    Attributes:
        candidate: the structure.
        parameters: refined, ``(N_PARAMETERS,)``; see `deepxrd.matching.model`.
        coarse, fine: correlations of softened patterns at two resolutions.
        cosines: of its texture, ``(n, n_images)``; None where none was looked at.
        axis: of its texture, h, k, l of the conventional cell.
    """

    candidate: Candidate
    parameters: Floats
    coarse: float
    fine: float
    cosines: Floats | None = None
    axis: Axis | None = None

    @property
    def phase(self) -> PhaseToTry:
        """The structure."""
        return self.candidate.phase

    @property
    def similarity(self) -> float:
        """The mean of both correlations."""
        return (self.coarse + self.fine) / 2

    @property
    def doubt(self) -> float:
        """What makes the phase less believable than its similarity: its energy, and the texture and cell it needs."""
        unlikely = -float(np.log(max(self.phase.probability, _LEAST_PROBABILITY)))
        needed = TEXTURE_WEIGHT * abs(float(self.parameters[TEXTURE])) + CELL_WEIGHT * self.strain_deviation
        return HULL_WEIGHT * self.phase.hull + PRIOR_WEIGHT * unlikely + needed

    @property
    def strain_deviation(self) -> float:
        """How far the refined cell is from what is expected of it, in standard deviations: root mean square, 4 at most.

        Over the strains that symmetry leaves free; those that change angles are expected to be zero.
        """
        n_free, phase = len(self.candidate.reflections.slopes), self.phase
        expected = np.where(np.arange(n_free) < N_AXES, phase.strain, 0.0)
        off = (self.parameters[STRAIN : STRAIN + n_free] - expected) / phase.doubt
        return min(float(np.sqrt((off**2).mean())), _MOST_DEVIATIONS)

    @property
    def score(self) -> float:
        """Similarity less doubt."""
        return self.similarity - self.doubt


def best_single(observed: Observed, candidates: Sequence[Candidate]) -> list[Fit]:
    """Fits of the structures that alone explain a scan best, the best first."""
    if not candidates:
        return []
    similarity, strain = looked_at(observed, candidates)
    rough = similarity - HULL_WEIGHT * np.array([each.phase.hull for each in candidates])
    some, at = to_refine(observed, candidates, rough, strain, N_REFINED)
    prior = prior_for(some)
    stack = Stack.of([each.reflections for each in some])
    start = start_at(prior, some, at)
    parameters, _ = refine_each(observed, stack, prior, start, stages=STAGES[:2])
    fits = judged(observed, some, stack, parameters)
    best = distinct(some, np.array([fit.score for fit in fits]), N_TEXTURED)
    found = textured(observed, [some[i] for i in best], prior.take(np.array(best)), parameters[best])
    return simplest_first(sorted(found, key=lambda fit: -fit.score))


def simplest_first(fits: Sequence[Fit]) -> list[Fit]:
    """The same fits, where of each formula the simplest of those that fit alike stands in the place of its best.

    A distorted structure of lower symmetry has more to refine, and so fits noise a little better than the simple one.

    Args:
        fits: the best first.
    """
    out = list(fits)
    for formula in dict.fromkeys(fit.phase.formula for fit in fits):
        places = [place for place, fit in enumerate(out) if fit.phase.formula == formula]
        best = out.index(simplest([(out[place], out[place].score) for place in places]))
        out[places[0]], out[best] = out[best], out[places[0]]
    return out


def simplest(scored: Sequence[tuple[Fit, float]]) -> Fit:
    """Of fits of one formula with their scores, the best first, the simplest of those that are alike."""
    alike = [fit for fit, score in scored if score >= scored[0][1] - _ALIKE]
    return min(alike, key=lambda fit: _complexity(fit.candidate))


def _complexity(candidate: Candidate) -> tuple[float, ...]:
    """What simple structures have less of: free strains, sites moved to a higher symmetry, lack of it, atoms.

    By the order of the point group, since quartz and its mirror image are alike.
    """
    phase, order = candidate.phase, space_group(candidate.phase.setting).operations.n_point
    return len(candidate.reflections.slopes), phase.moved_angstrom, -order, len(phase.crystal.atomic_numbers)


def looked_at(
    observed: Observed, candidates: Sequence[Candidate], others: Floats | None = None
) -> tuple[Floats, Floats]:
    """What a first look gives of each candidate, see `screen` and `screen_beside`: how well it fits, and strain."""
    found = []
    for start in range(0, len(candidates), _AT_ONCE):
        some = candidates[start : start + _AT_ONCE]
        stack = Stack.of([each.reflections for each in some])
        strain, doubt = (np.array([getattr(each.phase, name) for each in some]) for name in ("strain", "doubt"))
        if others is None:
            found.append(screen(observed, stack, strain, doubt))
        else:
            found.append(screen_beside(observed, stack, strain, doubt, others))
    return np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])


def distinct(candidates: Sequence[Candidate], score: Floats, n: int) -> list[int]:
    """Places of the n best, few entries of each formula among them: its best, then the simplest of those alike."""
    seen: dict[Formula, set[tuple[object, ...]]] = {}
    out: list[int] = []
    for i in _simple_before_alike(candidates, score):
        phase = candidates[i].phase
        entries = seen.setdefault(phase.formula, set())
        if phase.entry in entries or len(entries) < _PER_FORMULA:
            entries.add(phase.entry)
            out.append(i)
        if len(out) == n:
            break
    return out


def _simple_before_alike(candidates: Sequence[Candidate], score: Floats) -> list[int]:
    """Places by score; after the best of a formula come those alike in the order of how simple they are."""
    of_formula: dict[Formula, list[int]] = {}
    order = np.argsort(-score, kind="stable").tolist()
    for i in order:
        of_formula.setdefault(candidates[i].phase.formula, []).append(i)
    nth: dict[Formula, Iterator[int]] = {}
    for formula, (best, *others) in of_formula.items():
        alike = [i for i in others if score[i] >= score[best] - _ALIKE]
        simple = sorted(alike, key=lambda i: _complexity(candidates[i]))
        nth[formula] = iter([best, *simple, *others[len(alike) :]])
    return [next(nth[candidates[i].phase.formula]) for i in order]


def to_refine(
    observed: Observed, candidates: Sequence[Candidate], score: Floats, strain: Floats, n: int
) -> tuple[list[Candidate], Floats]:
    """What is refined: the n best of `distinct`, and those of them once more that nearly have a higher symmetry.

    Returns:
        The candidates, and the strains at which they begin.
    """
    some, at = [], []
    for i in distinct(candidates, score, n):
        each = candidates[i]
        for variant in (each, *symmetrised(observed, each)):
            some.append(variant)
            at.append(strain[i])
    return some, np.array(at)


def prior_for(candidates: Sequence[Candidate]) -> Prior:
    """What is expected of the parameters of candidates."""
    return prior_of(
        np.array([each.phase.strain for each in candidates]),
        np.array([each.phase.doubt for each in candidates]),
        np.array([len(each.reflections.slopes) for each in candidates]),
    )


def start_at(prior: Prior, candidates: Sequence[Candidate], strain: Floats) -> Floats:
    """Parameters to begin with: what is expected, at one strain of all lengths of each."""
    start = prior.mean.copy()
    n_axes = np.array([min(len(each.reflections.slopes), N_AXES) for each in candidates])
    start[:, STRAIN:] = np.where(np.arange(N_STRAIN) < n_axes[:, None], strain[:, None], 0.0)
    return start


def textured(
    observed: Observed,
    candidates: Sequence[Candidate],
    prior: Prior,
    parameters: Floats,
    *,
    beside: Beside | None = None,
) -> list[Fit]:
    """Fits at full resolution, each with the axis of texture that suits it best.

    In a cubic structure cos² has the mean 1/3 over each orbit, so that at r = 1 no intensity has a slope by r, and a
    refinement stays there. So grains along the axis and across it are begun with, too, and taken where that is clearly
    better.

    Args:
        observed: the scan.
        candidates: m structures.
        prior: of their parameters.
        parameters: refined without texture, ``(m, N_PARAMETERS)``.
        beside: what other phases make.
    """
    owner, axes, cosines, log_r = [], [], [], []
    for number, each in enumerate(candidates):
        phase = each.phase
        of_axis = {
            axis: texture_cosines(phase.crystal, phase.setting, each.reflections.hkl, axis)
            for axis in texture_axes(phase.setting)
        }
        for axis, begin in _begun_with(list(of_axis), is_cubic=crystal_family(phase.setting) == "cubic"):
            owner.append(number)
            axes.append(axis)
            cosines.append(of_axis[axis])
            log_r.append(begin)
    rows = np.array(owner)
    prior = prior.with_texture()
    stack = Stack.of([candidates[i].reflections for i in owner], cosines)
    start = parameters[rows]
    start[:, TEXTURE] += log_r
    tried, cost = refine_each(
        observed, stack, prior.take(rows), start, stages=STAGES[1:2], beside=beside, fresh_scale=False
    )
    cost = np.where(np.array(log_r) == 0, (1 - _LEAST_GAIN) * cost, cost)
    best = [int(np.flatnonzero(rows == i)[np.argmin(cost[rows == i])]) for i in range(len(candidates))]
    stack = Stack.of([each.reflections for each in candidates], [cosines[i] for i in best])
    refined, _ = refine_each(observed, stack, prior, tried[best], stages=STAGES[2:], beside=beside, fresh_scale=False)
    return judged(observed, candidates, stack, refined, [(axes[i], cosines[i]) for i in best])


def _begun_with(axes: Sequence[Axis], *, is_cubic: bool) -> list[tuple[Axis, float]]:
    """Axes of texture, each with the logarithms of r that its refinement begins with; at r = 1 cubic ones are alike."""
    if is_cubic:
        return [(axes[0], 0.0), *product(axes, _BEGUN_WITH)]
    return [(axis, 0.0) for axis in axes]


def judged(
    observed: Observed,
    candidates: Sequence[Candidate],
    stack: Stack,
    parameters: Floats,
    texture: Sequence[tuple[Axis, Floats]] | None = None,
) -> list[Fit]:
    """Refined structures with their similarities.

    Args:
        observed: the scan.
        candidates: m structures.
        stack: of their reflections.
        parameters: ``(m, N_PARAMETERS)``.
        texture: axis and cosines of each.
    """
    views = ((COARSE_SIGMA, COARSE_STEP), (FINE_SIGMA, FINE_STEP))
    coarse, fine = (similarity(observed, stack, parameters, sigma, step) for sigma, step in views)
    return [
        Fit(
            each,
            parameters[i],
            float(coarse[i]),
            float(fine[i]),
            None if texture is None else texture[i][1],
            None if texture is None else texture[i][0],
        )
        for i, each in enumerate(candidates)
    ]


def attainable(observed: Observed) -> float:
    """The similarity that the noise of a scan leaves to the truth."""
    views = ((COARSE_SIGMA, COARSE_STEP), (FINE_SIGMA, FINE_STEP))
    return float(np.mean([observed.view(sigma, step).attainable for sigma, step in views]))


def similarity(
    observed: Observed, stack: Stack, parameters: Floats, sigma: float, step: float, *, as_one: bool = False
) -> Floats:
    """Correlation of calculated patterns with the scan, softened and blurred, ``(m,)``; or of their sum, ``(1,)``."""
    view, grid = observed.view(sigma, step), grid_of(observed, step)
    made = calculated(grid, stack, parameters, sigma)[:, view.inside]
    if as_one:
        made = made.sum(axis=0, keepdims=True)
    largest = made.max(axis=1, keepdims=True)
    return correlation(view.target, view.soft(100 * made / np.where(largest > 0, largest, 1.0)))
