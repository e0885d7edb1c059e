"""The one check of a configuration, for all commands: every value against the rule of its setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deepxrd.config.groups import COMMANDS
from deepxrd.config.rules import refuse
from deepxrd.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

_MODEL_STRUCTURES, _THEIR_SOURCE = "prototypes", "deepxrd.sources.prototypes.PrototypeSource"


def check(cfg: Mapping[str, Any], command: str) -> None:
    """Check plain values.

    Args:
        cfg: a composed and resolved configuration.
        command: whose it is: train, evaluate, prepare or report.

    Raises:
        ConfigError: the message names the first setting with a value that cannot be, the value, and what can.
    """
    COMMANDS[command].check("", cfg)


def refuse_misnamed(cfg: Mapping[str, Any]) -> None:
    """Make sure that structures of another source do not go by the name of the default's model structures.

    Args:
        cfg: a composed and resolved configuration with ``data`` and ``source``.

    Raises:
        ConfigError: they would.
    """
    target = cfg["source"]["_target_"]
    if cfg["data"]["name"] == _MODEL_STRUCTURES and target != _THEIR_SOURCE:
        msg = (
            f"data=prototypes, the default, is for model structures, and the source is {target}: choose what to select "
            "by data=abc3 or data=ternary, or give these data a name of their own by data.name=NAME"
        )
        raise ConfigError(msg)


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
