import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

from deepxrd.io.files import file_hash
from deepxrd.runs.sweep_folder import DONE, FAILED, NOT_RUN, SweepFolder

Command = Callable[..., "subprocess.CompletedProcess[str]"]
RUNS = ["-m", "loss=mse,cosine", "seed=1,2", "threads=1"]


def test_a_sweep_that_is_killed_and_resumed(small: list[str], tmp_path: Path, command: Command) -> None:
    """One test: tests that share a sweep may run in several processes, and each would make it anew."""
    swept = sweep_twice(tmp_path, small)
    assert_it_resumes_after_a_kill_and_passes_a_run_that_fails(swept)
    assert_the_report_shows_the_hole_and_refuses_a_score_that_is_none(swept, command)
    assert_wandb_has_group_name_config_scores_figure_and_table(swept)
    for launcher in ("joblib", "submitit_local"):
        assert_other_launchers_give_the_same_numbers(swept, small, command, launcher)


def sweep_twice(place: Path, small: list[str]) -> dict[str, Any]:
    """A sweep of four runs, killed after the first, then resumed where one run cannot be written."""
    settings = [*RUNS, *small, "logger=wandb", "hydra.sweep.dir=sweep"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    command = [sys.executable, "-m", "deepxrd.train", *settings]
    first = subprocess.Popen(command, cwd=place, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    folder, deadline = place / "sweep", time.monotonic() + 120
    while not (folder / "loss-mse_seed-1/metrics.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    states = [run.state for run in SweepFolder.open(folder).planned]
    written = (folder / "loss-mse_seed-1/metrics.json").stat().st_mtime_ns
    obstacle = folder / "loss-cosine_seed-1/checkpoints"  # a file where a folder must be
    obstacle.parent.mkdir(exist_ok=True)
    obstacle.touch()
    second = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    return {"folder": folder, "killed": states, "written": written, "second": second, "obstacle": obstacle}


def assert_it_resumes_after_a_kill_and_passes_a_run_that_fails(swept: dict[str, Any]) -> None:
    sweep = SweepFolder.open(swept["folder"])
    assert swept["killed"][0] == DONE
    assert NOT_RUN in swept["killed"]
    assert [run.state for run in sweep.planned] == [DONE, DONE, FAILED, DONE]
    assert (sweep.planned[0].path / "metrics.json").stat().st_mtime_ns == swept["written"]
    second = swept["second"]
    assert second.returncode == 2
    assert "3 of 4 sweep runs done (1 before), 1 failed" in second.stderr
    assert re.search(r"1 of 4 sweep runs failed:\n  loss-cosine_seed-1: FileExistsError", second.stderr)
    assert "Traceback" not in second.stderr
    assert "Traceback" in (swept["obstacle"].parent / "error.txt").read_text()


def assert_the_report_shows_the_hole_and_refuses_a_score_that_is_none(swept: dict[str, Any], command: Command) -> None:
    folder = swept["folder"]
    done = command("report", f"sweeps={folder}", "metric=peak_f1_1deg")
    assert done.returncode == 0, done.stderr
    page = (folder / "report/sweep-peak_f1_1deg.md").read_text()
    header, _, row = [line for line in page.splitlines() if line.startswith("|")][:3]
    f1 = json.loads((folder / "loss-cosine_seed-2/metrics.json").read_text())["test"]["peak_f1_1deg"]
    assert header == "| mse | cosine |"
    assert re.fullmatch(rf"\| .* ± .* \(n 2\) \| (\*\*)?{f1:.3f}(\*\*)? \(n 1 of 2\) \|", row)
    assert "Failed: loss cosine, seed 1: `FileExistsError" in page
    assert (folder / "report/figures/sweep-peak_f1_1deg.png").is_file()
    assert "(n 1 of 2)" in done.stdout
    refused = command("report", f"sweeps={folder}", "metric=nonsense")
    assert refused.returncode == 2
    assert "metric=nonsense" in refused.stderr
    assert "pearson_distance" in refused.stderr
    assert "metric:" in command("report", "--help").stdout
    nowhere = command("report", "sweeps=nowhere")
    assert nowhere.returncode == 2
    assert "nowhere" in nowhere.stderr


def assert_wandb_has_group_name_config_scores_figure_and_table(swept: dict[str, Any]) -> None:
    [file] = (swept["folder"] / "loss-cosine_seed-2").rglob("*.wandb")
    records = list(wandb_records(file))
    runs = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert {run.run_group for run in runs} == {"sweep"}
    assert {run.display_name for run in runs} == {"loss-cosine_seed-2"}
    config = {
        item.key or item.nested_key[0]: json.loads(item.value_json) for r in configs(records) for item in r.update
    }
    assert config["loss"]["_target_"] == "deepxrd.losses.CosineLoss"
    assert config["seed"] == 2
    summary = {}
    for record in records:
        if record.WhichOneof("record_type") == "summary":
            summary |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.summary.update}
    metrics = json.loads((swept["folder"] / "loss-cosine_seed-2/metrics.json").read_text())
    assert {f"test/{name}": value for name, value in metrics["test"].items()}.items() <= summary.items()
    assert summary["loss"] == "CosineLoss"
    steps = [record.history for record in records if record.WhichOneof("record_type") == "history"]
    logged = {item.key or item.nested_key[0] for step in steps for item in step.item}
    assert {"test_patterns", "per_sample", "val/loss"} <= logged


def assert_other_launchers_give_the_same_numbers(
    swept: dict[str, Any], small: list[str], command: Command, launcher: str
) -> None:
    settings = [*RUNS, *small, "seed=2", f"paths.data_dir={swept['folder'].parent / 'data'}"]
    settings += [f"hydra.sweep.dir={launcher}"]
    done = command("train", *settings, f"hydra/launcher={launcher}", "runs_at_once=2", timeout=240)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 sweep runs done" in done.stderr
    assert done.stdout.splitlines()[-1] == f"tables: python -m deepxrd.report sweeps={launcher}"
    for run in ("loss-mse_seed-2", "loss-cosine_seed-2"):
        one, other = (
            folder / run / "per_sample.parquet" for folder in (swept["folder"], swept["folder"].parent / launcher)
        )
        assert file_hash(one) == file_hash(other), run


def test_a_launcher_that_cannot_start_here_says_what_to_do(command: Command) -> None:
    done = command("train", "-m", "seed=1,2", "hydra/launcher=submitit_slurm")
    assert done.returncode == 2
    assert "take submitit_local or joblib" in done.stderr
    assert "Traceback" not in done.stderr


def configs(records: list[wandb_internal_pb2.Record]) -> list[wandb_internal_pb2.ConfigRecord]:
    kinds = [(record.WhichOneof("record_type"), record) for record in records]
    return [r.config for kind, r in kinds if kind == "config"] + [r.run.config for kind, r in kinds if kind == "run"]


def wandb_records(file: Path) -> Iterator[wandb_internal_pb2.Record]:
    """What a .wandb file holds: LevelDB's log format after a header of 7 bytes; blocks of 32 KiB, records in pieces."""
    data, position, whole = file.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while position + 7 <= len(data):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        length, kind = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        whole = (b"" if kind in (1, 2) else whole) + data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(whole)
