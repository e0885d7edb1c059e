"""What becomes of a group's own settings where another class is put in its place by ``GROUP._target_=CLASS``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from deepxrd.config.schema import conf_dir, null_groups_left_out
from deepxrd.config.trust import typed_values
from deepxrd.errors import ConfigError

_TARGET = "_target_"


def drop_defaults(cfg: DictConfig, choices: Mapping[str, Any], typed: Sequence[str]) -> None:
    """Take out of a configuration what belongs to classes that it no longer names.

    ``model._target_=mylab.Net`` leaves ``depth`` and all else of ``conf/model/paper.yaml`` behind. What was typed
    stays, and so does a value that is another than the file's.

    Args:
        cfg: composed, not yet resolved; changed in place.
        choices: the option of each group, as Hydra notes them.
        typed: settings in Hydra's grammar.
    """
    given = typed_values(typed)
    for group, choice in choices.items():
        file = conf_dir() / group / f"{choice}.yaml"
        if group in cfg and file.is_file():
            given_here = given.get(group)
            _drop(cfg.get(group), _settings_of(file), given_here if isinstance(given_here, Mapping) else {})


def drop_defaults_of_command(cfg: DictConfig) -> None:
    """The same for the command that Hydra runs."""
    from hydra.core.hydra_config import HydraConfig

    hydra_cfg = HydraConfig.get()
    drop_defaults(cfg, hydra_cfg.runtime.choices, list(hydra_cfg.overrides.task))


def compose_command(command: str, overrides: Sequence[str], *, config_dir: Path | None = None) -> DictConfig:
    """The configuration that a command would have.

    Args:
        command: train, evaluate, prepare or report.
        overrides: settings in Hydra's grammar.
        config_dir: a folder with groups of one's own, as ``--config-dir`` takes it.

    Raises:
        HydraException: there is no such setting.
        ConfigError: there is no such folder.
    """
    from hydra import initialize_config_dir

    settings = null_groups_left_out(overrides)
    if config_dir is not None:
        if not config_dir.is_dir():
            msg = f"config_dir={config_dir}: there is no such folder"
            raise ConfigError(msg)
        settings.append(f"hydra.searchpath=[{json.dumps(f'file://{config_dir.resolve()}', ensure_ascii=False)}]")
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose_within(command, settings)


def compose_within(command: str, overrides: Sequence[str]) -> DictConfig:
    """The same within a command of Hydra's, whose ``--config-dir`` counts too."""
    from hydra import compose

    cfg = compose(command, list(overrides), return_hydra_config=True)
    choices: Any = OmegaConf.to_container(cfg.hydra.runtime.choices)
    with open_dict(cfg):
        del cfg["hydra"]
    drop_defaults(cfg, choices, overrides)
    return cfg


def _settings_of(file: Path) -> Any:
    """Settings of a group's file, with those of the files beside it that it builds upon."""
    own: Any = OmegaConf.load(file)
    earlier = [name for name in own.get("defaults", ()) if isinstance(name, str)]
    return OmegaConf.merge(*(_settings_of(file.with_name(f"{name}.yaml")) for name in earlier), own)


def _drop(node: Any, default: Any, typed: Mapping[str, Any]) -> None:
    if not isinstance(node, DictConfig) or not isinstance(default, DictConfig):
        return
    ours, now = (OmegaConf.to_container(each, resolve=False) for each in (default, node))
    assert isinstance(ours, dict)  # noqa: S101 - for mypy: a DictConfig gives a dict
    assert isinstance(now, dict)  # noqa: S101
    if ours.get(_TARGET) is not None and now.get(_TARGET) != ours[_TARGET]:
        left = [key for key in ours if key in now and key not in typed and key != _TARGET and now[key] == ours[key]]
        with open_dict(node):
            for key in left:
                del node[key]
        return
    for key in (str(key) for key in ours if key in now):
        inner = typed.get(key)
        # without following a reference, which may lead nowhere yet
        _drop(node._get_node(key), default._get_node(key), inner if isinstance(inner, Mapping) else {})  # noqa: SLF001
