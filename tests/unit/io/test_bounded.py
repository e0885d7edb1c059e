"""Small files of a stranger's."""

import os
from pathlib import Path

import pytest

from deepxrd.io.bounded import read_bounded, read_json, read_yaml


def test_a_file_of_the_agreed_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    assert read_bounded(tmp_path / "x", most_bytes=4) == b"1234"
    with pytest.raises(ValueError, match="4 bytes are more than the 3"):
        read_bounded(tmp_path / "x", most_bytes=3)


@pytest.mark.parametrize("what", ["fifo", "folder", "/dev/zero"])
def test_what_is_no_file_is_not_opened(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(what)
    with pytest.raises(ValueError, match="no regular file"):
        read_bounded(path, most_bytes=9)


@pytest.mark.parametrize(("text", "expected"), [("[" * 10**5, "nested"), ("{", "Expecting"), ("9" * 9999, "digits")])
def test_json_that_is_none(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(ValueError, match=expected):
        read_json(tmp_path / "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &b 1\nc: *b", "aliases"),
        ("!!python/name:os.system", "could not determine a constructor"),
        ("[" * 200, "nested"),
        ("".join(" " * n + "a:\n" for n in range(600)), "nested"),
        ("a: [", "expected"),
    ],
)
def test_yaml_that_is_none(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(ValueError, match=expected):
        read_yaml(tmp_path / "x")


def test_yaml_and_json_are_plain_values(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"a": [1, 2.5, null], "b": {"c": "x"}}')
    expected = {"a": [1, 2.5, None], "b": {"c": "x"}}
    assert read_json(tmp_path / "x") == read_yaml(tmp_path / "x") == expected
