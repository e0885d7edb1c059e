r"""One file of plain arrays with a header in JSON: checked against its hash when opened, then memory-mapped.

Layout, all numbers little-endian::

    8 bytes    b"DXRDLIB\\n"
    uint32     version of the format, `FORMAT`
    uint32     length of the header in bytes
    32 bytes   SHA-256 of all that follows
    header     JSON in UTF-8, padded with spaces to a multiple of 64 bytes from the file's start
    arrays     one after the other, each padded with zeros to a multiple of 64 bytes

The header's ``arrays`` maps the name of each array to its type, such as ``<u2``, and its number of values; arrays stand
in this order. Nothing in a file is ever executed, and no size is believed before it was held against the file's.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import LibraryError
from deepxrd.io.files import atomic_path

FORMAT = 1
"""Raised whenever older code could not read new files."""

_MAGIC = b"DXRDLIB\n"
_PREAMBLE = struct.Struct("<8sII32s")
_ALIGNMENT = 64
_LARGEST_HEADER = 1 << 24
_CHUNK = 1 << 20

Arrays = dict[str, NDArray[Any]]


def write_container(path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file atomically; the same header and arrays give the same bytes.

    Raises:
        ValueError: the header is longer than a reader accepts.
    """
    little = {name: np.ascontiguousarray(values, dtype=_little_endian(values.dtype)) for name, values in arrays.items()}
    table = {name: [values.dtype.str.replace("|", "<"), int(values.size)] for name, values in little.items()}
    text = json.dumps({**header, "arrays": table}, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(_PREAMBLE.size + len(text)) % _ALIGNMENT)
    if len(text) > _LARGEST_HEADER:
        msg = f"a header of {len(text)} bytes is longer than {_LARGEST_HEADER}"
        raise ValueError(msg)
    digest = hashlib.sha256(text)
    for values in little.values():
        digest.update(values.data)
        digest.update(b"\0" * (-values.nbytes % _ALIGNMENT))
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(_PREAMBLE.pack(_MAGIC, FORMAT, len(text), digest.digest()))
        stream.write(text)
        for values in little.values():
            stream.write(values.data)
            stream.write(b"\0" * (-values.nbytes % _ALIGNMENT))


def read_container(path: Path, types: Mapping[str, str]) -> tuple[dict[str, Any], Arrays]:
    """Open a file and check it as a whole.

    Args:
        path: the file.
        types: for each array that the file must hold, the types it may have, such as ``"u1 u2 u4"``.

    Returns:
        The header without its table of arrays, and the arrays, read-only views of the mapped file.

    Raises:
        LibraryError: there is no such file, it is no library, of another version, damaged, or lacks an array.
    """
    try:
        with path.open("rb") as stream:
            preamble = stream.read(_PREAMBLE.size)
            size = path.stat().st_size
            header_length, expected = _checked_preamble(path, preamble, size)
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        msg = f"cannot read the library {path}: {error.strerror or error}"
        raise LibraryError(msg) from error
    body = memoryview(mapped)[_PREAMBLE.size :]
    digest = hashlib.sha256()
    for start in range(0, len(body), _CHUNK):
        digest.update(body[start : start + _CHUNK])
    if digest.digest() != expected:
        msg = f"{path} is damaged or was cut short: its content does not match the hash it carries; fetch it again"
        raise LibraryError(msg)
    header = _parsed_header(path, bytes(body[:header_length]))
    table = header.pop("arrays")
    arrays, offset = Arrays(), _PREAMBLE.size + header_length
    for name, (kind, count) in _checked_table(path, table, types).items():
        stop = offset + count * np.dtype(kind).itemsize
        if stop > size:
            msg = f"{path} is no sound library: its array {name!r} of {count} values does not fit the file's size"
            raise LibraryError(msg)
        arrays[name] = np.frombuffer(mapped, dtype=kind, count=count, offset=offset) if count else np.empty(0, kind)
        offset = stop + (-stop % _ALIGNMENT)
    if offset != size:
        msg = f"{path} is no sound library: its arrays end at byte {offset} but the file has {size}"
        raise LibraryError(msg)
    return header, arrays


def _checked_preamble(path: Path, preamble: bytes, size: int) -> tuple[int, bytes]:
    if len(preamble) < _PREAMBLE.size or not preamble.startswith(_MAGIC):
        msg = f"{path} is no library of structures: it does not begin as one; build one with `deepxrd library build`"
        raise LibraryError(msg)
    _, version, header_length, expected = _PREAMBLE.unpack(preamble)
    if version != FORMAT:
        msg = f"{path} is a library of format {version}, and this version of deepxrd reads {FORMAT}: build it anew"
        raise LibraryError(msg)
    if header_length > min(_LARGEST_HEADER, size - _PREAMBLE.size):
        msg = f"{path} is damaged or was cut short: its header of {header_length} bytes does not fit the file's size"
        raise LibraryError(msg)
    return header_length, expected


def _parsed_header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{path} is no sound library: its header cannot be read ({error})"
        raise LibraryError(msg) from error
    if not isinstance(header, dict) or not isinstance(header.get("arrays"), dict):
        msg = f"{path} is no sound library: its header lists no arrays"
        raise LibraryError(msg)
    return header


def _checked_table(path: Path, table: dict[str, Any], types: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """The table of arrays, each known by name and of a type allowed for it."""
    if set(table) != set(types):
        odd = sorted(set(table) ^ set(types))
        msg = f"{path} is no sound library: it lacks, or has without need, the arrays {', '.join(odd)}"
        raise LibraryError(msg)
    checked = {}
    for name, entry in table.items():
        is_pair = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)  # noqa: PLR2004 - type, count
        if not is_pair or entry[0].lstrip("<") not in types[name].split() or type(entry[1]) is not int or entry[1] < 0:
            msg = f"{path} is no sound library: its array {name!r} is described as {entry!r}"
            raise LibraryError(msg)
        checked[name] = (entry[0], entry[1])
    return checked


def _little_endian(kind: np.dtype[Any]) -> np.dtype[Any]:
    return kind.newbyteorder("<")
