"""The model as a whole: fit, predict, save, load."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from deepxrd.chem import Crystal, Formula, parse_formula
from deepxrd.errors import CheckpointError, ConfigError
from deepxrd.files import write_json
from deepxrd.models.baselines import MeanPattern, Reference
from deepxrd.models.baselines.volumes import AdditiveVolumes
from deepxrd.models.retrieval.candidates import TemplateLibrary
from deepxrd.models.retrieval.decode import decode, draw
from deepxrd.models.retrieval.fit import fit_network
from deepxrd.models.retrieval.network import DIVISOR, RetrievalNet
from deepxrd.models.retrieval.protostructure import Protostructure, protostructures
from deepxrd.models.retrieval.volumes import TemplateVolumes
from deepxrd.xrd import Peaks, XrdSettings, find_peaks, normalise

FORMAT = 1
"""Raised whenever the same training part would give other predictions."""
_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says of n compositions.

    Attributes:
        expected: the expected patterns, ``(n, n_points)`` in 0 to 100.
        likely: patterns of the peaks that promise the highest F1, likewise.
        peaks: these peaks: what `find_peaks` finds in ``likely``.
        peak_probability: of each, that a true one is within 1°, ``(n, width)``; 0 where there is padding.
        expected_f1: mean over tolerances of 2, 1 and 0.5°, ``(n,)``; 0 where nothing is known.
        known: whether other compositions of the stoichiometry, and others with each of the elements, were learned
            from, ``(n,)``; where not, both patterns are the mean training pattern.
    """

    expected: NDArray[np.float32]
    likely: NDArray[np.float32]
    peaks: Peaks
    peak_probability: NDArray[np.float64]
    expected_f1: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RetrievalModel:
    """Candidate structures from like compositions, weighed by a network.

    Attributes:
        library: structures to substitute into.
        volumes: of the candidates.
        net: what weighs them.
        mean: the mean training pattern, ``(n_points,)``.
        lonely: training compositions that nothing else in the library is like, and for each the mean of all others.
        xrd: settings of the patterns.
    """

    library: TemplateLibrary
    volumes: TemplateVolumes
    net: RetrievalNet
    mean: NDArray[np.float32]
    lonely: dict[Formula, NDArray[np.float32]]
    xrd: XrdSettings

    @classmethod
    def fit(cls, reference: Reference, *, seed: int = 0, epochs: int = 4, batch: int = 64) -> Self:
        """Learn from the training part; the same seed gives the same numbers.

        Raises:
            ConfigError: the grid does not suit the network, or a number makes no sense.
        """
        check_settings(reference.xrd, epochs=epochs, batch=batch)
        additive = AdditiveVolumes(reference.formulas, reference.crystals)
        library = TemplateLibrary(reference.formulas, reference.crystals, protostructures(reference.crystals), additive)
        volumes = library.fit_volumes(seed=seed)
        net = fit_network(reference, library, volumes, seed=seed, epochs=epochs, batch=batch)
        distinct = list(reference.rows_of)
        alone = [f for f, known in zip(distinct, library.known(distinct), strict=True) if not known]
        if len(distinct) == 1:
            alone = []  # there is nothing else whose mean could be taken
        pattern = MeanPattern().fit(reference)
        lonely = dict(zip(alone, pattern.predict(alone), strict=True))
        total = np.asarray(np.sum(reference.patterns, axis=0, dtype=np.float64))
        return cls(library, volumes, net, normalise(total[None])[0], lonely, reference.xrd)

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
        likely = draw(peaks, self.xrd)
        likely[~known] = expected[~known]
        if not known.all():  # all peaks anew, since those of mean patterns may be more than were decoded
            peaks = find_peaks(likely, self.xrd.two_theta_deg)
            padded = np.zeros_like(peaks.intensity)
            width = min(probability.shape[1], padded.shape[1])
            padded[known, :width] = probability[known, :width]
            probability, f1 = padded, np.where(known, f1, 0.0)
        return Prediction(expected, likely, peaks, probability, f1, known)

    @torch.no_grad()
    def _ask(self, formulas: Sequence[Formula]) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float64]]:
        """Whether any candidate could be simulated; patterns in 0 to 100; density of peaks."""
        found = self.library.candidates(formulas, self.volumes)
        # as rounded in training
        simulated = self.library.patterns(found, self.xrd).astype(np.float16).astype(np.float32)
        elements = np.concatenate([found.old, found.new], axis=2)
        mask = np.asarray(simulated.any(axis=2))
        sound = np.asarray(mask.any(axis=1))
        mask[~sound, 0] = True  # attention to nothing at all is not a number
        out = self.net(*(torch.from_numpy(each) for each in (found.features, elements, mask, simulated)))
        pattern = normalise(np.maximum(out.pattern.numpy(), 0.0))
        return sound, pattern, out.peaks.sigmoid().double().numpy()

    def save(self, folder: Path) -> None:
        """Write a folder that is either whole or not there: safetensors, LightGBM's text and JSON."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            made = Path(temporary) / folder.name
            made.mkdir()
            self._write(made)
            if folder.exists():
                shutil.rmtree(folder)
            made.rename(folder)

    def _write(self, folder: Path) -> None:
        crystals, kinds = self.library.crystals, self.library.kinds
        arrays = {
            "lattice": np.stack([each.lattice for each in crystals]),
            "n_sites": np.array([len(each.atomic_numbers) for each in crystals]),
            "atomic_numbers": np.concatenate([each.atomic_numbers for each in crystals]),
            "frac_coords": np.concatenate([each.frac_coords for each in crystals]),
            "occupancies": np.concatenate([each.occupancies for each in crystals]),
            "space_group": np.array([each.space_group for each in kinds]),
            "n_primitive": np.array([each.n_primitive for each in kinds]),
            "volume_angstrom3": self.library.additive.volume_angstrom3,
            "mean": self.mean,
            "lonely": np.stack([self.mean, *self.lonely.values()]),
        }
        save_file({key: np.ascontiguousarray(each) for key, each in arrays.items()}, folder / "library.safetensors")
        weights = {key: np.ascontiguousarray(each.numpy()) for key, each in self.net.state_dict().items()}
        save_file(weights, folder / "network.safetensors")
        self.volumes.save(folder)
        facts = {
            "format": FORMAT,
            "xrd": self.xrd.to_dict(),
            "n_features": len(self.net.centre),
            "formulas": [each.reduced for each in self.library.formulas],
            "labels": [each.label for each in kinds],
            "lonely": [each.reduced for each in self.lonely],
        }
        write_json(folder / "model.json", facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; nothing in it is run.

        Raises:
            CheckpointError: it is no such folder.
        """
        try:
            facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            if facts["format"] != FORMAT:
                msg = f"{folder} holds a retrieval model of format {facts['format']}, not {FORMAT}: fit it anew"
                raise CheckpointError(msg)
            arrays, weights = (load_file(folder / f"{name}.safetensors") for name in ("library", "network"))
            library = _library(facts["formulas"], facts["labels"], arrays)
            xrd = XrdSettings(**facts["xrd"])
            net = RetrievalNet(facts["n_features"], library.width, xrd.two_theta_deg)
            net.load_state_dict({key: torch.from_numpy(each) for key, each in weights.items()})
            lonely = dict(zip(map(parse_formula, facts["lonely"]), arrays["lonely"][1:], strict=True))
            # laid out as it was when it was trained, so that sums are formed in the same order
            net = net.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
            return cls(library, TemplateVolumes.load(folder), net, arrays["mean"], lonely, xrd)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            msg = f"{folder} holds no retrieval model that can be read: {error}"
            raise CheckpointError(msg) from error


def check_settings(xrd: XrdSettings, *, epochs: int, batch: int) -> None:
    """Find out before hours of training.

    Raises:
        ConfigError: the grid does not suit the network, or a number makes no sense.
    """
    if xrd.axis != "two_theta" or xrd.n_points % DIVISOR:
        msg = f"the retrieval model needs xrd.axis=two_theta and xrd.n_points a multiple of {DIVISOR}, not "
        msg += f"{xrd.axis} and {xrd.n_points}"
        raise ConfigError(msg)
    if epochs < 1 or batch < 1:
        msg = f"the retrieval model needs at least 1 epoch and batches of 1, not {epochs} and {batch}"
        raise ConfigError(msg)


def _library(formulas: list[str], labels: list[str], arrays: dict[str, NDArray[np.float64]]) -> TemplateLibrary:
    ends = np.cumsum(arrays["n_sites"])[:-1]
    sites = [np.split(arrays[name], ends) for name in ("atomic_numbers", "frac_coords", "occupancies")]
    crystals = [Crystal(*each) for each in zip(arrays["lattice"], *sites, strict=True)]
    kinds = [
        Protostructure(label, int(group), int(n))
        for label, group, n in zip(labels, arrays["space_group"], arrays["n_primitive"], strict=True)
    ]
    parsed = {text: parse_formula(text) for text in set(formulas)}
    additive = AdditiveVolumes.from_table(arrays["volume_angstrom3"])
    return TemplateLibrary([parsed[text] for text in formulas], crystals, kinds, additive)
