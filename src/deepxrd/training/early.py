"""What Lightning would refuse once the data are built, or after an epoch, found out before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.strategies import StrategyRegistry

from deepxrd.config.allowed import names_in
from deepxrd.errors import ConfigError
from deepxrd.io.own_code import own_names
from deepxrd.metrics.running import PatternScores
from deepxrd.training.devices import check_devices
from deepxrd.training.trainer import refuse_reserved


def check_early(cfg: Mapping[str, Any]) -> None:
    """Check the trainer's settings, and the scores that a scheduler and callbacks follow.

    Args:
        cfg: a composed and resolved configuration, plain values.

    Raises:
        ConfigError: one cannot be; the message names the setting, the value and what can.
    """
    settings = cfg["trainer"]
    refuse_reserved(settings)
    known = list(inspect.signature(pl.Trainer).parameters)
    if unknown := [name for name in settings if name not in known]:
        msg = f"there is no setting trainer.{unknown[0]}: Lightning's trainer takes {', '.join(known)}"
        raise ConfigError(msg)
    _refuse_others("trainer.accelerator", settings["accelerator"], ["auto", *_accelerators()], "here there are")
    strategies = ["auto", *StrategyRegistry.available_strategies()]
    _refuse_others("trainer.strategy", settings.get("strategy", "auto"), strategies, "Lightning has")
    check_devices(settings)
    _check_monitors(cfg)


def _accelerators() -> list[str]:
    """Those that this machine has."""
    names = sorted(AcceleratorRegistry.available_accelerators())
    there = [name for name in names if AcceleratorRegistry[name]["accelerator"].is_available()]
    return [*there, *(["gpu"] if {"cuda", "mps"} & set(there) else [])]  # whichever of the two it is


def _check_monitors(cfg: Mapping[str, Any]) -> None:
    callbacks = {f"callbacks.{name}": node for name, node in (cfg.get("callbacks") or {}).items() if node}
    if own_names(names_in(callbacks)):
        return  # what they log is not known
    own = [name for name, node in (cfg.get("metrics") or {}).items() if node]
    scores = ["val/loss", *(f"val/{name}" for name in (*PatternScores.names, *own)), "train/loss", "lr"]
    for key, node in {"scheduler": cfg.get("scheduler") or {}, **callbacks}.items():
        if node.get("monitor") is not None and node.get("strict", True):
            _refuse_others(f"{key}.monitor", node["monitor"], scores, "the scores of a training are")


def _refuse_others(key: str, value: object, choices: list[str], there: str) -> None:
    if value not in choices:
        msg = f"{key}={value!r}: {there} {', '.join(choices)}; give one of these"
        raise ConfigError(msg)
