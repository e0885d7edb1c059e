"""Probabilities of space groups beside those of candidates, so that both agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.models.candidates.candidates import Candidates
from deepxrd.models.candidates.group_head import SYSTEM_OF_GROUP, GroupEvidence, GroupHead
from deepxrd.models.candidates.solid_solutions import are_mixed
from deepxrd.models.candidates.templates import Templates

Floats = NDArray[np.float64]


def with_groups(
    templates: Templates,
    found: Candidates,
    formulas: Sequence[Formula],
    *,
    head: GroupHead | None,
    learned: NDArray[np.bool_],
) -> Candidates:
    """Add what is said of space groups and crystal systems, and set the candidates' probabilities by it.

    Args:
        templates: that they were made from.
        found: candidates of n compositions that a model has weighed.
        formulas: the compositions.
        head: weighs what the candidates say against what the compositions do; without it the candidates are summed up,
            and keep their probabilities.
        learned: whether structures of each composition were learned from, ``(n,)``.

    Raises:
        TypeError: no network was asked about them.
    """
    evidence = GroupEvidence.of(templates, found)
    probability, groups = evidence.probability, evidence.summed(evidence.group_part)
    if head is not None:
        # a solid solution has the symmetry of its average, of which its composition alone says nothing
        mixed = (are_mixed(formulas) & evidence.shared.any(axis=1))[:, None]
        groups = np.where(mixed, groups, head.probability(evidence, formulas, learned))
        # where there is no candidate, or none that can be simulated, nothing like the composition was learned from
        known = (evidence.group > 0) & (evidence.probability > 0)
        groups = np.where(known.any(axis=1, keepdims=True), groups, 0.0)
        # what candidates with shared sites promise is a pattern, and says less of the structure
        probability = in_proportion(evidence, groups, ~mixed & ~evidence.shared)
    groups = no_less(groups, evidence.summed(probability))
    systems = evidence.systems() if head is None else groups @ SYSTEM_OF_GROUP
    return replace(found, space_groups=groups, crystal_systems=systems, probability=probability)


def in_proportion(evidence: GroupEvidence, groups: Floats, which: NDArray[np.bool_]) -> Floats:
    """Probabilities of candidates, those of each space group in proportion to what is said of it, ``(n, k)``.

    They sum up to what they did, or to what is said of all their space groups if that is less.

    Args:
        evidence: of n compositions.
        groups: probabilities of space groups, ``(n, 230)``.
        which: the candidates that are set; the others keep theirs, ``(n, k)``.
    """
    which = which & (evidence.group > 0)
    before = evidence.summed(np.where(which, evidence.probability, 0.0))
    said = np.where(before > 0, groups, 0.0)
    of_all = said.sum(axis=1)
    total = np.minimum(before.sum(axis=1), of_all)
    factor = said / np.where(before > 0, before, 1.0) * (total / np.where(of_all > 0, of_all, 1.0))[:, None]
    own = np.take_along_axis(factor, np.maximum(evidence.group - 1, 0), axis=1)
    return np.where(which, evidence.probability * own, evidence.probability)


def no_less(groups: Floats, least: Floats) -> Floats:
    """Probabilities raised to their least values, and what is above these lowered for it, all ``(n, 230)``."""
    total = np.maximum(groups.sum(axis=1), least.sum(axis=1))
    above = np.maximum(groups - least, 0.0)
    left, of_all = total - least.sum(axis=1), above.sum(axis=1)
    return np.asarray(least + above * (left / np.where(of_all > 0, of_all, 1.0))[:, None])
