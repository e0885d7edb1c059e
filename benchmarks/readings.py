"""Table 2 under each reading of what the paper leaves open: the width of the lines, and how the numbers are counted.

    python -m deepxrd.train sweep=readings source=files source.path=PATH loss=pearson
    python benchmarks/readings.py score --sweep outputs/sweeps/readings
    python benchmarks/readings.py substitution --sweep outputs/sweeps/readings --out results/tables
    python benchmarks/readings.py page --sweep outputs/sweeps/readings --out results/tables

``score`` predicts the test part with the best network of each finished run and writes ``readings.json`` into its
folder; after that the checkpoints are not needed any more. ``substitution`` measures the same of chemical substitution,
which needs no training, at all widths of the sweep. ``page`` reads nothing else, so it works on kept small files too.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.analysis.figures import save_figure
from deepxrd.analysis.readings import measure
from deepxrd.analysis.readings_page import ReadingsTable, figure, page
from deepxrd.data.assemble import make_data
from deepxrd.evaluation.task import Task, in_parts
from deepxrd.io.bounded import read_yaml
from deepxrd.io.files import write_json, write_text
from deepxrd.metrics import DtwSettings
from deepxrd.models.baselines import Substitution
from deepxrd.prediction.predictor import load_predictor
from deepxrd.runs.finished import Finished
from deepxrd.runs.names import CONFIG
from deepxrd.runs.sweep_folder import DONE, SweepFolder

MEASURED, SUBSTITUTION = "readings.json", "readings-substitution.csv"


def main() -> None:
    """Score, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("score", "substitution", "page"))
    parser.add_argument("--sweep", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="of the page and of substitution")
    arguments = parser.parse_args()
    if arguments.what != "score":
        if arguments.out is None:
            parser.error(f"{arguments.what} needs --out")
        (write_page if arguments.what == "page" else measure_substitution)(arguments.sweep, arguments.out)
        return
    for run in SweepFolder.open(arguments.sweep).runs:
        if run.state == DONE and not (run.path / MEASURED).is_file():
            began = time.monotonic()
            score(run.path)
            print(f"{run.path.name}: {time.monotonic() - began:.0f} s")


def score(folder: Path) -> None:
    """Write `MEASURED` into the folder of a finished run."""
    finished = Finished.open(folder, setting="sweep")
    task = Task(make_data(read_yaml(folder / CONFIG)))
    if not task.store.holds(finished.metrics["data_hash"]):
        msg = f"{folder} was trained on other data than {task.store.path}"
        raise SystemExit(msg)
    predictor = load_predictor(finished.checkpoint)

    def part(places: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        return {"patterns": predictor.predict([task.formulas[i] for i in places]).patterns}

    predicted = in_parts(part, np.arange(len(task.targets)), label="Predicting", at_once=128)["patterns"]
    numbers = measure(predicted, task.true, task.xrd.two_theta_deg, dtw=DtwSettings(n_jobs=1))
    write_json(folder / MEASURED, {"sigma_deg": task.xrd.sigma_deg, "n_test": len(predicted), "means": numbers})


def measure_substitution(sweep: Path, out: Path) -> None:
    """Write `SUBSTITUTION`: every number of substitution at each width of the sweep."""
    runs = SweepFolder.open(sweep).runs
    cfg = read_yaml(next(run.path for run in runs if (run.path / CONFIG).is_file()) / CONFIG)
    rows = []
    for sigma_deg in sorted({run.settings["xrd.sigma_deg"] for run in runs}):
        task = Task(make_data({**cfg, "xrd": {**cfg["xrd"], "sigma_deg": sigma_deg}}))
        predicted, _ = task.predict(task.fit(Substitution()), label=f"substitution, σ = {sigma_deg}°")
        numbers = measure(predicted, task.true, task.xrd.two_theta_deg, dtw=DtwSettings(n_jobs=1))
        rows.append({"sigma_deg": sigma_deg, **numbers})
    write_text(out / SUBSTITUTION, pd.DataFrame(rows).round(6).to_csv(index=False))


def write_page(sweep: Path, out: Path) -> None:
    """Write ``readings.md``, ``readings.csv`` and the figure."""
    runs = [run for run in SweepFolder.open(sweep).runs if (run.path / MEASURED).is_file()]
    measured = [json.loads((run.path / MEASURED).read_text(encoding="utf-8")) for run in runs]
    beside = pd.read_csv(out / SUBSTITUTION) if (out / SUBSTITUTION).is_file() else None
    table = ReadingsTable.of([(each, run.metrics) for each, run in zip(measured, runs, strict=True)], beside=beside)
    write_text(out / "readings.csv", table.frame.round(6).to_csv(index=False))
    save_figure(figure(table), out / "figures/readings.png")
    write_text(out / "readings.md", page(table))
    print(f"results: {out / 'readings.md'}")


if __name__ == "__main__":
    main()
