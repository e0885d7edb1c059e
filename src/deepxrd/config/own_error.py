"""An error in a part of the user's own, told in a sentence: whose it is, what it was, and where."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from deepxrd.config.allowed import names_in
from deepxrd.config.instantiate import located
from deepxrd.errors import ConfigError, DeepXRDError
from deepxrd.io.own_code import own_names
from deepxrd.io.words import in_a_line

_CALLERS = "deepxrd.training."
"""Modules that call a user's parts: an own optimizer calls back into a step of a training, whose errors are not its."""


@contextmanager
def own_errors(cfg: dict[str, Any]) -> Iterator[None]:
    """Name the class of the user's own that an error comes out of; any other error keeps its traceback.

    Args:
        cfg: plain values that name classes.

    Raises:
        ConfigError: one of them raised.
    """
    try:
        yield
    except (DeepXRDError, MemoryError):
        raise
    except Exception as error:
        kinds = {name: located(name) for name in own_names(names_in(cfg))}
        for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
            if frame.f_globals.get("__name__", "").startswith(_CALLERS):
                raise
            if name := next((name for name, kind in kinds.items() if _is_of(frame, kind)), None):
                place = f"{Path(frame.f_code.co_filename).name}, line {line}"
                msg = f"{name} raised {in_a_line(error)} ({place}): mend it there"
                raise ConfigError(msg) from error
        raise


def _is_of(frame: FrameType, kind: object) -> bool:
    """Whether a method of a class, or of one below it, runs in a frame."""
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    return isinstance(kind, type) and isinstance(owner, kind)
