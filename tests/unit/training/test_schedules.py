import csv
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from deepxrd.errors import ConfigError
from deepxrd.training.run import fit_and_test
from deepxrd.training.schedules import WarmUpCosine, how_stepped

Compose = Callable[..., dict[str, Any]]
_TORCH = "torch.optim.lr_scheduler"


def rates(run_dir: Path) -> list[float]:
    """The learning rate after each step, from the curves of a run."""
    with (run_dir / "curves/metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    [name] = [key for key in rows[0] if key.startswith("lr-")]
    return [float(row[name]) for row in rows if row[name]]


_MONITOR = [
    "+callbacks.rate._target_=pytorch_lightning.callbacks.LearningRateMonitor", "+callbacks.rate.logging_interval=step",
    "trainer.log_every_n_steps=1",
]  # fmt: skip


def test_one_cycle_goes_through_its_cycle_though_no_interval_is_given(composed: Compose, tmp_path: Path) -> None:
    cfg = composed("scheduler=one_cycle", "~scheduler.interval", *_MONITOR)
    fit_and_test(cfg, tmp_path / "run")
    seen = rates(tmp_path / "run")
    assert max(seen) == pytest.approx(cfg["optimizer"]["lr"], rel=0.05)
    assert seen[-1] < 0.1 * max(seen)


@pytest.mark.parametrize("settings", [["scheduler=plateau"], ["scheduler=plateau", "~scheduler.monitor"]])
def test_a_plateau_lowers_the_rate(composed: Compose, tmp_path: Path, settings: list[str]) -> None:
    flat = ["scheduler.patience=0", "+scheduler.threshold=10", "+scheduler.threshold_mode=abs", "scheduler.factor=0.5"]
    fit_and_test(composed(*settings, *flat, *_MONITOR), tmp_path / "run")
    seen = rates(tmp_path / "run")
    assert seen[-1] == pytest.approx(seen[0] / 2)


@pytest.mark.parametrize("settings", [["optimizer=sgd", "optimizer.lr=1e-5"], ["optimizer=adamw"]])
def test_the_ready_configurations_train(composed: Compose, tmp_path: Path, settings: list[str]) -> None:
    fit_and_test(composed("scheduler=warm_up_cosine", "trainer.max_epochs=1", *settings), tmp_path / "run")


@pytest.mark.parametrize(
    ("target", "interval"),
    [("OneCycleLR", "step"), ("CyclicLR", "step"), ("StepLR", "epoch"), ("ReduceLROnPlateau", "epoch")],
)
def test_a_scheduler_is_stepped_as_it_counts_unless_told(target: str, interval: str) -> None:
    node = {"_target_": f"{_TORCH}.{target}", "frequency": 2}
    own, stepped = how_stepped(node)
    assert own == {"_target_": f"{_TORCH}.{target}"}
    assert (stepped["interval"], stepped["frequency"]) == (interval, 2)
    assert how_stepped({**node, "interval": "epoch"})[1]["interval"] == "epoch"


def test_a_plateau_in_each_step_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"scheduler\.interval=step.*give epoch"):
        how_stepped({"_target_": f"{_TORCH}.ReduceLROnPlateau", "interval": "step"})


def test_a_warm_up_rises_to_the_full_rate_and_falls_to_the_least() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = WarmUpCosine(optimizer, total_steps=100, warm_up=0.1, least=0.25)
    seen = []
    for _ in range(101):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert seen[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert seen[55] == pytest.approx(2.0 * (0.25 + 0.75 / 2))
    assert seen[100] == pytest.approx(0.5)
    assert all(a >= b for a, b in itertools.pairwise(seen[10:]))
