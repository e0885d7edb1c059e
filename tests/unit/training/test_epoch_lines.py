"""A training whose output goes to a file says how far it is."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deepxrd.training import epoch_lines
from deepxrd.training.epoch_lines import epoch_line
from deepxrd.training.run import fit_and_test

Compose = Callable[..., dict[str, Any]]


@pytest.fixture
def said(composed: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Train some epochs, and give what was printed of them."""

    def train(*overrides: str, epochs: int = 2) -> list[str]:
        cfg = composed(f"trainer.max_epochs={epochs}", *overrides)
        fit_and_test(cfg, tmp_path / "run")
        return re.findall(r"^epoch .*", capsys.readouterr().err, flags=re.MULTILINE)

    return train


def test_each_line_has_the_losses_of_its_epoch(
    said: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoch_lines, "SECONDS_BETWEEN", 0.0)
    lines = said("trainer.enable_progress_bar=true", epochs=3)
    with (tmp_path / "run/curves/metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    validated = [float(row["val/loss"]) for row in rows if row.get("val/loss")]
    trained = [float(row["train/loss"]) for row in rows if row.get("train/loss")]
    assert lines == [
        epoch_line(n, 3, {"train/loss": trained[n - 1], "val/loss": validated[n - 1]}, min(validated[:n]))
        for n in (1, 2)
    ]


def test_between_two_lines_there_is_time(said: Callable[..., list[str]]) -> None:
    assert len(said("trainer.enable_progress_bar=true", epochs=3)) == 1


@pytest.mark.parametrize("seen", [True, False])
def test_nothing_is_said_where_a_bar_is_seen_or_none_is_wanted(
    said: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, *, seen: bool
) -> None:
    monkeypatch.setattr(Console, "is_terminal", seen)
    assert said(f"trainer.enable_progress_bar={seen}") == []


@pytest.mark.parametrize(
    ("max_epochs", "losses", "best", "line"),
    [
        (9, {"train/loss": 0.5, "val/loss": 2}, 0.4, "epoch 7 of at most 9: train loss 0.5, validation 2 (best 0.4)"),
        (-1, {"train/loss": 0.1234567}, None, "epoch 7: train loss 0.1235"),
        (None, {"train/loss": 12345.6}, None, "epoch 7: train loss 1.235e+04"),
    ],
)  # fmt: skip
def test_a_line_tells_what_is_known(
    max_epochs: int | None, losses: dict[str, float], best: float | None, line: str
) -> None:
    assert epoch_line(7, max_epochs, losses, best) == line
