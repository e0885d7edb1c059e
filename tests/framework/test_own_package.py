"""A researcher's own folder by the real commands: trained, resumed, evaluated, predicted with, prepared."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from task_table import Record

GROUP = "Own parts"
CONSOLE_SCRIPT = "import sys; sys.path.pop(0); from deepxrd.cli.main import main; main()"
"""What the script ``deepxrd`` does, whose own folder takes the place of the current one in sys.path."""
TRUST = "trust=[{}]".format(",".join(
    f"mylab.{name}" for name in (
        "nets.Plain", "losses.Huber", "steps.SignDescent", "steps.Halving", "encodings.Magpie", "sources.Cubes",
        "metrics.StrongestPeak", "callbacks.WeightNorm",
    )
))  # fmt: skip
Deepxrd = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def deepxrd_in(outside: Path, tmp_path: Path) -> Deepxrd:
    """Runs the script ``deepxrd`` in the researcher's folder."""
    shutil.copytree(outside, tmp_path / "lab")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", CONSOLE_SCRIPT, *arguments],
            cwd=tmp_path / "lab",
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_an_experiment_of_own_parts_by_the_command(deepxrd_in: Deepxrd, tmp_path: Path, record: Record) -> None:
    small = ["trainer.max_epochs=2", "build.n_jobs=1", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false"]
    done = deepxrd_in("train", "--config-dir", "myconf", "experiment=mine", *small, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "lab/run"
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["model"], metrics["loss"]) == ("Plain", "Huber")
    assert "strongest_peak_deg" in metrics["test"]
    settings = yaml.safe_load((run / "config.yaml").read_text())
    assert settings["data"]["encoding"] == {"_target_": "mylab.encodings.Magpie"}
    assert settings["source"] == {"_target_": "mylab.sources.Cubes", "edge_angstrom": 3.9}
    assert settings["optimizer"] == {"_target_": "mylab.steps.SignDescent", "lr": 0.0005}
    record(
        GROUP,
        "all of them from the current folder, `deepxrd train --config-dir myconf experiment=mine`",
        works=done.stdout.splitlines()[-1],
    )
    (run / "metrics.json").unlink()  # as if it had been stopped before its end
    refused = deepxrd_in("train", "--config-dir", "myconf", "resume=run")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "trust=[mylab.sources.Cubes,mylab.encodings.Magpie,mylab.nets.Plain" in refused.stderr
    record(GROUP, "resume of a run of own parts, not named", refused=refused.stderr.splitlines()[-1])
    resumed = deepxrd_in("train", "--config-dir", "myconf", "resume=run", TRUST, "trainer.max_epochs=3")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads((run / "metrics.json").read_text())["epochs"] == 3
    record(GROUP, "resume of a run of own parts, `trust=[…]`", works=resumed.stdout.splitlines()[-1])
    predicted = deepxrd_in(
        "predict", "SrTiO3", "--unseen", "--checkpoint", "run/checkpoints/best.ckpt",
        "--trust", "mylab.nets.Plain", "--trust", "mylab.encodings.Magpie",
    )  # fmt: skip
    assert predicted.returncode == 0, predicted.stderr
    record(
        GROUP,
        "patterns by an own network and encoding, `deepxrd predict --trust …`",
        works=predicted.stdout.splitlines()[-1],
    )


@pytest.mark.slow
def test_a_run_of_own_parts_is_evaluated(deepxrd_in: Deepxrd, record: Record) -> None:
    small = ["trainer.max_epochs=1", "build.n_jobs=1", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false"]
    done = deepxrd_in("train", "--config-dir", "myconf", "experiment=mine", *small, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    scored = deepxrd_in("evaluate", "run=run", TRUST, "evaluate.dtw=null", "evaluate.cases=false")
    assert scored.returncode == 0, scored.stderr
    record(GROUP, "evaluation of a run of own parts, `trust=[…]`", works=scored.stdout.splitlines()[-1])


def test_an_error_in_an_own_source_names_it(deepxrd_in: Deepxrd, tmp_path: Path) -> None:
    file = tmp_path / "lab/mylab/sources.py"
    file.write_text(file.read_text().replace("        for ", "        {}[self.edge_angstrom]\n        for ", 1))
    refused = deepxrd_in("prepare", "--config-dir", "myconf", "source=mine", "data.name=cubes", "build.n_jobs=1")
    assert refused.returncode == 2, refused.stderr
    assert "Traceback" not in refused.stderr
    assert "error: mylab.sources.Cubes raised KeyError: 3.9 (sources.py, line " in refused.stderr, refused.stderr
