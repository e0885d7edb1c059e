"""How sure it is that a scan holds a compound: calibrated on measured scans whose phase is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepxrd.chem import Formula
from deepxrd.matching.single import Fit

CONFIDENT = 0.85
"""Probability from which a phase is called a confident match."""
_AT_ZERO, _BY_SIMILARITY, _BY_MARGIN, _BY_HULL, _BY_STRAIN, _BY_LINES = -3.07, 5.14, 13.27, -7.81, -0.37, -3.91
"""Logistic regression on half of the scans of results/match and, with a quarter of their weight, on 48 simulated ones
(benchmarks/confidence_fit.py, which says when), each once with and once without its own structures in the list: whether
the first is right, by similarity, by its lead over the next formula, by its energy above the hull, by how unusual a
cell it needs, and by how much heights of lines differ."""
FEWEST_LINES, _OF_FEW_LINES = 3, 0.5
"""With fewer lines than these no answer is more probable than this: many structures have two spacings."""
MOST_MARGIN = 0.15
_TEMPERATURE = 0.02
"""Of scores, for what the first leaves to the others."""
_LEVEL = 0.003
"""Of scores, within which two cannot be told apart."""


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Of formulas in one place of a mixture.

    Attributes:
        formulas: the most probable first, by score.
        values: of each; what is missing to 1 is that it is none of them.
        scores: what they are ordered by.
    """

    formulas: tuple[Formula, ...]
    values: tuple[float, ...]
    scores: tuple[float, ...]

    def of(self, formula: Formula) -> float:
        """That of a formula; 0 for one that was not refined."""
        return dict(zip(self.formulas, self.values, strict=True)).get(formula, 0.0)

    def margin_of(self, formula: Formula) -> float:
        """How far the score of a formula is before that of the best other one; below zero if it is not the first."""
        own = dict(zip(self.formulas, self.scores, strict=True))
        others = [score for each, score in own.items() if each != formula]
        return min(own[formula] - max(others), MOST_MARGIN) if others else MOST_MARGIN


@dataclass(frozen=True)
class Agreement:
    """How all phases together agree with a scan.

    Attributes:
        similarity: correlation of softened patterns, over what noise lets it be.
        line_misfit: see `deepxrd.matching.lines.line_misfit`.
        n_lines: of the scan.
    """

    similarity: float
    line_misfit: float
    n_lines: int


NO_AGREEMENT = Agreement(0.0, 2.0, 0)
"""Where there is nothing to agree."""


def probabilities(scored: Sequence[tuple[Fit, float]], agreement: Agreement) -> Probabilities:
    """How probable each formula is; those whose scores are level share what the first has.

    Args:
        scored: fits and their scores, the best first; at least one.
        agreement: of all phases together with the scan.
    """
    best: dict[Formula, float] = {}
    for fit, score in scored:
        best[fit.phase.formula] = max(score, best.get(fit.phase.formula, score))
    formulas, scores = tuple(best), np.array(list(best.values()))
    margin = min(float(scores[0] - scores[1]), MOST_MARGIN) if len(scores) > 1 else MOST_MARGIN
    plain = tuple(scores.tolist())
    best_fit = scored[0][0]
    first = first_is_right(agreement, margin, best_fit.phase.hull, best_fit.strain_deviation)
    level = np.exp((scores - scores[0]) / _LEVEL)
    first = min(first, float(1 / level.sum()))
    weights = np.exp((scores[1:] - scores[0]) / _TEMPERATURE)
    rest = 1 - first * level.sum()
    left = rest * weights / (1.0 + weights.sum())  # as much is left for what is not in the list
    return Probabilities(formulas, (first, *np.minimum(first * level[1:] + left, first).tolist()), plain)


def first_is_right(agreement: Agreement, margin: float, hull: float, strain: float) -> float:
    """The probability that the best is what the scan holds.

    Args:
        agreement: of all phases together with the scan.
        margin: the lead of its score.
        hull: its energy above the hull as it counts, eV/atom.
        strain: how far its cell is from what is expected, see `deepxrd.matching.single.Fit.strain_deviation`.
    """
    by_fit = _BY_SIMILARITY * agreement.similarity + _BY_LINES * agreement.line_misfit
    by_phase = _BY_MARGIN * margin + _BY_HULL * hull + _BY_STRAIN * strain
    chance = float(1 / (1 + np.exp(-(_AT_ZERO + by_fit + by_phase))))
    return chance if agreement.n_lines >= FEWEST_LINES else min(chance, _OF_FEW_LINES)
