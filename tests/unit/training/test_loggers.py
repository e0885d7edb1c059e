"""What a run's loggers are told."""

from pathlib import Path

import pytest

from deepxrd.training.loggers import make_loggers

WANDB = {"_target_": "pytorch_lightning.loggers.WandbLogger", "project": "deepxrd"}


@pytest.mark.parametrize(
    ("folders", "begun"),
    [
        ((), None),
        (("offline-run-20261127_104501-k3f9a2xq",), "k3f9a2xq"),
        (("run-20261127_104501-my-run",), "my-run"),
        (("run-20261127_120000-zzzzzzzz", "offline-run-20261126_104501-k3f9a2xq", "latest-run"), "k3f9a2xq"),
    ],
)
def test_a_resume_goes_on_with_the_run_that_wandb_knows(tmp_path: Path, folders: tuple[str, ...], begun: str) -> None:
    for name in folders:
        (tmp_path / "wandb" / name).mkdir(parents=True)
    [logger] = make_loggers({"logger": {"wandb": WANDB}}, tmp_path)
    assert logger.version == begun
    [named] = make_loggers({"logger": {"wandb": {**WANDB, "id": "mine"}}}, tmp_path)
    assert named.version == "mine"
