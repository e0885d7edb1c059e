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
from deepxrd.models.baselines import MeanPattern, Reference
from deepxrd.models.baselines.volumes import AdditiveVolumes
from deepxrd.models.candidates.candidates import TemplateLibrary
from deepxrd.models.candidates.decode import decode, draw
from deepxrd.models.candidates.geometry import share_geometry
from deepxrd.models.candidates.network import DIVISOR, CandidateNet
from deepxrd.models.candidates.outputs import averaged
from deepxrd.models.candidates.protostructure import protostructures
from deepxrd.models.candidates.volumes import TemplateVolumes
from deepxrd.xrd import Peaks, XrdSettings, find_peaks

FORMAT = 2
"""Of the folder that a model is kept in; raised whenever an older one can no longer be read."""
_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says of n compositions.

    Attributes:
        expected: the expected patterns, ``(n, n_points)`` in 0 to 100.
        peaks: the set of peaks that promises the highest F1, each with the intensity that ``expected`` has there, which
            may be low where a peak is likely but not its place.
        peak_probability: of each, that a true one is within 1°, ``(n, width)``; 0 where there is padding.
        decoded: a drawing of ``peaks``, like a pattern: `find_peaks` finds these very positions in it. Its heights are
            made to be found and are no prediction (see :func:`deepxrd.models.candidates.decode.draw`).
        expected_f1: mean over tolerances of 2, 1 and 0.5°, ``(n,)``; 0 where nothing is known.
        known: whether other compositions of the stoichiometry, and others with each of the elements, were learned
            from, ``(n,)``; where not, both patterns are the mean training pattern.
    """

    expected: NDArray[np.float32]
    peaks: Peaks
    peak_probability: NDArray[np.float64]
    decoded: NDArray[np.float32]
    expected_f1: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CandidateModel:
    """Candidate structures from like compositions, weighed by a network.

    Attributes:
        library: structures to substitute into.
        volumes: of the candidates.
        nets: what weighs them: networks that were trained apart, whose answers are averaged.
        mean: the mean training pattern, ``(n_points,)``.
        lonely: training compositions that nothing else in the library is like, and for each the mean of all others.
        xrd: settings of the patterns.
    """

    library: TemplateLibrary
    volumes: TemplateVolumes
    nets: tuple[CandidateNet, ...]
    mean: NDArray[np.float32]
    lonely: dict[Formula, NDArray[np.float32]]
    xrd: XrdSettings

    @classmethod
    def prepare(cls, reference: Reference, *, seed: int = 0) -> Self:
        """Learn all but the networks from the training part: templates, volumes, the mean pattern.

        Args:
            reference: the training part.
            seed: of all that is drawn.

        Raises:
            ConfigError: the grid does not suit the networks.
        """
        check_grid(reference.xrd)
        additive = AdditiveVolumes(reference.formulas, reference.crystals)
        library = TemplateLibrary(reference.formulas, reference.crystals, protostructures(reference.crystals), additive)
        volumes = library.fit_volumes(seed=seed)
        distinct = list(reference.rows_of)
        alone = [f for f, known in zip(distinct, library.known(distinct), strict=True) if not known]
        if len(distinct) == 1:
            alone = []  # there is nothing else whose mean could be taken
        mean = MeanPattern().fit(reference)
        means = dict(zip(alone, mean.predict(alone), strict=True))
        return cls(library, volumes, (), mean.pattern, means, reference.xrd)

    def with_networks(self, nets: Sequence[CandidateNet]) -> Self:
        """The same model with other networks."""
        return replace(self, nets=tuple(net.eval() for net in nets))

    def predict(self, formulas: Sequence[Formula]) -> Prediction:
        """Patterns and peaks of compositions; what is known of their own structures is not used."""
        n = len(formulas)
        expected = np.empty((n, self.xrd.n_points), dtype=np.float32)
        density = np.zeros((n, self.xrd.n_points))
        known = self.library.known(formulas)
        for row in np.flatnonzero(~known).tolist():
            expected[row] = self.lonely.get(formulas[row], self.mean)
        rows = np.flatnonzero(known)
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            sound, expected[part], density[part] = self._ask([formulas[row] for row in part])
            for row in part[~sound]:
                expected[row] = self.mean
            known[part[~sound]] = False
        peaks, probability, f1 = decode(density, expected, self.xrd)
        decoded = draw(peaks, self.xrd)
        decoded[~known] = expected[~known]
        if not known.all():  # of the mean pattern, its own peaks
            own = find_peaks(expected, self.xrd.two_theta_deg)
            peaks, probability = _either(known, peaks, own, probability)
            f1 = np.where(known, f1, 0.0)
        return Prediction(expected, peaks, probability, decoded, f1, known)

    @torch.no_grad()
    def _ask(self, formulas: Sequence[Formula]) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float64]]:
        """Whether any candidate could be simulated; patterns in 0 to 100; density of peaks."""
        found = self.library.candidates(formulas, self.volumes)
        # as rounded in training
        simulated = self.library.patterns(found, self.xrd).astype(np.float16).astype(np.float32)
        elements = np.concatenate([found.old, found.new], axis=2)
        mask = np.asarray(simulated.any(axis=2))
        sound = np.asarray(mask.any(axis=1))
        inputs = [torch.from_numpy(each) for each in (found.features, elements, mask, simulated)]
        expected, density = averaged([net(*inputs) for net in self.nets])
        return sound, expected, density

    def compact(self) -> Self:
        """A model that is much smaller and nearly as good: shared positions of sites, and weights in half precision.

        See :func:`deepxrd.models.candidates.geometry.share_geometry`.
        """
        nets = []
        for net in self.nets:
            rounded = {key: each.half().to(each.dtype) for key, each in net.state_dict().items()}
            nets.append(CandidateNet.with_weights(rounded, self.library.width, self.xrd.two_theta_deg))
        return replace(self, library=share_geometry(self.library, self.xrd), nets=tuple(nets))


def _either(
    first: NDArray[np.bool_], one: Peaks, other: Peaks, probability: NDArray[np.float64]
) -> tuple[Peaks, NDArray[np.float64]]:
    """The rows of one where ``first``, with their probabilities, and else those of the other, with none."""
    n, parts = len(first), ((one, first), (other, ~first))
    rows, angle, intensity = (
        np.concatenate(each) for each in zip(*(_flat(peaks, wanted) for peaks, wanted in parts), strict=True)
    )
    sure = np.concatenate([probability[one.valid & first[:, None]], np.zeros(int(other.count[~first].sum()))])
    return (
        Peaks.from_flat(rows, angle, intensity, n),
        Peaks.from_flat(rows, angle, sure, n).intensity,
    )


def _flat(
    peaks: Peaks, wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Row, angle and intensity of each peak of some rows."""
    inside = peaks.valid & wanted[:, None]
    return np.nonzero(inside)[0], peaks.two_theta_deg[inside], peaks.intensity[inside]


def check_grid(xrd: XrdSettings) -> None:
    """Find out before hours of training.

    Raises:
        ConfigError: the grid does not suit the network.
    """
    if xrd.axis != "two_theta" or xrd.n_points % DIVISOR:
        msg = f"the candidate model needs xrd.axis=two_theta and xrd.n_points a multiple of {DIVISOR}, not "
        msg += f"{xrd.axis} and {xrd.n_points}"
        raise ConfigError(msg)
