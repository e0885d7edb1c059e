"""The retrieval model where baselines are asked for: ``python -m deepxrd.evaluate model=retrieval``."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.errors import ConfigError
from deepxrd.io.files import locked, value_hash
from deepxrd.models.baselines import Baseline, Reference, Truth
from deepxrd.models.candidates.model import FORMAT, RetrievalModel, check_grid, check_numbers
from deepxrd.models.candidates.saved import FACTS, SHIPPED, load, save

ANSWERS = ("likely", "expected")
_log = logging.getLogger(__name__)


class Retrieval(Baseline):
    """Fits, or loads, a `RetrievalModel` and gives one of its two patterns.

    Args:
        answer: ``likely``: of the peaks that promise the highest F1; ``expected``: the expected pattern.
        weights: a folder to load, or ``shipped`` for the weights that come with the package; without, the model is
            fitted and kept in `Baseline.keep_dir`, if there is one.
        epochs: of the training of each network.
        members: how many networks to train, whose answers are averaged.
        seed: of the training.
    """

    def __init__(
        self,
        *,
        answer: str = "likely",
        weights: str | None = None,
        epochs: int = 4,
        members: int = 1,
        seed: int = 0,
    ) -> None:
        if answer not in ANSWERS:
            msg = f"model.answer is one of {', '.join(ANSWERS)}, not {answer!r}"
            raise ConfigError(msg)
        check_numbers(epochs=epochs, members=members)
        self._answer, self._weights = answer, weights
        self._settings = {"epochs": epochs, "members": members, "seed": seed}
        self._model: RetrievalModel | None = None

    def fit(self, reference: Reference) -> Self:
        """Load the model if it was fitted to the same before; else fit it."""
        check_grid(reference.xrd)
        self._model = self._load_or_fit(reference)
        if self._model.xrd != reference.xrd:
            msg = f"model.weights={self._weights} predicts other patterns ({self._model.xrd}) than {reference.xrd}"
            raise ConfigError(msg)
        return self

    def predict(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.float32]:
        """Patterns of compositions, see `Baseline`."""
        del oracle
        if self._weights:
            self._tell_of_known(formulas)
        prediction = self.model.predict(formulas)
        return prediction.likely if self._answer == "likely" else prediction.expected

    def fallbacks(self, formulas: Sequence[Formula], *, oracle: Truth | None = None) -> NDArray[np.bool_]:
        """Which compositions have a stoichiometry or an element that no other training composition has, ``(n,)``."""
        del oracle
        return ~self.model.library.known(formulas)

    def _tell_of_known(self, formulas: Sequence[Formula]) -> None:
        """Weights may be of another split: then scores of what they were learned from would be too good."""
        learned = len(set(formulas) & set(self.model.library.formulas))
        if learned:
            _log.warning(
                "%d of %d compositions to be predicted were among those that %s were learned from",
                learned,
                len(formulas),
                self._weights,
            )

    @property
    def model(self) -> RetrievalModel:
        """What was fitted or loaded."""
        if self._model is None:
            raise self._not_fitted()
        return self._model

    def _load_or_fit(self, reference: Reference) -> RetrievalModel:
        if self._weights:
            return load(SHIPPED if self._weights == "shipped" else Path(self._weights))
        if self.keep_dir is None:
            return RetrievalModel.fit(reference, **self._settings)
        made_from = {"format": FORMAT, "reference": _hash(reference), **self._settings}
        folder = self.keep_dir / f"retrieval-{value_hash(made_from)[:12]}"
        with locked(self.keep_dir / f".{folder.name}.lock"):
            if not (folder / FACTS).is_file():
                _log.info("fitting the retrieval model; it will be kept in %s", folder)
                save(RetrievalModel.fit(reference, **self._settings), folder)
        return load(folder)


def _hash(reference: Reference) -> str:
    """SHA-256 of all that a reference holds, in hexadecimal."""
    digest = hashlib.sha256(value_hash([reference.xrd.to_dict(), [f.reduced for f in reference.formulas]]).encode())
    for crystal in reference.crystals:
        for array in (crystal.lattice, crystal.atomic_numbers, crystal.frac_coords, crystal.occupancies):
            digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(np.ascontiguousarray(reference.patterns).tobytes())
    return digest.hexdigest()
