"""Files that are damaged, cut short, or made to mislead are refused with a sentence."""

import json
import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.errors import LibraryError
from deepxrd.library import Library
from deepxrd.library.container import write_container
from made_libraries import SOURCES

PREAMBLE = 48


@pytest.fixture
def library_file(small_library: Library, tmp_path: Path) -> Path:
    path = tmp_path / "small.dxl"
    write_container(path, {"name": "small", "sources": SOURCES}, small_library.tables.arrays)
    return path


def test_a_file_opens_as_it_was_written(library_file: Path, small_library: Library) -> None:
    opened = Library.open(library_file)
    assert opened.name == "small"
    for name, values in opened.tables.arrays.items():
        np.testing.assert_array_equal(values, small_library.tables.arrays[name])
        assert not values.flags.writeable or len(values) == 0
    assert opened.ids(opened.find_formula("NaCl")) == ["mp-7", "mp-3"]


def test_equal_content_gives_equal_bytes(library_file: Path, small_library: Library, tmp_path: Path) -> None:
    other = tmp_path / "other.dxl"
    write_container(other, {"name": "small", "sources": SOURCES}, small_library.tables.arrays)
    assert other.read_bytes() == library_file.read_bytes()


@given(data=st.data())
def test_any_changed_byte_is_noticed(library_file: Path, data: st.DataObject) -> None:
    content = bytearray(library_file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    damaged = library_file.with_name("damaged.dxl")
    damaged.write_bytes(content)
    with pytest.raises(LibraryError):
        Library.open(damaged)


@given(data=st.data())
def test_a_file_cut_short_or_with_something_added_is_refused(library_file: Path, data: st.DataObject) -> None:
    content = library_file.read_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    for other in (content[:length], content + content[: length + 1]):
        damaged = library_file.with_name("damaged.dxl")
        damaged.write_bytes(other)
        with pytest.raises(LibraryError):
            Library.open(damaged)


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda path: path.with_name("none.dxl"), "cannot read"),
        (lambda path: path.parent, "cannot read"),
        (lambda path: _written(path, b""), "no library"),
        (lambda path: _written(path, b"PK\3\4" + bytes(100)), "no library"),
        (lambda path: _written(path, b"DXRDLIB\n" + struct.pack("<II", 9, 4) + bytes(60)), "format 9"),
        (lambda path: _written(path, b"DXRDLIB\n" + struct.pack("<II", 1, 1 << 31) + bytes(60)), "cut short"),
    ],
)
def test_what_is_no_library_is_refused(library_file: Path, make: Callable[[Path], Path], hint: str) -> None:
    with pytest.raises(LibraryError, match=hint):
        Library.open(make(library_file))


def _written(path: Path, content: bytes) -> Path:
    other = path.with_name("other.dxl")
    other.write_bytes(content)
    return other


def rehashed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same file with a changed header and a hash that fits: not damaged, but unsound."""
    content = path.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    header = json.loads(content[PREAMBLE : PREAMBLE + length])
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-(PREAMBLE + len(text)) % 64)
    body = text + content[PREAMBLE + length :]
    return _written(path, content[:12] + struct.pack("<I", len(text)) + sha256(body).digest() + body)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("arrays"),
        lambda header: header.pop("sources"),
        lambda header: header.update(sources=[7]),
        lambda header: header["arrays"].pop("cell"),
        lambda header: header["arrays"].update(more=["<u1", 3]),
        lambda header: header["arrays"].update(cell=["|O", 3]),
        lambda header: header["arrays"].update(cell=["<u4", -1]),
        lambda header: header["arrays"].update(cell=["<u4", 1 << 62]),
        lambda header: header["arrays"].update(cell=["<u4", 3.0]),
        lambda header: header["arrays"].update(cell="<u4"),
        lambda header: header["arrays"].update(coordinate=["<u2", 1]),
    ],
)
def test_a_header_that_does_not_fit_is_refused(library_file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(LibraryError):
        Library.open(rehashed(library_file, change))


@given(data=st.data())
def test_arrays_with_any_values_are_refused_or_read_without_another_error(
    small_library: Library, data: st.DataObject
) -> None:
    """What a hostile file with a right hash may hold: each value may be anything, and no array is trusted."""
    arrays = {name: values.copy() for name, values in small_library.tables.arrays.items()}
    name = data.draw(st.sampled_from(sorted(name for name, values in arrays.items() if len(values))))
    values = arrays[name].view(np.uint8) if arrays[name].dtype.kind == "f" else arrays[name]
    place = data.draw(st.integers(0, len(values) - 1))
    values[place] = data.draw(st.integers(0, np.iinfo(values.dtype).max))
    if data.draw(st.booleans()):
        arrays[name] = arrays[name][: data.draw(st.integers(0, len(arrays[name])))]
    try:
        library = Library(arrays, {"sources": SOURCES}, name="changed")
        rows = np.arange(len(library))
        library.phases(rows)
        library.crystals(rows)
    except LibraryError:
        pass
