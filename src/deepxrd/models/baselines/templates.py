"""Baselines that look up the chemically nearest training composition: copy its pattern, or its structure."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS, Crystal, Formula
from deepxrd.errors import ConfigError
from deepxrd.metrics import cosine_distance
from deepxrd.models.base import Model, Reference, Truth
from deepxrd.models.baselines.constant import MeanPattern
from deepxrd.models.baselines.neighbours import Neighbours, NeighbourSearch
from deepxrd.models.baselines.volumes import AdditiveVolumes, formula_unit_volume
from deepxrd.xrd import simulate

_AT_ONCE = 500  # crystals: enough that the engine is at its best
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Fitted:
    reference: Reference
    search: NeighbourSearch
    mean: MeanPattern


class _TemplateBaseline(Model):
    """Predicts from the k nearest templates; the mean training pattern where there is none (see `fallbacks`)."""

    _k = 1

    def __init__(self) -> None:
        self._fitted: _Fitted | None = None

    def fit(self, reference: Reference) -> Self:
        """Sort the training compositions by stoichiometry."""
        self._fitted = _Fitted(reference, NeighbourSearch(reference.formulas), MeanPattern().fit(reference))
        return self

    def fallbacks(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.bool_]:
        """Which compositions have a stoichiometry that no other training composition has, ``(n,)``."""
        del oracle
        return ~self._state.search.has_any(formulas)

    def predict(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.float32]:
        """Patterns of compositions, see `Model`."""
        truth = self._truth(oracle, len(formulas)) if self.needs_oracle else None
        state = self._state
        patterns = state.mean.predict(formulas)
        neighbours = state.search.nearest(formulas, self._k)
        missing = int((neighbours.row[:, 0] < 0).sum())
        if missing:
            _log.info("%d of %d compositions have no template: mean training pattern", missing, len(formulas))
        self._fill(patterns, formulas, neighbours, truth)
        return patterns

    @property
    def _state(self) -> _Fitted:
        if self._fitted is None:
            raise self._not_fitted()
        return self._fitted

    @abstractmethod
    def _fill(
        self, patterns: NDArray[np.float32], formulas: Sequence[Formula], neighbours: Neighbours, truth: Truth | None
    ) -> None:
        """Write predictions over the mean patterns wherever there is a template; ``truth`` is for oracles alone."""


class NearestPattern(_TemplateBaseline):
    """Copies the pattern of the nearest training composition of the same stoichiometry."""

    def _fill(
        self, patterns: NDArray[np.float32], formulas: Sequence[Formula], neighbours: Neighbours, truth: Truth | None
    ) -> None:
        del formulas, truth
        found = neighbours.row[:, 0] >= 0
        patterns[found] = self._state.reference.patterns[neighbours.row[found, 0]]


class Substitution(_TemplateBaseline):
    """Puts the elements into the structure of the nearest training composition and simulates its pattern.

    The cell is scaled alike in all directions, from the template's volume to that volume times the ratio of additive
    volumes (`AdditiveVolumes`). Where the simulation fails, the mean training pattern stays.

    The volumes of the elements are learned from all of the reference. So a composition that is itself in the reference
    has a part in them, one among all others; its structure and its pattern are still left out.

    Args:
        rescale: whether to scale the cell; without, it keeps the template's lattice.
    """

    def __init__(self, *, rescale: bool = True) -> None:
        super().__init__()
        self._rescale = rescale
        self._volumes: AdditiveVolumes | None = None

    def fit(self, reference: Reference) -> Self:
        """Learn the volumes of the elements too."""
        self._volumes = AdditiveVolumes(reference.formulas, reference.crystals)
        return super().fit(reference)

    def _fill(
        self, patterns: NDArray[np.float32], formulas: Sequence[Formula], neighbours: Neighbours, truth: Truth | None
    ) -> None:
        for rank in range(neighbours.row.shape[1]):
            found = np.flatnonzero(neighbours.row[:, rank] >= 0)
            for start in range(0, len(found), _AT_ONCE):
                places = found[start : start + _AT_ONCE]
                crystals = self._make(places, rank, formulas, neighbours, truth)
                simulated, failures = simulate(crystals, self._state.reference.xrd)
                sound = np.array([failure is None for failure in failures])
                if not sound.all():
                    _log.warning("%d patterns failed, first: %s", (~sound).sum(), next(filter(None, failures)))
                self._keep(patterns, places[sound], simulated[sound], rank, truth)

    def _keep(
        self,
        patterns: NDArray[np.float32],
        places: NDArray[np.int64],
        simulated: NDArray[np.float32],
        rank: int,
        truth: Truth | None,
    ) -> None:
        """Write the patterns from templates of one rank into their places."""
        del rank, truth
        patterns[places] = simulated

    def _make(
        self,
        places: NDArray[np.int64],
        rank: int,
        formulas: Sequence[Formula],
        neighbours: Neighbours,
        truth: Truth | None,
    ) -> list[Crystal]:
        """Substituted and scaled structures of some of the compositions."""
        reference, rows = self._state.reference, neighbours.row[places, rank]
        scale = self._volume_ratios(places, rows, formulas, truth) ** (1 / 3)
        exchange = np.tile(np.arange(1 + len(SYMBOLS)), (len(places), 1))
        np.put_along_axis(exchange, neighbours.old[places, rank], neighbours.new[places, rank], axis=1)
        return [
            substitute(reference.crystals[row], each, length)
            for row, each, length in zip(rows, exchange, scale, strict=True)
        ]

    def _volume_ratios(
        self, places: NDArray[np.int64], rows: NDArray[np.int64], formulas: Sequence[Formula], truth: Truth | None
    ) -> NDArray[np.float64]:
        """Volume per formula unit of each composition over that of its template, ``(len(places),)``."""
        del truth
        if self._volumes is None:
            raise self._not_fitted()
        if not self._rescale:
            return np.ones(len(places))
        return self._volumes.ratio(
            [formulas[place] for place in places], [self._state.reference.formulas[row] for row in rows]
        )


class OracleVolume(Substitution):
    """Substitution into the nearest structure, scaled to the true volume: what perfect volumes would be worth."""

    needs_oracle: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()

    def _volume_ratios(
        self, places: NDArray[np.int64], rows: NDArray[np.int64], formulas: Sequence[Formula], truth: Truth | None
    ) -> NDArray[np.float64]:
        crystals, reference = self._truth(truth, len(formulas)).crystals, self._state.reference
        new = [formula_unit_volume(crystals[place], formulas[place]) for place in places]
        old = [formula_unit_volume(reference.crystals[row], reference.formulas[row]) for row in rows]
        return np.asarray(np.array(new) / np.array(old))


class TemplateOracle(Substitution):
    """Of substitutions into the k nearest structures, the one most like the truth: what a perfect choice is worth.

    Volumes are those of `Substitution`; likeness is the cosine of the patterns.

    Args:
        k: how many templates there are to choose from.
    """

    needs_oracle: ClassVar[bool] = True

    def __init__(self, *, k: int = 6) -> None:
        super().__init__()
        if k < 1:
            msg = f"the best of {k} templates cannot be chosen: k must be 1 or more"
            raise ConfigError(msg)
        self._k = k

    def _keep(
        self,
        patterns: NDArray[np.float32],
        places: NDArray[np.int64],
        simulated: NDArray[np.float32],
        rank: int,
        truth: Truth | None,
    ) -> None:
        true = torch.from_numpy(np.array(self._truth(truth, len(patterns)).patterns[places]))
        before = cosine_distance(torch.from_numpy(patterns[places]), true)
        after = cosine_distance(torch.from_numpy(simulated), true)
        closer = (after < before).numpy()
        if rank == 0:  # what is there yet is the mean pattern, which is none of the choices
            closer[:] = True
        patterns[places[closer]] = simulated[closer]


def substitute(crystal: Crystal, exchange: NDArray[np.int64], scale: float) -> Crystal:
    """The same sites with other elements in a cell that is ``scale`` times as long in every direction.

    Args:
        crystal: the template.
        exchange: new atomic number by old, ``(1 + 118,)``.
        scale: factor of all lengths.
    """
    return Crystal(crystal.lattice * scale, exchange[crystal.atomic_numbers], crystal.frac_coords, crystal.occupancies)
