"""From a composed configuration to the objects of a training; its data are made by `deepxrd.data.assemble`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from deepxrd.config.instantiate import build, class_of
from deepxrd.data.assemble import make_data
from deepxrd.data.datamodule import PatternDataModule
from deepxrd.data.store import IDENTITY
from deepxrd.errors import ConfigError
from deepxrd.io.own_code import own_names
from deepxrd.metrics import Metric
from deepxrd.models.candidates import CandidateNet
from deepxrd.models.contract import check_gradient
from deepxrd.training.candidate_data import CandidateDataModule
from deepxrd.training.candidate_module import CandidateModule
from deepxrd.training.paper_module import DeepXRDModule
from deepxrd.training.pattern_module import PatternModule


def make_datamodule(cfg: dict[str, Any]) -> PatternDataModule:
    """What serves these data to the network of a configuration; nothing is built yet.

    Raises:
        ConfigError: a setting cannot be used.
    """
    data = cfg["data"]
    settings = {
        "batch_size": data["batch_size"],
        "eval_batch_size": data["eval_batch_size"],
        "seed": cfg["seed"],
        "resident": data.get("resident", True),  # a run made before there was the setting has none
    }
    if _weighs_candidates(cfg):
        library = cfg["model"].get("library")
        return CandidateDataModule(make_data(cfg), library=None if library is None else Path(library), **settings)
    return PatternDataModule(make_data(cfg), **settings)


def make_module(cfg: dict[str, Any], datamodule: PatternDataModule) -> PatternModule:
    """A fresh module, of the class that trains this kind of network.

    Raises:
        ConfigError: a setting cannot be used.
    """
    node = cfg["scheduler"]
    common = {
        "loss": cfg["loss"],
        "optimizer": cfg["optimizer"],
        "scheduler": node if node and node.get("_target_") else None,
        "xrd": datamodule.data.xrd.to_dict(),
    }
    if not isinstance(datamodule, CandidateDataModule):
        plain = DeepXRDModule(net=cfg["model"], encoding=datamodule.data.encoding.to_dict(), **common)
        if own_names(str(cfg[part]["_target_"]) for part in ("model", "loss")):
            check_gradient(plain.net, plain.loss, encoding=plain.encoding, n_points=plain.xrd.n_points)
        plain.score_too(make_metrics(cfg))
        return plain
    examples, templates = datamodule.dataset("train").examples, datamodule.templates
    features = examples.features
    module = CandidateModule(networks=cfg["model"]["networks"], n_features=features.shape[-1], **common)
    module.scale_to(features[examples.mask], templates.mean)
    module.score_too(make_metrics(cfg))
    return module


def make_metrics(cfg: dict[str, Any]) -> dict[str, Metric]:
    """The scores of one's own of a configuration, by name.

    Raises:
        ConfigError: the class it names is no metric, or its name is that of another column of the scores.
    """
    nodes = cfg.get("metrics") or {}  # a run made before there was the setting has none
    if taken := [name for name in IDENTITY if name in nodes]:
        msg = f"metrics.{taken[0]}: the scores of a run have a column of this name already; give yours another"
        raise ConfigError(msg)
    return {name: build(node, Metric) for name, node in nodes.items() if node}  # type: ignore[type-abstract]


def module_class(cfg: dict[str, Any]) -> type[PatternModule]:
    """The class of the module that a configuration trains, for reading its checkpoints."""
    return CandidateModule if _weighs_candidates(cfg) else DeepXRDModule


def _weighs_candidates(cfg: dict[str, Any]) -> bool:
    return issubclass(class_of(cfg["model"], nn.Module), CandidateNet)
