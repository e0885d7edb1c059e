"""The command ``deepxrd library``, and known phases beside predictions."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_library_of_ones_own_cifs_is_built_searched_and_used(command: Command, tmp_path: Path) -> None:
    exported = command("cli", "library", "export", "--formula", "SrTiO3", "--out", "cifs")
    assert exported.returncode == 0, exported.stderr
    assert len(list((tmp_path / "cifs").glob("*.cif"))) == 4
    built = command("cli", "library", "build", "mine.dxl", "source=files", "source.path=cifs", "--licence", "my own")
    assert built.returncode == 0, built.stderr
    assert "results: mine.dxl, mine.md" in built.stdout
    assert (tmp_path / "mine.md").exists()
    found = command("cli", "library", "find", "--elements", "Sr,Ti,O", "--all-elements", "--library", "mine.dxl")
    ours = command("cli", "library", "find", "--elements", "Sr,Ti,O", "--all-elements")
    assert int(found.stdout.split()[-2]) == int(ours.stdout.split()[-2]) + 4
    said = command("cli", "predict", "SrTiO3", "NaCl", "--library", "mine.dxl", "--radiation", "Mo")
    assert said.returncode == 0, said.stderr
    table = pd.read_csv(tmp_path / "patterns/known_phases.csv")
    assert len(table[table.formula == "SrTiO3"]) == 8
    assert table[table.formula == "NaCl"].iloc[0].space_group == 225
    unseen = command("cli", "predict", "NaCl", "--unseen", "--out", "unseen")
    assert "known phases" not in unseen.stdout
    assert not (tmp_path / "unseen/known_phases.csv").exists()


def test_what_is_left_out_of_a_library_is_named(command: Command, tmp_path: Path) -> None:
    cifs = tmp_path / "cifs"
    exported = command("cli", "library", "export", "--elements", "Sr Ti O", "--all-elements", "--out", "cifs")
    assert exported.returncode == 0, exported.stderr
    assert len(list(cifs.glob("*.cif"))) > 20
    (cifs / "broken.cif").write_text("data_broken\n_cell_length_a 4\n")
    built = command("cli", "library", "build", "mine.dxl", "source=files", "source.path=cifs")
    assert built.returncode == 0, built.stderr
    assert "left out, as they cannot be kept: 1\n  broken.cif: " in built.stdout


def test_tables_say_what_is_known(command: Command, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("formula\nCaWO4\nSrTiO3\nXe3RnO7\n")
    done = command("cli", "predict", "--file", "f.csv", "--out", "screened", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(tmp_path / "screened/patterns")
    assert table["known_phases"].tolist() == [3, 4, 0]
    assert table["known_space_group"].tolist()[0] == 88
    assert table["known_id"].tolist()[1:] == ["mp-5229", ""]  # cubic SrTiO3, as without --file


def test_searches_that_say_nothing_are_refused(command: Command) -> None:
    for arguments, reason in (
        (("find",), "say what to find"),
        (("find", "--elements", "Ca,Qq"), "'Qq' is no element"),
        (("find", "--formula", "SIO2"), "did you mean SiO2"),
        (("find", "--prototype", "999:a"), "no space group 999"),
        (("export", "--id", "nope"), "holds no such structure"),
        (("build", "x.dxl", "source=files", "source.path=.", "--jobs", "0"), "--jobs 0"),
        (("info", "--library", "absent.dxl"), "absent.dxl"),
        (("build", "x.dxl", "source=nothing"), "nothing"),
    ):
        done = command("cli", "library", *arguments)
        assert done.returncode == 2, done.stderr
        assert reason in done.stderr
        assert "Traceback" not in done.stderr
