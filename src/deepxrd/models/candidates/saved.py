"""A candidate model in a folder: safetensors and JSON, nothing of which is run when read."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from deepxrd.chem import parse_formula
from deepxrd.errors import CheckpointError, DeepXRDError
from deepxrd.io.files import file_hash, write_json
from deepxrd.io.tensors import read_tensors
from deepxrd.models.baselines.volumes import AdditiveVolumes
from deepxrd.models.candidates.candidates import TemplateLibrary, n_exchange_features, n_features
from deepxrd.models.candidates.checked import (
    check_library,
    check_network,
    check_texts,
    checked_hashes,
    read_facts,
)
from deepxrd.models.candidates.geometry import Geometries, narrowed
from deepxrd.models.candidates.learned import LearnedFrom
from deepxrd.models.candidates.model import FORMAT, CandidateModel, check_grid
from deepxrd.models.candidates.network import CandidateNet
from deepxrd.models.candidates.protostructure import Protostructure
from deepxrd.models.candidates.volumes import FILE as VOLUMES
from deepxrd.models.candidates.volumes import OLD_FILES as OLD_VOLUMES
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
    """Read what `save` wrote; it may be a stranger's.

    Raises:
        CheckpointError: it is no such folder, or one of its files was changed.
    """
    try:
        volumes = (VOLUMES,) if (folder / VOLUMES).exists() else OLD_VOLUMES
        # a folder that was made before this was noted has no such file
        noted = (_LEARNED,) if (folder / _LEARNED).exists() else ()
        facts = read_facts(folder / FACTS, (_LIBRARY, _NETWORKS, *volumes, *noted))
        check_texts(facts, needed_format=FORMAT)
        arrays, xrd = read_tensors(folder / _LIBRARY), XrdSettings(**facts["xrd"])
        check_library(arrays, facts, n_points=xrd.n_points)
        check_grid(xrd)
        learned = LearnedFrom(checked_hashes(read_tensors(folder / _LEARNED))) if noted else None
        library = _library(facts, arrays, learned)
        nets = _networks(read_tensors(folder / _NETWORKS), facts, library.width, xrd)
        for net in nets:
            refuse_not_finite(net.state_dict(), folder / _NETWORKS)
        lonely = dict(zip(map(parse_formula, facts["lonely"]), arrays["lonely"][1:], strict=True))
        trees = TemplateVolumes.load(folder, n_exchange_features(library.width))
        return CandidateModel(library, trees, nets, arrays["mean"], lonely, xrd)
    except Exception as error:  # foreign values can break what is made of them in any way
        reason = str(error) if isinstance(error, DeepXRDError | ValueError | OSError) else repr(error)
        msg = f"{folder} holds no candidate model that can be used: {reason[:500]}"
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
    facts: dict[str, Any], arrays: dict[str, NDArray[np.float64]], learned: LearnedFrom | None
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
    weights: dict[str, NDArray[np.floating]], facts: dict[str, Any], width: int, xrd: XrdSettings
) -> tuple[CandidateNet, ...]:
    nets = []
    for member in range(facts["members"]):
        start = f"{member}."
        own = {key.removeprefix(start): each for key, each in weights.items() if key.startswith(start)}
        check_network(own, n_features(width))
        read = {key: torch.from_numpy(each).float() for key, each in own.items()}
        nets.append(CandidateNet.with_weights(read, width, xrd.two_theta_deg))
    return tuple(nets)
