"""One experiment: build the data, train, score on the test set, and leave a folder that tells it all."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
import yaml
from numpy.typing import NDArray
from pytorch_lightning.loggers import CSVLogger, Logger
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from deepxrd.analysis import figures
from deepxrd.config.allowed import check_targets, names_in
from deepxrd.config.own_error import own_errors
from deepxrd.data import refuse_other_split, statement
from deepxrd.data.datamodule import PatternDataModule
from deepxrd.errors import CheckpointError, ConfigError, TrainingDivergedError
from deepxrd.io.files import atomic_path, write_json, write_text
from deepxrd.io.memory import keep_freed_memory
from deepxrd.io.provenance import run_facts
from deepxrd.metrics import own_scores, score_patterns
from deepxrd.models.paper import load_checkpoint
from deepxrd.runs.names import (
    CONFIG,
    LAST_CHECKPOINT,
    METRICS,
    MODEL,
    OVERRIDES,
    PER_SAMPLE,
    RUN_FACTS,
    TEST_PATTERNS,
)
from deepxrd.training import assemble
from deepxrd.training.checkpoints import check_resumable
from deepxrd.training.early import check_early
from deepxrd.training.epoch_lines import EpochLines
from deepxrd.training.interrupted import alone_in, resumable
from deepxrd.training.kept import check_best, scores_of_best
from deepxrd.training.loggers import CURVES, close, log_test, make_loggers, refusals_of_loggers
from deepxrd.training.pattern_module import PatternModule
from deepxrd.training.quiet import quiet
from deepxrd.training.trainer import make_trainer, refusals, train_seconds


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run leaves.

    Attributes:
        run_dir: its folder.
        metrics: means over the test set, and facts of the run; as in ``metrics.json``.
        per_sample: one row per test sample; as in ``per_sample.parquet``.
    """

    run_dir: Path
    metrics: dict[str, Any]
    per_sample: pd.DataFrame


@quiet()
def fit_and_test(
    cfg: dict[str, Any], run_dir: Path, *, overrides: list[str] | None = None, announce: bool = True
) -> RunResult:
    """Train and score one configuration.

    If the folder holds the last checkpoint of a run with the same configuration, training resumes from there and ends
    with the numbers of a run that was never stopped.

    Args:
        cfg: a composed and resolved configuration, plain values.
        run_dir: where everything goes.
        overrides: the command line's settings, kept for a resume; None where it is called from Python.
        announce: whether to say what is about to happen.

    With ``trainer.fast_dev_run`` a few batches of each part are tried; nothing is kept, and the result has no scores.

    Raises:
        DeepXRDError: an error the user can fix.
    """
    keep_freed_memory()
    _refuse_resume_elsewhere(cfg.get("resume"), run_dir)
    check_early(cfg)
    with own_errors(cfg), alone_in(run_dir, main=is_main_process()):
        return _fit_and_test(cfg, run_dir, overrides=overrides, announce=announce)


def _fit_and_test(cfg: dict[str, Any], run_dir: Path, *, overrides: list[str] | None, announce: bool) -> RunResult:
    pl.seed_everything(cfg["seed"], workers=True, verbose=False)
    datamodule = assemble.make_datamodule(cfg)
    datamodule.setup()
    module = assemble.make_module(cfg, datamodule)
    last = run_dir / LAST_CHECKPOINT
    max_epochs = cfg["trainer"]["max_epochs"]
    resumed = _check_resume(last, run_dir, datamodule, module, max_epochs=max_epochs) if cfg.get("resume") else None
    facts = {
        "data_hash": datamodule.data.store.content_hash,
        "store_id": datamodule.data.store.id,
        "split": datamodule.data.split.to_dict(),
        "seed": cfg["seed"],
    }
    if is_main_process():
        _refuse_used_folder(run_dir, resuming=bool(cfg.get("resume")))
        if not cfg["trainer"].get("fast_dev_run"):
            _write_description(cfg, run_dir, facts, overrides or [])
        if announce:
            _announce(datamodule, module, cfg, run_dir)
    with resumable(run_dir, from_python=overrides is None):
        return _train(cfg, run_dir, module, datamodule, facts=facts, resumed=resumed)


def is_main_process() -> bool:
    """Whether this is the process that writes and prints; with ``trainer.devices`` above 1 there are others."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _train(
    cfg: dict[str, Any],
    run_dir: Path,
    module: PatternModule,
    datamodule: PatternDataModule,
    *,
    facts: dict[str, Any],
    resumed: dict[str, Any] | None,
) -> RunResult:
    """Train, from the last checkpoint of a run that is resumed, and score."""
    last = run_dir / LAST_CHECKPOINT
    loggers = [] if cfg["trainer"].get("fast_dev_run") else make_loggers(cfg, run_dir)
    for logger in loggers:
        if isinstance(logger, CSVLogger) and resumed and is_main_process():
            _carry_over_curves(logger, run_dir, upto_step=resumed["global_step"])
        with refusals_of_loggers():
            logger.log_hyperparams({**cfg, **facts})
    trainer = make_trainer(cfg, run_dir, loggers, {"config": cfg, **facts})
    if cfg["trainer"]["enable_progress_bar"] and not Console().is_terminal:
        trainer.callbacks.append(EpochLines())  # type: ignore[attr-defined]
    try:
        with refusals(cfg["trainer"]):
            trainer.fit(module, datamodule=datamodule, ckpt_path=str(last) if resumed else None, weights_only=True)
            if trainer.fast_dev_run:  # type: ignore[attr-defined]
                trainer.test(module, datamodule=datamodule, verbose=False)
                return RunResult(run_dir, {}, pd.DataFrame())
        return _score(trainer, datamodule, run_dir, loggers=loggers, cfg=cfg, facts=facts)
    finally:
        close(loggers)


def _score(
    trainer: pl.Trainer,
    datamodule: PatternDataModule,
    run_dir: Path,
    *,
    loggers: list[Logger],
    cfg: dict[str, Any],
    facts: dict[str, Any],
) -> RunResult:
    """Score the best checkpoint on the test set and write the results."""
    best = check_best(run_dir)
    content = load_checkpoint(best)
    check_targets(content["hyper_parameters"], set(names_in(cfg)), where=str(best))
    module = assemble.module_class(cfg).load_from_checkpoint(best, map_location="cpu", weights_only=True)
    logged = trainer.test(module, datamodule=datamodule, verbose=False)[0]
    outputs = {name: torch.cat(parts).numpy() for name, parts in module.test_patterns.items()}
    if not all(np.isfinite(each).all() for each in outputs.values()):
        msg = f"{best} predicts values that are not finite numbers; a lower optimizer.lr may help"
        raise TrainingDivergedError(msg)
    (_, predicted), *others = outputs.items()  # the first is the model's answer
    rows, store = datamodule.rows("test"), datamodule.data.store
    true = np.asarray(store.patterns[rows])
    grid = datamodule.data.xrd.two_theta_deg
    own = assemble.make_metrics(cfg)
    scores = score_patterns(predicted, true, grid) | own_scores(own, predicted, true, grid)
    per_sample = pd.concat([store.identity(rows), pd.DataFrame(scores)], axis=1)
    metrics: dict[str, Any] = {
        "data": cfg["data"]["name"],
        "data_set": statement(store, datamodule.data.split),
        "model": cfg["model"]["_target_"].rpartition(".")[2],
        "loss": cfg["loss"]["_target_"].rpartition(".")[2],
        **facts,
        **{f"n_{part}": len(datamodule.rows(part)) for part in datamodule.data.rows},
        **({"left_out": left_out} if any((left_out := datamodule.left_out()).values()) else {}),
        "best_epoch": content["epoch"],
        "epochs": trainer.current_epoch,
        "train_seconds": round(train_seconds(trainer), 1),
        "parameters": sum(p.numel() for p in module.parameters()),
        "precision": str(trainer.precision),
        "val": scores_of_best(trainer),
        "test_loss": logged["test/loss"],
        "test": _means(scores),
        **{f"test_{name}": _means(score_patterns(each, true, grid)) for name, each in others},
    }
    if not is_main_process():
        return RunResult(run_dir, metrics, per_sample)
    figure = figures.pattern_grid(per_sample, predicted, true, datamodule.data.xrd)
    figures.save_figure(figure, run_dir / TEST_PATTERNS)
    with atomic_path(run_dir / PER_SAMPLE) as temporary:
        per_sample.to_parquet(temporary, index=False)
    module.export(datamodule, run_dir / MODEL)
    log_test(loggers, metrics, per_sample, run_dir / TEST_PATTERNS, step=trainer.global_step)
    write_json(run_dir / METRICS, metrics)  # last of all: a folder with metrics is a run that is done
    return RunResult(run_dir, metrics, per_sample)


def _means(scores: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in scores.items()}


def _refuse_used_folder(run_dir: Path, *, resuming: bool) -> None:
    if (run_dir / CONFIG).exists() and not resuming:
        msg = f"{run_dir} already holds a run: choose another hydra.run.dir, or resume it by resume={run_dir}"
        raise ConfigError(msg)


def _refuse_resume_elsewhere(resume: str | None, run_dir: Path) -> None:
    if resume and Path(resume).resolve() != run_dir.resolve():
        msg = (
            f"resume={resume} goes on in that folder, and the run's is to be {run_dir}: leave hydra.run.dir out, or "
            "resume; from Python give the same folder twice"
        )
        raise ConfigError(msg)


def _check_resume(
    last: Path, run_dir: Path, datamodule: PatternDataModule, module: PatternModule, *, max_epochs: int
) -> dict[str, Any] | None:
    """The last checkpoint of the run to resume; None if it had none yet."""
    if (run_dir / METRICS).exists():
        msg = f"the run in {run_dir} is done: see {run_dir / METRICS}"
        raise ConfigError(msg)
    if (run_dir / CONFIG).exists():
        refuse_other_split(_noted_split(run_dir), datamodule.data.split, where=f"the run in {run_dir}")
    if not last.exists():
        return None
    checkpoint = load_checkpoint(last)
    encoding = datamodule.data.encoding.to_dict()
    if checkpoint["hyper_parameters"].get("encoding", encoding) != encoding:
        msg = f"{last} was made with another encoding than this configuration's data.encoding; start a new run"
        raise CheckpointError(msg)
    noted = checkpoint.get("deepxrd")
    noted = noted if isinstance(noted, dict) else {}
    if "split" in noted:
        refuse_other_split(noted["split"], datamodule.data.split, where=f"{last}")
    made_with, now = noted.get("data_hash"), datamodule.data.store.content_hash
    if not datamodule.data.store.holds(made_with):
        msg = f"{last} was trained on data {made_with}, but the data are now {now}; start a new run"
        raise CheckpointError(msg)
    check_resumable(checkpoint, module, where=last)
    if checkpoint["epoch"] + 1 > max_epochs:
        msg = f"trainer.max_epochs={max_epochs}, but {checkpoint['epoch'] + 1} epochs are done in {run_dir}: give more"
        raise ConfigError(msg)
    return checkpoint


def _noted_split(run_dir: Path) -> Any:
    """The split of a run that began: as its facts have it, or, before there was that, as its settings do.

    Raises:
        ConfigError: the files are damaged.
    """
    try:
        facts = json.loads((run_dir / RUN_FACTS).read_text(encoding="utf-8")) if (run_dir / RUN_FACTS).exists() else {}
        if "split" in facts:
            return facts["split"]
        return yaml.safe_load((run_dir / CONFIG).read_text(encoding="utf-8"))["data"]["split"]
    except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        msg = f"{run_dir} does not tell its split ({type(error).__name__}: {error}): start a new run"
        raise ConfigError(msg) from error


def _write_description(cfg: dict[str, Any], run_dir: Path, facts: dict[str, Any], overrides: list[str]) -> None:
    write_text(run_dir / CONFIG, yaml.safe_dump(cfg, sort_keys=False, allow_unicode=True))
    write_text(run_dir / OVERRIDES, yaml.safe_dump(overrides, allow_unicode=True))
    now, path = {**run_facts(), **facts}, run_dir / RUN_FACTS
    if path.exists():  # a resume: what began the run stays, and each resume is added
        began = json.loads(path.read_text(encoding="utf-8"))
        now = {**began, "resumed": [*began.get("resumed", []), now]}
    write_json(path, now)


def _announce(datamodule: PatternDataModule, module: PatternModule, cfg: dict[str, Any], run_dir: Path) -> None:
    """Say in two lines what is about to happen, and where it goes."""
    n, left_out = {part: len(datamodule.rows(part)) for part in datamodule.data.rows}, datamodule.left_out()
    n_parameters = sum(p.numel() for p in module.parameters())
    console = Console(stderr=True, soft_wrap=True, markup=False)  # a folder may be called [x]
    console.print(f"data: {n['train']} train, {n['val']} val, {n['test']} test samples in {datamodule.data.store.path}")
    if any(left_out.values()):
        counted = ", ".join(f"{count} of {part}" for part, count in left_out.items())
        console.print(f"left out, since the network has no input for them: {counted}")
    console.print(
        f"run: {n_parameters / 1e6:.1f} M parameters, at most {cfg['trainer']['max_epochs']} epochs, {run_dir}"
    )


def _carry_over_curves(logger: CSVLogger, run_dir: Path, *, upto_step: int) -> None:
    """Keep the curves of the first part of a resumed run: Lightning's logger begins its file anew."""
    file = run_dir / CURVES / "metrics.csv"
    if not file.exists():
        return
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        rows = [values for row in csv.DictReader(stream) if (values := _numbers(row))]
    logger.experiment.metrics = [values for values in rows if values.get("step", upto_step) < upto_step]


def _numbers(row: dict[str, str | None]) -> dict[str, float | int]:
    """The numbers of a row; none if it was cut short, by a kill or a full disk."""
    if None in row.values() or None in row:
        return {}
    try:
        return {name: _number(text) for name, text in row.items() if text}
    except ValueError:
        return {}


def _number(text: str) -> float | int:
    return int(text) if text.lstrip("-").isdigit() else float(text)
