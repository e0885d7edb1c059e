"""Text files as different programs write them: their encoding found out, compressed ones unpacked within a bound."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from deepxrd.errors import SourceError

MAX_BYTES = 64 << 20
"""Of one text that is read whole, unpacked: many times the largest CIF, and no harm to a small machine."""
_PROBE_BYTES = 1 << 16
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
PACKED_MARKS = ((b"\x1f\x8b", "gzip", ".gz"), (b"BZh", "bzip2", ".bz2"), (b"\xfd7zXZ", "xz", ".xz"))
"""What compressed files begin with, by what they are packed, and the usual ending."""
PACKED = frozenset(suffix for _, _, suffix in PACKED_MARKS)
"""Endings of compressed files that `read_text` unpacks."""

PACKED_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading from `open_packed` may raise."""


def open_packed(file: Path | BinaryIO, suffix: str) -> BinaryIO:
    """A file, or its bytes, unpacked while they are read, so that the reader sets the bound.

    Args:
        file: a path, or an open stream of bytes.
        suffix: one of `PACKED`; any other of a path that is read as it is.
    """
    module = {".gz": gzip, ".bz2": bz2, ".xz": lzma}.get(suffix)
    if module is not None:
        return cast("BinaryIO", module.open(file, "rb"))
    return file.open("rb") if isinstance(file, Path) else file


def read_text(path: Path) -> str:
    """The whole text of a file, unpacked if its ending says so, with every line end a newline.

    Raises:
        SourceError: it is too large, damaged, or no text.
    """
    try:
        with open_packed(path, path.suffix.lower()) as stream:
            content = stream.read(MAX_BYTES + 1)
    except PACKED_DAMAGE as error:
        msg = f"{path.name} cannot be read: {error}"
        raise SourceError(msg) from error
    if len(content) > MAX_BYTES:
        msg = f"{path.name} holds more than {MAX_BYTES >> 20} MB of text"
        raise SourceError(msg)
    text = decode(content)
    if "\0" in text:
        msg = f"{path.name} holds zero bytes, and is no text"
        raise SourceError(msg)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decode(content: bytes, *, otherwise: str = "cp1252") -> str:
    """Text from bytes: by their byte-order mark, else UTF-16 where every other one is zero, else UTF-8 or as given."""
    marked = _marked(content[:_PROBE_BYTES])
    try:
        return content.decode(marked or "utf-8", errors="replace" if marked else "strict")
    except UnicodeDecodeError:
        return content.decode(otherwise, errors="replace")


def text_encoding(path: Path) -> str:
    """The encoding of a text file of any length, for `open`; the file is read once, a piece at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        first = stream.read(_PROBE_BYTES)
        if marked := _marked(first):
            return marked
        try:
            decoder.decode(first)
            while piece := stream.read(1 << 20):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _marked(first: bytes) -> str | None:
    """What the first bytes say of the encoding, if they do."""
    for mark, encoding in _MARKS:
        if first.startswith(mark):
            return encoding
    first = first.rstrip(b"\0")  # zeros may fill the last block of a file
    half = len(first) // 2
    if half and first[1::2].count(0) > 0.7 * half and not first[::2].count(0):
        return "utf-16-le"
    if half and first[::2].count(0) > 0.7 * half and not first[1::2].count(0):
        return "utf-16-be"
    return None
