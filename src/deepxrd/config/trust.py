"""Settings out of the folder of a run, which may be a stranger's: checked before anything follows them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepxrd.config.allowed import CSV_LOGGER, DOWNLOADING, check_targets, current_name
from deepxrd.errors import ConfigError
from deepxrd.io.bounded import read_yaml

HOW_TO_BUILD = ("n_jobs", "device", "backend", "scheduler")
"""Of ``build``: how this machine computes, which a stored setting has no say in; a Dask scheduler is an address."""
_LOGGERS_OWN = frozenset(
    {"_target_", "project", "group", "name", "id", "resume", "offline", "tags", "notes", "job_type"}
)
_STRATEGIES = frozenset(
    {"auto", "single_device", "ddp", "ddp_spawn", "ddp_fork", "ddp_notebook", "ddp_find_unused_parameters_true"}
)
"""What a stored setting may say of how processes share the work; others load further packages, or are objects."""
_TYPED_ONLY = {"plugins": (None, []), "num_nodes": (None, 1), "profiler": (None,), "default_root_dir": (None,)}
"""Settings of the trainer that load classes by name, wait for other machines or write elsewhere, and their harmless
values."""
_NOT_REPLAYED = ("resume", "trust")


def read_overrides(file: Path) -> list[str]:
    """The settings that a run was started with, as its folder keeps them, without those that only a user may type.

    Raises:
        ConfigError: the file is none, or one of the settings looks something up, reaches outside of the
            configuration, or is of Hydra's own.
    """
    try:
        kept = read_yaml(file)
    except (OSError, ValueError) as error:
        msg = f"{file} holds no settings of a run: {error}"
        raise ConfigError(msg) from error
    if not isinstance(kept, list):
        msg = f"{file} holds no settings of a run: it must be a list of texts such as seed=1"
        raise ConfigError(msg)
    for text in kept:
        if not isinstance(text, str) or (reason := _why_not_replayed(text)):
            reason = reason if isinstance(text, str) else "it is no text"
            shown = str(text)[:200]
            msg = (
                f"{file} holds the setting {shown!r}, which a resume does not repeat: {reason}; type it if you want it"
            )
            raise ConfigError(msg)
    return [text for text in kept if _key(text) not in _NOT_REPLAYED]


def typed_values(arguments: Sequence[str]) -> dict[str, Any]:
    """What a user has typed on a command line of Hydra's, as a tree; what cannot be read is left to Hydra."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    tree: dict[str, Any] = {}
    for text in arguments:
        try:
            override = OverridesParser.create().parse_override(text)
            value: Any = override.value()
        except HydraException:
            continue
        *above, last = override.key_or_group.split(".")
        node = tree
        for key in above:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                break
        else:
            node[last] = value
    return tree


def check_stored(stored: Mapping[str, Any], *, typed: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """Settings that are safe to follow, from those of a run's folder.

    A source that downloads may only read what it has downloaded already, and how to compute is left out, unless typed.

    Args:
        stored: the folder's settings, perhaps with what was typed laid over them.
        typed: what the user has typed now; what is the same there is not the folder's.
        where: the file they came from.

    Raises:
        ConfigError: they look something up, name a class or a strategy that is not on the list, or an address that was
            not typed.
    """
    trusted = typed.get("trust") or []
    for text in texts_in(stored):
        if "${" in text:
            msg = f"{where} looks something up, {text[:80]!r}: settings out of a run's folder must be plain values"
            raise ConfigError(msg)
    own = _without(stored, typed)
    check_targets(own, trusted if isinstance(trusted, list) else [trusted], where=str(where))
    _check_logger(own.get("logger"), stored.get("logger"), where)
    _check_trainer(own.get("trainer"), where)
    checked: dict[str, Any] = copy.deepcopy(dict(stored))
    _keep_offline(checked["source"], own.get("source"), typed.get("source"), where)
    return checked


def texts_in(values: Any) -> Iterator[str]:
    """Each text in a tree of plain values, keys too."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield str(key)
            yield from texts_in(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from texts_in(value)
    elif isinstance(values, str):
        yield values


def _keep_offline(source: dict[str, Any], own: Any, typed: Any, where: Path) -> None:
    """Let a stored source that downloads only read, or only ask a server that the user has named or that is ours."""
    if not isinstance(own, Mapping) or not own or current_name(str(source.get("_target_"))) not in DOWNLOADING:
        return
    if not (isinstance(typed, Mapping) and typed.get("offline") is False):
        source["offline"] = True
        return
    for key in ("endpoint", "provider"):
        address = own.get(key)
        if address and not (key == "provider" and str(address).isalnum()):  # a provider may have a name of ours
            msg = f"{where} names the server {address!r}: to ask it, type source.{key}={address}"
            raise ConfigError(msg)


def _check_trainer(own: Any, where: Path) -> None:
    """What a trainer does beyond this process must be of the usual kind, or typed."""
    if not isinstance(own, Mapping):
        return
    strategy = own.get("strategy")
    if strategy is not None and (not isinstance(strategy, str) or strategy not in _STRATEGIES):
        msg = (
            f"{where} sets trainer.strategy={str(strategy)[:80]!r}, which is none that a stored setting may be "
            f"({', '.join(sorted(_STRATEGIES))}): type it if you want it"
        )
        raise ConfigError(msg)
    for key, harmless in _TYPED_ONLY.items():
        if key in own and own[key] not in harmless:
            shown = str(own[key])[:80]
            msg = f"{where} sets trainer.{key}={shown!r}, which a resume does not repeat: type it if you want it"
            raise ConfigError(msg)


def _check_logger(own: Any, whole: Any, where: Path) -> None:
    """A logger that sends must be typed, and so must where it sends to."""
    if not isinstance(own, Mapping) or not own or not isinstance(whole, Mapping):
        return
    if "_target_" in whole:  # of an older run, which had a single one
        own, whole = {"logger": own}, {"logger": whole}
    for name, each in own.items():
        if each is None:
            continue
        if not isinstance(each, Mapping) or not isinstance(whole.get(name), Mapping):
            msg = f"{where} has a logger {name!r} that is no group of settings: {str(each)[:80]!r}"
            raise ConfigError(msg)
        target = current_name(str(whole[name].get("_target_")))
        foreign = sorted(str(key) for key in each if key not in _LOGGERS_OWN)
        if target != CSV_LOGGER and foreign:
            msg = f"{where} sets logger.{foreign[0]} of {target}: type it, and the logger, if you want it"
            raise ConfigError(msg)


def _why_not_replayed(text: str) -> str:
    """Why a setting is not repeated, in words; empty if it may be."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if "${" in text:
        return "it looks something up"
    try:
        override = OverridesParser.create().parse_override(text)
    except (HydraException, RecursionError, ValueError) as error:
        return f"it cannot be read ({str(error).splitlines()[0][:80]})"
    parts = override.key_or_group.replace("/", ".").split(".")
    if parts[0] == "hydra" or "hydra" in (override.package or "").split("."):
        return "it is of Hydra's own"
    if override.is_sweep_override():
        return "it is a sweep"
    value = override.value()
    options = [str(each) for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    chooses = len(parts) == 1 and parts[0] not in _NOT_REPLAYED
    if chooses and any(".." in name or name.startswith(("/", "\\", "file:", "pkg:")) for name in options):
        return "it reaches outside of the configuration"
    return ""


def _key(text: str) -> str:
    return text.partition("=")[0].lstrip("+~")


def _without(values: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a tree that is not the same in another."""
    left: dict[str, Any] = {}
    for key, value in values.items():
        if key not in typed or type(value) is not type(typed[key]):
            left[key] = value
        elif isinstance(value, Mapping):
            if inner := _without(value, typed[key]):
                left[key] = inner
        elif value != typed[key]:
            left[key] = value
    return left
