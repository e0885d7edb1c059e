"""Predicted structures as phases to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from deepxrd.chem import Formula
from deepxrd.errors import ConfigError
from deepxrd.library import AsymmetricUnit
from deepxrd.matching.phases import COMPUTED_DOUBT, PREDICTED, PhaseToTry

N_CANDIDATES = 16
_MOST_DOUBT = 0.04


class PredictedStructure(Protocol):
    """A candidate structure of a composition, as `deepxrd.models.candidates` gives it."""

    @property
    def probability(self) -> float:
        """That it is the one."""

    @property
    def cell(self) -> tuple[float, ...]:
        """a, b, c in Å, alpha, beta, gamma in degrees."""

    @property
    def cell_deviation(self) -> tuple[float, ...]:
        """Standard deviation of each."""

    @property
    def unit(self) -> AsymmetricUnit:
        """The structure by its symmetry."""


class StructurePredictor(Protocol):
    """What predicts structures: `deepxrd.prediction.predictor.CandidatePredictor`."""

    def predict(self, formulas: Sequence[str | Formula]) -> Any:
        """Patterns and what they come from."""

    def candidates(self, predictions: Any, *, most: int | None = None) -> Sequence[Sequence[PredictedStructure]]:
        """The structures of each formula."""


def predicted_phases(predictor: object, formulas: Sequence[Formula]) -> list[PhaseToTry]:
    """The candidate structures of formulas, the most probable of each first.

    Args:
        predictor: a `StructurePredictor`.
        formulas: what is to be predicted.

    Raises:
        ConfigError: it predicts patterns and no structures.
    """
    if not hasattr(predictor, "candidates"):
        msg = "this model predicts patterns and no structures, which matching needs: give a candidate model"
        raise ConfigError(msg)
    asked: StructurePredictor = predictor  # type: ignore[assignment]
    found = asked.candidates(asked.predict(list(formulas)), most=N_CANDIDATES)
    return [
        _to_try(formula, each, place)
        for formula, structures in zip(formulas, found, strict=True)
        for place, each in enumerate(structures, 1)
    ]


def _to_try(formula: Formula, each: PredictedStructure, place: int) -> PhaseToTry:
    lengths, deviations = np.array(each.cell[:3]), np.array(each.cell_deviation[:3])
    doubt = float(np.hypot(COMPUTED_DOUBT, (deviations / lengths).mean()))  # its own, and that of all computed cells
    return PhaseToTry(
        formula,
        each.unit.to_crystal(),
        each.unit.space_group,
        each.unit.space_group,
        f"{PREDICTED}-{place}",
        probability=float(each.probability),
        doubt=min(doubt, _MOST_DOUBT),
    )
