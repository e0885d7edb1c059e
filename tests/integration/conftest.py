import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import forked
from deepxrd.sources import FilesSource

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs ``python -m deepxrd.…`` as a user would, in an empty folder."""

    def run(module: str, *arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160", "WANDB_MODE": "offline"}
        return forked.run(module, *arguments, cwd=tmp_path, env=env, timeout=timeout)

    return run


@pytest.fixture(scope="session")
def small(perovskite_source: FilesSource) -> list[str]:
    """Settings of a run that takes seconds."""
    return [
        "data=abc3",
        "source=files",
        f"source.path={perovskite_source.path}",
        "data.split.seed=3",
        "data.batch_size=8",
        "model.depth=10",
        "trainer.max_epochs=2",
        "build.n_jobs=1",
    ]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> Path:
    """The folder of a small run, made once by the real command."""
    folder = tmp_path_factory.mktemp("trained")
    env = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
    done = forked.run("train", *small, f"hydra.run.dir={folder / 'run'}", cwd=folder, env=env, timeout=240)
    assert done.returncode == 0, done.stderr
    (folder / "run" / "stdout.txt").write_text(done.stdout)
    return folder / "run"
