"""``python -m deepxrd.prepare``: build a data set, or open it if it is there."""

from __future__ import annotations

import json
import os
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from deepxrd.config import conf_dir, register
from deepxrd.entry import run_hydra

register()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="prepare")
def prepare(cfg: DictConfig) -> None:
    """Build the store, split it, and print what is in it."""
    from deepxrd.training.assemble import make_datamodule

    plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    datamodule = make_datamodule(plain)
    datamodule.setup()
    store = datamodule.store
    parts = {part: len(datamodule.dataset(part)) for part in ("train", "val", "test")}
    print(json.dumps({**store.manifest["counts"], "split": parts}, indent=2, ensure_ascii=False))  # noqa: T201
    if store.manifest["citation"]:
        print(f"cite: {store.manifest['citation']}")  # noqa: T201
    print(f"data: {os.path.relpath(store.path)}")  # noqa: T201


def main() -> None:
    """Entry point."""
    run_hydra(prepare)


if __name__ == "__main__":
    main()
