"""Reading checkpoints: only plain values and tensors, and only those this package wrote."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from deepxrd.chem import OneHotEncoding
from deepxrd.errors import CheckpointError
from deepxrd.training.module import DeepXRDModule


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU, without running any code in it.

    Raises:
        CheckpointError: there is no such file, or it is none of ours.
    """
    if not path.is_file():
        msg = f"no checkpoint at {path}; a run keeps its own in checkpoints/best.ckpt"
        raise CheckpointError(msg)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile, ValueError, OSError) as error:
        msg = f"{path} is no checkpoint that can be read safely: {str(error).splitlines()[0] if str(error) else error!r}"
        raise CheckpointError(msg) from error
    if not isinstance(content, dict) or not {"state_dict", "hyper_parameters"} <= content.keys():
        msg = f"{path} is no deepxrd checkpoint: it holds no weights with their settings"
        raise CheckpointError(msg)
    return content


def load_module(path: Path, *, encoding: OneHotEncoding | None = None) -> DeepXRDModule:
    """The module of a checkpoint, ready to predict.

    Args:
        path: a ``.ckpt`` file.
        encoding: what the caller encodes formulas with; None takes the checkpoint's.

    Raises:
        CheckpointError: no checkpoint of ours, other weights than its settings say, or made with another encoding.
    """
    content = load_checkpoint(path)
    try:
        module = DeepXRDModule(**content["hyper_parameters"])
        module.load_state_dict(content["state_dict"])
    except (TypeError, KeyError, RuntimeError) as error:
        msg = f"{path} does not fit this version of deepxrd: {error}"
        raise CheckpointError(msg) from error
    if encoding is not None and encoding != module.encoding:
        made, wanted = module.encoding, encoding
        msg = (
            f"{path} was made with another encoding: {len(made.elements)} elements × {made.n_counts} counts, "
            f"not the {len(wanted.elements)} × {wanted.n_counts} of this configuration"
        )
        raise CheckpointError(msg)
    return module.eval()
