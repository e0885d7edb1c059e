"""Resolvers of the configuration that name a sweep's folder and its runs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from deepxrd.config import schema as config
from deepxrd.io.files import value_hash
from deepxrd.sweeps.share import runs_at_once


def register_resolvers() -> None:
    """Tell Hydra of all that the configuration of ``train`` needs; in the workers of a sweep too."""
    config.register()
    # our settings of the launchers bear the names of the plugins' own, and Hydra 1.3 lays them over those, as we want
    warnings.filterwarnings("ignore", message="(?s).*is validated against ConfigStore schema with the same name")
    OmegaConf.register_new_resolver("deepxrd.sweep_name", _sweep_name, replace=True)
    OmegaConf.register_new_resolver("deepxrd.sweep_run_name", _run_name, replace=True)
    OmegaConf.register_new_resolver("deepxrd.runs_at_once", runs_at_once, replace=True)


def _sweep_name(choices: Mapping[str, str | None], overrides: Sequence[str]) -> str:
    return choices.get("sweep") or f"free-{value_hash(sorted(overrides))[:8]}"


def _run_name(sweep_dir: str, overrides: Sequence[str]) -> str:
    from deepxrd.sweeps.callback import name_of

    return name_of(Path(sweep_dir), overrides)
