import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from deepxrd.predict import Predictor

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_formulas_give_csv_figure_and_strongest_peaks(command: Command, trained: Path, tmp_path: Path) -> None:
    checkpoint = trained / "checkpoints/best.ckpt"
    done = command("cli", "predict", "SrTiO3", "Fe3(OF2)2", "--checkpoint", str(checkpoint), "--out", "out")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "SrTiO3.csv", "SrTiO3.png", "Fe3O2F4.csv", "Fe3O2F4.png", "peaks.csv",
    }  # fmt: skip
    with (tmp_path / "out/SrTiO3.csv").open() as stream:
        rows = [(float(r["two_theta_deg"]), float(r["intensity"])) for r in csv.DictReader(stream)]
    predictor = Predictor.load(checkpoint)
    expected = np.column_stack([predictor.two_theta, predictor.patterns(["SrTiO3"])[0]])
    np.testing.assert_allclose(rows, expected, atol=1e-3)
    with (tmp_path / "out/peaks.csv").open() as stream:
        peaks = [r for r in csv.DictReader(stream) if r["formula"] == "SrTiO3"]
    strongest = max(peaks, key=lambda r: float(r["intensity"]))
    shown = float(done.stdout.splitlines()[2].split()[0])
    assert shown == pytest.approx(float(strongest["two_theta_deg"]), abs=0.0056)  # two decimals there, three here
    assert done.stdout.splitlines()[-1] == "results: out"


def test_a_file_gives_one_table_and_bad_rows_are_named(command: Command, trained: Path, tmp_path: Path) -> None:
    formulas = ["SrTiO3", "Xx2O3", "", "Ca(TiO3)", "SrTi12O3", "BaZrO3"]
    (tmp_path / "formulas.csv").write_text("id,formula\n" + "".join(f"{i},{f}\n" for i, f in enumerate(formulas)))
    checkpoint = trained / "checkpoints/best.ckpt"
    done = command("cli", "predict", "--file", "formulas.csv", "--checkpoint", str(checkpoint), "--out", "p.parquet")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for line, value in ((3, "'Xx'"), (4, "empty formula"), (6, "12 atoms of Ti")):
        assert any(f"line {line}:" in text and value in text for text in done.stderr.splitlines()), done.stderr
    table = pq.read_table(tmp_path / "p.parquet")
    assert table["formula"].to_pylist() == ["SrTiO3", "Ca(TiO3)", "BaZrO3"]
    expected = Predictor.load(checkpoint).patterns(["SrTiO3", "CaTiO3", "BaZrO3"])
    np.testing.assert_allclose(np.stack(table["pattern"].to_numpy()), expected, atol=1e-3)
    assert table.schema.metadata[b"two_theta_deg"] == b"0.0,180.0,1024"


def test_a_file_without_bad_rows_ends_with_0(command: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("formula\n" + "SrTiO3\n" * 1500)
    done = command("cli", "predict", "--file", "f.csv", "--checkpoint", str(trained / "checkpoints/best.ckpt"))
    assert done.returncode == 0, done.stderr
    assert pq.read_metadata(tmp_path / "patterns.parquet").num_rows == 1500


@pytest.mark.parametrize("arguments", [[], ["predict"]])
def test_help_is_quick_and_complete(command: Command, arguments: list[str]) -> None:
    done = command("cli", *arguments, "--help")
    assert done.returncode == 0
    assert "exit code" in done.stdout
    assert "predict" in done.stdout
