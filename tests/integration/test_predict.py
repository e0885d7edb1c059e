import csv
import functools
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepxrd.prediction.predictor import CandidatePredictor, Predictor, load_predictor
from deepxrd.prediction.screening import screen

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_formulas_give_csv_figure_and_strongest_peaks(command: Command, trained: Path, tmp_path: Path) -> None:
    checkpoint = trained / "checkpoints/best.ckpt"
    done = command("cli", "predict", "SrTiO3", "Fe3(OF2)2", "--checkpoint", str(checkpoint), "--out", "out", "--unseen")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "SrTiO3.csv", "SrTiO3.png", "Fe3O2F4.csv", "Fe3O2F4.png", "formulas.csv", "peaks.csv",
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
    assert "Fe3(OF2)2 (read as Fe3O2F4)" in done.stdout
    with (tmp_path / "out/formulas.csv").open() as stream:
        index = [(r["typed"], r["formula"], r["file"]) for r in csv.DictReader(stream)]
    assert index == [("SrTiO3", "SrTiO3", "SrTiO3.csv"), ("Fe3(OF2)2", "Fe3O2F4", "Fe3O2F4.csv")]
    assert {r["typed"] for r in peaks} == {"SrTiO3"}


def test_a_file_gives_a_folder_of_tables_and_bad_rows_are_named(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    formulas = ["SrTiO3", "Xx2O3", '""', "Ca(TiO3)", "SrTi12O3", "BaZrO3"]
    (tmp_path / "formulas.csv").write_text("id,formula\n" + "".join(f"{i},{f}\n" for i, f in enumerate(formulas)))
    checkpoint = trained / "checkpoints/best.ckpt"
    done = command("cli", "predict", "--file", "formulas.csv", "--checkpoint", str(checkpoint), "--out", "screened")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for line, value in ((3, "'Xx'"), (4, "empty formula"), (6, "12 atoms of Ti")):
        assert any(f"line {line}:" in text and value in text for text in done.stderr.splitlines()), done.stderr
    with (tmp_path / "screened/skipped.csv").open(newline="") as stream:
        skipped = [(row["line"], row["typed"]) for row in csv.DictReader(stream)]
    assert skipped == [("3", "Xx2O3"), ("4", ""), ("6", "SrTi12O3")]
    table = pq.read_table(tmp_path / "screened/patterns")
    assert table["typed"].to_pylist() == ["SrTiO3", "Ca(TiO3)", "BaZrO3"]
    assert table["formula"].to_pylist() == ["SrTiO3", "CaTiO3", "BaZrO3"]
    assert table["line"].to_pylist() == [2, 5, 7]
    expected = Predictor.load(checkpoint).patterns(["SrTiO3", "CaTiO3", "BaZrO3"])
    np.testing.assert_allclose(np.stack(table["pattern"].to_numpy()), expected, atol=0.035)  # float16, up to 100
    assert table.schema.metadata[b"two_theta_deg"] == b"0.0,180.0,1024"


def test_a_file_without_bad_rows_ends_with_0(command: Command, trained: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [7, 8], "formula": ["SrTiO3", "NaCl"]}), tmp_path / "f.parquet")
    done = command("cli", "predict", "--file", "f.parquet", "--checkpoint", str(trained / "checkpoints/best.ckpt"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 patterns: patterns/patterns\n"
    assert pq.read_table(tmp_path / "patterns/patterns")["formula"].to_pylist() == ["SrTiO3", "NaCl"]
    assert not (tmp_path / "patterns/skipped.csv").exists()


@pytest.mark.parametrize("shipped", [False, True])
def test_processes_that_share_a_file_write_what_one_writes(trained: Path, tmp_path: Path, *, shipped: bool) -> None:
    formulas = ["SrTiO3", "BaZrO3", "NaCl", "Ba2TiO4", "LaFeO3", "YAlO3"]
    pq.write_table(pa.table({"formula": formulas}), tmp_path / "f.parquet")
    load = functools.partial(load_predictor, None if shipped else trained / "checkpoints/best.ckpt")
    for n_jobs in (1, 2):
        done = screen(load, tmp_path / "f.parquet", tmp_path / str(n_jobs), rows_per_part=2, n_jobs=n_jobs)
        assert done.n_predicted == len(formulas)
    one, two = (pq.read_table(tmp_path / n_jobs / "patterns") for n_jobs in "12")
    words = [
        name
        for name in one.column_names
        if one.schema.field(name).type in {pa.string(), pa.int64(), pa.int32(), pa.bool_()}
    ]
    for name in set(one.column_names) - set(words):
        found, expected = (np.stack(table[name].to_numpy()).astype(np.float32) for table in (two, one))
        np.testing.assert_allclose(found, expected, atol=0.07, err_msg=name)  # numbers of threads differ: last bits
    assert two.select(words).equals(one.select(words))


@pytest.mark.parametrize("arguments", [[], ["predict"]])
def test_help_is_quick_and_complete(command: Command, arguments: list[str]) -> None:
    done = command("cli", *arguments, "--help")
    assert done.returncode == 0
    assert "exit code" in done.stdout
    assert "predict" in done.stdout


def test_a_file_without_a_checkpoint_is_predicted_by_the_shipped_weights(command: Command, tmp_path: Path) -> None:
    formulas = ["SrTiO3", "NaLr", "BaFe2As2", "O3TiSr"]  # of lawrencium nothing is known
    (tmp_path / "formulas.csv").write_text("formula\n" + "".join(f"{formula}\n" for formula in formulas))
    done = command("cli", "predict", "--file", "formulas.csv", "--out", "screened")
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "screened/patterns")
    assert table["typed"].to_pylist() == formulas
    assert table["known"].to_pylist() == [True, False, True, True]
    sure, decoded, expected = (np.stack(table[name].to_numpy()) for name in ("expected_f1", "decoded", "expected"))
    assert np.all((sure[[0, 2, 3]] > 0.2) & (sure[[0, 2, 3]] < 1))
    assert decoded.shape == expected.shape == (4, 1024)
    np.testing.assert_array_equal(decoded[0], decoded[3])  # one composition, written in two ways
    assert not np.array_equal(decoded[0], expected[0])
    found = CandidatePredictor.load().predict(["SrTiO3"])
    np.testing.assert_allclose(expected[0], found.further["expected"][0], atol=0.035)


def test_bad_places_of_weights_are_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, told in (
        (["--checkpoint", "empty"], "no trained model in empty"),
        (["--checkpoint", "absent.ckpt"], "absent.ckpt"),
        (["--device", "abacus"], "cannot compute on device 'abacus'"),
        (["--bf16"], "computes in float32"),
        (["--jobs", "2"], "--jobs 2 is for a --file"),
    ):
        done = command("cli", "predict", "SrTiO3", *arguments)
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_a_library_is_refused_where_known_phases_are_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepxrd.cli.main import main

    monkeypatch.setattr("sys.argv", ["deepxrd", "predict", "SrTiO3", "--unseen", "--library", "mine.dxl"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--library mine.dxl is for known phases" in capsys.readouterr().err


def test_tables_of_an_earlier_prediction_are_not_replaced_without_a_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from deepxrd.cli.main import main

    (tmp_path / "out").mkdir()
    (tmp_path / "out/formulas.csv").write_text("typed,formula,file\n")
    arguments = ["MgO", "--unseen", "--radiation", "AgKa", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["deepxrd", "predict", *arguments])
    main()
    said = capsys.readouterr().out
    assert f"the tables of an earlier prediction in {tmp_path / 'out'} were replaced" in said
    assert "(2θ for λ = 1.54184 Å)" in said, "whatever radiation the structures are drawn for"


def test_one_composition_in_two_ways_does_not_overwrite_its_files(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from deepxrd.cli.main import main

    both = ["Ba0.6Sr0.4TiO3", "Ba3Sr2Ti5O15"]
    monkeypatch.setattr("sys.argv", ["deepxrd", "predict", *both, "--unseen", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Ba0.6Sr0.4TiO3 and Ba3Sr2Ti5O15 are one composition" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("last_deg", "n"), [("2", 2), ("90", 0)])
def test_patterns_without_a_line_in_range_are_told_of(
    last_deg: str, n: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepxrd.cli.main import main

    given = ["deepxrd", "predict", "NaCl", "--quality", "fast", "--range", "1", last_deg]
    monkeypatch.setattr("sys.argv", [*given, "--out", str(tmp_path)])
    main()
    said = capsys.readouterr().out
    for what in ("known phases", "candidates"):
        line = f"    patterns of all {what} drawn are zero: no reflection within the range\n"
        assert said.count(line) == n / 2


@pytest.mark.parametrize(
    "given", [["--radiation", "MoKa"], ["--range", "5", "60"], ["--width", "0.2"], ["--width", "0"], ["--paper"]]
)
def test_how_structures_are_drawn_is_refused_where_none_are(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepxrd.cli.main import main

    (tmp_path / "f.csv").write_text("formula\nSrTiO3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["deepxrd", "predict", "--file", "f.csv", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"{given[0]} is for formulas on the command line" in capsys.readouterr().err
    assert not (tmp_path / "patterns").exists()
