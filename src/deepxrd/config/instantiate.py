"""From a node of plain values to the object it describes: the one place where ``_target_`` is followed."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from deepxrd.config.allowed import current_name
from deepxrd.errors import ConfigError, DeepXRDError
from deepxrd.io.own_code import own_names
from deepxrd.io.words import in_a_line

T = TypeVar("T")
_FULL_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def build(node: Mapping[str, Any], expected: type[T], **extra: Any) -> T:
    """Make the object that a ``_target_`` node describes.

    The class is checked before it is called. It is imported before that: a node that was not typed by the user, but
    comes out of a file, must have passed :func:`deepxrd.config.allowed.check_targets`.

    Args:
        node: ``_target_``, the class's full name, and its arguments.
        expected: what the class must be a subclass of.
        extra: further arguments; they win over the node's.

    Raises:
        ConfigError: there is no such class, it is of another kind, or does not take these arguments.
    """
    found = class_of(node, expected)
    target = str(node["_target_"])
    arguments = {key: value for key, value in {**node, **extra}.items() if key != "_target_"}
    try:
        inspect.signature(found).bind(**arguments)
    except TypeError as error:
        msg = f"{target} does not take these settings ({error}): {sorted(map(str, arguments))}"
        raise ConfigError(msg) from error
    try:
        return found(**arguments)
    except (TypeError, ValueError) as error:  # a value that the class refuses, such as a word for a number
        if isinstance(error, DeepXRDError):
            raise
        shown = {key: value for key, value in node.items() if key != "_target_"}
        msg = f"{target} refuses these settings: {error}; given {shown}"
        raise ConfigError(msg) from error


def class_of(node: Mapping[str, Any], expected: type[T]) -> type[T]:
    """The class that a ``_target_`` node names; nothing is called.

    Args:
        node: with ``_target_``, the class's full name.
        expected: what the class must be a subclass of.

    Raises:
        ConfigError: there is no such class, or it is of another kind.
    """
    if not isinstance(node, Mapping):
        msg = f"needed is the description of a {expected.__name__}, with a _target_, not {str(node)[:80]!r}"
        raise ConfigError(msg)
    target = current_name(str(node.get("_target_")))
    found = located(target)
    if not (isinstance(found, type) and issubclass(found, expected)):
        kind = "class" if expected is object else expected.__name__
        msg = f"{target!r} is no {kind}; set _target_ to the full name of one"
        raise ConfigError(msg)
    return found


def located(target: str) -> object:
    """What a full name stands for.

    Raises:
        ConfigError: nothing, or its module cannot be imported.
    """
    if not _FULL_NAME.fullmatch(target):
        msg = f"{target[:80]!r} is no full name of a class, such as deepxrd.losses.MSELoss"
        raise ConfigError(msg)
    module_name, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        msg = f"cannot find {target!r}: {error}"
        raise ConfigError(msg) from error
    except Exception as error:
        if not own_names([target]):
            raise
        msg = f"{target}: its module {module_name} cannot be imported, {in_a_line(error)}: mend it there"
        raise ConfigError(msg) from error
