"""One scan from its counts to its phases, with how sure each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.matching.confidence import CONFIDENT, Probabilities, probabilities
from deepxrd.matching.mixture import MOST_PHASES, Mixture, explain, rivals
from deepxrd.matching.observed import Observed
from deepxrd.matching.phases import PhaseToTry
from deepxrd.matching.single import Fit, best_single, candidates_for

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoundPhase:
    """A phase that a scan holds.

    Attributes:
        fit: as it is in the mixture.
        probability: that the scan holds this compound.
        weight_fraction: of all found phases.
    """

    fit: Fit
    probability: float
    weight_fraction: float


@dataclass(frozen=True, eq=False)
class Ranked:
    """A structure that was refined, as a phase of its own or in the place of one.

    Attributes:
        fit: the best one of it.
        score: what it is ranked by among its like.
        probability: that the scan holds a compound of its formula.
        weight_fraction: None for what is not among the found phases.
    """

    fit: Fit
    score: float
    probability: float
    weight_fraction: float | None = None


@dataclass(frozen=True, eq=False)
class MatchResult:
    """What a scan holds.

    Attributes:
        observed: the scan, made ready.
        mixture: phases that explain most of it; None where nothing could be tried.
        phases: the same with probabilities, largest share by weight first.
        ranking: all that was refined, the most probable first.
        n_tried: structures that were looked at.
    """

    observed: Observed
    mixture: Mixture | None
    phases: tuple[FoundPhase, ...]
    ranking: tuple[Ranked, ...]
    n_tried: int

    @property
    def is_confident(self) -> bool:
        """Whether every found phase is probable enough to be taken for what it is called."""
        return bool(self.phases) and all(phase.probability >= CONFIDENT for phase in self.phases)

    @property
    def similarity(self) -> float:
        """Correlation of the softened patterns, all phases together; 0 where there is none."""
        return 0.0 if self.mixture is None else self.mixture.similarity


def match_scan(observed: Observed, phases: Sequence[PhaseToTry], *, most_phases: int = MOST_PHASES) -> MatchResult:
    """Find the phases of a scan.

    Args:
        observed: the scan, made ready.
        phases: what it may hold.
        most_phases: that it may hold.
    """
    candidates = candidates_for(observed, phases)
    singles = best_single(observed, candidates)
    if not singles:
        return MatchResult(observed, None, (), (), len(phases))
    mixture = explain(observed, singles, candidates, most=most_phases)
    places = [singles] if len(mixture.fits) == 1 else [rivals(observed, mixture, i, candidates) for i in range(len(mixture.fits))]
    judged = [probabilities(fits, mixture) for fits in places]
    shares = mixture.weight_fractions.tolist()
    found = [
        FoundPhase(fit, chances.of(fit.phase.formula), share)
        for fit, chances, share in zip(mixture.fits, judged, shares, strict=True)
    ]
    found.sort(key=lambda phase: -phase.weight_fraction)
    return MatchResult(observed, mixture, tuple(found), _ranking(found, places, judged, singles), len(phases))
