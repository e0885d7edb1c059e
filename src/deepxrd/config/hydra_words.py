"""Hydra's and OmegaConf's errors in our words: the setting, the value, and what there is to choose from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from deepxrd.config.schema import conf_dir

_UNKNOWN = re.compile(r"Could not override '([^']+)'\.")
_THERE_ALREADY = re.compile(r"Could not append to config\. An item is already at '([^']+)'\.")
_NOT_DELETED = re.compile(r"Could not delete (?:from config\. )?'([^']+)'")
_SEVERAL = re.compile(r"Ambiguous value for argument '(.+)'\n")
_MERGING = "Error merging override "
_GRAMMAR = (
    "settings are written KEY=VALUE without spaces around the =, and a value with brackets, commas or = in "
    "quotes within quotes: 'source.path=\"a=b (1).csv\"'"
)
_MOST_NAMED = 40


def in_words(error: Exception) -> str:
    """What an error of Hydra or OmegaConf is about, and the way out.

    Args:
        error: what composing a configuration has raised; another one's text is given as it is.
    """
    text, cause = str(error), error.__cause__
    if isinstance(error, MissingConfigException) and "/" in (error.missing_cfg_file or ""):
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        # of one in a list, as in logger=[csv,foo], Hydra does not tell what there is
        options = error.options or sorted(file.stem for file in (conf_dir() / group).glob("*.yaml"))
        said = f"{group}={option}: there is no such choice"
        return said + (f"{_near(option, options)}; choose one of {_few(options)}" if options else "")
    if isinstance(error, OverrideParseException):
        return f"{error.override}: this cannot be read as a setting; {_GRAMMAR}"
    if not isinstance(error, ConfigCompositionException):
        return text
    if text.startswith(_MERGING) and isinstance(cause, OmegaConfBaseException):
        return f"{text.removeprefix(_MERGING)}: {str(cause.msg or cause).splitlines()[0]}"
    if found := _SEVERAL.match(text):
        return f"{found[1]}: several values make a sweep, by -m; one list is written [in brackets]"
    if found := _THERE_ALREADY.match(text):
        return f"+{found[1]}: there is such a setting already, so leave the + out: {found[1]}=VALUE"
    if found := _NOT_DELETED.match(text):
        return f"~{found[1]}: there is no such setting, and so nothing to leave out"
    if found := _UNKNOWN.match(text):
        return _unknown(getattr(cause, "full_key", None) or found[1], getattr(cause, "parent_node", None))
    return text


def _unknown(key: str, parent: Any) -> str:
    """Of a setting that is not there; what stands beside it is what may be meant."""
    where, _, last = key.rpartition(".")
    beside = [str(name) for name in parent if name != "hydra"] if isinstance(parent, Mapping) else []
    said = f"there is no setting {key}{_near(last, beside)}"
    if not beside:
        return said
    said += f"; those {f'of {where}' if where else 'at the top'} are {_few(beside)}"
    if "_target_" in beside or where == "trainer":
        said += f"; what a class or Lightning's trainer takes besides is given as +{key}=VALUE"
    return said


def _near(text: str, names: Sequence[str]) -> str:
    """A question, where one of the names is much like what was typed."""
    near = difflib.get_close_matches(text, names, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _few(names: Sequence[str]) -> str:
    return ", ".join([*names[:_MOST_NAMED], *(["…"] if len(names) > _MOST_NAMED else [])])
