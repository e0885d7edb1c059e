"""Screening against a predictor that needs no network: what it is asked, what is written, what a kill leaves."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import made_predictor
from deepxrd.chem import Formula, parse_formula
from deepxrd.errors import CheckpointError, ConfigError, ScreeningError, SourceError
from deepxrd.models.predictions import Predictions
from deepxrd.prediction.screening import screen
from deepxrd.prediction.screening_part import load_and_write_part, part_schema
from made_predictor import FORMULAS, Fake, contents, write_csv


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_row_is_predicted_in_order_with_the_predictors_own_columns(tmp_path: Path, kind: str) -> None:
    table = tmp_path / f"f.{kind}"
    if kind == "csv":
        write_csv(table, FORMULAS)
    else:
        pq.write_table(pa.table({"x": range(len(FORMULAS)), "formula": FORMULAS}), table, row_group_size=3)
    predictor = Fake()
    done = screen(lambda: predictor, table, tmp_path / "out", rows_per_part=7)
    assert (done.n_predicted, done.n_skipped) == (20, 0)
    assert [p.name for p in sorted((tmp_path / "out/patterns").iterdir())] == [
        "part-00000.parquet", "part-00001.parquet", "part-00002.parquet",
    ]  # fmt: skip
    written = pq.read_table(tmp_path / "out/patterns")
    assert written["typed"].to_pylist() == FORMULAS
    assert written["formula"].to_pylist() == [str(parse_formula(formula)) for formula in FORMULAS]
    first = 2 if kind == "csv" else 1
    assert written["line"].to_pylist() == list(range(first, first + 20))
    expected = np.stack([predictor.pattern(parse_formula(f)) for f in FORMULAS])
    np.testing.assert_allclose(np.stack(written["pattern"].to_numpy()), expected, rtol=2**-11)  # float16's rounding
    assert written["expected_f1"].to_numpy() == pytest.approx([3 / 9] * 20)
    assert written.schema.metadata[b"two_theta_deg"] == b"0.0,180.0,64"


def test_a_folder_in_the_place_of_a_table_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file, but a folder"):
        screen(Fake, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_more_than_a_part_is_asked_at_once(tmp_path: Path) -> None:
    predictor = Fake()
    screen(lambda: predictor, write_csv(tmp_path / "f.csv", FORMULAS), tmp_path / "out", rows_per_part=6)
    assert [n for n in predictor.asked if n] == [6, 6, 6, 2]


def test_bad_rows_are_listed_and_a_part_of_bad_rows_alone_is_a_part(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "f.csv", ["Xx", "Qq", "SrTiO3", "(O", "NaCl"])
    done = screen(Fake, table, tmp_path / "out", rows_per_part=2)
    assert (done.n_predicted, done.n_skipped) == (2, 3)
    assert [line for line, _ in done.first_skipped] == [2, 3, 5]
    with (tmp_path / "out/skipped.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["line"], row["typed"]) for row in rows] == [("2", "Xx"), ("3", "Qq"), ("5", "(O")]
    assert "'Xx'" in rows[0]["reason"]
    assert pq.read_table(tmp_path / "out/patterns")["formula"].to_pylist() == ["SrTiO3", "NaCl"]


def test_a_list_of_skipped_rows_holds_nothing_that_a_spreadsheet_runs(tmp_path: Path) -> None:
    typed = ['=HYPERLINK("http://a.b")', "@SUM(A1)", "+1", "-1", "SrTiO3"]
    screen(Fake, write_csv(tmp_path / "f.csv", typed), tmp_path / "out")
    with (tmp_path / "out/skipped.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["typed"] for row in rows] == [f"'{text}" for text in typed[:4]]
    assert not any(row[name].startswith(("=", "+", "-", "@")) for row in rows for name in row)


def test_absurd_cells_are_rows_that_are_skipped(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "f.csv", ["Fe" + "9" * 5000, "SrTiO3", "F" * 131_073, "(" * 900, "PbO.TiO2"])
    done = screen(Fake, table, tmp_path / "out", rows_per_part=2)
    assert (done.n_predicted, done.n_skipped) == (2, 3)
    assert all(len(reason) < 300 for _, reason in done.first_skipped)
    written = pq.read_table(tmp_path / "out/patterns")
    assert written["typed"].to_pylist() == ["SrTiO3", "PbO.TiO2"]
    assert written["formula"].to_pylist() == ["SrTiO3", "TiPbO3"]
    assert (tmp_path / "out/skipped.csv").stat().st_size < 2000


def test_a_screening_that_was_stopped_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "f.csv", [*FORMULAS, "Xx"])
    screen(Fake, table, tmp_path / "whole", rows_per_part=4)
    with pytest.raises(KeyboardInterrupt):
        screen(lambda: Fake(fail_after=3), table, tmp_path / "stopped", rows_per_part=4)
    assert len(list((tmp_path / "stopped/patterns").iterdir())) == 3
    predictor = Fake()
    assert screen(lambda: predictor, table, tmp_path / "stopped", rows_per_part=4).n_skipped == 1
    assert [n for n in predictor.asked if n] == [4, 4], "parts that were there are not predicted again"
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("fingerprint", "rows", "changed", "named"),
    [("b", 4, False, "predictor"), ("a", 5, False, "rows_per_part"), ("a", 4, True, "table_sha256")],
)
def test_another_screening_is_not_gone_on_with(
    tmp_path: Path, fingerprint: str, rows: int, named: str, *, changed: bool
) -> None:
    table = write_csv(tmp_path / "f.csv", FORMULAS)
    screen(Fake, table, tmp_path / "out", rows_per_part=4)
    before = contents(tmp_path / "out")
    write_csv(table, FORMULAS[::-1] if changed else FORMULAS)
    with pytest.raises(ConfigError, match=rf"another screening \(other {named}\).*--out"):
        screen(lambda: Fake(fingerprint), table, tmp_path / "out", rows_per_part=rows)
    assert contents(tmp_path / "out") == before


def test_a_folder_with_a_strange_manifest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.json").write_text("[]")
    with pytest.raises(ConfigError, match="another screening"):
        screen(Fake, write_csv(tmp_path / "f.csv", FORMULAS), tmp_path / "out")


def test_a_process_that_is_killed_leaves_whole_parts_only(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "f.csv", FORMULAS)
    screen(Fake, table, tmp_path / "whole", rows_per_part=2)
    code = f"""
        import sys, time
        sys.path.insert(0, {str(Path(made_predictor.__file__).parent)!r})
        from pathlib import Path
        from deepxrd.prediction.screening import screen
        from made_predictor import Fake
        class Slow(Fake):
            def predict(self, formulas):
                time.sleep(0.2 if formulas else 0)
                return super().predict(formulas)
        screen(Slow, Path({str(table)!r}), Path({str(tmp_path / "killed")!r}), rows_per_part=2)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "killed/patterns/part-00002.parquet").exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "killed/patterns/part-00009.parquet").exists()
    predictor = Fake()
    screen(lambda: predictor, table, tmp_path / "killed", rows_per_part=2)
    assert 1 <= sum(n > 0 for n in predictor.asked) <= 7
    written, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert {name: written[name] for name in whole} == whole


def test_tables_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.parquet").write_text("formula\nNaCl\n")
    pq.write_table(pa.table({"formula": [1, 2]}), tmp_path / "numbers.parquet")
    (tmp_path / "empty.csv").write_text("")
    for name, expected in (
        ("no.parquet", "cannot be read"),
        ("numbers.parquet", "holds int64"),
        ("empty.csv", "its columns are none"),
        ("missing.csv", "no such file"),
    ):
        with pytest.raises(SourceError, match=expected):
            screen(Fake, tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_without_rows_gives_no_patterns(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("formula\n\n")
    assert screen(Fake, tmp_path / "f.csv", tmp_path / "out").n_predicted == 0


class Fatal(Fake):
    """Kills its process at the last formula, as a system out of memory would, but for the process of the test."""

    parent = os.getpid()

    def __init__(self) -> None:
        super().__init__("fatal")

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        if FORMULAS[-1] in map(str, formulas) and os.getpid() != self.parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(formulas)


@pytest.fixture
def by_value() -> Iterator[None]:
    """Let other processes have the classes of this file, which they cannot import."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.mark.usefixtures("by_value")
def test_several_processes_write_what_one_writes(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "f.csv", [*FORMULAS, "Xx"])
    one = screen(Fake, table, tmp_path / "one", rows_per_part=2)
    assert screen(Fake, table, tmp_path / "two", rows_per_part=2, n_jobs=2) == one
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.usefixtures("by_value")
def test_a_process_that_dies_is_told_of_and_the_rest_goes_on(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "f.csv", FORMULAS)
    with pytest.raises(ScreeningError, match=r"one of 2 processes was killed.*smaller --jobs"):
        screen(Fatal, table, tmp_path / "out", rows_per_part=2, n_jobs=2)
    kept = len(list((tmp_path / "out/patterns").glob("part-*")))
    assert kept < 10
    predictor = Fatal()
    assert screen(lambda: predictor, table, tmp_path / "out", rows_per_part=2).n_predicted == len(FORMULAS)
    assert sum(n > 0 for n in predictor.asked) == 10 - kept, "parts that were there are not predicted again"


def test_weights_that_change_meanwhile_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="weights or libraries are not those"):
        load_and_write_part(lambda: Fake("b"), "a", [(2, "NaCl")], tmp_path / "part", part_schema(Fake("a")))


@pytest.mark.parametrize("n_jobs", [0, -2])
def test_a_number_of_processes_that_is_none_is_refused(tmp_path: Path, n_jobs: int) -> None:
    with pytest.raises(ConfigError, match=f"--jobs {n_jobs}"):
        screen(Fake, write_csv(tmp_path / "f.csv", FORMULAS), tmp_path / "out", n_jobs=n_jobs)
