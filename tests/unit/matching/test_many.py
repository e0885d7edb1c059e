"""Batches of scans: what breaks one file ends no other."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from deepxrd.errors import ConfigError
from deepxrd.matching import many
from deepxrd.matching.many import SUMMARY, MatchOptions, match_files


def paths(folder: Path) -> list[Path]:
    return [folder / "one.xy", folder / "two.xy"]


def breaks_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def match_file(*_: object) -> None:
        raise error

    monkeypatch.setattr(many, "match_file", match_file)


def test_what_nobody_foresaw_is_an_error_of_its_file_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks_with(ZeroDivisionError("no points"), monkeypatch)
    failed = match_files(paths(tmp_path), [], tmp_path / "out", MatchOptions())
    assert [path for path, _ in failed] == [str(path) for path in paths(tmp_path)]
    with (tmp_path / "out" / SUMMARY).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["scan"] for row in rows] == [str(path) for path in paths(tmp_path)]
    assert all(row["error"].endswith("breaks the matching: ZeroDivisionError: no points") for row in rows)


@pytest.mark.parametrize("error", [ConfigError("no such radiation"), OSError("disk full")])
def test_what_would_break_every_file_ends_the_batch(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks_with(error, monkeypatch)
    with pytest.raises(type(error), match=str(error)):
        match_files(paths(tmp_path), [], tmp_path / "out", MatchOptions())
