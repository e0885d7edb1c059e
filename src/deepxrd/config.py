"""The configuration: where it lies, its schema, and how its nodes become objects."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from deepxrd.errors import ConfigError

T = TypeVar("T")


def conf_dir() -> Path:
    """The folder of the YAML files: inside an installed package, or at the top of a checkout."""
    here = Path(__file__).resolve().parent
    packaged = here / "conf"
    return packaged if packaged.is_dir() else here.parents[1] / "conf"


@dataclass
class PrepareConfig:
    """Top level of ``prepare``; a key that is not here, or not in its group's file, is refused."""

    source: Any = None
    data: Any = None
    xrd: Any = None
    build: Any = None
    paths: Any = None


@dataclass
class TrainConfig(PrepareConfig):
    """Top level of ``train``."""

    seed: int = 42
    resume: str | None = None
    model: Any = None
    loss: Any = None
    optimizer: Any = None
    scheduler: Any = None
    trainer: Any = None
    callbacks: Any = None
    logger: Any = None


def register() -> None:
    """Tell Hydra of the schemas and of the resolver that names a run's folder."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    ConfigStore.instance().store(name="train_schema", node=TrainConfig)
    ConfigStore.instance().store(name="prepare_schema", node=PrepareConfig)
    started = datetime.now().astimezone()

    def run_dir(output_dir: str, resume: str | None) -> str:
        return resume or f"{output_dir}/{started:%Y-%m-%d}/{started:%H-%M-%S}"

    OmegaConf.register_new_resolver("deepxrd.run_dir", run_dir, replace=True)


def build(node: Mapping[str, Any], expected: type[T], **extra: Any) -> T:
    """Make the object that a ``_target_`` node describes.

    The class is checked before it is called, so that a node from a foreign checkpoint can only make what the place
    asks for.

    Args:
        node: ``_target_``, the class's full name, and its arguments.
        expected: what the class must be a subclass of.
        extra: further arguments; they win over the node's.

    Raises:
        ConfigError: there is no such class, it is of another kind, or does not take these arguments.
    """
    arguments = {**node, **extra}
    target = str(arguments.pop("_target_", None))
    found = _locate(target)
    if not (isinstance(found, type) and issubclass(found, expected)):
        msg = f"{target!r} is no {expected.__name__}; set _target_ to the full name of one"
        raise ConfigError(msg)
    try:
        inspect.signature(found).bind(**arguments)
    except TypeError as error:
        msg = f"{target} does not take these settings ({error}): {sorted(map(str, arguments))}"
        raise ConfigError(msg) from error
    return found(**arguments)


def _locate(target: str) -> object:
    module_name, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        msg = f"cannot find {target!r}: {error}"
        raise ConfigError(msg) from error
