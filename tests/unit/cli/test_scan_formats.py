"""The list of formats: that help and documentation have all that is read."""

from __future__ import annotations

from pathlib import Path

from deepxrd.cli.scan import FORMATS, PACKED
from deepxrd.scans.read import _BINARY, _TEXT, _TEXT_TOLD_BY_MORE

GUIDE = Path(__file__).parents[3] / "docs" / "matching.md"


def test_the_guide_names_each_format() -> None:
    assert f"It reads {'; '.join(FORMATS)}; {PACKED}." in " ".join(GUIDE.read_text(encoding="utf-8").split())


def test_each_reader_of_a_makers_format_is_listed() -> None:
    words = " ".join(FORMATS).lower().replace(",", "").split()
    names = [name.partition(",")[0].split() for _, name, _ in (*_BINARY, *_TEXT, *_TEXT_TOLD_BY_MORE)]
    listed = [name for name in names if name[0][0].isupper()]  # others are of no maker, and have names of programs
    assert listed
    assert [name for name in listed if not {word.lower() for word in name} - {"text"} <= set(words)] == []
