"""The package ``mylab`` and the settings ``myconf`` that docs/extending.md shows, and quick trainings with them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import deepxrd
from deepxrd.sources import FilesSource
from deepxrd.training.run import RunResult

DOCS = Path(__file__).resolve().parents[2] / "docs"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))

from blocks import write_files  # noqa: E402 - a neighbour's, by the path above

Train = Callable[..., RunResult]


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A researcher's folder, whose package can be imported."""
    folder = tmp_path_factory.mktemp("outside")
    write_files(DOCS / "extending.md", folder)
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def quick(perovskite_source: FilesSource, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings of a run that takes a moment: 36 perovskites, built once, and one epoch."""
    return [
        "data=abc3",
        "source=files",
        f"source.path={perovskite_source.path}",
        f"paths.data_dir={tmp_path_factory.mktemp('data')}",
        f"paths.output_dir={tmp_path_factory.mktemp('outputs')}",
        "data.split.seed=3",
        "data.batch_size=8",
        "trainer.max_epochs=1",
        "trainer.enable_progress_bar=false",
        "trainer.accelerator=cpu",
        "trainer.precision=32-true",
        "build.n_jobs=1",
    ]


@pytest.fixture
def train(outside: Path, quick: list[str], tmp_path: Path) -> Train:
    """Trains in this process what ``deepxrd train --config-dir myconf`` would; the network is the page's small one."""

    def run(*overrides: str, name: str = "run") -> RunResult:
        model = [] if any(text.startswith("model") for text in overrides) else ["model=mine"]
        own_source = any(text.startswith("source=") for text in overrides)
        small = [text for text in quick if not (own_source and text.startswith("source"))]
        cfg = deepxrd.compose([*small, *model, *overrides], config_dir=outside / "myconf")
        return deepxrd.fit_and_test(cfg, tmp_path / name)

    return run
