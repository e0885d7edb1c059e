"""Files that are either whole or not there: atomic writes, content hashes, a lock between processes."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from deepxrd.errors import BusyError, ResultError


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` that takes its place when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp's 0600 would keep a shared data folder to one user
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, values: Any) -> None:
    """Write plain values as indented JSON, atomically; keys keep their order.

    Raises:
        ResultError: a number is not finite, for which JSON has no word.
    """
    try:
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        where = _first_not_finite(values, "")
        if where is None:
            raise
        msg = f"{target} was not written: {where} is not a finite number, which is no result"
        raise ResultError(msg) from error
    write_text(target, text + "\n")


def safe_name(text: str) -> str:
    """A text as a name of a file, or of a block in one: all but letters, digits, ``-._`` becomes ``_``."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in text)


def unique_name(name: str, taken: set[str]) -> str:
    """A name that no other file of a folder has, or that one with a number behind it.

    Args:
        name: without an ending.
        taken: those that were given, without case, as macOS and Windows tell files apart; this one is added.
    """
    unique, n = name, 1
    while unique.casefold() in taken:
        n += 1
        unique = f"{name}-{n}"
    taken.add(unique.casefold())
    return unique


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def value_hash(values: Any) -> str:
    """SHA-256 of plain values, in hexadecimal; the order of keys does not matter."""
    return hashlib.sha256(canonical_json(values, ensure_ascii=False).encode()).hexdigest()


def canonical_json(values: Any, *, ensure_ascii: bool = True) -> str:
    """JSON in which equal plain values are equal text: keys in order, no spaces.

    Args:
        values: plain values.
        ensure_ascii: whether other characters are written as escapes: so in downloads, not in runs.
    """
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=ensure_ascii)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for an exclusive lock between processes, and hold it; it goes when the process does, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


@contextmanager
def locked_or_refused(path: Path, busy: str) -> Iterator[None]:
    """The same without waiting.

    Args:
        path: of the lock.
        busy: what to say where another process holds it.

    Raises:
        BusyError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(busy) from error
    try:
        yield
    finally:
        lock.release()


def _first_not_finite(values: Any, where: str) -> str | None:
    """The name of the first number that is not finite, such as ``test.mse``; None if all are."""
    if isinstance(values, float):
        return None if math.isfinite(values) else f"{where}={values}"
    if isinstance(values, dict):
        inside = ((f"{where}.{key}" if where else str(key), value) for key, value in values.items())
    elif isinstance(values, list | tuple):
        inside = ((f"{where}[{place}]", value) for place, value in enumerate(values))
    else:
        return None
    return next((found for key, value in inside if (found := _first_not_finite(value, key))), None)
