"""Small files that a stranger may have made: read only if they are files, of a size that was agreed on."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

MOST_YAML_BYTES = 1 << 18
MOST_JSON_BYTES = 1 << 24
_DEEPEST = 50


def check_regular(path: Path, *, most_bytes: int | None = None) -> int:
    """Make sure that a path leads to a regular file: no device, which never ends, and no pipe, which may never begin.

    Args:
        path: of the file; a link is followed.
        most_bytes: the size that it may have; None for any.

    Returns:
        Its size, bytes.

    Raises:
        ValueError: it is another kind of thing, or too large.
        OSError: there is none, or it may not be read.
    """
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        msg = "it is no regular file"
        raise ValueError(msg)
    if most_bytes is not None and info.st_size > most_bytes:
        msg = f"its {info.st_size} bytes are more than the {most_bytes} that such a file may have"
        raise ValueError(msg)
    return info.st_size


def read_bounded(path: Path, *, most_bytes: int) -> bytes:
    """Read a file, as :func:`check_regular` checks it.

    Raises:
        ValueError: it is no regular file, or too large.
        OSError: it cannot be read.
    """
    check_regular(path, most_bytes=most_bytes)
    with path.open("rb") as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:  # of some files, such as those in /proc, the size is not told beforehand
        msg = f"it has more than the {most_bytes} bytes that such a file may have"
        raise ValueError(msg)
    return content


def read_json(path: Path, *, most_bytes: int = MOST_JSON_BYTES) -> Any:
    """Read plain values from JSON.

    Raises:
        ValueError: it is none, or no regular file, or too large.
        OSError: it cannot be read.
    """
    text = read_bounded(path, most_bytes=most_bytes).decode("utf-8")
    try:
        return json.loads(text)
    except RecursionError as error:
        msg = "its values are nested too deeply"
        raise ValueError(msg) from error


def _check_depth(text: str) -> None:
    """Refuse brackets within brackets within brackets, for which parsers in Python take a time that grows as n^2."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        if depth > _DEEPEST:
            msg = "its values are nested too deeply"
            raise ValueError(msg)


def read_yaml(path: Path, *, most_bytes: int = MOST_YAML_BYTES) -> Any:
    """Read plain values from YAML without tags and without aliases, by which a small file can hold very much.

    Raises:
        ValueError: it is none, or no regular file, or too large.
        OSError: it cannot be read.
    """
    import yaml

    text = read_bounded(path, most_bytes=most_bytes).decode("utf-8")
    _check_depth(text)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            msg = "it has aliases (*), which what deepxrd writes never has"
            raise ValueError(msg)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        msg = "its values are nested too deeply"
        raise ValueError(msg) from error
