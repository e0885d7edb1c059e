"""Lightning's trainer as a run uses it: our callbacks and defaults, and whatever else the settings ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import RichProgressBar, Timer
from pytorch_lightning.loggers import Logger

from deepxrd.errors import ConfigError
from deepxrd.runs.names import CHECKPOINTS, LAST_CHECKPOINT
from deepxrd.training.callbacks import RunFacts, StepSeed
from deepxrd.training.checkpoints import SealedCheckpointIO
from deepxrd.training.interrupted import KeepSignals
from deepxrd.training.kept import BestCheckpoint, LastCheckpoint, own_callbacks
from deepxrd.training.stop_on_nan import StopOnNaN

_STEPS_PER_LOOK = 10
_DEFAULTS: dict[str, Any] = {
    "enable_model_summary": False,  # one line by the run itself says more
    "deterministic": "warn",
}
_SET_ELSEWHERE = {
    "callbacks": "choose them by +callbacks.NAME._target_=CLASS",
    "logger": "choose it by logger=csv, wandb, tensorboard, mlflow, several by logger=[csv,wandb], or null",
    "default_root_dir": "choose the run's folder by hydra.run.dir=FOLDER",
    "enable_checkpointing": "a run keeps its best and its last network; to keep nothing set +trainer.fast_dev_run=true",
    "use_distributed_sampler": "the batches are shared among processes here already",
    "overfit_batches": "for few samples give a source of few, such as source.max_structures=100",
    "limit_test_batches": "scores are of the whole test part; to try a run, set +trainer.fast_dev_run=3",
    "limit_predict_batches": "nothing is predicted by a run",
    "barebones": "a run needs its callbacks; for speed see docs/speed.md",
}
"""Arguments of Lightning's trainer that a run gives itself, and what to do instead."""
_OF_SETTINGS = (
    "does not have a deterministic implementation",
    "Early stopping conditioned on metric",
    "Found more than one stateful callback",
    "can not be used with",
)
"""What Lightning and torch say of settings that do not fit, in errors of no class of their own."""


def make_trainer(cfg: dict[str, Any], run_dir: Path, loggers: list[Logger], facts: dict[str, Any]) -> pl.Trainer:
    """The trainer with all callbacks.

    The best checkpoint comes before the last, so that the last knows of the best when it is written.

    Raises:
        ConfigError: a setting cannot be used.
    """
    settings = {**_DEFAULTS, **cfg["trainer"]}
    plugins = settings.pop("plugins", None) or []
    settings["precision"] = resolve_precision(settings["precision"], settings["accelerator"])
    folder = run_dir / CHECKPOINTS
    callbacks: list[pl.Callback] = [
        Timer(),
        StepSeed(cfg["seed"]),
        StopOnNaN(run_dir / LAST_CHECKPOINT),
        KeepSignals(),
        RunFacts(facts),
        *own_callbacks(cfg["callbacks"], run_dir),
        BestCheckpoint(folder),
        LastCheckpoint(folder),
    ]
    if settings["enable_progress_bar"]:
        callbacks.append(RichProgressBar(refresh_rate=_STEPS_PER_LOOK))  # each look at the loss waits for the device
    try:
        return pl.Trainer(
            default_root_dir=run_dir,
            logger=loggers or False,
            callbacks=callbacks,
            plugins=[*(plugins if isinstance(plugins, list) else [plugins]), SealedCheckpointIO()],
            use_distributed_sampler=False,  # ours knows of processes itself
            **settings,
        )
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise _refused(error, cfg["trainer"]) from error


def refuse_reserved(settings: Mapping[str, Any]) -> None:
    """Refuse what a run gives the trainer itself, before anything is built.

    Args:
        settings: ``trainer``.

    Raises:
        ConfigError: there is such a setting; the message says what to do instead.
    """
    for key, way_out in _SET_ELSEWHERE.items():
        if key in settings:
            msg = f"trainer.{key}={settings[key]} cannot be set: {way_out}"
            raise ConfigError(msg)


@contextmanager
def refusals(settings: Mapping[str, Any]) -> Iterator[None]:
    """Turn what Lightning and torch say of settings while they train into an error of settings.

    Args:
        settings: ``trainer``, for the message.

    Raises:
        ConfigError: they refuse them.
    """
    try:
        yield
    except MisconfigurationException as error:
        raise _refused(error, settings) from error
    except RuntimeError as error:
        if not any(text in str(error) for text in _OF_SETTINGS):
            raise
        raise _refused(error, settings) from error


def _refused(error: Exception, settings: Mapping[str, Any]) -> ConfigError:
    return ConfigError(f"Lightning refuses the trainer's settings: {str(error).strip()}; given {dict(settings)}")


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
