"""A candidate model in a folder: safetensors, compressed LightGBM text and JSON, nothing of which is run when read."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from deepxrd.chem import parse_formula
from deepxrd.errors import CheckpointError
from deepxrd.io.files import file_hash, write_json
from deepxrd.models.baselines.volumes import AdditiveVolumes
from deepxrd.models.candidates.candidates import TemplateLibrary
from deepxrd.models.candidates.geometry import Geometries, narrowed
from deepxrd.models.candidates.learned import LearnedFrom
from deepxrd.models.candidates.model import FORMAT, CandidateModel
from deepxrd.models.candidates.network import CandidateNet
from deepxrd.models.candidates.protostructure import Protostructure
from deepxrd.models.candidates.volumes import TemplateVolumes
from deepxrd.models.finite import refuse_not_finite
from deepxrd.xrd import XrdSettings

FACTS = "model.json"
SHIPPED = Path(__file__).parents[2] / "weights" / "ternary"
"""The weights that come with the package; see the model card there."""
_LIBRARY, _NETWORKS, _LEARNED = "library.safetensors", "networks.safetensors", "learned.safetensors"


def save(model: CandidateModel, folder: Path) -> None:
    """Write a folder that is either whole or not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        _write(model, made)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)


def load(folder: Path) -> CandidateModel:
    """Read what `save` wrote.

    Raises:
        CheckpointError: it is no such folder, or one of its files was changed.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            msg = f"{folder} holds a candidate model of format {facts['format']}, not {FORMAT}: fit it anew"
            raise CheckpointError(msg)
        for name, expected in facts["files"].items():
            if file_hash(folder / name) != expected:
                msg = f"{folder / name} does not match the hash in {FACTS}: get the folder anew"
                raise CheckpointError(msg)
        arrays = load_file(folder / _LIBRARY)
        # a folder that was made before this was noted has no such file
        learned = LearnedFrom(load_file(folder / _LEARNED)["hashes"]) if _LEARNED in facts["files"] else None
        library = _library(facts, arrays, learned)
        xrd = XrdSettings(**facts["xrd"])
        nets = _networks(load_file(folder / _NETWORKS), facts, library.width, xrd)
        for net in nets:
            refuse_not_finite(net.state_dict(), folder / _NETWORKS)
        lonely = dict(zip(map(parse_formula, facts["lonely"]), arrays["lonely"][1:], strict=True))
        return CandidateModel(library, TemplateVolumes.load(folder), nets, arrays["mean"], lonely, xrd)
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        msg = f"{folder} holds no candidate model that can be read: {error}"
        raise CheckpointError(msg) from error


def _write(model: CandidateModel, folder: Path) -> None:
    library = model.library
    labels, kind = np.unique([each.label for each in library.kinds], return_inverse=True)
    sites = Geometries.of(library.crystals)
    arrays = {
        **{field.name: getattr(sites, field.name) for field in fields(sites)},
        "kind": kind.astype(np.int32),
        "space_group": np.array([each.space_group for each in library.kinds], dtype=np.uint8),
        "n_primitive": np.array([each.n_primitive for each in library.kinds], dtype=np.int32),
        "volume_angstrom3": library.additive.volume_angstrom3,
        "mean": model.mean,
        "lonely": np.stack([model.mean, *model.lonely.values()]),
    }
    save_file({key: np.ascontiguousarray(each) for key, each in arrays.items()}, folder / _LIBRARY)
    save_file({"hashes": library.learned.hashes}, folder / _LEARNED)
    weights = {
        f"{place}.{key}": np.ascontiguousarray(narrowed(each.numpy(), np.float16))
        for place, net in enumerate(model.nets)
        for key, each in net.state_dict().items()
    }
    save_file(weights, folder / _NETWORKS)
    model.volumes.save(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes files that only their owner may read
    facts = {
        "format": FORMAT,
        "xrd": model.xrd.to_dict(),
        "members": len(model.nets),
        "files": {file.name: file_hash(file) for file in sorted(folder.iterdir())},
        "lonely": [each.reduced for each in model.lonely],
        "formulas": " ".join(each.reduced for each in library.formulas),
        "kinds": " ".join(labels),
    }
    write_json(folder / FACTS, facts)


def _library(
    facts: dict[str, str], arrays: dict[str, NDArray[np.float64]], learned: LearnedFrom | None
) -> TemplateLibrary:
    sites = Geometries(**{field.name: arrays[field.name] for field in fields(Geometries)})  # type: ignore[arg-type]
    labels = facts["kinds"].split(" ")
    kinds = [
        Protostructure(labels[kind], int(group), int(n))
        for kind, group, n in zip(arrays["kind"], arrays["space_group"], arrays["n_primitive"], strict=True)
    ]
    texts = facts["formulas"].split(" ")
    parsed = {text: parse_formula(text) for text in set(texts)}
    additive = AdditiveVolumes.from_table(arrays["volume_angstrom3"])
    formulas = [parsed[text] for text in texts]
    return TemplateLibrary(formulas, sites.crystals(), kinds, additive, learned)


def _networks(
    weights: dict[str, NDArray[np.floating]], facts: dict[str, int], width: int, xrd: XrdSettings
) -> tuple[CandidateNet, ...]:
    nets = []
    for member in range(facts["members"]):
        start = f"{member}."
        own = {key.removeprefix(start): each for key, each in weights.items() if key.startswith(start)}
        read = {key: torch.from_numpy(each).float() for key, each in own.items()}
        nets.append(CandidateNet.with_weights(read, width, xrd.two_theta_deg))
    return tuple(nets)
