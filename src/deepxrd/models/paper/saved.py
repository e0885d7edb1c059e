"""Networks in files: reading a checkpoint without running anything in it, and without Lightning."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepxrd.chem import OneHotEncoding
from deepxrd.config.instantiate import build
from deepxrd.errors import CheckpointError, ConfigError
from deepxrd.models.finite import refuse_not_finite
from deepxrd.xrd import XrdSettings

_PREFIX = "net."  # where the LightningModule keeps the network


@dataclass(frozen=True, eq=False)
class SavedNetwork:
    """A trained network and what it was trained for.

    Attributes:
        net: the network, in evaluation mode.
        encoding: of the formulas it reads.
        xrd: settings of the patterns it writes.
    """

    net: nn.Module
    encoding: OneHotEncoding
    xrd: XrdSettings


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU, plain values and tensors only.

    Raises:
        CheckpointError: there is no such file, or it is none of ours.
    """
    if not path.is_file():
        msg = f"no checkpoint at {path}; a run keeps its own in checkpoints/best.ckpt"
        raise CheckpointError(msg)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        first_line = (str(error).splitlines() or [repr(error)])[0]
        msg = f"{path} is no checkpoint that can be read safely: {first_line}"
        raise CheckpointError(msg) from error
    groups = ("state_dict", "hyper_parameters")
    if not isinstance(content, dict) or not all(isinstance(content.get(each), dict) for each in groups):
        msg = f"{path} is no deepxrd checkpoint: it does not hold weights with their settings"
        raise CheckpointError(msg)
    return content


def load_network(path: Path) -> SavedNetwork:
    """The network of a checkpoint, ready to predict.

    Raises:
        CheckpointError: no checkpoint of ours, or its weights do not fit its own settings.
    """
    content = load_checkpoint(path)
    try:
        settings = content["hyper_parameters"]
        encoding, xrd = OneHotEncoding.from_dict(settings["encoding"]), XrdSettings(**settings["xrd"])
        net = build(settings["net"], nn.Module, input_shape=encoding.shape)
        weights = {k.removeprefix(_PREFIX): v for k, v in content["state_dict"].items() if k.startswith(_PREFIX)}
        net.load_state_dict(weights)
        refuse_not_finite(net.state_dict(), path)
    except (TypeError, KeyError, RuntimeError, ConfigError) as error:
        msg = f"{path} does not fit this version of deepxrd, or was made with another encoding: {error}"
        raise CheckpointError(msg) from error
    return SavedNetwork(channels_last(net.eval()), encoding, xrd)


def channels_last(net: nn.Module) -> nn.Module:
    """The same network with its weights laid out as convolutions run fastest, on CPUs and GPUs alike."""
    return net.to(memory_format=torch.channels_last)  # type: ignore[no-any-return,call-overload]


def to_patterns(raw: Tensor) -> Tensor:
    """Scale what a network puts out so that each pattern runs from 0 to 100: ``(batch, n_points)``.

    The Pearson loss is blind to offset and scale, so both are taken from the pattern itself, as they are for true
    patterns, whose largest value is 100 and whose least is nearly always 0.
    """
    raw = raw.float()
    low, high = raw.amin(dim=-1, keepdim=True), raw.amax(dim=-1, keepdim=True)
    return 100 * (raw - low) / (high - low).clamp_min(torch.finfo(raw.dtype).tiny)
