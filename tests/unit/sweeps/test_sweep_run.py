import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import keep_runs
import relative_paths
from deepxrd.analysis.sweep_scores import SweepScores
from deepxrd.io.files import file_hash
from deepxrd.runs.sweep_folder import DONE, FAILED, SweepFolder
from deepxrd.sweeps import sweep_run
from deepxrd.training import run

Compose = Callable[..., dict[str, Any]]


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFolder:
    facts = {"table": None, "keys": ["seed"], "session": "first"}
    return SweepFolder.plan(tmp_path / "sweep", [{"seed": 1}, {"seed": 2}], facts)


def test_a_run_that_is_done_is_not_run_again_until_something_that_matters_changes(
    composed: Compose, sweep: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sweep.planned[0].path
    f1 = sweep_run.run_one(composed("seed=1", "trainer.max_epochs=1"), folder, overrides=[])
    before = file_hash(folder / "metrics.json")
    ran: list[Path] = []
    real = sweep_run.fit_and_test

    def counted(cfg: dict[str, Any], run_dir: Path, **more: Any) -> run.RunResult:
        ran.append(run_dir)
        return real(cfg, run_dir, **more)

    monkeypatch.setattr(sweep_run, "fit_and_test", counted)
    again = composed("seed=1", "trainer.max_epochs=1", "trainer.log_every_n_steps=5")
    assert sweep_run.run_one(again, folder, overrides=[]) == f1
    assert not ran
    assert sweep.planned[0].record["reused"]
    assert file_hash(folder / "metrics.json") == before
    sweep_run.run_one(composed("seed=1", "trainer.max_epochs=1", "loss=mse"), folder, overrides=[])
    assert ran == [folder]
    [aside] = (sweep.path / "outdated").iterdir()  # nothing of the old one is lost
    assert file_hash(aside / "metrics.json") == before


def test_kept_small_files_stand_for_a_run_that_was_made_elsewhere(
    composed: Compose, sweep: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = composed("seed=1", "trainer.max_epochs=1")
    sweep_run.run_one(cfg, sweep.planned[0].path, overrides=[])
    kept = tmp_path / "kept"
    with (sweep.planned[0].path / "config.yaml").open("a") as config:
        config.write(f"# resumed in {relative_paths.REPOSITORY}/outputs/there\n")
    keep_runs.keep(sweep.planned[0].path, kept / sweep.planned[0].path.name)
    assert "# resumed in outputs/there" in (kept / "seed-1" / "config.yaml").read_text()
    assert not list(kept.rglob("*.ckpt"))
    assert sum(file.stat().st_size for file in kept.rglob("*") if file.is_file()) < 60_000
    record = json.loads((kept / "seed-1" / "sweep_run.json").read_text())
    record["fingerprint"]["data"] = "rounded by another processor"
    (kept / "seed-1" / "sweep_run.json").write_text(json.dumps(record))
    shutil.copyfile(sweep.path / "sweep.json", kept / "sweep.json")
    elsewhere = shutil.copytree(kept, tmp_path / "elsewhere")
    monkeypatch.setattr(sweep_run, "fit_and_test", lambda *_, **__: pytest.fail("it was run again"))
    sweep_run.run_one(cfg, elsewhere / "seed-1", overrides=[])
    assert SweepFolder.open(elsewhere).planned[0].record["reused"]
    assert SweepFolder.open(elsewhere).planned[0].record["fingerprint"] == record["fingerprint"]
    table = SweepScores.read(kept, "peak_f1_2deg").frame  # a report needs nothing else
    assert table.loc[0, "value"] == pytest.approx(SweepScores.read(sweep.path, "peak_f1_2deg").frame.loc[0, "value"])


def test_a_run_that_was_stopped_resumes_from_its_last_epoch_and_ends_the_same(
    composed: Compose, sweep: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = (run.path for run in sweep.planned)
    sweep_run.run_one(composed("seed=1"), whole, overrides=[])

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "_score", die)  # killed when all epochs are trained, before the test
        with pytest.raises(KeyboardInterrupt):
            sweep_run.run_one(composed("seed=1"), stopped, overrides=[])
    assert sweep.planned[1].state == "not finished"
    trained = (stopped / "checkpoints/last.ckpt").stat().st_mtime_ns
    sweep_run.run_one(composed("seed=1"), stopped, overrides=[])
    assert (stopped / "checkpoints/last.ckpt").stat().st_mtime_ns == trained
    assert file_hash(stopped / "per_sample.parquet") == file_hash(whole / "per_sample.parquet")
    assert [run.state for run in SweepFolder.open(sweep.path).planned] == [DONE, DONE]


def test_a_sweep_does_not_pass_over_a_run_to_resume(composed: Compose, sweep: SweepFolder) -> None:
    cfg = composed("seed=1", "resume=elsewhere")
    assert math.isnan(sweep_run.run_one(cfg, sweep.planned[0].path, overrides=[]))
    assert "resume=elsewhere is for one run" in sweep.planned[0].error


def test_a_run_that_fails_says_why_and_is_tried_again(composed: Compose, sweep: SweepFolder) -> None:
    run = sweep.planned[0]
    assert math.isnan(sweep_run.run_one(composed("seed=1", "optimizer.lr=nonsense"), run.path, overrides=[]))
    assert run.state == FAILED
    assert "Traceback" in (run.path / "error.txt").read_text()
    assert "nonsense" in run.error
    assert [each.path for each in sweep.settled()] == [run.path]
    sweep_run.run_one(composed("seed=1", "trainer.max_epochs=1"), run.path, overrides=[])
    assert run.state == DONE
    assert not (run.path / "error.txt").exists()
