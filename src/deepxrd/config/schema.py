"""The configuration: where it lies, and its schema."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

EVALUATION = "evaluation"
"""Folder within that of a run where its evaluation goes."""


_MAY_BE_NULL = ("callbacks", "logger", "scheduler")
_NULL_ALREADY = ("experiment=null", "sweep=null", "debug=null", "metrics=null")


def conf_dir() -> Path:
    """The folder of the YAML files: inside an installed package, or at the top of a checkout."""
    here = Path(__file__).resolve().parents[1]
    packaged = here / "conf"
    return packaged if packaged.is_dir() else here.parents[1] / "conf"


@dataclass
class DataConfig:
    """Top level of what builds data; a key that is not here, or not in its group's file, is refused."""

    source: Any = None
    data: Any = None
    xrd: Any = None
    build: Any = None
    paths: Any = None


@dataclass
class CardConfig:
    """What is shown of a data set."""

    figures: bool = True
    interactive: bool = False
    tsne: bool = True
    max_tsne: int = 3000


@dataclass
class PrepareConfig(DataConfig):
    """Top level of ``prepare``."""

    card: CardConfig | None = field(default_factory=CardConfig)


@dataclass
class TrainConfig(DataConfig):
    """Top level of ``train``."""

    seed: int = 42
    resume: str | None = None
    trust: list[str] = field(default_factory=list)
    runs_at_once: int | None = None
    threads: int | None = None
    model: Any = None
    loss: Any = None
    optimizer: Any = None
    scheduler: Any = None
    trainer: Any = None
    callbacks: Any = None
    metrics: Any = None
    logger: Any = None


@dataclass
class ReportConfig:
    """Top level of ``report``."""

    sweeps: Any = None
    metric: str = "peak_recall_any"
    paths: Any = None


@dataclass
class DtwOptions:
    """How far DTW may warp patterns, and at what price."""

    window_deg: float | None = 30.0
    penalty: float = 0.0


@dataclass
class EvaluateOptions:
    """What an evaluation computes."""

    cases: bool = True
    baselines: Any = None
    table2: bool = True
    symmetry: bool = False
    dtw: DtwOptions | None = field(default_factory=DtwOptions)
    n_resamples: int = 2000
    device: str = "cpu"


@dataclass
class EvaluateConfig(DataConfig):
    """Top level of ``evaluate``."""

    seed: int = 42
    run: str | None = None
    weights: str | None = None
    a: str | None = None
    b: str | None = None
    trust: list[str] = field(default_factory=list)
    model: Any = None
    evaluate: EvaluateOptions = field(default_factory=EvaluateOptions)


def null_groups_left_out(arguments: Sequence[str]) -> list[str]:
    """Settings as Hydra takes them: of ``logger=null`` it makes an error, of ``~logger`` a run without.

    Args:
        arguments: what was typed, or would be.
    """
    without = {f"{group}=null": f"~{group}" for group in _MAY_BE_NULL}
    return [without.get(text, text) for text in arguments if text not in _NULL_ALREADY]


def register() -> None:
    """Tell Hydra of the schemas and of the resolvers that name a run's folder."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    ConfigStore.instance().store(name="train_schema", node=TrainConfig)
    ConfigStore.instance().store(name="prepare_schema", node=PrepareConfig)
    ConfigStore.instance().store(name="evaluate_schema", node=EvaluateConfig)
    ConfigStore.instance().store(name="report_schema", node=ReportConfig)

    def run_dir(output_dir: str, resume: str | None) -> str:
        return resume or f"{output_dir}/{_started():%Y-%m-%d}/{_started():%H-%M-%S}"

    def evaluation_dir(output_dir: str, run: str | None) -> str:
        return f"{run}/{EVALUATION}" if run else run_dir(output_dir, None)

    def report_dir(output_dir: str, sweeps: str | Sequence[str] | None) -> str:
        return f"{sweeps}/report" if isinstance(sweeps, str) else run_dir(output_dir, None)

    OmegaConf.register_new_resolver("deepxrd.report_dir", report_dir, replace=True)
    OmegaConf.register_new_resolver("deepxrd.run_dir", run_dir, replace=True)
    OmegaConf.register_new_resolver("deepxrd.evaluation_dir", evaluation_dir, replace=True)


@functools.cache  # the folder of a run is asked for more than once
def _started() -> datetime:
    """When it was first asked; not within `register`, since what is there is sent to the workers of a sweep."""
    return datetime.now().astimezone()
