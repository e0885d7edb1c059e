import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deepxrd.io.files import file_hash

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_train_prints_the_scores_and_where_the_results_are(trained: Path) -> None:
    shown = (trained / "stdout.txt").read_text()
    metrics = json.loads((trained / "metrics.json").read_text())
    row = next(line for line in shown.splitlines() if "DeepXRDNet, PearsonLoss" in line)
    assert f"{metrics['test']['peak_f1_2deg']:.3f}" in row
    assert "substitution" not in shown  # of which nothing is known on these structures
    assert metrics["data_set"]["database"] is None
    assert shown.splitlines()[-1] == "results: run"


def test_a_run_killed_in_the_middle_and_resumed_ends_with_the_same_numbers(
    command: Command, small: list[str], trained: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "deepxrd.train", *small, f"hydra.run.dir={run_dir}"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (run_dir / "checkpoints/last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run_dir / "metrics.json").exists()
    resumed = command("train", f"resume={run_dir}", timeout=240)
    assert resumed.returncode == 0, resumed.stderr
    whole = json.loads((trained / "metrics.json").read_text())
    assert json.loads((run_dir / "metrics.json").read_text())["test"] == whole["test"]
    assert file_hash(run_dir / "per_sample.parquet") == file_hash(trained / "per_sample.parquet")


def test_wandb_offline_writes_config_curves_figure_and_table_and_no_secret(
    command: Command, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "f" * 40
    monkeypatch.setenv("WANDB_API_KEY", secret)
    monkeypatch.setenv("MP_API_KEY", "s" * 32)
    done = command("train", *small, "trainer.max_epochs=1", "logger=wandb", "hydra.run.dir=run", timeout=240)
    assert done.returncode == 0, done.stderr
    written = [p for p in (tmp_path / "run").rglob("*") if p.is_file() and not p.is_symlink()]
    [log] = [p for p in written if p.suffix == ".wandb"]
    content = log.read_bytes()
    for expected in (b"val/loss", b"per_sample", b"test_patterns", b"peak_f1_2deg", b"data_hash", b"PearsonLoss"):
        assert expected in content, expected
    assert any(p.suffix == ".png" and "media" in str(p) for p in written)
    assert any(p.name.endswith(".table.json") for p in written)
    for path in written:
        data = path.read_bytes()
        assert secret.encode() not in data, path
        assert b"s" * 32 not in data, path


def test_prepare_builds_once_and_says_where(command: Command, small: list[str], tmp_path: Path) -> None:
    settings = [s for s in small if not s.startswith(("model", "trainer"))]
    first = command("prepare", *settings)
    assert first.returncode == 0, first.stderr
    place = first.stdout.splitlines()[-1].removeprefix("data: ")
    changed = (tmp_path / place / "patterns.npy").stat().st_mtime_ns
    assert command("prepare", *settings).stdout == first.stdout
    assert (tmp_path / place / "patterns.npy").stat().st_mtime_ns == changed


@pytest.mark.parametrize("module", ["train", "prepare", "evaluate"])
def test_help_lists_groups_settings_and_exit_codes(command: Command, module: str) -> None:
    done = command(module, "--help")
    assert done.returncode == 0
    for expected in ("source:", "split:", "sigma_deg", "Exit code"):
        assert expected in done.stdout
