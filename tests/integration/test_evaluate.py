"""``python -m deepxrd.evaluate`` as a user runs it: a run, a baseline, two of them, and every mistake."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from filelock import FileLock

from deepxrd import evaluate, train
from deepxrd.evaluation.baselines import baseline_nodes
from deepxrd.io.files import file_hash

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Refuse = Callable[..., str]


@pytest.fixture
def run_dir(trained: Path, tmp_path: Path) -> Path:
    """A copy of the small run that may be written into."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Runs a command in this process, which saves seconds, and returns its message; it must end with exit code 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def run(*arguments: str, main: Callable[[], None] = evaluate.main) -> str:
        monkeypatch.setattr(sys, "argv", ["deepxrd", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        message = capsys.readouterr().err
        assert stopped.value.code == 2, message
        assert "Traceback" not in message
        return message

    return run


def test_a_run_is_scored_in_full_and_compared_with_itself(command: Command, run_dir: Path, tmp_path: Path) -> None:
    before = file_hash(run_dir / "metrics.json")
    source = next(line for line in (run_dir / "overrides.yaml").read_text().splitlines() if "source.path" in line)
    moved = Path(shutil.copy(source.partition("source.path=")[2], tmp_path / "moved.jsonl"))
    done = command("evaluate", "run=run", f"source.path={moved}", "evaluate.n_resamples=200", "build.n_jobs=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "results: run/evaluation"
    assert file_hash(run_dir / "metrics.json") == before
    out, trained = run_dir / "evaluation", json.loads((run_dir / "metrics.json").read_text())
    metrics = json.loads((out / "metrics.json").read_text())
    for name, mean in trained["test"].items():
        assert metrics["test"][name] == pytest.approx(mean, rel=1e-5, abs=1e-5)
        low, high = metrics["intervals"][name]
        assert low <= mean <= high
    same = ("data", "model", "loss", "data_hash", "seed", "n_train", "n_val", "n_test")
    assert {key: metrics[key] for key in same} == {key: trained[key] for key in same}
    per_sample = pd.read_parquet(out / "per_sample.parquet")
    assert {"composition", "material_id", *metrics["test"]} <= set(per_sample)
    assert np.load(out / "predictions.npy").shape == (metrics["n_test"], 1024)
    assert "0.884" not in (out / "table2.md").read_text()  # the paper's, whose data these are not
    figures = {file.relative_to(out / "figures").as_posix() for file in (out / "figures").rglob("*.png")}
    assert {"distances.png", "tolerance_curves.png", "cases/best.png", "cases/worst.png"} <= figures
    assert {"mean", "comb", "nearest", "substitution", "oracle_volume"} < set(pd.read_csv(out / "tolerance_curves.csv"))

    compared = command("evaluate", "a=run", "b=run/evaluation", "evaluate.n_resamples=200", "hydra.run.dir=compared")
    assert compared.returncode == 0, compared.stderr
    scores = json.loads((tmp_path / "compared/comparison.json").read_text())["scores"]
    assert {each["verdict"] for each in scores.values()} == {"not significant at 5 %"}
    assert "F1 2°" in compared.stdout


def test_a_baseline_is_evaluated_on_the_embedded_data(command: Command, tmp_path: Path) -> None:
    done = command(
        "cli", "evaluate", "model=substitution", "hydra.run.dir=out", "evaluate.dtw=null", "evaluate.cases=false",
        "evaluate.baselines=[mean,polymorph_oracle]", "evaluate.n_resamples=200", timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert (metrics["model"], metrics["data"], metrics["loss"]) == ("substitution", "prototypes", None)
    assert metrics["test"]["peak_f1_2deg"] > 0.5
    assert not (tmp_path / "out/figures/cases").exists()
    assert "dtw" not in (tmp_path / "out/table2.csv").read_text()
    scores = pd.read_csv(tmp_path / "out/scores.csv", index_col="model")
    assert scores.loc["mean", "fallbacks"] == 0
    cached = sorted(file.name for file in (tmp_path / "data/stores").glob("*/baselines/*.json"))
    assert [name.partition("-")[0] for name in cached] == ["mean", "polymorph_oracle"]


def test_baselines_are_those_of_the_configuration_and_are_not_trained(refuse: Refuse) -> None:
    assert set(baseline_nodes()) == {
        "mean", "comb", "random", "nearest", "substitution", "oracle_volume", "template_oracle", "polymorph_oracle",
    }  # fmt: skip
    assert "use python -m deepxrd.evaluate model=nearest" in refuse("model=nearest", main=train.main)


def test_what_to_evaluate_must_be_clear(refuse: Refuse, run_dir: Path, tmp_path: Path) -> None:
    assert "nothing given" in refuse()
    assert "run and model given" in refuse(f"run={run_dir}", "model=mean")
    assert "a given" in refuse(f"a={run_dir}")
    assert "no baseline and must be trained first" in refuse("model=paper", "hydra.run.dir=out")
    for written in ("run=absent=1,2", 'run="absent=1,2"'):
        assert "run=absent=1,2: no such run folder" in refuse(written)
    assert "unknown baselines: mode; known are comb" in refuse("model=mean", "evaluate.baselines=[mode]")
    assert "model.step" in refuse("model=comb", "model.step=3")
    assert "evaluate.dtw.window_deg=-1" in refuse("model=mean", "evaluate.dtw.window_deg=-1", "hydra.run.dir=out")
    assert not (run_dir / "evaluation").exists()
    shutil.copytree(run_dir, tmp_path / "used")
    assert "already holds a run" in refuse("model=mean", "hydra.run.dir=used")
    # a training's folder would lose its settings and scores to those of the evaluation
    config = (tmp_path / "used/config.yaml").read_bytes()
    assert "already holds a run" in refuse(f"run={run_dir}", "hydra.run.dir=used")
    assert (tmp_path / "used/config.yaml").read_bytes() == config
    # Hydra's own options would have it composed with other data than the run's
    assert "--config-dir cannot stand beside run=" in refuse(f"run={run_dir}", "--config-dir", str(tmp_path))
    assert "-m cannot stand beside run=a,b" in refuse("-m", "run=a,b")


def test_two_evaluations_do_not_write_into_one_folder(refuse: Refuse, run_dir: Path) -> None:
    earlier = run_dir / "evaluation/metrics.json"
    earlier.parent.mkdir()
    earlier.write_text("{}")
    with FileLock(run_dir / "evaluation/.lock"):
        assert "another process evaluates in" in refuse(f"run={run_dir}")
    assert earlier.read_text() == "{}"


def test_runs_that_are_not_there_or_not_finished(refuse: Refuse, run_dir: Path, tmp_path: Path) -> None:
    assert "run=nowhere: no such run folder" in refuse("run=nowhere")
    assert not (tmp_path / "nowhere").exists()
    assert "b=nowhere: no such run folder" in refuse(f"a={run_dir}", "b=nowhere")
    (run_dir / "checkpoints/best.ckpt").unlink()
    assert "no trained network" in refuse(f"run={run_dir}")
    (run_dir / "metrics.json").unlink()
    assert f"train resume={run_dir}" in refuse(f"run={run_dir}")


def test_other_data_than_the_runs_are_refused_by_both_hashes(refuse: Refuse, run_dir: Path) -> None:
    metrics = json.loads((run_dir / "metrics.json").read_text())
    message = refuse(f"run={run_dir}", "xrd.sigma_deg=0.4", "build.n_jobs=1")
    assert f"trained and tested on data {metrics['data_hash']}, but the data are now" in message
    assert "source.pth" in refuse(f"run={run_dir}", "source.pth=missing")
    assert "no such file or folder: missing" in refuse(f"run={run_dir}", "source.path=missing")


def test_another_split_than_the_runs_is_refused(refuse: Refuse, run_dir: Path) -> None:
    changes = {"seed": 7, "by": "chemical_system", "train": 0.6, "val": 0.2}
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert metrics["split"] == {"seed": 3, "train": 0.7, "val": 0.1, "by": "composition"}
    for key, value in changes.items():
        message = refuse(f"run={run_dir}", f"data.split.{key}={value}", "build.n_jobs=1")
        assert f"data.split.{key} was {metrics['split'][key]} and is now {value}" in message
    del metrics["split"]  # a run of before, whose settings still tell
    (run_dir / "metrics.json").write_text(json.dumps(metrics))
    assert "data.split.seed was 3 and is now 7" in refuse(f"run={run_dir}", "data.split.seed=7", "build.n_jobs=1")
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    del config["data"]["split"]
    (run_dir / "config.yaml").write_text(yaml.safe_dump(config))
    assert "data.split is missing" in refuse(f"run={run_dir}", "build.n_jobs=1")


def test_two_runs_on_other_data_are_not_compared(refuse: Refuse, run_dir: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run_dir, tmp_path / "other")
    metrics = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps({**metrics, "data_hash": "0" * 16}))
    message = refuse(f"a={run_dir}", f"b={other}", "hydra.run.dir=out")
    assert f"scored on data {metrics['data_hash']}" in message
    assert "0" * 16 in message
