"""From a composed configuration to the objects of a run."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ModelCheckpoint, RichProgressBar, Timer
from pytorch_lightning.loggers import CSVLogger, Logger
from torch import nn

from deepxrd.chem import ATOMIC_NUMBERS, PAPER_ELEMENTS, OneHotEncoding
from deepxrd.config.instantiate import build, class_of
from deepxrd.data import BuildOptions, Selection, Split
from deepxrd.data.datamodule import PatternDataModule
from deepxrd.data.parts import DataParts
from deepxrd.errors import ConfigError
from deepxrd.models.candidates import CandidateNet
from deepxrd.runs.names import BEST, CHECKPOINTS, LAST, LAST_CHECKPOINT
from deepxrd.sources import Source
from deepxrd.training.callbacks import RunFacts, StepSeed
from deepxrd.training.candidate_data import CandidateDataModule
from deepxrd.training.candidate_module import CandidateModule
from deepxrd.training.checkpoints import SealedCheckpointIO
from deepxrd.training.interrupted import KeepSignals
from deepxrd.training.paper_module import DeepXRDModule
from deepxrd.training.pattern_module import PatternModule
from deepxrd.training.stop_on_nan import StopOnNaN
from deepxrd.xrd import XrdSettings

CURVES = "curves"
_STEPS_PER_LOOK = 10


def make_data(cfg: dict[str, Any]) -> DataParts:
    """The data that a configuration asks for; nothing is built yet.

    Raises:
        ConfigError: a setting cannot be used.
    """
    data, encoding = cfg["data"], make_encoding(cfg["data"]["encoding"])
    chosen = dict(data["selection"])
    fits = chosen.pop("fits_one_hot", True)  # a run made before there was the setting took nothing else
    return DataParts(
        source=make_source(cfg["source"]),
        selection=Selection(**chosen, box=encoding if fits else None),
        encoding=encoding,
        xrd=XrdSettings(**cfg["xrd"]),
        split=Split(**data["split"]),
        stores_dir=Path(cfg["paths"]["data_dir"]) / "stores",
        build=BuildOptions(**cfg["build"]),
    )


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


def make_source(node: dict[str, Any]) -> Source:
    """The source of structures of a configuration.

    Raises:
        ConfigError: the class it names is no source.
    """
    return build(node, Source)  # type: ignore[type-abstract]


def make_encoding(node: dict[str, Any]) -> OneHotEncoding:
    """The one-hot of a configuration; ``elements: null`` stands for the paper's 84.

    Raises:
        ConfigError: an element is unknown.
    """
    elements = PAPER_ELEMENTS if node["elements"] is None else tuple(node["elements"])
    if not elements:
        msg = "data.encoding.elements=[] leaves no element: name some, or null for the paper's 84"
        raise ConfigError(msg)
    unknown = [symbol for symbol in elements if symbol not in ATOMIC_NUMBERS]
    if unknown:
        msg = f"data.encoding.elements names unknown elements: {', '.join(map(str, unknown))}"
        raise ConfigError(msg)
    return OneHotEncoding(elements, int(node["n_counts"]))


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
        return DeepXRDModule(net=cfg["model"], encoding=datamodule.data.encoding.to_dict(), **common)
    examples, templates = datamodule.dataset("train").examples, datamodule.templates
    features = examples.features
    module = CandidateModule(networks=cfg["model"]["networks"], n_features=features.shape[-1], **common)
    module.scale_to(features[examples.mask], templates.mean)
    return module


def module_class(cfg: dict[str, Any]) -> type[PatternModule]:
    """The class of the module that a configuration trains, for reading its checkpoints."""
    return CandidateModule if _weighs_candidates(cfg) else DeepXRDModule


def _weighs_candidates(cfg: dict[str, Any]) -> bool:
    return issubclass(class_of(cfg["model"], nn.Module), CandidateNet)


def make_logger(cfg: dict[str, Any], run_dir: Path) -> Logger:
    """The logger, writing into the run's folder."""
    node = cfg["logger"]
    if node["_target_"].endswith("CSVLogger"):
        return build(node, CSVLogger, save_dir=run_dir, name=CURVES, version="")
    return build(node, Logger, save_dir=run_dir)  # type: ignore[type-abstract]


def make_trainer(cfg: dict[str, Any], run_dir: Path, logger: Logger, facts: dict[str, Any]) -> pl.Trainer:
    """The trainer with all callbacks.

    The best checkpoint comes before the last, so that the last knows of the best when it is written.
    """
    settings = dict(cfg["trainer"])
    plugins = settings.pop("plugins", None) or []
    settings["precision"] = resolve_precision(settings["precision"], settings["accelerator"])
    folder = run_dir / CHECKPOINTS
    keep = functools.partial(ModelCheckpoint, dirpath=folder, save_top_k=1, enable_version_counter=False)
    callbacks: list[pl.Callback] = [
        Timer(),
        StepSeed(cfg["seed"]),
        StopOnNaN(run_dir / LAST_CHECKPOINT),
        KeepSignals(),
        RunFacts(facts),
        *(build(node, pl.Callback) for node in (cfg["callbacks"] or {}).values()),
        keep(filename=BEST, monitor="val/loss", mode="min"),
        keep(filename=LAST, monitor=None, save_on_train_epoch_end=True),
    ]
    if settings["enable_progress_bar"]:
        callbacks.append(RichProgressBar(refresh_rate=_STEPS_PER_LOOK))  # each look at the loss waits for the device
    try:
        return pl.Trainer(
            default_root_dir=run_dir,
            logger=logger,
            callbacks=callbacks,
            plugins=[*(plugins if isinstance(plugins, list) else [plugins]), SealedCheckpointIO()],
            enable_model_summary=False,  # one line by the run itself says more
            deterministic="warn",
            use_distributed_sampler=False,  # ours knows of processes itself
            **settings,
        )
    except (TypeError, ValueError, MisconfigurationException) as error:
        msg = f"Lightning refuses the trainer's settings: {error}; given {cfg['trainer']}"
        raise ConfigError(msg) from error


def train_seconds(trainer: pl.Trainer) -> float:
    """How long training took, validation included; of a resumed run, its first part too."""
    timer = next(callback for callback in trainer.callbacks if isinstance(callback, Timer))  # type: ignore[attr-defined]
    return timer.time_elapsed("train")


def resolve_precision(precision: str, accelerator: str) -> str:
    """``auto`` is bf16-mixed where the hardware multiplies bf16 itself, else 32-true; anything else is kept."""
    if precision != "auto":
        return precision
    gpu = accelerator in {"auto", "gpu", "cuda"} and torch.cuda.is_available()
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else _cpu_multiplies_bf16()
    return "bf16-mixed" if fast else "32-true"


def _cpu_multiplies_bf16() -> bool:
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch has no public name for it yet
    return bool(probe and probe())
