import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import yaml
from torch import Tensor, nn

from deepxrd.data import PatternStore
from deepxrd.errors import CheckpointError, ConfigError, TrainingDivergedError
from deepxrd.training import run as run_module
from deepxrd.training.callbacks import StepSeed
from deepxrd.training.paper_module import DeepXRDModule
from deepxrd.training.run import fit_and_test

Compose = Callable[..., dict[str, Any]]


class NaNLoss(nn.Module):
    """Finite for the first ``good`` calls in training, then not a number."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.left = good

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.left -= 1
        loss = (predicted - true).square().mean()
        return loss if self.left >= 0 else loss * float("nan")


class KilledError(Exception):
    """Stands for a kill: nothing of the run's own code gets to clean up."""


def curves(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "curves/metrics.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def stop_after(monkeypatch: pytest.MonkeyPatch, *, epoch: int, batch: int) -> None:
    """Break the run in the middle of an epoch."""

    def step(_: StepSeed, trainer: pl.Trainer, *_rest: Any) -> None:
        if trainer.current_epoch == epoch and trainer.fit_loop.batch_idx == batch:
            raise KilledError

    monkeypatch.setattr(StepSeed, "on_train_batch_end", step, raising=False)


def test_a_run_leaves_everything_that_tells_what_it_was(composed: Compose, tmp_path: Path) -> None:
    cfg = composed()
    result = fit_and_test(cfg, tmp_path / "run", overrides=["seed=42"])
    there = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert {
        "config.yaml", "overrides.yaml", "run.json", "metrics.json", "per_sample.parquet", "curves/metrics.csv",
        "checkpoints/best.ckpt", "checkpoints/last.ckpt", "figures/test_patterns.png",
    } <= there  # fmt: skip
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts["seed"] == 42
    assert facts["versions"]["torch"] == torch.__version__.split("+")[0] or torch.__version__
    assert f"numpy=={np.__version__}" in facts["packages"]
    store = PatternStore.open(next((tmp_path / "data/stores").glob("files-*")))
    assert facts["data_hash"] == store.content_hash
    per_sample = pd.read_parquet(tmp_path / "run/per_sample.parquet")
    assert len(per_sample) == result.metrics["n_test"]
    for name, mean in result.metrics["test"].items():
        assert per_sample[name].mean() == pytest.approx(mean, abs=1e-9)
    assert result.metrics["n_train"] + result.metrics["n_val"] + result.metrics["n_test"] == len(store)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(composed: Compose, tmp_path: Path) -> None:
    first, second, other = (
        fit_and_test(composed(f"seed={seed}", "model.dropout=0.1"), tmp_path / name).metrics["test"]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second
    assert first != other


def test_a_run_that_was_stopped_and_resumed_ends_with_the_numbers_of_one_that_was_not(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["model.dropout=0.1", "trainer.max_epochs=4", "scheduler=cosine"]
    whole = fit_and_test(composed(*settings), tmp_path / "whole")
    with monkeypatch.context() as patched:
        stop_after(patched, epoch=2, batch=1)
        with pytest.raises(KilledError):
            fit_and_test(composed(*settings), tmp_path / "stopped")
    assert not (tmp_path / "stopped/metrics.json").exists()
    with (tmp_path / "stopped/curves/metrics.csv").open("a") as stream:
        stream.write("0.1,0.2")  # a row that a kill, or a full disk, has cut short
    resumed = fit_and_test(composed(*settings, f"resume={tmp_path / 'stopped'}"), tmp_path / "stopped")
    assert resumed.metrics["test"] == whole.metrics["test"]
    assert resumed.metrics["best_epoch"] == whole.metrics["best_epoch"]
    pd.testing.assert_frame_equal(resumed.per_sample, whole.per_sample)
    assert curves(tmp_path / "stopped") == curves(tmp_path / "whole")


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_anew(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_and_test(composed(), tmp_path / "whole")
    with monkeypatch.context() as patched:
        stop_after(patched, epoch=0, batch=0)
        with pytest.raises(KilledError):
            fit_and_test(composed(), tmp_path / "stopped")
    resumed = fit_and_test(composed(f"resume={tmp_path / 'stopped'}"), tmp_path / "stopped")
    assert resumed.metrics["test"] == whole.metrics["test"]


def test_a_run_is_not_written_over_and_a_finished_one_is_not_resumed(composed: Compose, tmp_path: Path) -> None:
    fit_and_test(composed("trainer.max_epochs=1"), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"already holds a run.*resume="):
        fit_and_test(composed("trainer.max_epochs=1"), tmp_path / "run")
    with pytest.raises(ConfigError, match="is done"):
        fit_and_test(composed("trainer.max_epochs=1", f"resume={tmp_path / 'run'}"), tmp_path / "run")


def test_a_resume_in_another_folder_is_refused(composed: Compose, tmp_path: Path) -> None:
    """Else it would begin anew there, as if nothing had been asked for."""
    with pytest.raises(ConfigError, match=r"resume=.*first goes on in that folder, .*second"):
        fit_and_test(composed(f"resume={tmp_path / 'first'}"), tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_what_is_said_of_a_stopped_run_fits_how_it_was_begun(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "_train", stop)
    for overrides, said in ((["seed=1"], "resume by python -m deepxrd.train resume="), (None, "fit_and_test")):
        with pytest.raises(KeyboardInterrupt) as stopped:
            fit_and_test(composed(), tmp_path / str(overrides), overrides=overrides)
        assert said in stopped.value.__notes__[-1]


@pytest.mark.parametrize(
    ("change", "message"), [("data.encoding.n_counts=8", "another encoding"), ("xrd.sigma_deg=0.4", "trained on data")]
)
def test_a_resume_with_other_data_or_encoding_is_refused(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, message: str
) -> None:
    with monkeypatch.context() as patched:
        stop_after(patched, epoch=1, batch=0)
        with pytest.raises(KilledError):
            fit_and_test(composed(), tmp_path / "run")
    with pytest.raises(CheckpointError, match=message):
        fit_and_test(composed(f"resume={tmp_path / 'run'}", change), tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.split.seed=7", "data.split.seed was 3 and is now 7"),
        ("data.split.by=chemical_system", "data.split.by was composition and is now chemical_system"),
        ("data.split.train=0.6", "data.split.train was 0.7 and is now 0.6"),
    ],
)
def test_a_resume_with_another_split_is_refused(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, message: str
) -> None:
    run_dir = tmp_path / "run"
    with monkeypatch.context() as patched:
        stop_after(patched, epoch=1, batch=0)
        with pytest.raises(KilledError):
            fit_and_test(composed(), run_dir)
    settings = composed(f"resume={run_dir}", change)
    with pytest.raises(ConfigError, match=message):
        fit_and_test(settings, run_dir)
    facts = json.loads((run_dir / "run.json").read_text())
    assert facts["split"] == {"seed": 3, "train": 0.7, "val": 0.1, "by": "composition"}
    without = {key: value for key, value in facts.items() if key != "split"}
    (run_dir / "run.json").write_text(json.dumps(without))  # as a run of before, whose settings still tell
    with pytest.raises(ConfigError, match=message):
        fit_and_test(settings, run_dir)
    config = (run_dir / "config.yaml").read_text()
    (run_dir / "config.yaml").write_text(yaml.safe_dump(settings))  # the checkpoint has noted it too
    with pytest.raises(ConfigError, match=message):
        fit_and_test(settings, run_dir)
    (run_dir / "config.yaml").write_text(config.replace("split:", "splat:"))
    with pytest.raises(ConfigError, match="does not tell its split"):
        fit_and_test(composed(f"resume={run_dir}"), run_dir)


def test_scores_do_not_depend_on_the_size_of_evaluation_batches(composed: Compose, tmp_path: Path) -> None:
    one, many = (
        fit_and_test(composed(f"data.eval_batch_size={size}"), tmp_path / str(size)).metrics["test"] for size in (1, 64)
    )
    assert one == pytest.approx(many, rel=1e-6, abs=1e-4)


def test_a_checkpoint_loads_without_arguments_and_scores_as_logged(composed: Compose, tmp_path: Path) -> None:
    cfg = composed()
    result = fit_and_test(cfg, tmp_path / "run")
    module = DeepXRDModule.load_from_checkpoint(tmp_path / "run/checkpoints/best.ckpt", weights_only=True).eval()
    datamodule = run_module.assemble.make_datamodule(cfg)
    validated = pl.Trainer(logger=False, enable_progress_bar=False, accelerator="cpu").validate(
        module, datamodule=datamodule, verbose=False
    )[0]
    logged = min(float(row["val/loss"]) for row in curves(tmp_path / "run") if row["val/loss"])
    assert validated["val/loss"] == pytest.approx(logged, abs=1e-5)
    with torch.inference_mode():
        x, true = next(iter(datamodule.test_dataloader()))
        predicted = module(x).double().numpy()
    corr = [np.corrcoef(p, t)[0, 1] for p, t in zip(predicted, true.numpy(), strict=True)]
    assert 1 - np.mean(corr) == pytest.approx(result.metrics["test"]["pearson_distance"], abs=1e-5)


def test_the_last_checkpoint_is_the_last_epoch_and_knows_the_best(composed: Compose, tmp_path: Path) -> None:
    fit_and_test(composed("trainer.max_epochs=3"), tmp_path / "run")
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert last["epoch"] == 2
    losses = [float(row["val/loss"]) for row in curves(tmp_path / "run") if row["val/loss"]]
    best = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)
    assert best["epoch"] == int(np.argmin(losses))
    scores = [state.get("best_model_score") for state in last["callbacks"].values() if "best_model_score" in state]
    assert any(score is not None and float(score) == pytest.approx(min(losses), abs=1e-6) for score in scores)


def test_training_stops_early_when_validation_gets_no_better(composed: Compose, tmp_path: Path) -> None:
    cfg = composed("trainer.max_epochs=50", "callbacks.early_stopping.patience=1", "optimizer.lr=1e-9")
    assert fit_and_test(cfg, tmp_path / "run").metrics["epochs"] < 50


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_last_state(composed: Compose, tmp_path: Path) -> None:
    cfg = composed()
    n_batches = run_module.assemble.make_datamodule(cfg).train_dataloader().__len__()
    cfg["loss"] = {"_target_": f"{NaNLoss.__module__}.NaNLoss", "good": n_batches + 1}
    import sys

    sys.modules[NaNLoss.__module__] = sys.modules[__name__]
    with pytest.raises(TrainingDivergedError, match=r"epoch 1, by step \d+; the last good state is .*last\.ckpt"):
        fit_and_test(cfg, tmp_path / "run")
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert last["epoch"] == 0
    assert all(torch.isfinite(value).all() for value in last["state_dict"].values())


def test_a_grid_that_the_network_cannot_give_is_refused(composed: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"1024 points, but xrd\.n_points is 512"):
        fit_and_test(composed("xrd.n_points=512"), tmp_path / "run")


def test_a_compiled_network_learns_the_same_and_its_checkpoint_has_the_same_keys(
    composed: Compose, tmp_path: Path
) -> None:
    plain = fit_and_test(composed("trainer.max_epochs=1"), tmp_path / "plain")
    compiled = ["trainer.max_epochs=1", "callbacks=compiled", "+callbacks.compile.backend=eager"]
    result = fit_and_test(composed(*compiled), tmp_path / "compiled")
    assert result.metrics["test"] == pytest.approx(plain.metrics["test"], rel=1e-5)
    keys = [
        list(torch.load(tmp_path / name / "checkpoints/best.ckpt", weights_only=True)["state_dict"])
        for name in ("plain", "compiled")
    ]
    assert keys[0] == keys[1]
