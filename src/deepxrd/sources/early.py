"""What is wrong with a source and can be told at once, before what trains is imported, which takes seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepxrd.config.instantiate import build
from deepxrd.sources.base import Source


def refuse_unreadable(node: Mapping[str, Any]) -> None:
    """Look whether a source has what it reads; nothing is read yet.

    Args:
        node: of the source, with its ``_target_``.

    Raises:
        ConfigError: the class it names is no source, or does not take these settings.
        SourceError: there is nothing at the configured place, or nothing that can be read.
    """
    build(node, Source).check_place()  # type: ignore[type-abstract]
