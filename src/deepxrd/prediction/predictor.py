"""Formulas to patterns from Python: load once, predict many times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem import Formula, parse_typed_formula
from deepxrd.chem.encodings import encoded
from deepxrd.chem.typed_formula import parse_each
from deepxrd.errors import CheckpointError, ConfigError
from deepxrd.io.devices import working_device
from deepxrd.io.files import file_hash
from deepxrd.models.paper import SavedNetwork, load_network, to_patterns
from deepxrd.models.predictions import Predictions
from deepxrd.xrd import XrdSettings

if TYPE_CHECKING:
    from deepxrd.models.candidates import CandidateModel
    from deepxrd.models.candidates.answers import Candidate
    from deepxrd.models.candidates.saved import Structures
    from deepxrd.models.candidates.symmetry import Symmetry


Quality = Literal["full", "fast"]


class PatternPredictor(Protocol):
    """What all predictors have in common."""

    @property
    def xrd(self) -> XrdSettings:
        """Radiation, range and width of the patterns."""

    @property
    def fingerprint(self) -> str:
        """Hash of all that its predictions depend on."""

    def check(self, formula: str) -> Formula:
        """Parse a formula; FormulaError if it cannot be predicted."""

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        """Predict one row per formula; of none, too, so that the columns are known beforehand."""


def load_predictor(
    path: Path | None = None,
    *,
    device: str = "cpu",
    bf16: bool = False,
    trust: Collection[str] = (),
    quality: Quality = "full",
    structures: Structures = "all",
) -> PatternPredictor:
    """Load what predicts.

    Args:
        path: a checkpoint of `deepxrd.train`, or the folder of a candidate model; None for the weights that come with
            the package.
        device: where networks compute and a candidate model simulates.
        bf16: whether a network computes in bfloat16; a candidate model does so in float32.
        trust: full names of classes of networks that are not ours and that a checkpoint may name.
        quality: ``fast`` makes a candidate model ask one of its networks about half as many candidates.
        structures: what a candidate model puts elements into: ``all`` structures of its library that are not held out,
            or of those compositions alone that it was ``learned`` from, to be compared with what knows no others. In
            either case none of a composition's own.

    Raises:
        CheckpointError: there is nothing at the path that can be loaded.
        ConfigError: there is no such device, or it is not for this model.
    """
    if path is None or path.is_dir():
        if bf16:
            msg = "the candidate model computes in float32: leave --bf16 out, or give the --checkpoint of a network"
            raise ConfigError(msg)
        return CandidatePredictor.load(path, device=device, quality=quality, structures=structures)
    if quality != "full":
        msg = f"--quality {quality} is for a candidate model; {path} is a single network: leave it out"
        raise ConfigError(msg)
    return Predictor.load(path, device=device, bf16=bf16, trust=trust)


class Predictor:
    """A trained network behind one call.

    Args:
        network: what :func:`deepxrd.models.load_network` gives.
        device: where to compute, such as ``cpu`` or ``cuda``.
        bf16: compute in bfloat16, which is quicker where the hardware multiplies it; intensities are then off by 0.05
            of 100 in the mean, and by 2 at most (results/speed.md).

    Raises:
        ConfigError: there is no such device.
    """

    def __init__(self, network: SavedNetwork, *, device: str = "cpu", bf16: bool = False) -> None:
        self._network, self._bf16 = network, bf16
        self._device = working_device(device)
        self._net = network.net.to(self._device)

    @classmethod
    def load(
        cls, path: str | Path, *, device: str = "cpu", bf16: bool = False, trust: Collection[str] = ()
    ) -> Predictor:
        """Load a checkpoint, such as ``outputs/…/checkpoints/best.ckpt``; see :func:`load_predictor`.

        Raises:
            CheckpointError: there is none at the path, or it is none of ours.
        """
        return cls(load_network(Path(path), trust=trust), device=device, bf16=bf16)

    @property
    def xrd(self) -> XrdSettings:
        """Radiation, range and width of the patterns."""
        return self._network.xrd

    @property
    def two_theta(self) -> NDArray[np.float64]:
        """The grid of the patterns, ``(n_points,)``, degrees 2θ."""
        return self.xrd.two_theta_deg

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights and of what they were made for: equal fingerprints, equal predictions."""
        described = [str(self._net), self._network.encoding.to_dict(), self.xrd.to_dict(), self._bf16]
        digest = hashlib.sha256(json.dumps(described).encode())
        for name, values in self._net.state_dict().items():
            digest.update(name.encode() + values.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def check(self, formula: str) -> Formula:
        """Parse a formula and make sure that it can be predicted.

        Raises:
            FormulaError: it cannot be parsed, or does not fit the encoding.
        """
        parsed = parse_typed_formula(formula)
        self._network.encoding.check(parsed)
        return parsed

    def patterns(self, formulas: Sequence[str | Formula], *, batch_size: int | None = None) -> NDArray[np.float32]:
        """Predict one pattern per formula.

        Args:
            formulas: as text, or parsed.
            batch_size: formulas at a time; does not change the result. What is quickest, if not given: few on a CPU,
                whose caches are small.

        Returns:
            ``(len(formulas), n_points)`` float32, from 0 to 100.

        Raises:
            FormulaError: one of them cannot be parsed or encoded; the message names it.
        """
        parsed = parse_each(formulas, self.check)
        out = np.empty((len(parsed), self.xrd.n_points), dtype=np.float32)
        batch_size = batch_size or (64 if self._device.type == "cpu" else 1024)
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            for start in range(0, len(parsed), batch_size):
                batch = torch.from_numpy(encoded(self._network.encoding, parsed[start : start + batch_size]))
                raw = self._net(batch.to(self._device).float())
                out[start : start + batch_size] = to_patterns(raw).cpu().numpy()
        return out

    def predict(self, formulas: Sequence[str | Formula]) -> Predictions:
        """The same, as screening takes it; this network knows nothing else."""
        return Predictions(self.patterns(formulas))


class CandidatePredictor:
    """A candidate model behind one call: decoded peaks, expected patterns, and how sure they are.

    Args:
        model: fitted.
        fingerprint: hash of the model's file of facts, which holds those of all others.
    """

    def __init__(self, model: CandidateModel, *, fingerprint: str) -> None:
        self._model, self.fingerprint = model, fingerprint

    @classmethod
    def load(
        cls,
        folder: Path | None = None,
        *,
        device: str = "cpu",
        quality: Quality = "full",
        structures: Structures = "all",
    ) -> CandidatePredictor:
        """Load the folder of a candidate model; without one, the weights that come with the package.

        Args:
            folder: of the model.
            device: see :func:`load_predictor`.
            quality: see :func:`load_predictor`.
            structures: see :func:`load_predictor`.

        Raises:
            CheckpointError: it holds none, or a damaged one.
            ConfigError: there is no such device.
        """
        from deepxrd.models.candidates.saved import FACTS, SHIPPED, load

        folder = folder or SHIPPED
        if not (folder / FACTS).is_file():
            msg = f"no trained model in {folder}: give a checkpoint such as outputs/…/checkpoints/best.ckpt"
            raise CheckpointError(msg)
        where = working_device(device)
        model, fingerprint = load(folder, structures=structures), f"{file_hash(folder / FACTS)} {structures}"
        if where.type != "cpu":
            model = model.on(str(where))
        if quality == "full":
            return cls(model, fingerprint=fingerprint)
        return cls(model.faster(), fingerprint=f"{fingerprint} {quality}")

    @property
    def xrd(self) -> XrdSettings:
        """Radiation, range and width of the patterns."""
        return self._model.xrd

    @property
    def two_theta(self) -> NDArray[np.float64]:
        """The grid of the patterns, ``(n_points,)``, degrees 2θ."""
        return self.xrd.two_theta_deg

    def check(self, formula: str) -> Formula:
        """Parse a formula; all that can be parsed get a prediction, perhaps with ``known`` false.

        Raises:
            FormulaError: it cannot be parsed.
        """
        return parse_typed_formula(formula)

    def learned(self, formulas: Sequence[Formula]) -> NDArray[np.bool_]:
        """Which compositions were learned from, ``(n,)``; scores on them would be too good."""
        return self._model.maker.learned(formulas)

    def patterns(self, formulas: Sequence[str | Formula]) -> NDArray[np.float32]:
        """Drawings of the decoded peaks, ``(len(formulas), n_points)`` float32, from 0 to 100.

        Raises:
            FormulaError: one of them cannot be parsed; the message names it.
        """
        return self.predict(formulas).patterns

    def predict(self, formulas: Sequence[str | Formula]) -> Predictions:
        """Decoded peaks, ``best`` and ``expected`` patterns, candidates; see :meth:`CandidateModel.predict`.

        Columns besides: ``best_…``, probability, space group, prototype, template and cell of the first candidate; and
        what all candidates say together, crystal system, space groups, cell, volume and density, with their
        probabilities or the ends of intervals that hold the true value in 90 %.

        Raises:
            FormulaError: one of them cannot be parsed or is no text, and the message names it; or no list is given.
        """
        from deepxrd.models.candidates.answers import first_columns
        from deepxrd.models.candidates.symmetry import symmetry_columns

        parsed = parse_each(formulas, self.check)
        said = self._model.predict(parsed)
        further = first_columns(self._model.maker, said.candidates) | symmetry_columns(
            self._model.symmetry(said, parsed)
        )
        return replace(said, columns={**said.columns, **further})

    def symmetry(self, formulas: Sequence[Formula]) -> Symmetry:
        """Crystal system, space groups, cell, volume and density of compositions, from all candidates together."""
        return self._model.symmetry(self._model.predict(formulas), formulas)

    def candidates(self, predictions: Predictions, *, most: int | None = None) -> list[list[Candidate]]:
        """The candidate structures of each formula of a prediction, the most probable first.

        Args:
            predictions: what `predict` gave.
            most: of each formula; None for all.
        """
        from deepxrd.models.candidates.answers import answers

        return answers(self._model.maker, predictions.candidates, most=most)
