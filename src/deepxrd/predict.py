"""Formulas to patterns with a trained network, from Python: load once, predict many times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem import Formula, parse_formula
from deepxrd.errors import ConfigError
from deepxrd.models import SavedNetwork, load_network, to_patterns
from deepxrd.xrd import XrdSettings


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a predictor says of n formulas.

    Attributes:
        patterns: ``(n, n_points)`` float32, from 0 to 100.
        columns: what else it knows of each formula, arrays ``(n,)`` by name.
    """

    patterns: NDArray[np.float32]
    columns: dict[str, NDArray[np.generic]] = field(default_factory=dict)


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
        try:
            self._device = torch.device(device)
            self._net = network.net.to(self._device)
        except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
            reason = (str(error).splitlines() or [repr(error)])[0]
            msg = f"cannot compute on device {device!r}: {reason}; cpu always works"
            raise ConfigError(msg) from error

    @classmethod
    def load(cls, path: str | Path, *, device: str = "cpu", bf16: bool = False) -> Predictor:
        """Load a checkpoint, such as ``outputs/…/checkpoints/best.ckpt``.

        Raises:
            CheckpointError: there is none at the path, or it is none of ours.
        """
        return cls(load_network(Path(path)), device=device, bf16=bf16)

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
        parsed = parse_formula(formula)
        self._network.encoding.cells(parsed)
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
        parsed = [self.check(formula) if isinstance(formula, str) else formula for formula in formulas]
        out = np.empty((len(parsed), self.xrd.n_points), dtype=np.float32)
        batch_size = batch_size or (64 if self._device.type == "cpu" else 1024)
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            for start in range(0, len(parsed), batch_size):
                batch = torch.from_numpy(self._network.encoding.encode(parsed[start : start + batch_size]))
                raw = self._net(batch.to(self._device).float())
                out[start : start + batch_size] = to_patterns(raw).cpu().numpy()
        return out

    def predict(self, formulas: Sequence[str | Formula]) -> Predictions:
        """The same, as screening takes it; this network has no further columns."""
        return Predictions(self.patterns(formulas))
