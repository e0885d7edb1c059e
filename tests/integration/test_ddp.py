"""Training on two processes: the samples shared out, the scores those of one process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import yaml

from deepxrd.data.datamodule import BatchPositions
from deepxrd.metrics import score_patterns
from deepxrd.training import assemble
from deepxrd.training.paper_module import DeepXRDModule
from deepxrd.training.run import fit_and_test

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(("n", "batch_size", "world_size"), [(20, 8, 2), (25, 8, 3), (9, 8, 4), (7, 7, 1)])
def test_processes_share_each_batch_of_training_and_every_sample_once_else(
    n: int, batch_size: int, world_size: int
) -> None:
    whole = list(BatchPositions(n, batch_size, seed=1))
    ranks = range(world_size)
    shares = [list(BatchPositions(n, batch_size, seed=1, rank=r, world_size=world_size)) for r in ranks]
    assert len({len(share) for share in shares}) == 1, "every process takes as many steps"
    for batch, *parts in zip(whole, *shares, strict=True):
        together = np.concatenate(parts)
        assert set(together) == set(batch)
        assert len(together) == max(len(batch), world_size)
    evaluated = [BatchPositions(n, batch_size, seed=None, rank=r, world_size=world_size) for r in ranks]
    assert [len(list(positions)) for positions in evaluated] == [len(positions) for positions in evaluated]
    assert np.concatenate([b for positions in evaluated for b in positions]).tolist() == list(range(n))


def test_two_processes_train_and_score_as_one(command: Command, small: list[str], tmp_path: Path) -> None:
    # without batch norms, whose statistics are of a process's share, two processes learn what one does
    settings = [*small, "model.norm=false", "trainer.precision=32-true", "trainer.accelerator=cpu", "optimizer.lr=1e-4"]
    more = ["trainer.devices=2", "trainer.strategy=ddp", f"paths.data_dir={tmp_path / 'data'}"]
    done = command("cli", "train", *settings, "hydra.run.dir=two", *more, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("results:") == 1
    two = json.loads((tmp_path / "two/metrics.json").read_text())
    cfg = yaml.safe_load((tmp_path / "two/config.yaml").read_text())
    cfg["trainer"] |= {"devices": 1, "strategy": "auto", "enable_progress_bar": False}
    one = fit_and_test(cfg, tmp_path / "one").metrics
    # of an odd number of samples one is seen by both processes
    assert two["test_loss"] == pytest.approx(one["test_loss"], rel=1e-2)
    assert two["test"]["pearson_distance"] == pytest.approx(one["test"]["pearson_distance"], rel=1e-2)

    # and what two processes have scored is what one gets from the same weights, sample by sample
    module = DeepXRDModule.load_from_checkpoint(tmp_path / "two/checkpoints/best.ckpt", weights_only=True)
    datamodule = assemble.make_datamodule(cfg)
    trainer = pl.Trainer(logger=False, enable_progress_bar=False, accelerator="cpu", enable_model_summary=False)
    [scores] = trainer.test(module, datamodule=datamodule, verbose=False)
    predicted = torch.cat(module.test_patterns["pattern"])
    assert two["n_test"] == len(predicted)
    assert two["test_loss"] == pytest.approx(scores["test/loss"], rel=1e-5)
    per_sample = pd.read_parquet(tmp_path / "two/per_sample.parquet")
    true = np.array(datamodule.data.store.patterns[datamodule.dataset("test").rows])
    for name, values in score_patterns(predicted.numpy(), true, datamodule.data.xrd.two_theta_deg).items():
        assert two["test"][name] == pytest.approx(values.mean(), rel=1e-5, abs=1e-5), name
    predicted = predicted.double()
    correlations = [np.corrcoef(p, t)[0, 1] for p, t in zip(predicted.numpy(), true, strict=True)]
    np.testing.assert_allclose(per_sample["pearson_distance"], 1 - np.array(correlations), atol=1e-5)
