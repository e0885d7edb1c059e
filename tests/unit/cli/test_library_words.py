"""What ``deepxrd library`` says, and options that would be without effect."""

from __future__ import annotations

import pytest

from deepxrd.cli.main import main


def test_one_phase_is_not_spoken_of_as_several(capsys: pytest.CaptureFixture[str]) -> None:
    main(["library", "find", "--id", "mp-5229"])
    assert capsys.readouterr().out.splitlines()[-1] == "1 phase"
    main(["library", "find", "--id", "mp-0"])
    assert capsys.readouterr().out == "0 phases\n"


def test_all_elements_needs_elements(capsys: pytest.CaptureFixture[str]) -> None:
    for given in (["--id", "mp-5229"], ["--formula", "SrTiO3"]):
        with pytest.raises(SystemExit) as ended:
            main(["library", "find", *given, "--all-elements"])
        assert ended.value.code == 2
        assert "--all-elements is for --elements Ca,W,O" in capsys.readouterr().err
