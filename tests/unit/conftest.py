from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from deepxrd.config import conf_dir, register
from deepxrd.sources import FilesSource

Compose = Callable[..., dict[str, Any]]


@pytest.fixture
def composed(perovskite_source: FilesSource, tmp_path: Path) -> Compose:
    """Composes a small, quick experiment on a few cubic perovskites, with further overrides."""
    register()

    def make(*overrides: str) -> dict[str, Any]:
        small = [
            "data=abc3",
            "source=files",
            f"source.path={perovskite_source.path}",
            f"paths.data_dir={tmp_path / 'data'}",
            *([] if "model=candidates" in overrides else ["model.depth=10"]),
            "data.batch_size=8",
            "data.split.seed=3",
            "trainer.max_epochs=3",
            "trainer.enable_progress_bar=false",
            "trainer.accelerator=cpu",
            "trainer.precision=32-true",
            "build.n_jobs=1",
        ]
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            cfg = compose("train", [*small, *overrides])
        plain: Any = OmegaConf.to_container(cfg, resolve=True)
        return plain  # type: ignore[no-any-return]

    return make
