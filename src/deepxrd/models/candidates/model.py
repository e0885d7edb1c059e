"""The model as a whole: fit and predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.errors import ConfigError
from deepxrd.library import Library
from deepxrd.library.memory import library_of
from deepxrd.models.baselines import MeanPattern, Reference
from deepxrd.models.candidates.candidates import CandidateMaker, Candidates
from deepxrd.models.candidates.network import DIVISOR, CandidateNet
from deepxrd.models.candidates.outputs import ensemble_outputs, joined_peaks, without_answer
from deepxrd.models.candidates.templates import Templates, entries_of
from deepxrd.xrd import Peaks, XrdSettings

FORMAT = 3
"""Of the folder that a model is kept in; raised whenever an older one can no longer be read."""
_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says of n compositions; k candidates each at most.

    Attributes:
        expected: the expected patterns, ``(n, n_points)`` in 0 to 100.
        peaks: the set of peaks that promises the highest F1, each with the intensity that ``expected`` has there, which
            may be low where a peak is likely but not its place.
        peak_probability: of each, that a true one is within 1°, ``(n, width)``; 0 where there is padding.
        decoded: a drawing of ``peaks``, like a pattern: `find_peaks` finds these very positions in it. Its heights are
            made to be found and are no prediction (see :func:`deepxrd.models.candidates.decode.draw`).
        best: the patterns of the best candidates, ``(n, n_points)`` in 0 to 100: the only ones that can be real.
        expected_f1: mean over tolerances of 2, 1 and 0.5°, ``(n,)``; 0 where nothing is known.
        known: whether there are candidates, and other compositions with each of the elements were learned from,
            ``(n,)``; where there is no candidate, all patterns are the mean training pattern.
        share: the networks' share of each candidate in the expected pattern, ``(n, k)``.
        candidates: one for each part of at most some hundred compositions, in order.
    """

    expected: NDArray[np.float32]
    peaks: Peaks
    peak_probability: NDArray[np.float64]
    decoded: NDArray[np.float32]
    best: NDArray[np.float32]
    expected_f1: NDArray[np.float64]
    known: NDArray[np.bool_]
    share: NDArray[np.float64]
    candidates: tuple[Candidates, ...]


@dataclass(frozen=True, eq=False)
class CandidateModel:
    """Candidate structures from like compositions, weighed by networks.

    Attributes:
        maker: makes the candidates.
        nets: what weighs them: networks that were trained apart, whose answers are averaged.
        mean: the mean training pattern, ``(n_points,)``.
        xrd: settings of the patterns.
    """

    maker: CandidateMaker
    nets: tuple[CandidateNet, ...]
    mean: NDArray[np.float32]
    xrd: XrdSettings

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
        check_grid(reference.xrd)
        formulas = list(reference.rows_of)
        structures = library or library_of(reference.crystals)
        templates = Templates(structures, entries_of(structures, formulas))
        maker = CandidateMaker.fit(templates, formulas, seed=seed)
        return cls(maker, (), MeanPattern().fit(reference).pattern, reference.xrd)

    def with_networks(self, nets: Sequence[CandidateNet]) -> Self:
        """The same model with other networks."""
        return replace(self, nets=tuple(net.eval() for net in nets))

    def predict(self, formulas: Sequence[Formula]) -> Prediction:
        """Candidates, patterns and peaks of compositions; what is known of their own structures is not used."""
        parts = [self._ask(formulas[start : start + _AT_ONCE]) for start in range(0, len(formulas), _AT_ONCE)]
        if not parts:
            parts = [self._ask(formulas)]
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("expected", "decoded", "best", "expected_f1", "known", "share")
        }
        width = max(part.peak_probability.shape[1] for part in parts)
        sure = [np.pad(part.peak_probability, ((0, 0), (0, width - part.peak_probability.shape[1]))) for part in parts]
        return Prediction(
            **joined,
            peaks=joined_peaks([part.peaks for part in parts]),
            peak_probability=np.concatenate(sure),
            candidates=tuple(candidates for part in parts for candidates in part.candidates),
        )

    @torch.no_grad()
    def _ask(self, formulas: Sequence[Formula]) -> Prediction:
        found = self.maker.candidates(formulas)
        # as rounded in training
        simulated = self.maker.patterns(found, self.xrd).astype(np.float16).astype(np.float32)
        mask = np.asarray(simulated.any(axis=2))
        answered = np.asarray(mask.any(axis=1))
        mask[~answered, 0] = True  # attention to nothing at all is not a number
        inputs = [torch.from_numpy(each) for each in (found.features, found.elements.astype(np.int64), mask, simulated)]
        made = ensemble_outputs([net(*inputs) for net in self.nets], self.xrd)
        share = np.where(answered[:, None] & mask, made.share, 0.0)
        best = 100 * simulated[np.arange(len(formulas)), share.argmax(axis=1)]
        best[~answered] = self.mean
        made = without_answer(made, answered, self.mean, self.xrd)
        known = answered & self.maker.knows_elements(formulas)
        return Prediction(
            made.patterns["expected"], made.peaks, made.peak_probability, made.patterns["decoded"], best,
            made.expected_f1, known, share, (found,),
        )  # fmt: skip

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
