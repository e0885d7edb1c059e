"""What probabilities and expected scores are learned from: predictions compared with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.metrics.peaks import mean_f1
from deepxrd.models.candidates.agreement import agreement
from deepxrd.models.candidates.candidates import CandidateMaker, Candidates
from deepxrd.models.candidates.confidence import AGREES_F1, Confidence, Evidence, Outcome
from deepxrd.models.candidates.group_head import GroupEvidence, GroupHead
from deepxrd.models.candidates.group_net import GroupNet
from deepxrd.models.candidates.solid_solutions import are_mixed
from deepxrd.models.candidates.templates import Templates, entries_of
from deepxrd.xrd import Peaks, find_peaks

if TYPE_CHECKING:
    from deepxrd.models.candidates.model import CandidateModel

_NEAR_DEG = 1.0  # of a peak's probability


@dataclass(frozen=True, eq=False)
class Lesson:
    """Some compositions predicted, and compared with the truth.

    Attributes:
        formulas: n compositions.
        found: their candidates, not weighed yet.
        evidence: what their probabilities are formed from.
        outcome: what came true.
        true_group: space groups, 0 where none is known, ``(n,)``.
    """

    formulas: Sequence[Formula]
    found: Candidates
    evidence: Evidence
    outcome: Outcome
    true_group: NDArray[np.int64]


def evidence_of(
    found: Candidates, mask: NDArray[np.bool_], share: NDArray[np.float64], formulas: Sequence[Formula]
) -> Evidence:
    """What probabilities are formed from.

    Args:
        found: candidates of n compositions.
        mask: which of them could be simulated, ``(n, k)``.
        share: what the networks give, ``(n, k)``.
        formulas: the compositions.
    """
    near = np.append(found.found.distance[:, 0], np.inf)[found.place].min(axis=1)
    there = mask & found.mask
    # a solid solution is as likely to be like the compound of its main elements as that is to be so: ordered ones come
    # second
    mixed = are_mixed(formulas) & (there & found.shared).any(axis=1)
    return Evidence(
        there,
        found.shared ^ mixed[:, None],
        found.odds,
        share,
        np.where(np.isfinite(near), near, 0.0),
        np.array([len(formula.counts) for formula in formulas], dtype=np.int64),
    )


def weighed_candidates(confidence: Confidence, evidence: Evidence, found: Candidates) -> Candidates:
    """Candidates with their shares and probabilities, and deviations of cells that cover the truth as they should."""
    deviation = found.cells.with_volume * np.repeat(confidence.cell, (3, 3, 1))
    return replace(
        found,
        share=evidence.share,
        probability=confidence.candidates(evidence),
        space_group_part=confidence.candidates(evidence, "space_group"),
        crystal_system_part=confidence.candidates(evidence, "crystal_system"),
        volume_deviation=deviation[:, 6],
        cells=replace(found.cells, deviation=deviation[:, :6]),
    )


def known_structures(maker: CandidateMaker, formulas: Sequence[Formula]) -> Templates:
    """What the library of a model's templates knows of some compositions; held-out entries are never among it."""
    library = maker.templates.library
    return Templates(library, entries_of(library, formulas))


def lesson(
    model: CandidateModel, formulas: Sequence[Formula], patterns: NDArray[np.float32], known: Templates
) -> Lesson:
    """Predict some compositions and compare.

    Args:
        model: without corrections.
        formulas: n compositions, at most as many as are predicted in one part.
        patterns: the true patterns, ``(n, n_points)`` in 0 to 100.
        known: structures of these compositions, perhaps among others.
    """
    said, angles = model.predict(formulas), model.xrd.two_theta_deg
    (found,) = said.candidates
    if found.share is None or said.peaks is None or said.peak_probability is None:
        msg = "only what a model predicts can be compared"
        raise TypeError(msg)
    simulated = model.maker.patterns(found, model.xrd)
    evidence = evidence_of(found, np.asarray(simulated.any(axis=2)), found.share, formulas)
    agrees = agreement(model.maker.templates, known, found)
    true, n_points = find_peaks(patterns, angles), len(angles)
    each = find_peaks(100 * simulated.reshape(-1, n_points), angles)
    fits = mean_f1(true.repeat(simulated.shape[1]), each).reshape(found.place.shape) >= AGREES_F1
    valid = said.peaks.valid
    outcome = Outcome(
        known=agrees.known,
        structure=agrees.structure,
        space_group=agrees.space_group,
        crystal_system=agrees.crystal_system,
        fits=fits,
        raw_f1=np.asarray(said.columns["expected_f1"], dtype=np.float64),
        true_f1=mean_f1(true, said.peaks),
        raw_peak=said.peak_probability[valid],
        there=_near(said.peaks, true)[valid],
        cell_off=agrees.cell_off,
    )
    return Lesson(formulas, found, evidence, outcome, agrees.true_space_group)


def ground_states(templates: Templates) -> tuple[list[Formula], NDArray[np.int64]]:
    """Compositions of templates, and the space group of the most stable known structure of each, ``(n,)``."""
    stable = np.flatnonzero(templates.ground_state > 0)
    _, first = np.unique(templates.composition[stable], return_index=True)
    rows = stable[first]
    return templates.library.formulas(templates.row[rows]), templates.space_group[rows]


def head_from(
    nets: Sequence[GroupNet], templates: Templates, confidence: Confidence, lessons: Sequence[Lesson]
) -> GroupHead:
    """Learn how to weigh candidates against compositions for space groups, from lessons of several parts.

    Args:
        nets: have learned from the compositions of the templates.
        templates: that candidates were made from.
        confidence: of the same lessons.
        lessons: of several parts.
    """
    weighed = [weighed_candidates(confidence, each.evidence, each.found) for each in lessons]
    evidence = GroupEvidence.join([GroupEvidence.of(templates, each) for each in weighed])
    true = np.concatenate([each.true_group for each in lessons])
    return GroupHead.fit(nets, evidence, [formula for each in lessons for formula in each.formulas], true, seed=0)


def confidence_from(lessons: Sequence[Lesson]) -> Confidence:
    """Learn how to set probabilities right from lessons of several parts."""

    def joined(parts: Sequence[Any]) -> dict[str, NDArray[Any]]:
        return {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}

    evidence, outcome = joined([each.evidence for each in lessons]), joined([each.outcome for each in lessons])
    return Confidence.fit(Evidence(**evidence), Outcome(**outcome))


def _near(peaks: Peaks, true: Peaks) -> NDArray[np.bool_]:
    """Whether a true peak is within `_NEAR_DEG` of each, ``(n, width)``."""
    near = np.zeros(peaks.two_theta_deg.shape, dtype=bool)
    for column in range(true.two_theta_deg.shape[1]):
        with np.errstate(invalid="ignore"):  # padding minus padding
            near |= np.abs(peaks.two_theta_deg - true.two_theta_deg[:, column, None]) <= _NEAR_DEG
    return near
