"""A candidate model in a folder: safetensors, a library of structures and JSON; nothing of it is run when read."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from deepxrd.errors import CheckpointError, DeepXRDError
from deepxrd.io.files import file_hash, write_json
from deepxrd.io.tensors import read_tensors
from deepxrd.library import SHIPPED as SHIPPED_LIBRARY
from deepxrd.library import Library
from deepxrd.library.container import write_container
from deepxrd.models.candidates.candidates import MOST_CHANGE, MOST_ODDS, N_FEATURES, CandidateMaker
from deepxrd.models.candidates.checked import check_arrays, check_facts, check_library, check_network, read_facts
from deepxrd.models.candidates.confidence import Confidence
from deepxrd.models.candidates.describe import N_BEFORE, N_CELL
from deepxrd.models.candidates.folded import FoldedTrees
from deepxrd.models.candidates.group_head import GroupHead
from deepxrd.models.candidates.model import FORMAT, CandidateModel, check_grid
from deepxrd.models.candidates.network import CandidateNet
from deepxrd.models.candidates.templates import Templates
from deepxrd.models.finite import refuse_not_finite
from deepxrd.xrd import XrdSettings

Structures = Literal["all", "learned"]
FACTS = "model.json"
SHIPPED = Path(__file__).parents[2] / "weights" / "candidates"
"""The weights that come with the package; see the model card there."""
_ARRAYS, _NETWORKS, _LIBRARY = "learned.safetensors", "networks.safetensors", "structures.dxl"
_HEAD = "space_groups.safetensors"  # older folders have none


def save(model: CandidateModel, folder: Path, *, with_library: bool = True) -> None:
    """Write a folder that is either whole or not there.

    Args:
        model: what to write.
        folder: where.
        with_library: whether it holds the structures itself, or refers to the library that comes with the package.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        _write(model, made, with_library=with_library)
        if folder.exists():
            folder.rename(Path(temporary) / "before")  # one of the two is whole whenever this ends
        made.rename(folder)


def load(folder: Path, *, structures: Structures = "learned") -> CandidateModel:
    """Read what `save` wrote; it may be a stranger's.

    Args:
        folder: of the model.
        structures: what candidates are made from: ``learned``, of the compositions that the model was learned from, or
            ``all`` that its library holds, but for those that are held out. In either case none of a composition's own.

    Raises:
        CheckpointError: it is no such folder, or one of its files was changed.
    """
    try:
        own = tuple(name for name in (_LIBRARY, _HEAD) if (folder / name).exists())
        facts = read_facts(folder / FACTS, (_ARRAYS, _NETWORKS, *own))
        check_facts(facts, needed_format=FORMAT)
        arrays, xrd = read_tensors(folder / _ARRAYS), XrdSettings(**facts["xrd"])
        check_grid(xrd)
        library = Library.open(folder / _LIBRARY if _LIBRARY in own else SHIPPED_LIBRARY)
        check_arrays(arrays, n_points=xrd.n_points, n_compositions=len(library.tables.composition_start) - 1)
        check_library(facts, _identity(library))
        nets = _networks(read_tensors(folder / _NETWORKS), facts, xrd)
        for net in nets:
            refuse_not_finite(net.state_dict(), folder / _NETWORKS)
        head = GroupHead.from_arrays(read_tensors(folder / _HEAD)) if _HEAD in own else None
        maker, confidence = _maker(library, arrays, structures), Confidence.from_arrays(arrays)
        return CandidateModel(maker, nets, arrays["mean"], xrd, confidence, head=head)
    except Exception as error:  # foreign values can break what is made of them in any way
        reason = str(error) if isinstance(error, DeepXRDError | ValueError | OSError) else repr(error)
        msg = f"{folder} holds no candidate model that can be used: {reason[:500]}"
        raise CheckpointError(msg) from error


def _write(model: CandidateModel, folder: Path, *, with_library: bool) -> None:
    maker, library = model.maker, model.maker.templates.library
    arrays = {
        "compositions": np.packbits(maker.learned_from),
        "volume_angstrom3": maker.additive,
        "mean": model.mean,
        **maker.volumes.to_arrays("volumes."),
        **maker.ranking.to_arrays("ranking."),
        **model.confidence.to_arrays(),
    }
    save_file({key: np.ascontiguousarray(each) for key, each in arrays.items()}, folder / _ARRAYS)
    weights = {
        f"{place}.{key}": np.ascontiguousarray(_narrowed(each.numpy()))
        for place, net in enumerate(model.nets)
        for key, each in net.state_dict().items()
    }
    save_file(weights, folder / _NETWORKS)
    if model.head is not None:
        of_head = model.head.to_arrays()
        kept = {key: _narrowed(each) if each.dtype == np.float32 else each for key, each in of_head.items()}
        save_file({key: np.ascontiguousarray(each) for key, each in kept.items()}, folder / _HEAD)
    if with_library:
        write_container(folder / _LIBRARY, library.header, library.tables.arrays)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes files that only their owner may read
    facts = {
        "format": FORMAT,
        "xrd": model.xrd.to_dict(),
        "members": len(model.nets),
        "library": _identity(library),
        "files": {file.name: file_hash(file) for file in sorted(folder.iterdir())},
    }
    write_json(folder / FACTS, facts)


def _identity(library: Library) -> str:
    """What tells one library from another."""
    return f"{library.header.get('built_from', library.name)} {len(library)}"


def _maker(library: Library, arrays: dict[str, NDArray[Any]], structures: Structures) -> CandidateMaker:
    tables = library.tables
    learned_from = np.unpackbits(arrays["compositions"], count=len(tables.composition_start) - 1).astype(bool)
    chosen = learned_from[tables.composition_of(np.arange(len(library)))] | (structures == "all")
    read = FoldedTrees.from_arrays
    return CandidateMaker(
        Templates(library, chosen),
        arrays["volume_angstrom3"],
        read(arrays, "volumes.", n_features=N_BEFORE + N_CELL, most=MOST_CHANGE),
        read(arrays, "ranking.", n_features=N_BEFORE, most=MOST_ODDS),
        learned_from,
    )


def _narrowed(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """In half precision where nothing is lost by it; else as they are."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and so is lost
        narrow = values.astype(np.float16)
    return narrow if np.array_equal(narrow.astype(values.dtype), values) else values


def _networks(
    weights: dict[str, NDArray[np.floating]], facts: dict[str, Any], xrd: XrdSettings
) -> tuple[CandidateNet, ...]:
    nets = []
    for member in range(facts["members"]):
        start = f"{member}."
        own = {key.removeprefix(start): each for key, each in weights.items() if key.startswith(start)}
        check_network(own, N_FEATURES)
        read = {key: torch.from_numpy(each).float() for key, each in own.items()}
        nets.append(CandidateNet.with_weights(read, xrd.two_theta_deg))
    return tuple(nets)
