"""Lightning's own flags: each works, or is refused by a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.connector import _PRECISION_INPUT

import deepxrd
from deepxrd.config import check, null_groups_left_out
from deepxrd.errors import CheckpointError, ConfigError
from deepxrd.io.sealed import seal
from deepxrd.training.callbacks import StepSeed
from deepxrd.training.checkpoints import SealedCheckpointIO
from deepxrd.training.early import check_early
from deepxrd.training.run import fit_and_test
from task_table import Record

Compose = Callable[..., dict[str, Any]]
CHECKPOINT = "pytorch_lightning.callbacks.ModelCheckpoint"


class KilledError(Exception):
    """Stands for a kill."""


def stop(monkeypatch: pytest.MonkeyPatch, *, epoch: int, run: Callable[[], object]) -> None:
    """Break a run in the middle of an epoch."""

    def step(_: StepSeed, trainer: pl.Trainer, *_rest: Any) -> None:
        if trainer.current_epoch == epoch:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(StepSeed, "on_train_batch_end", step, raising=False)
        with pytest.raises(KilledError):
            run()


@pytest.mark.parametrize("n", ["true", "2"])
def test_fast_dev_run_tries_all_parts_and_leaves_nothing(
    composed: Compose, tmp_path: Path, n: str, record: Record
) -> None:
    result = fit_and_test(composed(f"+trainer.fast_dev_run={n}", "logger=wandb"), tmp_path / "run")
    assert result.metrics == {}
    assert [path.name for path in (tmp_path / "run").rglob("*")] == [".lock"]
    record(
        "Lightning's own flags",
        f"`+trainer.fast_dev_run={n}`",
        works="batches of all parts go through, nothing is kept",
    )


@pytest.mark.parametrize("setting", ["+trainer.deterministic=true", "trainer.precision=bf16-true"])
def test_other_arithmetic_trains_and_is_scored(composed: Compose, tmp_path: Path, setting: str, record: Record) -> None:
    result = fit_and_test(composed(setting, "trainer.max_epochs=1"), tmp_path / "run")
    assert 0 <= result.metrics["test"]["peak_f1_2deg"] <= 1
    assert (tmp_path / "run/metrics.json").exists()
    record("Lightning's own flags", f"`{setting}`", works="trains and is scored")


def test_double_precision_learns_what_single_does(composed: Compose, tmp_path: Path) -> None:
    single, double = (
        fit_and_test(
            composed(f"trainer.precision={name}", "trainer.max_epochs=1", "optimizer.lr=1e-5"), tmp_path / name
        )
        for name in ("32-true", "64-true")
    )
    weights = torch.load(double.run_dir / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert weights["net.dense.weight"].dtype == torch.float64
    assert double.metrics["test_loss"] == pytest.approx(single.metrics["test_loss"], abs=1e-4)


def test_a_checkpoint_of_ones_own_stands_beside_the_runs(composed: Compose, tmp_path: Path, record: Record) -> None:
    cfg = composed("trainer.max_epochs=2")
    best = {"monitor": "val/loss", "mode": "min", "save_top_k": 2, "save_last": True}
    cfg["callbacks"] = {"mine": {"_target_": CHECKPOINT, **best}, "other": {"_target_": CHECKPOINT}}
    fit_and_test(cfg, tmp_path / "run")
    folder = tmp_path / "run/checkpoints"
    assert {path.name for path in folder.glob("*.ckpt")} == {"best.ckpt", "last.ckpt"}
    assert len(list((folder / "mine").glob("*.ckpt"))) == 3
    assert len(list((folder / "other").glob("*.ckpt"))) == 1
    record(
        "Lightning's own flags", "a second ModelCheckpoint", works="in checkpoints/NAME, beside best.ckpt and last.ckpt"
    )


def test_callbacks_and_loggers_are_left_out_by_null(composed: Compose, tmp_path: Path) -> None:
    assert null_groups_left_out(["logger=null", "seed=1", "sweep=null"]) == ["~logger", "seed=1"]
    without = deepxrd.compose(["callbacks=null", "logger=null", "scheduler=null"])
    assert (without.callbacks, without.logger, without.scheduler) == (None, None, None)
    for place, change in enumerate(({"callbacks": None, "logger": None}, {"callbacks": {"early_stopping": None}})):
        result = fit_and_test({**composed("trainer.max_epochs=1"), **change}, tmp_path / str(place))
        assert result.metrics["epochs"] == 1
        assert (result.run_dir / "curves").exists() == (place == 1)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("+trainer.limit_test_batches=1", "whole test part"),
        ("+trainer.logger=false", "choose it by logger="),
        ("+trainer.overfit_batches=1", "give a source of few"),
        ("+trainer.barebones=true", "a run needs its callbacks"),
        ("+trainer.profiler=nonsense", "Lightning refuses the trainer's settings"),
        ("+trainer.nonsense=1", r"^there is no setting trainer\.nonsense: Lightning's trainer takes accelerator, "),
        ("trainer.accelerator=nonsense", r"^trainer\.accelerator='nonsense': here there are auto, cpu"),
        ("trainer.strategy=nonsense", r"^trainer\.strategy='nonsense': Lightning has auto, ddp"),
        (
            "callbacks.early_stopping.monitor=val/nonsense",
            r"monitor='val/nonsense': the scores of a training are val/l",
        ),
        ("+scheduler.monitor=nonsense", r"^scheduler\.monitor='nonsense': the scores of a training are val/loss, "),
    ],
)
def test_what_cannot_be_is_refused_by_a_sentence(
    composed: Compose, tmp_path: Path, setting: str, message: str, record: Record
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        fit_and_test(composed(setting), tmp_path / "run")
    record("Lightning's own flags", f"`{setting}`", refused=str(error.value))


def test_what_lightning_refuses_is_told_before_data_are_built(composed: Compose, tmp_path: Path) -> None:
    cfg = composed("+trainer.nonsense=1", f"paths.data_dir={tmp_path / 'data'}")
    with pytest.raises(ConfigError):
        fit_and_test(cfg, tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_gpu_that_is_not_there_is_told(composed: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^trainer\.accelerator='gpu': here there are auto, cpu"):
        fit_and_test(composed("trainer.accelerator=gpu"), tmp_path / "run")


def test_the_precisions_are_lightnings(composed: Compose) -> None:
    names = {str(name) for kind in _PRECISION_INPUT.__args__ for name in kind.__args__}
    for precision in sorted(name for name in names if "engine" not in name):  # which is a package of its own
        check(composed(f"trainer.precision={precision}"), "train")
    with pytest.raises(ConfigError, match=r"^trainer\.precision='foo': give one of auto, 32-true, .*, 32, 64"):
        check(composed("trainer.precision=foo"), "train")


def test_a_score_that_only_an_own_callback_logs_may_be_followed(composed: Compose) -> None:
    cfg = composed("callbacks.early_stopping.monitor=weight_norm")
    check_early({**cfg, "callbacks": {**cfg["callbacks"], "own": {"_target_": "mylab.callbacks.WeightNorm"}}})


def test_a_training_without_a_validation_is_told(composed: Compose, tmp_path: Path) -> None:
    cfg = composed("+trainer.limit_val_batches=0", "trainer.max_epochs=1")
    with pytest.raises(CheckpointError, match=r"no network was validated.*trainer\.limit_val_batches"):
        fit_and_test({**cfg, "callbacks": None}, tmp_path / "run")


def test_fewer_epochs_than_are_done_are_refused(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    stop(monkeypatch, epoch=2, run=lambda: fit_and_test(composed(), run))
    with pytest.raises(ConfigError, match=r"trainer.max_epochs=1, but 2 epochs are done"):
        fit_and_test(composed("trainer.max_epochs=1", f"resume={run}"), run)
    assert fit_and_test(composed("trainer.max_epochs=2", f"resume={run}"), run).metrics["epochs"] == 2


def test_a_run_of_before_resumes_and_still_knows_its_best(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, last = tmp_path / "run", tmp_path / "run/checkpoints/last.ckpt"
    stop(monkeypatch, epoch=2, run=lambda: fit_and_test(composed("optimizer.lr=1e-3"), run))
    content = torch.load(last, weights_only=True)
    state = content["callbacks"].pop("BestCheckpoint")
    assert set(state.pop("scores")) >= {"loss", "peak_f1_2deg"}
    state["best_model_score"] = torch.tensor(-9.0)  # so that nothing after it is better
    content["callbacks"]["ModelCheckpoint{'monitor': 'val/loss', 'mode': 'min', 'every_n_train_steps': 0}"] = state
    state["best_k_models"] = {path: torch.tensor(-9.0) for path in state["best_k_models"]}
    state["kth_value"] = torch.tensor(-9.0)
    torch.save(content, last)
    seal(last)
    before = (run / "checkpoints/best.ckpt").read_bytes()
    metrics = fit_and_test(composed("optimizer.lr=1e-3", f"resume={run}"), run).metrics
    assert (run / "checkpoints/best.ckpt").read_bytes() == before
    assert metrics["val"] == {}


def test_a_run_whose_folder_was_moved_still_knows_its_best(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, moved = tmp_path / "run", tmp_path / "elsewhere/run"
    stop(monkeypatch, epoch=2, run=lambda: fit_and_test(composed(), run))
    moved.parent.mkdir()
    run.rename(moved)
    last = moved / "checkpoints/last.ckpt"
    content = torch.load(last, weights_only=True)
    state = content["callbacks"]["BestCheckpoint"]
    assert state["dirpath"] == str(run / "checkpoints")
    state["best_model_score"] = state["kth_value"] = torch.tensor(-9.0)  # so that nothing after it is better
    state["best_k_models"] = {path: torch.tensor(-9.0) for path in state["best_k_models"]}
    torch.save(content, last)
    seal(last)
    before = (moved / "checkpoints/best.ckpt").read_bytes()
    metrics = fit_and_test(composed(f"resume={moved}"), moved).metrics
    assert (moved / "checkpoints/best.ckpt").read_bytes() == before
    assert metrics["val"] == pytest.approx(state["scores"])
    assert sorted(file.name for file in (moved / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert not run.exists()


@pytest.mark.parametrize("state", [None, [1], {}, {"dirpath": 3}, {"dirpath": ""}])
def test_states_of_a_stranger_are_read_as_they_are(state: object, tmp_path: Path) -> None:
    """Of an empty folder, each word was taken for a file in it."""
    callbacks = {"LastCheckpoint": state, "Other": {"monitor": "val/loss"}}
    SealedCheckpointIO().save_checkpoint({"callbacks": callbacks}, tmp_path / "last.ckpt")
    assert SealedCheckpointIO().load_checkpoint(tmp_path / "last.ckpt")["callbacks"] == callbacks


def test_the_scores_of_the_best_network_and_the_learning_rate_are_noted(composed: Compose, tmp_path: Path) -> None:
    cfg = composed("trainer.max_epochs=3", "scheduler=cosine", "optimizer.lr=0.01")
    fit_and_test(cfg, tmp_path / "run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    header, *rows = [line.split(",") for line in (tmp_path / "run/curves/metrics.csv").read_text().splitlines()]
    curves = [dict(zip(header, row, strict=True)) for row in rows]
    [best] = [row for row in curves if row["val/loss"] and int(row["epoch"]) == metrics["best_epoch"]]
    assert metrics["val"]["loss"] == pytest.approx(min(float(row["val/loss"]) for row in curves if row["val/loss"]))
    assert metrics["val"]["peak_f1_2deg"] == pytest.approx(float(best["val/peak_f1_2deg"]))
    rates = [float(row["lr"]) for row in curves if row["lr"]]
    assert rates == pytest.approx([0.01, 0.0075, 0.0025])  # half a cosine of three epochs
