"""The one check of a configuration, for all commands: every value against the rule of its setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deepxrd.config.groups import COMMANDS
from deepxrd.config.rules import refuse

if TYPE_CHECKING:
    from omegaconf import DictConfig


def check(cfg: Mapping[str, Any], command: str) -> None:
    """Check plain values.

    Args:
        cfg: a composed and resolved configuration.
        command: whose it is: train, evaluate, prepare or report.

    Raises:
        ConfigError: the message names the first setting with a value that cannot be, the value, and what can.
    """
    COMMANDS[command].check("", cfg)


def plain_values(cfg: DictConfig, command: str) -> dict[str, Any]:
    """Resolve a configuration to plain values, and check them.

    Raises:
        ConfigError: as `check`.
        OmegaConfBaseException: something refers to a setting that is not there.
    """
    from omegaconf import OmegaConf

    for key in COMMANDS[command].needed:  # first, since others may refer to what is in them
        if cfg.get(key) is None:
            raise refuse(key, None, COMMANDS[command].fields[key])
    plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    check(plain, command)
    return plain  # type: ignore[no-any-return]
