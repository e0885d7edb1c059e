"""The candidate model trained like any other network."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from deepxrd.metrics import score_patterns
from deepxrd.prediction.predictor import CandidatePredictor
from deepxrd.runs.finished import Finished
from deepxrd.training import assemble
from deepxrd.training.callbacks import StepSeed
from deepxrd.training.run import fit_and_test

Compose = Callable[..., dict[str, Any]]


class KilledError(Exception):
    """Stands for a kill."""


@pytest.fixture
def candidates(composed: Compose) -> Compose:
    def make(*overrides: str) -> dict[str, Any]:
        small = ["model=candidates", "data.batch_size=16", "trainer.max_epochs=2"]
        return composed(*small, *overrides)

    return make


def test_a_trained_model_is_written_whole_and_predicts_what_was_scored(candidates: Compose, tmp_path: Path) -> None:
    cfg = candidates("model.networks=2")
    result = fit_and_test(cfg, tmp_path / "run")
    predictor = CandidatePredictor.load(Finished.open(tmp_path / "run", setting="run").weights)
    datamodule = assemble.make_datamodule(cfg)
    rows = datamodule.data.rows["test"]
    said = predictor.predict([datamodule.data.store.formulas[row] for row in rows])
    true = np.asarray(datamodule.data.store.patterns[rows])
    for name, patterns in (("test", said.patterns), ("test_expected", said.further["expected"])):
        scores = score_patterns(patterns, true, datamodule.data.xrd.two_theta_deg)
        for score, values in scores.items():  # weights are written in half precision
            assert values.mean() == pytest.approx(result.metrics[name][score], rel=0.05, abs=0.02), (name, score)
    assert json.loads((tmp_path / "run/metrics.json").read_text())["model"] == "CandidateNet"


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(candidates: Compose, tmp_path: Path) -> None:
    first, second, other = (
        fit_and_test(candidates(f"seed={seed}"), tmp_path / name).metrics["test"]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second
    assert first != other


def test_a_run_that_was_stopped_and_resumed_ends_with_the_numbers_of_one_that_was_not(
    candidates: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["trainer.max_epochs=3"]
    whole = fit_and_test(candidates(*settings), tmp_path / "whole")

    def stop(_: StepSeed, trainer: pl.Trainer, *_rest: Any) -> None:
        if trainer.current_epoch == 1 and trainer.fit_loop.batch_idx == 1:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(StepSeed, "on_train_batch_end", stop, raising=False)
        with pytest.raises(KilledError):
            fit_and_test(candidates(*settings), tmp_path / "stopped")
    resumed = fit_and_test(candidates(*settings, f"resume={tmp_path / 'stopped'}"), tmp_path / "stopped")
    assert resumed.metrics["test"] == whole.metrics["test"]


def test_candidates_that_a_kill_left_unfinished_are_finished(
    candidates: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepxrd.training import candidate_examples as examples

    monkeypatch.setattr(examples, "_PART_SIZE", 8)
    whole = assemble.make_datamodule(candidates())
    whole.setup()
    expected = whole.dataset("train").examples
    folder = next((tmp_path / "data/stores").glob("*/candidates/*/train"))
    last = max(folder.glob("part-*.npz"))
    last.unlink()
    there = np.load(folder / "simulated.npy", mmap_mode="r+")
    there[-1] = 0
    there.flush()
    again = assemble.make_datamodule(candidates())
    again.setup()
    found = again.dataset("train").examples
    for name in ("features", "mask", "quality", "simulated", "peaks"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_networks_of_an_ensemble_learn_apart(candidates: Compose, tmp_path: Path) -> None:
    fit_and_test(candidates("model.networks=2"), tmp_path / "run")
    checkpoint = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)
    weights = {name: each for name, each in checkpoint["state_dict"].items() if name.endswith("weight.weight")}
    one, other = (next(w for n, w in weights.items() if n.startswith(f"nets.{i}.")) for i in (0, 1))
    assert not torch.equal(one, other)
