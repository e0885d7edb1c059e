"""A configuration made from the plain values that a run has left, and from what is typed now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError

from deepxrd.config.check import plain_values
from deepxrd.config.schema import conf_dir, register
from deepxrd.errors import ConfigError


def compose_source(settings: Sequence[str]) -> dict[str, Any]:
    """The node of a source of structures, from settings in Hydra's grammar such as ``source=files source.path=cifs``.

    Raises:
        ConfigError: a setting cannot be used.
        HydraException: a setting cannot be understood.
    """
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        every = ["data.selection.n_elements=null", "data.selection.stoichiometry=null"]  # unless the settings say less
        node: dict[str, Any] = plain_values(compose("prepare", [*every, *settings]), "prepare")["source"]
    return node


def compose_over(name: str, stored: Mapping[str, Any], typed: Sequence[str]) -> DictConfig:
    """Compose a configuration in which stored values take the place of the defaults, and typed ones win.

    Args:
        name: of the top level, such as ``evaluate``.
        stored: plain values of some top-level keys.
        typed: what the user gave, in Hydra's grammar; ``source=files`` or ``data=abc3`` choose a group anew.

    Raises:
        ConfigError: something typed names no setting.
    """
    of_stored, others, chosen = [], [], set()
    for text, override in zip(typed, OverridesParser.create().parse_overrides(list(typed)), strict=True):
        root, _, rest = override.key_or_group.partition(".")
        if root in stored and rest:
            of_stored.append(override)
            continue
        chosen.add(root)
        others.append(text)
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose(name, others)
    if "data" in chosen:
        chosen.add("source")  # a data set brings its source
    OmegaConf.set_struct(cfg, value=False)
    for key, values in stored.items():
        if key not in chosen:
            cfg[key] = OmegaConf.create(values)
    OmegaConf.set_struct(cfg, value=True)
    for override in of_stored:
        try:
            OmegaConf.update(cfg, override.key_or_group, override.value(), force_add=override.is_add())
        except ConfigKeyError as error:
            msg = f"{override.input_line}: the run has no setting {override.key_or_group}"
            raise ConfigError(msg) from error
    return cfg
