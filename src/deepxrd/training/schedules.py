"""Learning-rate schedules: how torch's are stepped, and one of our own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from deepxrd.config.instantiate import class_of
from deepxrd.errors import ConfigError

_HOW = ("interval", "frequency", "monitor")
_OF_STEPS = frozenset({"OneCycleLR", "CyclicLR", "WarmUpCosine"})
"""Schedulers that count the steps of a training; stepped by epochs they would never leave their first part."""


def how_stepped(node: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the node of a scheduler into what its class takes and what Lightning takes.

    Without an ``interval`` a scheduler is stepped each epoch, but one that counts the steps of a training each step;
    without a ``monitor`` one that follows a score follows ``val/loss``.

    Args:
        node: ``_target_`` and arguments, and perhaps ``interval``, ``frequency`` and ``monitor``.

    Returns:
        The node of the scheduler alone; and ``interval`` with whatever else Lightning is told.

    Raises:
        ConfigError: there is no such scheduler, or it is to follow a score in each step, where there is none yet.
    """
    kind = class_of(node, LRScheduler)
    own = {key: value for key, value in node.items() if key not in _HOW}
    stepped: dict[str, Any] = {"interval": "step" if kind.__name__ in _OF_STEPS else "epoch"}
    stepped |= {key: node[key] for key in _HOW if node.get(key) is not None}
    if issubclass(kind, ReduceLROnPlateau):
        stepped = {"monitor": "val/loss", **stepped}
        if stepped["interval"] == "step":
            msg = f"scheduler.interval=step: {kind.__name__} follows a score of the validation; give epoch"
            raise ConfigError(msg)
    return own, stepped


class WarmUpCosine(LambdaLR):
    """Up in a straight line, then down along half a cosine (Loshchilov and Hutter 2017); ``scheduler=warm_up_cosine``.

    Args:
        optimizer: whose rates are the highest of the schedule.
        total_steps: of the whole training.
        warm_up: share of the steps in which the rate rises.
        least: share of the highest rate that is left at the end.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warm_up: float = 0.05, least: float = 0.0) -> None:
        rise = max(1, round(warm_up * total_steps))

        def share(step: int) -> float:
            if step < rise:
                return (step + 1) / rise
            gone = min(1.0, (step - rise) / max(1, total_steps - rise))
            return least + (1 - least) * (1 + math.cos(math.pi * gone)) / 2

        super().__init__(optimizer, share)
