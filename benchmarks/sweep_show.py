"""A sweep of 8 real runs: killed after the third, resumed with one made to fail, and run again by other launchers.

    python benchmarks/sweep_show.py --parquet structures.parquet --out outputs/sweep-show

Writes ``show.json`` with what happened; the folders of the sweeps lie beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from deepxrd.io.files import file_hash, write_json
from deepxrd.io.provenance import run_facts
from deepxrd.runs.sweep_folder import DONE, SweepFolder

_TO_FAIL = "depth-15_lr-0.002_batch_size-64"
_CELLS = ("model.depth=10,15", "optimizer.lr=0.001,0.002", "data.batch_size=64,128")


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True, help="a table of structures, see docs/data.md")
    parser.add_argument("--out", type=Path, required=True, help="an empty folder for the sweeps")
    parser.add_argument("--data-dir", default="data", help="where built data sets lie")
    options = parser.parse_args()
    settings = [
        "sweep=table4", *_CELLS, "source=files", f"source.path={options.parquet}", f"paths.data_dir={options.data_dir}",
        "trainer.max_epochs=1", "threads=1",
    ]  # fmt: skip
    basic, joblib, submitit = (options.out / name for name in ("basic", "joblib", "submitit"))
    told: dict[str, object] = {"facts": run_facts(), "settings": settings}
    told["done_when_killed"] = _run_and_kill(settings, basic, after=3)
    obstacle = basic / _TO_FAIL / "checkpoints"  # a file where a folder must go
    obstacle.parent.mkdir(exist_ok=True)
    obstacle.touch()
    told["resumed"] = _run(settings, basic)
    shutil.copytree(basic, options.out / "with-hole")
    obstacle.unlink()
    told["mended"] = _run(settings, basic)
    told["again"] = _run(settings, basic)
    told["joblib"] = _run([*settings, "hydra/launcher=joblib", "runs_at_once=2"], joblib)
    told["submitit_local"] = _run([*settings, "hydra/launcher=submitit_local", "runs_at_once=2"], submitit)
    told["same_bytes"] = {
        run.path.name: len(
            {file_hash(folder / run.path.name / "per_sample.parquet") for folder in (basic, joblib, submitit)}
        )
        == 1
        for run in SweepFolder.open(basic).planned
    }
    told["report_with_the_hole"] = _report(options.out / "with-hole")
    write_json(options.out / "show.json", told)
    print(json.dumps(told, indent=2))


def _command(settings: list[str], folder: Path) -> list[str]:
    return [sys.executable, "-m", "deepxrd.train", *settings, f"hydra.sweep.dir={folder}"]


def _run(settings: list[str], folder: Path) -> dict[str, object]:
    began = time.monotonic()
    done = subprocess.run(_command(settings, folder), capture_output=True, text=True, check=False)  # noqa: S603
    sys.stderr.write(done.stderr)
    states = {run.path.name: run.state for run in SweepFolder.open(folder).planned}
    reused = sum(run.record["reused"] for run in SweepFolder.open(folder).planned)
    told = done.stderr.strip().splitlines()[-4:]
    return {
        "seconds": round(time.monotonic() - began),
        "exit_code": done.returncode,
        "reused": reused,
        "runs": states,
        "told": told,
    }


def _run_and_kill(settings: list[str], folder: Path, *, after: int) -> int:
    process = subprocess.Popen(_command(settings, folder), start_new_session=True)  # noqa: S603
    n_done = 0
    while n_done < after and process.poll() is None:
        time.sleep(0.5)
        if (folder / "sweep.json").is_file():
            n_done = sum(run.state == DONE for run in SweepFolder.open(folder).planned)
    time.sleep(6)  # into the next run
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return n_done


def _report(folder: Path) -> int:
    command = [sys.executable, "-m", "deepxrd.report", f"sweeps={folder}"]
    return subprocess.run(command, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    main()
