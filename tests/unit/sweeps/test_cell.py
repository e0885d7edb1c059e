import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepxrd.io.files import file_hash
from deepxrd.runs.sweep_folder import DONE, FAILED, SweepFolder
from deepxrd.sweeps import cell as cells
from deepxrd.training import run

Compose = Callable[..., dict[str, Any]]


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFolder:
    facts = {"table": None, "keys": ["seed"], "session": "first"}
    return SweepFolder.plan(tmp_path / "sweep", [{"seed": 1}, {"seed": 2}], facts)


def test_a_cell_that_is_done_is_not_run_again_until_something_that_matters_changes(
    composed: Compose, sweep: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sweep.planned[0].path
    f1 = cells.run_cell(composed("seed=1", "trainer.max_epochs=1"), folder, overrides=[])
    before = file_hash(folder / "metrics.json")
    ran: list[Path] = []
    real = cells.fit_and_test

    def counted(cfg: dict[str, Any], run_dir: Path, **more: Any) -> run.RunResult:
        ran.append(run_dir)
        return real(cfg, run_dir, **more)

    monkeypatch.setattr(cells, "fit_and_test", counted)
    again = composed("seed=1", "trainer.max_epochs=1", "trainer.log_every_n_steps=5")
    assert cells.run_cell(again, folder, overrides=[]) == f1
    assert not ran
    assert sweep.planned[0].record["reused"]
    assert file_hash(folder / "metrics.json") == before
    cells.run_cell(composed("seed=1", "trainer.max_epochs=1", "loss=mse"), folder, overrides=[])
    assert ran == [folder]
    [aside] = (sweep.path / "outdated").iterdir()  # nothing of the old one is lost
    assert file_hash(aside / "metrics.json") == before


def test_a_cell_that_was_stopped_goes_on_from_its_last_epoch_and_ends_the_same(
    composed: Compose, sweep: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = (cell.path for cell in sweep.planned)
    cells.run_cell(composed("seed=1"), whole, overrides=[])

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "_score", die)  # killed when all epochs are trained, before the test
        with pytest.raises(KeyboardInterrupt):
            cells.run_cell(composed("seed=1"), stopped, overrides=[])
    assert sweep.planned[1].state == "not finished"
    trained = (stopped / "checkpoints/last.ckpt").stat().st_mtime_ns
    cells.run_cell(composed("seed=1"), stopped, overrides=[])
    assert (stopped / "checkpoints/last.ckpt").stat().st_mtime_ns == trained
    assert file_hash(stopped / "per_sample.parquet") == file_hash(whole / "per_sample.parquet")
    assert [cell.state for cell in SweepFolder.open(sweep.path).planned] == [DONE, DONE]


def test_a_cell_that_fails_says_why_and_is_tried_again(composed: Compose, sweep: SweepFolder) -> None:
    cell = sweep.planned[0]
    assert math.isnan(cells.run_cell(composed("seed=1", "optimizer.lr=nonsense"), cell.path, overrides=[]))
    assert cell.state == FAILED
    assert "Traceback" in (cell.path / "error.txt").read_text()
    assert "nonsense" in cell.error
    assert [each.path for each in sweep.settled()] == [cell.path]
    cells.run_cell(composed("seed=1", "trainer.max_epochs=1"), cell.path, overrides=[])
    assert cell.state == DONE
    assert not (cell.path / "error.txt").exists()
