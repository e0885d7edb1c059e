"""One scan from its counts to its phases, with how sure each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deepxrd.chem import Formula
from deepxrd.matching.candidate import candidates_for
from deepxrd.matching.confidence import CONFIDENT, NO_AGREEMENT, Agreement, Probabilities, probabilities
from deepxrd.matching.lines import line_misfit, number_of_lines, unexplained_lines_deg
from deepxrd.matching.mixture import MOST_PHASES, Mixture, explain, polished, settled
from deepxrd.matching.model import grid_of
from deepxrd.matching.observed import FINE_STEP, Observed
from deepxrd.matching.phases import PhaseToTry
from deepxrd.matching.single import FINE_SIGMA, Fit, attainable, best_single

Scored = list[tuple[Fit, float]]


@dataclass(frozen=True, eq=False)
class Ranked:
    """A structure that was refined, as the only phase or in the place of one.

    Attributes:
        fit: how it fits.
        score: similarity less doubt.
        probability: that the scan holds a compound of its formula.
        weight_fraction: of all found phases; None for what is not among them.
        margin: of a found phase, how far its score is before that of another formula in its place.
    """

    fit: Fit
    score: float
    probability: float
    weight_fraction: float | None = None
    margin: float = 0.0


@dataclass(frozen=True, eq=False)
class MatchResult:
    """What a scan holds.

    Attributes:
        observed: the scan, made ready.
        mixture: phases that explain most of it; None where nothing could be tried.
        phases: the same with probabilities, in the same order.
        ranking: all that was refined: the found phases, the one that alone explains most first; then the most
            probable.
        n_tried: structures that were looked at.
        agreement: of all phases together with the scan.
        n_left_out: structures that cannot be compared: no line of theirs is in the range of the scan, or too many are.
    """

    observed: Observed
    mixture: Mixture | None
    phases: tuple[Ranked, ...]
    ranking: tuple[Ranked, ...]
    n_tried: int
    agreement: Agreement = NO_AGREEMENT
    n_left_out: int = 0

    @property
    def similarity(self) -> float:
        """Correlation of the softened patterns, all phases together, over what noise lets it be."""
        return self.agreement.similarity

    @property
    def n_formulas(self) -> int:
        """Formulas that were refined."""
        return len({each.fit.phase.formula for each in self.ranking})

    @property
    def is_confident(self) -> bool:
        """Whether every found phase is probable enough to be taken for what it is called."""
        return bool(self.phases) and all(phase.probability >= CONFIDENT for phase in self.phases)

    @cached_property
    def unexplained(self) -> float:
        """Sum of what the fit leaves over the sum of what was measured, at 0.1°; 1 where nothing explains it."""
        view = self.observed.view(FINE_SIGMA, FINE_STEP)
        if self.mixture is None:
            return 1.0
        made = 100 / view.largest * self.mixture.counts(grid_of(self.observed, FINE_STEP), FINE_SIGMA)
        rest = np.abs(view.pattern - made)[view.inside].sum()
        return float(min(rest / max(np.abs(view.pattern[view.inside]).sum(), 1e-12), 1.0))

    @property
    def unexplained_lines_deg(self) -> tuple[float, ...]:
        """Angles 2θ of lines of the scan that no phase and no tungsten has, degrees, the strongest first."""
        return self._lines_of_none[0]

    @property
    def tungsten_lines_deg(self) -> tuple[float, ...]:
        """Likewise of lines that stand where W Lα puts those of the phases."""
        return self._lines_of_none[1]

    @cached_property
    def _lines_of_none(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if self.mixture is None:
            return (), ()
        unexplained, tungsten = unexplained_lines_deg(self.observed, self.mixture)
        return tuple(unexplained.tolist()), tuple(tungsten.tolist())


def match_scan(observed: Observed, phases: Sequence[PhaseToTry], *, most_phases: int = MOST_PHASES) -> MatchResult:
    """Find the phases of a scan.

    Args:
        observed: the scan, made ready.
        phases: what it may hold.
        most_phases: that it may hold.
    """
    candidates = candidates_for(observed, phases)
    n_left_out = len(phases) - len(candidates)
    singles = best_single(observed, candidates)
    if not singles:
        return MatchResult(observed, None, (), (), len(candidates), n_left_out=n_left_out)
    mixture = explain(observed, singles, candidates, most=most_phases)
    alone: Scored = [(fit, fit.score) for fit in singles]
    places = [alone]
    if len(mixture.fits) > 1:
        mixture, places = settled(observed, mixture, candidates)
    similarity = min(mixture.similarity / attainable(observed), 1.0)
    mixture = polished(observed, mixture)
    agreement = Agreement(similarity, line_misfit(observed, mixture), number_of_lines(observed))
    judged = [probabilities(scored, agreement) for scored in places]
    found = tuple(
        Ranked(fit, _score(scored, fit), chances.of(fit.phase.formula), share, chances.margin_of(fit.phase.formula))
        for fit, scored, chances, share in zip(
            mixture.fits, places, judged, mixture.weight_fractions.tolist(), strict=True
        )
    )
    ranking = _ranking(found, [*places, alone], judged)
    return MatchResult(observed, mixture, found, ranking, len(candidates), agreement, n_left_out)


def _score(scored: Scored, wanted: Fit) -> float:
    return next((score for fit, score in scored if fit.candidate is wanted.candidate), wanted.score)


def _ranking(found: Sequence[Ranked], places: Sequence[Scored], judged: Sequence[Probabilities]) -> tuple[Ranked, ...]:
    """The found phases, then all else that was refined, each structure once with its best chance.

    Found phases stay in the order in which they explain the scan: by weight, a light one of a few lines would be first.
    """
    chance: dict[Formula, float] = {}
    for each in judged:
        for formula, value in zip(each.formulas, each.values, strict=True):
            chance[formula] = max(chance.get(formula, 0.0), value)
    taken = {id(each.fit.candidate) for each in found}
    rest: dict[int, Ranked] = {}
    for scored in places:
        for fit, score in scored:
            key = id(fit.candidate)
            if key not in taken and (key not in rest or score > rest[key].score):
                rest[key] = Ranked(fit, score, chance.get(fit.phase.formula, 0.0))
    return (*found, *sorted(rest.values(), key=lambda each: (-each.probability, -each.score)))
