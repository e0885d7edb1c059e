"""A resume goes on with the settings that its run began with, or says which it would change."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepxrd.errors import ConfigError
from deepxrd.runs.unchanged import refuse_changed

SETTINGS: dict[str, Any] = {
    "source": {"path": "a.parquet"},
    "seed": 1,
    "loss": {"_target_": "deepxrd.losses.MSELoss"},
    "model": {"_target_": "deepxrd.models.paper.DeepXRDNet", "depth": 10},
    "optimizer": {"lr": 0.001, "betas": [0.9, 0.99]},
    "trainer": {"max_epochs": 3, "enable_progress_bar": True},
    "callbacks": {},
}


def changed(**groups: Any) -> dict[str, Any]:
    settings = copy.deepcopy(SETTINGS)
    for group, value in groups.items():
        settings[group] = {**settings[group], **value} if isinstance(value, dict) else value
    return settings


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SETTINGS))
    return tmp_path


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (changed(seed=42), "seed=1, .* go on with 42"),
        (changed(loss={"_target_": "deepxrd.losses.PearsonLoss"}), r"loss\._target_=.*MSELoss, .*PearsonLoss"),
        (changed(optimizer={"betas": [0.9, 0.999]}), r"optimizer\.betas=\[0.9, 0.99\]"),
        (changed(callbacks={"mean": {"_target_": "x.Y"}}), r"callbacks\.mean\._target_=nothing"),
    ],
)  # fmt: skip
def test_a_setting_that_nobody_typed_is_refused(run_dir: Path, again: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        refuse_changed(run_dir, again, now=again)


def test_what_is_typed_for_the_resume_may_be_another(run_dir: Path) -> None:
    refuse_changed(run_dir, SETTINGS, now=changed(trainer={"max_epochs": 9}, callbacks={"patience": 3}))
    # and what is typed as it was makes up for what was not noted
    refuse_changed(run_dir, changed(seed=42), now=SETTINGS)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (changed(optimizer={"lr": 0.01}), r"optimizer\.lr=0\.01: the run in .* began with 0\.001"),
        (changed(loss={"_target_": "deepxrd.losses.PearsonLoss"}), r"loss\._target_=.*PearsonLoss: .*MSELoss"),
        (changed(seed=7), "seed=7: .* began with 1"),
        ({**SETTINGS, "optimizer": {"lr": 0.001, "momentum": 0.9}}, r"optimizer\.betas=nothing: .* start a new run"),
    ],
)
def test_what_a_checkpoint_goes_on_with_is_not_recorded_as_another(
    run_dir: Path, typed: dict[str, Any], said: str
) -> None:
    """A learning rate that was typed stood in the run's record, and the training went on with the one before."""
    with pytest.raises(ConfigError, match=said):
        refuse_changed(run_dir, SETTINGS, now=typed)


def test_what_does_not_matter_may_be_another(run_dir: Path) -> None:
    again = changed(source={"path": "b.parquet"}, trainer={"enable_progress_bar": False})
    refuse_changed(run_dir, again, now=again)
    refuse_changed(run_dir / "nothing", again, now=again)


def test_a_setting_that_came_later_and_a_name_that_was_moved_are_no_difference(run_dir: Path) -> None:
    began = changed(model={"_target_": "deepxrd.models.DeepXRDNet"})
    (run_dir / "config.yaml").write_text(yaml.safe_dump(began))
    again = changed(model={"quick": True})
    refuse_changed(run_dir, again, now=again)


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "\0"])
def test_a_damaged_configuration_is_told(run_dir: Path, content: str) -> None:
    (run_dir / "config.yaml").write_text(content)
    with pytest.raises(ConfigError, match="is no configuration of a run"):
        refuse_changed(run_dir, SETTINGS, now=SETTINGS)
