"""A training whose numbers are lost ends with an error, whatever loss hides them, and leaves no bad checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deepxrd.errors import BusyError, CheckpointError, ConfigError, TrainingDivergedError
from deepxrd.io.files import locked_or_refused
from deepxrd.losses import CosineLoss, JSDLoss, MSELoss, MSLELoss, PatternLoss, PearsonLoss, WassersteinLoss
from deepxrd.metrics.distances import weighted_profile_r
from deepxrd.models.paper import load_network
from deepxrd.training.run import fit_and_test

Compose = Callable[..., dict[str, Any]]
LOSSES = (PearsonLoss, CosineLoss, MSELoss, MSLELoss, JSDLoss, WassersteinLoss)


class Blind(PatternLoss):
    """A loss that hides what is not a number, in its value and, but for what it lets through, in its slope."""

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        return (predicted.nan_to_num(0, 1, -1) - true).square().mean(-1).clamp_max(1e6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_loss_of_what_is_not_a_number_is_none(loss: type[PatternLoss], bad: float, *, everywhere: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, true = (100 * torch.rand((2, 64), generator=generator) for _ in range(2))
    if everywhere:
        predicted[0] = bad
    else:
        predicted[0, 5] = bad
    assert not torch.isfinite(loss()(predicted, true))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_prediction_keeps_its_loss_and_slope(loss: type[PatternLoss], value: float) -> None:
    true = 100 * torch.rand((2, 64), generator=torch.Generator().manual_seed(0))
    predicted = torch.full_like(true, value, requires_grad=True)
    found = loss()(predicted, true)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(predicted.grad).all()
    if loss is PearsonLoss or (loss is CosineLoss and value == 0):
        assert found.item() == 1.0


def test_rwp_of_what_is_not_a_number_is_none_though_nothing_is_there() -> None:
    nothing, bad = torch.zeros((1, 8)), torch.full((1, 8), float("nan"))
    assert torch.isnan(weighted_profile_r(bad, nothing)).all()
    assert weighted_profile_r(nothing, nothing).item() == 0
    assert weighted_profile_r(nothing + 50, nothing).item() == 1


@pytest.mark.parametrize("loss", ["pearson", "cosine", "blind"])
def test_a_training_that_loses_its_numbers_ends_and_leaves_no_bad_checkpoint(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    cfg = composed("optimizer.lr=1e30", "trainer.max_epochs=2")
    if loss == "blind":
        monkeypatch.setitem(sys.modules, Blind.__module__, sys.modules[__name__])
        cfg["loss"] = {"_target_": f"{Blind.__module__}.Blind"}
    else:
        cfg["loss"] = composed(f"loss={loss}")["loss"]
    with pytest.raises(TrainingDivergedError, match=r"not a finite number in epoch \d+, by step \d+; .*optimizer\.lr"):
        fit_and_test(cfg, tmp_path / "run")
    assert not (tmp_path / "run/metrics.json").exists()
    for checkpoint in (tmp_path / "run").rglob("*.ckpt"):
        weights = torch.load(checkpoint, weights_only=True)["state_dict"].values()
        assert all(torch.isfinite(value).all() for value in weights), checkpoint


def test_weights_that_are_not_finite_are_refused(composed: Compose, tmp_path: Path) -> None:
    fit_and_test(composed("trainer.max_epochs=1"), tmp_path / "run")
    content = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)
    name = next(name for name in content["state_dict"] if name.startswith("net."))
    content["state_dict"][name].view(-1)[0] = float("nan")
    bad = tmp_path / "bad.ckpt"
    torch.save(content, bad)
    with pytest.raises(CheckpointError, match=r"bad\.ckpt cannot predict: 1 of its .* not finite numbers"):
        load_network(bad)
    torch.save({**content, "state_dict": list(content["state_dict"])}, bad)
    with pytest.raises(CheckpointError, match=r"bad\.ckpt is no deepxrd checkpoint"):
        load_network(bad)


def test_a_second_training_in_the_same_folder_is_refused(composed: Compose, tmp_path: Path) -> None:
    with locked_or_refused(tmp_path / "run/.lock", "busy"), pytest.raises(BusyError, match="another process trains in"):
        fit_and_test(composed(), tmp_path / "run")


def test_more_devices_than_there_are_are_refused_at_once(composed: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.devices=99: this machine has \d+ CPU cores"):
        fit_and_test(composed("trainer.devices=99"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
