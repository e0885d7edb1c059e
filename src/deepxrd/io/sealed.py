"""Checkpoints that carry the hash of their own content, so that one changed byte is noticed.

A checkpoint of torch's is a zip archive, and a zip archive may end with a comment: there stands the SHA-256 of all that
comes before it. So the hash goes wherever the file goes, and file and hash can never be of two different times.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
from pathlib import Path

from deepxrd.io.bounded import check_regular

_MARK = b"deepxrd sha256 "
_COMMENT = len(_MARK) + 2 * hashlib.sha256().digest_size
_END, _END_SIGNATURE = struct.Struct("<4s4H2LH"), b"PK\x05\x06"  # the last record of an archive; its comment follows
_START = b"PK\x03\x04"


def seal(path: Path) -> None:
    """Write the hash of an archive into its comment; it must have none yet."""
    with path.open("r+b") as stream:
        stream.seek(-2, 2)
        stream.write(_COMMENT.to_bytes(2, "little"))
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.write(_MARK + digest.encode())


def check_sealed(path: Path) -> bool:
    """Make sure that an archive is what was written: by its hash or, if it has none, by the checksums of its parts.

    Nothing in it is unpacked, and none of its parts may be compressed, as torch never writes them: so it cannot become
    larger than it is.

    Returns:
        Whether it carries a hash; archives of earlier versions do not.

    Raises:
        ValueError: it is no such archive, or it was changed; the message says which.
        OSError: it cannot be read.
    """
    size = check_regular(path)
    with path.open("rb") as stream:
        if stream.read(len(_START)) != _START:
            msg = "it is no archive of torch's"
            raise ValueError(msg)
        stream.seek(max(0, size - _END.size - _COMMENT))
        tail = stream.read()
    sealed = tail[:4] == _END_SIGNATURE and tail[_END.size :].startswith(_MARK)
    if sealed:
        _check_hash(path, size, tail)
    _check_parts(path, size, checksums=not sealed)
    return sealed


def _check_hash(path: Path, size: int, tail: bytes) -> None:
    digest, left = hashlib.sha256(), size - _COMMENT
    with path.open("rb") as stream:
        while left and (block := stream.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
    if digest.hexdigest().encode() != tail[_END.size + len(_MARK) :]:
        msg = "it was changed after it was written: its hash (SHA-256) does not fit"
        raise ValueError(msg)


def _check_parts(path: Path, size: int, *, checksums: bool) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if archive.comment and checksums:
                msg = "it was changed after it was written: its end is not as it was"
                raise ValueError(msg)
            if (
                any(part.compress_type != zipfile.ZIP_STORED for part in parts)
                or sum(p.file_size for p in parts) > size
            ):
                msg = "it has compressed parts, which torch does not write"
                raise ValueError(msg)
            if not parts or min(part.header_offset for part in parts) > 0:
                msg = "it does not begin with its first part"
                raise ValueError(msg)
            bad = archive.testzip() if checksums else None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error, EOFError) as error:
        msg = f"it is cut off or damaged ({error})"
        raise ValueError(msg) from error
    if bad:
        msg = f"it was changed after it was written: the checksum of its part {bad} does not fit"
        raise ValueError(msg)
