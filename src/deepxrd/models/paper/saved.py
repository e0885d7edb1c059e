"""Networks in files: reading a checkpoint without running anything in it, and without Lightning."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepxrd.chem import Encoding, OneHotEncoding
from deepxrd.chem.encodings import make_encoding
from deepxrd.config.allowed import STORED, check_targets, current_name
from deepxrd.errors import CheckpointError, ConfigError
from deepxrd.io.sealed import check_sealed
from deepxrd.models.contract import build_network, check_network
from deepxrd.models.finite import refuse_not_finite
from deepxrd.xrd import XrdSettings

_GROUPS = ("state_dict", "hyper_parameters")
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
    encoding: Encoding
    xrd: XrdSettings


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU, plain values and tensors only.

    Raises:
        CheckpointError: there is no such file, it is none of ours, or it was changed after it was written.
    """
    if not path.exists():
        msg = f"no checkpoint at {path}; a run keeps its own in checkpoints/best.ckpt"
        raise CheckpointError(msg)
    try:
        check_sealed(path)
    except (OSError, ValueError) as error:
        msg = f"{path} is no checkpoint that can be used: {error}; get it anew, or train again"
        raise CheckpointError(msg) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign bytes can break what unpickles them in any way
        first_line = (str(error).splitlines() or [repr(error)])[0]
        msg = f"{path} is no checkpoint that can be read safely: {first_line[:300]}"
        raise CheckpointError(msg) from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in _GROUPS):
        msg = f"{path} is no deepxrd checkpoint: it does not hold weights with their settings"
        raise CheckpointError(msg)
    return content


def load_network(path: Path, *, trust: Collection[str] = ()) -> SavedNetwork:
    """The network of a checkpoint, ready to predict.

    Args:
        path: of the checkpoint.
        trust: full names of classes that are not ours and that it may name; nothing else that it names is imported.

    Raises:
        CheckpointError: no checkpoint of ours, or its weights do not fit its own settings.
    """
    content = load_checkpoint(path)
    settings = content["hyper_parameters"]
    try:
        check_targets([settings.get("net"), settings.get("encoding")], trust, where=str(path))
    except ConfigError as error:
        raise CheckpointError(str(error)) from error
    try:
        weights = {
            str(k).removeprefix(_PREFIX): v for k, v in content["state_dict"].items() if str(k).startswith(_PREFIX)
        }
        check_weights(weights)
        encoding, xrd = _encoding(settings["encoding"]), XrdSettings(**settings["xrd"])
        node: dict[str, Any] = settings["net"]
        made = functools.partial(build_network, node, encoding=encoding, n_points=xrd.n_points)
        if current_name(str(node["_target_"])) in STORED:  # its size is found out before its memory is asked for
            with torch.device("meta"):
                _check_shapes(made(), weights)
        net = made()
        net.load_state_dict(weights)
        refuse_not_finite(net.state_dict(), path)
        _check_shapes(net, weights)
        check_network(net, encoding=encoding, n_points=xrd.n_points)
    except CheckpointError:
        raise
    except Exception as error:  # foreign values can break what is made of them in any way
        reason = str(error)
        msg = f"{path} does not fit this version of deepxrd, or was made with another encoding: {reason[:500]}"
        raise CheckpointError(msg) from error
    return SavedNetwork(channels_last(net.eval()), encoding, xrd)


def check_weights(weights: Mapping[str, Any]) -> None:
    """Make sure that weights are plain numbers in memory.

    Raises:
        ValueError: one of them is not.
    """
    for name, value in weights.items():
        plain = isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"
        if not plain or value.is_complex() or value.is_quantized:
            msg = f"the weights {name} are no real numbers"
            raise ValueError(msg)


def _encoding(values: dict[str, Any]) -> Encoding:
    encoding = make_encoding(values)
    if isinstance(encoding, OneHotEncoding) and len(set(encoding.elements)) != len(encoding.elements):
        msg = "its encoding has an element twice"
        raise ValueError(msg)
    return encoding


def _check_shapes(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    needed = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    differ = sorted(name for name in needed.keys() | found.keys() if needed.get(name) != found.get(name))
    if differ:
        name = differ[0]
        msg = f"its weights {name} have the shape {found.get(name)}, but its settings need {needed.get(name)}"
        raise ValueError(msg)


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
