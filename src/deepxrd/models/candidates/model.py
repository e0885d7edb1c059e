"""The model as a whole: fit and predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.errors import ConfigError
from deepxrd.io.progress import progress_bar
from deepxrd.library import Library
from deepxrd.models.base import Reference
from deepxrd.models.candidates.calibrate import (
    confidence_from,
    evidence_of,
    head_from,
    known_structures,
    lesson,
    weighed_candidates,
)
from deepxrd.models.candidates.candidates import N_CANDIDATES, CandidateMaker
from deepxrd.models.candidates.confidence import Confidence
from deepxrd.models.candidates.group_head import GroupHead
from deepxrd.models.candidates.group_net import GroupNet
from deepxrd.models.candidates.groups import with_groups
from deepxrd.models.candidates.network import DIVISOR, CandidateNet
from deepxrd.models.candidates.outputs import ensemble_outputs, without_answer
from deepxrd.models.candidates.symmetry import Symmetry, symmetry
from deepxrd.models.candidates.templates import Templates, entries_of
from deepxrd.models.predictions import Predictions
from deepxrd.xrd import XrdSettings

FORMAT = 3
"""Of the folder that a model is kept in; raised whenever an older one can no longer be read."""
_AT_ONCE = 256
_FAST_CANDIDATES = 8


@dataclass(frozen=True, eq=False)
class CandidateModel:
    """Candidate structures from like compositions, weighed by networks.

    Attributes:
        maker: makes the candidates.
        nets: what weighs them: networks that were trained apart, whose answers are averaged.
        mean: the mean training pattern, ``(n_points,)``.
        xrd: settings of the patterns.
        confidence: sets probabilities and expected scores right.
        most: so many candidates of each composition are weighed.
        device: where patterns are simulated and networks computed, as torch names it.
        head: weighs candidates against the composition alone for space groups; without it candidates alone count.
    """

    maker: CandidateMaker
    nets: tuple[CandidateNet, ...]
    mean: NDArray[np.float32]
    xrd: XrdSettings
    confidence: Confidence = field(default_factory=Confidence.plain)
    most: int = N_CANDIDATES
    device: str = "cpu"
    head: GroupHead | None = None

    @classmethod
    def prepare(cls, reference: Reference, *, library: Library | None = None, seed: int = 0) -> Self:
        """Learn all but the networks from the training part: templates, cells, ranking, the mean pattern.

        Args:
            reference: the training part.
            library: where the structures of these compositions are looked for, polymorphs included; without one, those
                of the reference are taken.
            seed: of all that is drawn.

        Raises:
            ConfigError: the grid does not suit the networks.
        """
        from deepxrd.library.memory import library_of  # what follows is for learning only
        from deepxrd.models.baselines import MeanPattern

        check_grid(reference.xrd)
        formulas = list(reference.rows_of)
        structures = library or library_of(reference.crystals)
        templates = Templates(structures, entries_of(structures, formulas))
        maker = CandidateMaker.fit(templates, formulas, seed=seed)
        return cls(maker, (), MeanPattern().fit(reference).pattern, reference.xrd)

    def with_networks(self, nets: Sequence[CandidateNet]) -> Self:
        """The same model with other networks."""
        return replace(self, nets=tuple(net.eval() for net in nets))

    def faster(self) -> Self:
        """The same with one network, the last, and half as many candidates: results/speed.md has what that costs."""
        return replace(self, nets=self.nets[-1:], most=min(self.most, _FAST_CANDIDATES))

    def on(self, device: str) -> Self:
        """The same on another device; the networks themselves are moved, as torch does."""
        return replace(self, nets=tuple(net.to(device) for net in self.nets), device=device)

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        """Candidates, patterns and peaks of compositions; what is known of their own structures is not used.

        ``patterns`` are a drawing of the decoded peaks: the set that promises the highest F1, each with the intensity
        that the expected pattern has there (see :func:`deepxrd.models.candidates.decode.draw`). ``further`` holds
        ``best``, the pattern of the most probable candidate, the only one that can be real, and ``expected``, the mean
        over what could be. Columns: ``expected_f1``, the mean over tolerances of 2, 1 and 0.5°; and ``known``, whether
        there are candidates, and other compositions with each of the elements were learned from. Where there is no
        candidate, all patterns are the mean training pattern.
        """
        return Predictions.join(
            [self._ask(formulas[start : start + _AT_ONCE]) for start in range(0, max(1, len(formulas)), _AT_ONCE)]
        )

    @torch.no_grad()
    def _ask(self, formulas: Sequence[Formula]) -> Predictions:
        found = self.maker.candidates(formulas, most=self.most)
        # as rounded in training
        simulated = self.maker.patterns(found, self.xrd, device=self.device).astype(np.float16).astype(np.float32)
        mask = np.asarray(simulated.any(axis=2))
        answered = np.asarray(mask.any(axis=1))
        inputs = [
            torch.from_numpy(each).to(self.device)
            for each in (found.features, found.elements.astype(np.int64), mask, simulated)
        ]
        made = ensemble_outputs([net(*inputs) for net in self.nets], self.xrd)
        share = np.where(answered[:, None] & mask, made.share, 0.0)
        evidence = evidence_of(found, mask, share, formulas)
        found = weighed_candidates(self.confidence, evidence, found)
        found = with_groups(self.maker.templates, found, formulas, head=self.head, learned=self.maker.learned(formulas))
        best = 100 * simulated[np.arange(len(formulas)), found.order[:, 0]]
        best[~answered] = self.mean
        made = without_answer(made, answered, self.mean, self.xrd)
        return Predictions(
            made.patterns["decoded"],
            {
                "expected_f1": self.confidence.expected_f1(made.expected_f1, evidence.size_class),
                "known": answered & self.maker.knows_elements(formulas),
            },
            {"best": best, "expected": made.patterns["expected"]},
            made.peaks,
            self.confidence.peak_probability(made.peak_probability),
            (found,),
            "decoded",
        )

    def symmetry(self, said: Predictions, formulas: Sequence[Formula]) -> Symmetry:
        """Crystal system, space group, cell, volume and density, from all candidates of a prediction.

        Args:
            said: what `predict` gave.
            formulas: the compositions that it was given.
        """
        parts, start = [], 0
        for found in said.candidates:
            stop = start + len(found.place)
            parts.append(symmetry(self.maker.templates, found, formulas[start:stop]))
            start = stop
        return Symmetry.join(parts)

    def calibrated(
        self, formulas: Sequence[Formula], patterns: NDArray[np.float32], *, group_nets: Sequence[GroupNet] = ()
    ) -> Self:
        """The same with probabilities and expected scores set right.

        Args:
            formulas: n compositions that nothing was learned from, such as the validation part; their structures are
                looked for in the library of the templates.
            patterns: the true patterns, ``(n, n_points)`` in 0 to 100.
            group_nets: have learned space groups from the compositions of the templates; without any, space groups are
                as the candidates have them.
        """
        if not len(formulas):
            return self
        plain, parts = replace(self, confidence=Confidence.plain(), head=None), []
        known = known_structures(self.maker, formulas)
        with progress_bar() as bar:
            starts = range(0, len(formulas), _AT_ONCE)
            for start in bar.track(starts, description="Setting probabilities right"):
                part = slice(start, start + _AT_ONCE)
                parts.append(lesson(plain, formulas[part], np.asarray(patterns[part]), known))
        confidence = confidence_from(parts)
        head = head_from(group_nets, self.maker.templates, confidence, parts) if group_nets else None
        return replace(self, confidence=confidence, head=head)

    def rounded(self) -> Self:
        """The same with weights in half precision, as they are kept in files."""
        nets = []
        for net in self.nets:
            weights = {key: each.half().to(each.dtype) for key, each in net.state_dict().items()}
            nets.append(CandidateNet.with_weights(weights, self.xrd.two_theta_deg))
        return replace(self, nets=tuple(nets))


def check_grid(xrd: XrdSettings) -> None:
    """Find out before hours of training.

    Raises:
        ConfigError: the grid does not suit the network.
    """
    if xrd.axis != "two_theta" or xrd.n_points % DIVISOR:
        msg = f"the candidate model needs xrd.axis=two_theta and xrd.n_points a multiple of {DIVISOR}, not "
        msg += f"{xrd.axis} and {xrd.n_points}"
        raise ConfigError(msg)
