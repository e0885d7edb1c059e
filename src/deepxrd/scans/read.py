"""Which format a file has, told by its content, and its scans."""

from __future__ import annotations

import functools
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from deepxrd.errors import ScanError
from deepxrd.scans.axes import AXIS_NAMES
from deepxrd.scans.block import Block
from deepxrd.scans.brml import is_brml, read_brml
from deepxrd.scans.bruker_raw import read_version_1, read_version_2, read_version_3
from deepxrd.scans.bruker_raw4 import read_version_4
from deepxrd.scans.clean import stretches
from deepxrd.scans.columns import read_columns
from deepxrd.scans.cpi import read_cpi
from deepxrd.scans.files import Archive, decode_leniently, lines_of, read_bytes, unpacked
from deepxrd.scans.gsas import is_gsas, read_gsas
from deepxrd.scans.jcamp import is_jcamp, read_jcamp
from deepxrd.scans.join import joined
from deepxrd.scans.listed import find_listed, read_listed
from deepxrd.scans.pdcif import is_cif, read_pdcif
from deepxrd.scans.philips import read_rd, read_udf
from deepxrd.scans.rigaku import is_rasx, read_ras, read_rasx, read_rigaku_text
from deepxrd.scans.rigaku_raw import read_rigaku_raw
from deepxrd.scans.scan import Scan
from deepxrd.scans.start_step_stop import find_header, is_mdi, read_mdi, read_start_step_stop
from deepxrd.scans.stoe import read_stoe
from deepxrd.scans.uxd import is_uxd, read_uxd
from deepxrd.scans.xlsx import is_xlsx, read_xlsx
from deepxrd.scans.xrdml import read_xrdml
from deepxrd.xrd import parse_radiation

_BINARY: tuple[tuple[bytes, str, Callable[[bytes], list[Block]]], ...] = (
    (b"RAW4.00", "Bruker RAW, version 4", read_version_4),
    (b"RAW1.01", "Bruker RAW, version 3 (RAW1.01)", read_version_3),
    (b"RAW2", "Bruker RAW, version 2", read_version_2),
    (b"RAW ", "Bruker RAW, version 1", read_version_1),
    (b"V3RD", "Philips RD, version 3", read_rd),
    (b"V5RD", "Philips RD, version 5", read_rd),
    (b"FI\0\0", "Rigaku RAW", read_rigaku_raw),
    (b"RAW_1.", "Stoe RAW", read_stoe),
)
_TEXT: tuple[tuple[re.Pattern[str], str, Callable[[str], list[Block]]], ...] = (
    (re.compile(r"\*TYPE"), "Rigaku text", read_rigaku_text),
    (re.compile("SIETRONICS"), "Sietronics CPI", read_cpi),
    (re.compile("SAMPLEIDENT"), "Philips UDF", read_udf),
)
"""What the first line of a text begins with, in capitals."""
_TEXT_TOLD_BY_MORE: tuple[tuple[Callable[[str], object], str, Callable[[str], list[Block]]], ...] = (
    (is_jcamp, "JCAMP-DX", read_jcamp),
    (is_uxd, "Bruker UXD", read_uxd),
    (is_gsas, "GSAS", read_gsas),
    (is_mdi, "Jade MDI", read_mdi),
    (find_header, "start, step, stop and counts (FullProf, DBWS)", read_start_step_stop),
    (find_listed, "counts under a start and step", read_listed),
)
_NOT_READ: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a picture, PNG: give the numbers"),
    (b"\xff\xd8\xff", "a picture, JPEG: give the numbers"),
    (b"II*\0", "a picture, TIFF: integrate it to a pattern first"),
    (b"MM\0*", "a picture, TIFF: integrate it to a pattern first"),
    (b"%PDF", "a PDF: give the numbers"),
    (b"\x89HDF", "HDF5: export the pattern as text"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or another Office file: save it as .csv"),
    (b"7z\xbc\xaf", "packed by 7-Zip: unpack it first"),
)
_DAMAGE = (
    ValueError, IndexError, KeyError, OverflowError, EOFError, struct.error, zlib.error, zipfile.BadZipFile,
    NotImplementedError, RuntimeError, AttributeError, TypeError,
)  # fmt: skip
"""What standard readers raise on damaged bytes, a zip's of an unknown method or with a password among them."""
_CONTROL = 0.02  # share of control characters that no text has


def read_scans(path: Path, *, radiation: str | None = None, axis: str | None = None) -> list[Scan]:
    """All scans of a file that are patterns: one, unless it holds several that cannot be joined or averaged.

    Args:
        path: of any format of `deepxrd.scans`; the content decides, not the name's ending.
        radiation: what it was measured with, over what the file says; see `deepxrd.xrd.parse_radiation`.
        axis: what the first column is, over what the file says; a key of `AXIS_NAMES`.

    Raises:
        ScanError: it cannot be read, with the reason and, in a text, the line.
        ConfigError: the radiation cannot be understood.
    """
    given = parse_radiation(radiation) if radiation else None
    if axis is not None and axis not in AXIS_NAMES:
        msg = f"unknown axis {axis!r}: it is one of {', '.join(AXIS_NAMES)}"
        raise ScanError(msg)
    kind = None if axis is None else AXIS_NAMES[axis]
    packed = read_bytes(path)
    format_name = ""
    try:
        data = unpacked(packed)
        format_name, read = _format(data)
        parts = [part for block in read() for part in stretches(block, axis=kind, radiation=given)]
        return joined(parts, radiation=given, given=radiation or "", format_name=format_name)
    except ScanError as error:
        as_what = f" ({format_name})" if format_name else ""
        msg = f"{path}{as_what}: {error}"
        raise ScanError(msg) from None
    except _DAMAGE as error:
        msg = f"{path} ({format_name or 'zip'}) is damaged: {error}"
        raise ScanError(msg) from None


def read_scan(path: Path, *, radiation: str | None = None, axis: str | None = None, scan: int | None = None) -> Scan:
    """The scan of a file, or of several the one of a number, counted from 1.

    Raises:
        ScanError: it cannot be read, or holds several scans and none was chosen.
        ConfigError: the radiation cannot be understood.
    """
    scans = read_scans(path, radiation=radiation, axis=axis)
    if scan is None and len(scans) == 1:
        return scans[0]
    if scan is None:
        why = next((fact.value for fact in scans[0].facts if fact.what == "kept apart"), "they differ")
        msg = f"{path} holds {len(scans)} scans, and {why}: choose the scan, 1 to {len(scans)}"
        raise ScanError(msg)
    if not 1 <= scan <= len(scans):
        msg = f"{path} holds {len(scans)} scan{'s' if len(scans) > 1 else ''}: there is no scan {scan}"
        raise ScanError(msg)
    return replace(scans[scan - 1])


def _format(data: bytes) -> tuple[str, Callable[[], list[Block]]]:
    """The format's name, and what reads the data.

    Raises:
        ScanError: it is none that is read, by name where it is known.
    """
    for mark, name, read in _BINARY:
        if data.startswith(mark):
            return name, functools.partial(read, data)
    for mark, what in _NOT_READ:
        if data.startswith(mark):
            msg = f"it is {what}"
            raise ScanError(msg)
    if data.startswith(b"PK\3\4"):
        return _zip_format(Archive(data))
    text = decode_leniently(data)
    control = sum(text[:4000].count(chr(code)) for code in [*range(9), *range(14, 26), *range(27, 32)])
    if control > _CONTROL * min(len(text), 4000):
        shown = data[:8]
        msg = f"it is binary and begins with {shown!r}, which is no format known here"
        raise ScanError(msg)
    return _text_format(data, text)


def _zip_format(archive: Archive) -> tuple[str, Callable[[], list[Block]]]:
    if is_brml(archive):
        return "Bruker BRML", lambda: read_brml(archive)
    if is_rasx(archive):
        return "Rigaku RASX", lambda: read_rasx(archive)
    if is_xlsx(archive):
        return "Excel workbook", lambda: read_xlsx(archive)
    files = [name for name in archive.names if not name.startswith("__MACOSX/")]
    if len(files) == 1 and not (data := archive.read(files[0])).startswith(b"PK"):
        return _format(unpacked(data))
    inside = ", ".join(archive.names[:3])
    what = (
        "an Office file: save the numbers as .csv" if "[Content_Types].xml" in archive.names else f"a zip of {inside}"
    )
    msg = f"it is {what}"
    raise ScanError(msg)


def _text_format(data: bytes, text: str) -> tuple[str, Callable[[], list[Block]]]:
    first = next((line.strip() for line in lines_of(text[:10_000]) if line.strip()), "").upper()
    if first.startswith("<"):
        return "PANalytical XRDML" if "<xrdMeasurements" in text[:20_000] else "XML", lambda: read_xrdml(data)
    if first.startswith("*RAS_"):
        return "Rigaku RAS", lambda: read_ras(decode_leniently(data, otherwise="cp932"))
    for begins, name, read in _TEXT:
        if begins.match(first):
            return name, functools.partial(read, text)
    if is_cif(text):
        return "powder CIF", lambda: read_pdcif(text)
    for is_it, name, read in _TEXT_TOLD_BY_MORE:
        if is_it(text):
            return name, functools.partial(read, text)
    return "text in columns", lambda: read_columns(text)
