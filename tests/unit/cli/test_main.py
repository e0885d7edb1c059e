"""The command line as a whole: words in any order, and errors in one line."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from deepxrd.cli.main import _parser, _take_up, main


def taken(*arguments: str) -> argparse.Namespace:
    """What is understood of a command line."""
    parser = _parser()
    options, left = parser.parse_known_args(arguments)
    _take_up(left, options, parser)
    return options


def test_words_may_stand_before_and_behind_options() -> None:
    assert taken("match", "a.xy", "--out", "z", "Si", "Ge").scans == ["a.xy", "Si", "Ge"]
    assert taken("predict", "--out", "z", "NaCl", "--radiation", "Mo", "KCl").formulas == ["NaCl", "KCl"]
    assert taken("scan", "a.xy", "--axis", "q", "b.xy").files == [Path("a.xy"), Path("b.xy")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("predict", "NaCl", "--foo"), "there is no option --foo"),
        (("match", "a.xy", "--jobs", "x"), "'x'"),
        (("library", "find", "CuO"), "CuO stands without an option"),
        (("frobnicate",), "'frobnicate'"),
        (("match",), "SCAN"),
    ],
)
def test_a_slip_is_told_in_one_line(words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert told in said
    assert "--help" in said
