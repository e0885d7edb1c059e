"""The command ``deepxrd match``, as a laboratory would use it."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from made_scans import made_scan, perovskite, simulated

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """SrTiO3 at its measured size (3.905 Å), by a diffractometer with a Kα doublet, a background and noise."""
    scan = made_scan(simulated([perovskite(3.905)]), [1.0])
    np.savetxt(
        tmp_path / "measured.xy", np.column_stack([scan.two_theta_deg, scan.counts]), "%.3f", header="2theta counts"
    )
    return tmp_path / "measured.xy"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_scan_is_matched_by_elements(command: Command, measured: Path, tmp_path: Path) -> None:
    done = command("cli", "match", measured.name, "--elements", "Sr,Ti,O", "--must-contain", "O")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "measured.xy"
    assert lines[1].startswith("  confident match")
    assert "Cu Kα is taken" in lines[2], "the file names no radiation"
    assert lines[3].endswith("probability:")
    assert "SrTiO3 P m -3 m (221)" in lines[4]
    assert lines[-1] == "results: match"
    ranking = rows_of(tmp_path / "match/ranking.csv")
    assert ranking[0]["formula"] == "SrTiO3"
    assert ranking[0]["known"] == "known"
    assert float(ranking[0]["a_angstrom"]) == pytest.approx(3.905, abs=0.003)
    assert float(ranking[0]["weight_fraction"]) == 1.0
    kept = json.loads((tmp_path / "match/phases.json").read_text(encoding="utf-8"))
    assert kept["confident"] is True
    assert (tmp_path / "match" / kept["phases"][0]["cif"]).read_text().count("P m -3 m") == 2
    assert (tmp_path / "match/fit.png").is_file()


def test_many_scans_are_matched_with_formulas_and_those_that_cannot_be_read_are_told(
    command: Command, measured: Path, tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    measured.rename(tmp_path / "scans/one.xy")
    (tmp_path / "scans/two.xy").write_text("no scan\n")
    (tmp_path / "candidates.csv").write_text("formula\nTiO3Sr\nXx\n")
    done = command("cli", "match", "scans", "BaTiO3", "--file", "candidates.csv", "--jobs", "2", "--radiation", "Cu")
    assert done.returncode == 2, "one scan is none"
    assert "1 cannot be used" in done.stderr
    assert "two.xy" in done.stderr
    assert "Traceback" not in done.stderr
    summary = rows_of(tmp_path / "match/summary.csv")
    assert [(row["scan"], row["formula"]) for row in summary] == [("scans/one.xy", "SrTiO3"), ("scans/two.xy", "")]
    assert summary[0]["typed"] == "TiO3Sr"
    assert float(summary[0]["wavelength_angstrom"]) == pytest.approx(1.54, abs=0.002)
    assert rows_of(tmp_path / "match/one/ranking.csv")[0]["typed"] == "TiO3Sr"


def test_mistakes_are_told_without_a_traceback(command: Command, measured: Path) -> None:
    for arguments, told in (
        (["absent.xy", "SrTiO3"], "no such file: absent.xy"),
        ([measured.name], "say what the scan may hold"),
        ([measured.name, "--elements", "Sr,Xx"], "'Xx' is no element"),
        ([measured.name, "SrTiO3", "--max-phases", "9"], "--max-phases 9"),
        ([measured.name, "SrTiO3", "--checkpoint", "absent"], "no checkpoint at absent"),
        ([measured.name, "SrTiO3", "srtio3"], "did you mean SrTiO3"),
        ([measured.name, "SrTiO3", "--jobs", "0"], "--jobs 0"),
    ):
        done = command("cli", "match", *arguments)
        assert done.returncode == 2, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
