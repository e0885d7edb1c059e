"""Several phases in one scan: each is added only if what is left asks for it, and kept only if it is missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.candidate import Candidate, symmetrised
from deepxrd.matching.cells import refined_crystal
from deepxrd.matching.model import SCALE, SHIFT, calculated, grid_of
from deepxrd.matching.observed import COARSE_STEP, FINE_STEP, Observed
from deepxrd.matching.profile import Grid, Stack
from deepxrd.matching.refine import STAGES, Stages, refine_each, refine_together
from deepxrd.matching.reflections import density
from deepxrd.matching.screen import COARSE_SIGMA
from deepxrd.matching.single import (
    FINE_SIGMA,
    Fit,
    distinct,
    looked_at,
    prior_for,
    similarity,
    simplest,
    start_at,
    textured,
    to_refine,
)

Floats = NDArray[np.float64]

MOST_PHASES = 4
LEAST_GAIN = 0.2
"""Part of the squared misfit that a phase must explain to be added, or to be kept."""
LEAST_WEIGHT = 0.005
"""Share by weight below which a phase is not believed."""
_HULL_PENALTY = 0.5  # relative to the misfit, per eV/atom
_N_REFINED, _N_TEXTURED = 20, 5
_CLEARLY = 0.01  # of scores: a rival must lead by more to take the place of a phase
_OWN_RESOLUTION = ((0.0003, FINE_STEP, 8),)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Phases that together explain a scan.

    Attributes:
        fits: of each phase, with its parameters in the mixture.
        coarse, fine: correlations of the softened patterns, all phases together.
        cost: half the sum of squares, priors included.
    """

    fits: tuple[Fit, ...]
    coarse: float
    fine: float
    cost: float

    @property
    def similarity(self) -> float:
        """The mean of both correlations."""
        return (self.coarse + self.fine) / 2

    @property
    def stack(self) -> Stack:
        """Reflections of all phases."""
        return _stack(self.fits)

    @property
    def parameters(self) -> Floats:
        """Of all phases, ``(n_phases, N_PARAMETERS)``."""
        return np.array([fit.parameters for fit in self.fits])

    @property
    def weight_fractions(self) -> Floats:
        """Share of each phase by weight, ``(n_phases,)``.

        From scales by volume and densities: Hill & Howard, J. Appl. Cryst. 20 (1987) 467. Grains are taken to be so
        fine that all phases absorb alike. Intensities were computed for the cells as they were, V, and go with 1/V²; so
        the weight, S M / V, of a cell refined to V' is too small by V / V'.
        """
        scale = self.parameters[:, SCALE]
        mass = np.array([density(fit.phase.crystal) * _growth(fit) for fit in self.fits])
        weight = np.exp(scale - scale.max()) * mass
        return np.asarray(weight / weight.sum())

    def score_with(self, place: int) -> float:
        """Similarity less what makes one of the phases less believable."""
        fit = self.fits[place]
        return self.similarity - fit.doubt

    def counts(self, grid: Grid, sigma: float) -> Floats:
        """Counts of all phases together on a grid, ``(n,)``."""
        return np.asarray(calculated(grid, self.stack, self.parameters, sigma).sum(axis=0))


def explain(observed: Observed, singles: Sequence[Fit], candidates: Sequence[Candidate], *, most: int) -> Mixture:
    """The phases of a scan, the one that alone explains most of it first.

    Args:
        observed: the scan.
        singles: fits alone, the best first; at least one.
        candidates: what may be added.
        most: phases.
    """
    mixture = together(observed, singles[:1])
    for _ in range(most):  # a phase that is dropped again makes room for one
        if len(mixture.fits) < most:
            larger = with_one_more(observed, mixture, candidates)
            if not larger or larger[0].cost > (1 - LEAST_GAIN) * mixture.cost or not _is_seen(larger[0]):
                break
            mixture = pruned(observed, larger[0])
    return mixture


def settled(
    observed: Observed, mixture: Mixture, candidates: Sequence[Candidate]
) -> tuple[Mixture, list[list[tuple[Fit, float]]]]:
    """The mixture with each phase the best of its rivals; and these of each place with their scores, the best first.

    A phase that keeps its place although a rival leads a little counts as level with it.
    Phases of which less than `LEAST_WEIGHT` is left are dropped.
    """
    places = []
    for place in range(len(mixture.fits)):
        scored = rivals(observed, mixture, place, candidates)
        itself = mixture.fits[place]
        best = _best_of(scored, itself)
        if best.candidate is not itself.candidate:
            fits = list(mixture.fits)
            fits[place] = best
            mixture = together(observed, fits)
        level = max(scored[0][1], next(score for fit, score in scored if fit.candidate is best.candidate))
        places.append([(best, level), *(each for each in scored if each[0].candidate is not best.candidate)])
    seen = np.flatnonzero(mixture.weight_fractions >= LEAST_WEIGHT).tolist()
    if len(seen) < len(mixture.fits):  # a rival has taken over what a phase explained
        mixture = together(observed, [mixture.fits[i] for i in seen])
    return mixture, [places[i] for i in seen]


def _best_of(scored: Sequence[tuple[Fit, float]], itself: Fit) -> Fit:
    """Which of the rivals for a place should have it: one that leads clearly, else the best of the phase's formula."""
    own = next(score for fit, score in scored if fit.candidate is itself.candidate)
    best, score = scored[0]
    if score - own > _CLEARLY:
        return best
    return simplest([each for each in scored if each[0].phase.formula == itself.phase.formula])


def polished(observed: Observed, mixture: Mixture) -> Mixture:
    """The same phases refined at the scan's own resolution."""
    return together(observed, mixture.fits, stages=_OWN_RESOLUTION)


def together(observed: Observed, fits: Sequence[Fit], *, stages: Stages = STAGES[1:]) -> Mixture:
    """Refine phases together."""
    prior = prior_for([fit.candidate for fit in fits]).with_texture()
    start, stack = np.array([fit.parameters for fit in fits]), _stack(fits)
    parameters, cost = refine_together(observed, stack, prior, start, stages=stages)
    fine = similarity(observed, stack, parameters, FINE_SIGMA, FINE_STEP, as_one=True)
    coarse = similarity(observed, stack, parameters, COARSE_SIGMA, COARSE_STEP, as_one=True)
    refined = tuple(replace(fit, parameters=row) for fit, row in zip(fits, parameters, strict=True))
    return Mixture(refined, float(coarse[0]), float(fine[0]), cost)


def with_one_more(observed: Observed, mixture: Mixture, candidates: Sequence[Candidate]) -> list[Mixture]:
    """Mixtures with one phase more, the new one last; the best first."""
    there = {fit.phase.entry for fit in mixture.fits}
    others = [each for each in candidates if each.phase.entry not in there]
    if not others:
        return []
    gain, strain = looked_at(observed, others, mixture.counts(grid_of(observed, COARSE_STEP), COARSE_SIGMA))
    likely = gain - _HULL_PENALTY * np.array([each.phase.hull for each in others])
    some, at = to_refine(observed, others, likely, strain, _N_REFINED)
    prior = prior_for(some)
    start = start_at(prior, some, at)
    start[:, SHIFT] = mixture.parameters[0, SHIFT]
    stack = Stack.of([each.reflections for each in some])
    parameters, cost = refine_each(observed, stack, prior, start, stages=STAGES[:2], beside=mixture.counts)
    hull = np.array([each.phase.hull for each in some])
    best = distinct(some, -cost * (1 + _HULL_PENALTY * hull), _N_TEXTURED)
    found = textured(
        observed, [some[i] for i in best], prior.take(np.array(best)), parameters[best], beside=mixture.counts
    )
    larger = [together(observed, [*mixture.fits, fit]) for fit in found]
    return sorted(larger, key=lambda each: each.cost * (1 + _HULL_PENALTY * each.fits[-1].phase.hull))


def rivals(
    observed: Observed, mixture: Mixture, place: int, candidates: Sequence[Candidate]
) -> list[tuple[Fit, float]]:
    """What else could stand in the place of a phase, and itself, with the scores of the mixtures; the best first."""
    others = together(observed, [fit for i, fit in enumerate(mixture.fits) if i != place])
    itself = mixture.fits[place]
    rest = [each for each in candidates if each is not itself.candidate]
    rest += symmetrised(observed, itself.candidate)
    found = [(each.fits[-1], each.score_with(-1)) for each in with_one_more(observed, others, rest)]
    found = [each for each in found if each[0].candidate is not itself.candidate]
    return sorted([(itself, mixture.score_with(place)), *found], key=lambda each: -each[1])


def pruned(observed: Observed, mixture: Mixture) -> Mixture:
    """The mixture without phases that are not missed."""
    while len(mixture.fits) > 1:
        without = [
            together(observed, [fit for j, fit in enumerate(mixture.fits) if j != i])
            for i in range(len(mixture.fits) - 1)  # the last one has just been found to be needed
        ]
        best = min(without, key=lambda each: each.cost)
        if (1 - LEAST_GAIN) * best.cost > mixture.cost:
            break
        mixture = best
    return mixture


def _is_seen(mixture: Mixture) -> bool:
    """Whether the phase that was added last is more than a trace."""
    return bool(mixture.weight_fractions[-1] >= LEAST_WEIGHT)


def _growth(fit: Fit) -> float:
    """Volume of the refined cell over that of the cell as it was."""
    return refined_crystal(fit.phase, fit.parameters).volume / fit.phase.crystal.volume


def _stack(fits: Sequence[Fit]) -> Stack:
    """Reflections of some fits; equal cosines where no texture was looked at make it no matter."""
    cosines = [
        np.full((len(fit.candidate.reflections.q), 1), 1 / 3) if fit.cosines is None else fit.cosines for fit in fits
    ]
    return Stack.of([fit.candidate.reflections for fit in fits], cosines)
