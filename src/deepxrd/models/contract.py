"""What every network keeps to, whoever wrote it: built with what it asks for, tried once, and told in words."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepxrd.chem import Encoding
from deepxrd.config.instantiate import build, class_of
from deepxrd.errors import ConfigError

_TRIED = 2  # samples
_TWO_DIMENSIONS = 2


def build_network(node: Mapping[str, Any], *, encoding: Encoding, n_points: int) -> nn.Module:
    """Make the network that a node describes.

    ``input_shape``, the encoding's, and ``n_points`` are given to a class that has arguments of these names.

    Args:
        node: ``_target_`` and arguments.
        encoding: of the formulas.
        n_points: of the patterns.

    Raises:
        ConfigError: there is no such network, it does not take these settings, or one of the two is set to another
            value than the data have.
    """
    asked = inspect.signature(class_of(node, nn.Module)).parameters
    offered = {"input_shape": list(encoding.shape), "n_points": n_points}
    given = {name: value for name, value in offered.items() if name in asked}
    for name, value in given.items():
        if name in node and node[name] != value:
            msg = f"model.{name}={node[name]}, but the data have {value}: leave it out, the network is given it"
            raise ConfigError(msg)
    return build(node, nn.Module, **given)


def check_network(net: nn.Module, *, encoding: Encoding, n_points: int) -> None:
    """Try a network on two empty samples; a lazy layer thereby learns its size.

    Args:
        net: whose state, and the random numbers after it, stay as they are.
        encoding: of the formulas.
        n_points: of the patterns.

    Raises:
        ConfigError: it does not turn ``(batch, *encoding.sample_shape)`` into ``(batch, n_points)``.
    """
    name, shape = type(net).__name__, (_TRIED, *encoding.sample_shape)
    contract = f"a network turns (batch, {', '.join(map(str, shape[1:]))}) into (batch, {n_points})"
    training = net.training
    net.eval()  # so that a batch norm learns nothing
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            out = net(torch.zeros(shape))
    except Exception as error:  # a researcher's code can break in any way
        reason = (str(error).splitlines() or [repr(error)])[0]
        msg = f"{name} cannot take an input {shape}: {reason} ({_place(error)}); {contract}"
        raise ConfigError(msg) from error
    finally:
        net.train(training)
    if not isinstance(out, Tensor) or not out.is_floating_point():
        msg = f"{name} gives {getattr(out, 'dtype', type(out).__name__)}: {contract}, of floating-point numbers"
        raise ConfigError(msg)
    if out.ndim == _TWO_DIMENSIONS and len(out) == _TRIED and out.shape[1] != n_points:
        msg = f"{name} gives {out.shape[1]} points, but xrd.n_points is {n_points}"
        raise ConfigError(msg)
    if out.shape != (_TRIED, n_points):
        msg = f"{name} gives {tuple(out.shape)} for an input {shape}: {contract}"
        raise ConfigError(msg)


def check_gradient(net: nn.Module, loss: nn.Module, *, encoding: Encoding, n_points: int) -> None:
    """Try whether a network can learn by a loss.

    Args:
        net: that `check_network` has found good; its state, and the random numbers after it, stay as they are.
        loss: of two patterns.
        encoding: of the formulas.
        n_points: of the patterns.

    Raises:
        ConfigError: what one of the two gives does not depend on the network's weights.
    """
    training = net.training
    net.eval()
    true = torch.zeros(_TRIED, n_points)
    true[:, ::50] = 100
    try:
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            out = net(torch.zeros(_TRIED, *encoding.sample_shape))
            found = {type(net).__name__: out, type(loss).__name__: loss(out, true)}
    finally:
        net.train(training)
    for name, value in found.items():
        if isinstance(value, Tensor) and not value.requires_grad:
            msg = (
                f"{name} gives numbers without a gradient, by which nothing can be learned: compute them by torch from "
                "what it is given, without detach, item or numpy"
            )
            raise ConfigError(msg)


def _place(error: Exception) -> str:
    """File and line of what went wrong, where possible outside of torch."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{Path(torch.__file__).parent}" not in frame.filename]
    frame = own[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}" if len(own) > 1 else "in torch"
