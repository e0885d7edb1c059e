"""The command ``deepxrd match``, as a laboratory would use it."""

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deepxrd.chem import Crystal
from deepxrd.xrd import XrdSettings, simulate

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """SrTiO3 at its measured size (3.905 Å), by a diffractometer with a Kα doublet, a background and noise."""
    settings = XrdSettings(
        two_theta_min_deg=10, two_theta_max_deg=90, n_points=4001, sigma_deg=0.08, kalpha_doublet=True
    )
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    patterns, _ = simulate([Crystal(np.eye(3) * 3.905, np.array([38, 22, 8, 8, 8]), sites, np.ones(5))], settings)
    angle = settings.two_theta_deg
    counts = np.random.default_rng(0).poisson(100 * patterns[0] + 600 * np.exp(-(angle - 10) / 20) + 150)
    np.savetxt(tmp_path / "measured.xy", np.column_stack([angle, counts]), "%.3f", header="2theta counts")
    return tmp_path / "measured.xy"


def test_the_right_candidate_is_named_first(command: Command, measured: Path, tmp_path: Path) -> None:
    formulas = ["BaTiO3", "SrZrO3", "Sr2TiO4", "SrTiO3", "KNbO3", "NaCl"]
    (tmp_path / "candidates.csv").write_text("formula\n" + "".join(f"{formula}\n" for formula in [*formulas, "Xx"]))
    done = command("cli", "match", measured.name, *formulas)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[:2] == ["1", "SrTiO3"]
    assert done.stdout.splitlines()[-1] == "results: match"
    by_file = command(
        "cli", "match", measured.name, "--file", "candidates.csv", "--out", "other", "--radiation", "CuKa"
    )
    assert by_file.returncode == 2, "one candidate is none"
    assert "line 8" in by_file.stderr
    assert "Traceback" not in by_file.stderr
    assert (tmp_path / "other/ranking.csv").read_bytes() == (tmp_path / "match/ranking.csv").read_bytes()
    with (tmp_path / "match/ranking.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["similarity"]) > 0.9
    assert {row["formula"] for row in rows} == set(formulas)
    assert rows[-1]["formula"] == "NaCl", "two elements: the shipped model knows nothing of it"
    assert (tmp_path / "match/fits.png").is_file()


def test_mistakes_are_told_without_a_traceback(command: Command, measured: Path) -> None:
    for arguments, told in (
        (["absent.xy", "SrTiO3"], "no such file: absent.xy"),
        ([measured.name], "give the candidates"),
        ([measured.name, "SrTiO3", "--max-strain", "90"], "a strain of 90 %"),
    ):
        done = command("cli", "match", *arguments)
        assert done.returncode == 2, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
