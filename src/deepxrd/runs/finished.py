"""Folders of finished runs and evaluations, checked before anything is built on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from deepxrd.errors import ConfigError
from deepxrd.io.bounded import check_regular, read_json, read_yaml
from deepxrd.runs.names import BEST_CHECKPOINT, CONFIG, METRICS, MODEL, PER_SAMPLE

DATA_SETTINGS = ("source", "data", "xrd", "build", "paths")
"""What of a run's configuration says which data it saw."""


@dataclass(frozen=True)
class Finished:
    """A folder with the scores of a model.

    Attributes:
        path: the folder.
        metrics: what its ``metrics.json`` holds.
    """

    path: Path
    metrics: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path, *, setting: str) -> Finished:
        """Open a folder.

        Args:
            path: of the folder.
            setting: what it was given as, for messages.

        Raises:
            ConfigError: there is none, or it is not finished.
        """
        path = Path(path)
        if not path.is_dir():
            msg = f"{setting}={path}: no such run folder; give one that deepxrd.train or deepxrd.evaluate has made"
            raise ConfigError(msg)
        if not (path / METRICS).is_file():
            way_out = (
                f"resume it by python -m deepxrd.train resume={path}"
                if (path / CONFIG).is_file()
                else "give the folder of a run that is done"
            )
            msg = f"{setting}={path}: the run there is not finished, it has no {METRICS}; {way_out}"
            raise ConfigError(msg)
        try:
            metrics = read_json(path / METRICS)
            _ = metrics["data_hash"], metrics["model"], metrics["data"], metrics["n_test"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{path / METRICS} holds no scores of a run ({type(error).__name__}: {error}); run it anew"
            raise ConfigError(msg) from error
        return cls(path, metrics)

    @property
    def checkpoint(self) -> Path:
        """The network that was best on the validation part.

        Raises:
            ConfigError: there is none.
        """
        file = self.path / BEST_CHECKPOINT
        if not file.is_file():
            msg = f"run={self.path} holds no trained network, {BEST_CHECKPOINT}; give the folder of deepxrd.train"
            raise ConfigError(msg)
        return file

    @property
    def weights(self) -> Path:
        """What predicts: the folder of a whole model, or else the checkpoint of a network.

        Raises:
            ConfigError: there is neither.
        """
        folder = self.path / MODEL
        return folder if folder.is_dir() else self.checkpoint

    @property
    def data_settings(self) -> dict[str, Any]:
        """What of its configuration says which data it saw; may be a stranger's, see :mod:`deepxrd.config.trust`.

        Raises:
            ConfigError: the configuration is missing or damaged.
        """
        file = self.path / CONFIG
        try:
            config = read_yaml(file)
            settings = {key: config[key] for key in DATA_SETTINGS}
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{file} is no configuration of a run ({type(error).__name__}: {error})"
            raise ConfigError(msg) from error
        for key, value in settings.items():
            if not isinstance(value, dict):
                msg = f"{file} is no configuration of a run: {key} must be a group of settings, not {str(value)[:80]!r}"
                raise ConfigError(msg)
        return settings

    @property
    def split(self) -> Any:
        """The settings of the split that it was made with; a run that has not noted them has them in its settings.

        Raises:
            ConfigError: the configuration is missing or damaged.
        """
        return self.metrics.get("split") or (self.data_settings["data"] or {}).get("split")

    @cached_property
    def per_sample(self) -> pd.DataFrame:
        """Scores of each test sample, indexed by composition.

        Raises:
            ConfigError: the file is missing or damaged.
        """
        file = self.path / PER_SAMPLE
        try:
            check_regular(file)
            return pd.read_parquet(file).set_index("composition")
        except (OSError, ValueError, KeyError, MemoryError) as error:
            msg = f"{file} holds no scores per sample ({type(error).__name__}: {error}); run it anew"
            raise ConfigError(msg) from error
