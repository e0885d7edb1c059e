"""Files of strangers, read with bounds: size, text encoding, XML without entities, zips that cannot burst."""

from __future__ import annotations

import re
import stat
import xml.etree.ElementTree as ET
import zipfile
from io import BytesIO
from pathlib import Path

from deepxrd.errors import ScanError
from deepxrd.io.text import PACKED_DAMAGE, PACKED_MARKS, decode, open_packed

MAX_BYTES = 100 * 2**20
"""Of a file, and of all that is taken out of a zip; the largest powder patterns have a tenth."""
_LINE_END = re.compile(r"\r\n|\r|\n")


def read_bytes(path: Path) -> bytes:
    """A regular file's content.

    Raises:
        ScanError: there is no such file, it is a folder, empty, or larger than `MAX_BYTES`.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        msg = f"no such file: {path}"
        raise ScanError(msg) from None
    if not stat.S_ISREG(status.st_mode):
        msg = f"{path} is no file but a {'folder: name the files in it' if path.is_dir() else 'device'}"
        raise ScanError(msg)
    if status.st_size > MAX_BYTES:
        msg = f"{path} has {status.st_size / 2**20:.0f} MB, and a scan at most {MAX_BYTES / 2**20:.0f}"
        raise ScanError(msg)
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ScanError(msg) from None
    if not data.strip(b"\0 \t\r\n"):
        msg = f"{path} is empty"
        raise ScanError(msg)
    return data


def unpacked(data: bytes) -> bytes:
    """What gzip, bzip2 or xz packed, up to `MAX_BYTES`; other data as they are.

    Raises:
        ScanError: it is damaged, or unpacks to more.
    """
    for mark, by, suffix in PACKED_MARKS:
        if not data.startswith(mark):
            continue
        try:
            with open_packed(BytesIO(data), suffix) as stream:
                content = stream.read(MAX_BYTES + 1)
        except PACKED_DAMAGE as error:
            msg = f"it is packed by {by} and damaged: {error}"
            raise ScanError(msg) from None
        if len(content) > MAX_BYTES:
            msg = f"it unpacks to more than {MAX_BYTES / 2**20:.0f} MB: no scan is that large"
            raise ScanError(msg)
        if not content.strip(b"\0 \t\r\n"):
            msg = f"what {by} packed in it is empty"
            raise ScanError(msg)
        return content
    return data


def decode_leniently(data: bytes, *, otherwise: str = "latin-1") -> str:
    """Text of any usual encoding, as `decode` finds it.

    Numbers and names of columns are ASCII in all of them, so that a wrong guess costs a sample's name at most. Zeros
    that fill the last block of a file, and the end mark of DOS, are no text.
    """
    text = decode(data, otherwise=otherwise).replace("\ufeff", "")
    return text.replace("\xa0", " ").replace("\u2212", "-").rstrip("\0\x1a")


def lines_of(text: str) -> list[str]:
    """Lines, whichever of the three usual ends they have, and nothing else taken for one."""
    return _LINE_END.split(text)


def parse_xml(data: bytes) -> ET.Element:
    """The root of an XML document; declared types and entities are refused, so nothing can expand or be fetched.

    Raises:
        ScanError: it declares a type, or is damaged.
    """
    text = decode_leniently(data)
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
        msg = "its XML declares a document type or entities, which no instrument writes: it was not read"
        raise ScanError(msg)
    try:
        return ET.fromstring(text)  # noqa: S314 - see above
    except (ET.ParseError, ValueError) as error:
        msg = f"its XML is damaged: {error}"
        raise ScanError(msg) from None


def local_name(element: ET.Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


class Archive:
    """A zip whose members are read up to `MAX_BYTES` in all, whatever its directory claims."""

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(BytesIO(data))
        self._left = MAX_BYTES
        self.names = [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def read(self, name: str) -> bytes:
        """A member's content.

        Raises:
            ScanError: there is no such member, it is encrypted, or too large.
        """
        if name not in self.names:
            msg = f"the archive holds no {name}"
            raise ScanError(msg)
        if self._zip.getinfo(name).flag_bits & 1:
            msg = f"{name} in the archive is encrypted"
            raise ScanError(msg)
        with self._zip.open(name) as stream:
            data = stream.read(self._left + 1)
        if len(data) > self._left:
            msg = f"the archive unpacks to more than {MAX_BYTES / 2**20:.0f} MB: no scan is that large"
            raise ScanError(msg)
        self._left -= len(data)
        return data


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts ``Data10`` after ``Data2``."""
    return [(int(part), "") if part.isdecimal() and part.isascii() else (-1, part) for part in re.split(r"(\d+)", name)]
