"""Real scans that come with the package, to try matching with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from deepxrd.serve.errors import NotFoundError

_FOLDER = Path(__file__).parent / "examples"


@cache
def examples() -> list[dict[str, Any]]:
    """Name, title, elements, citation and licence of each."""
    found: list[dict[str, Any]] = json.loads((_FOLDER / "examples.json").read_text(encoding="utf-8"))
    return found


def example(name: str) -> tuple[Path, str]:
    """Path and file name of an example.

    Raises:
        NotFoundError: there is none of this name.
    """
    for each in examples():
        if each["name"] == name:
            return _FOLDER / each["file"], each["file"]
    msg = f"there is no example {name[:40]!r}: they are {', '.join(each['name'] for each in examples())}"
    raise NotFoundError(msg)
