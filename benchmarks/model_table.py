r"""All models and baselines × ABC3 and Ternary × three splits: scores, intervals, differences to substitution, times.

    python benchmarks/model_table.py --parquet TABLE --data-dir data --out results/model \
        --run abc3:composition:network:FOLDER --run ternary:time:candidates:FOLDER

Baselines are fitted to the training part of each. ``--run`` adds a finished run of ``python -m deepxrd.train``: a
network of the paper, or a candidate model. What was scored once is kept under ``DATA_DIR/model-table`` and not computed
again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from deepxrd.chem import OneHotEncoding
from deepxrd.data import BuildOptions, Selection, Split
from deepxrd.data.parts import DataParts
from deepxrd.evaluation.baselines import baseline_nodes, make_baseline
from deepxrd.evaluation.task import Task, in_parts
from deepxrd.io.files import atomic_path, write_json, write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.metrics import score_patterns
from deepxrd.metrics.bootstrap import SIGNIFICANT_AT, PairedDifference, holm, mean_interval, paired_difference
from deepxrd.models.baselines import Model
from deepxrd.prediction.predictor import load_predictor
from deepxrd.runs.finished import Finished
from deepxrd.sources.files import FilesSource
from deepxrd.xrd import XrdSettings

DATA = {"ternary": Selection(3, None, OneHotEncoding()), "abc3": Selection(3, "ABC3", OneHotEncoding())}
SPLITS = {
    "composition": "random by composition",
    "time": "by time: test from 2018 on",
    "chemical_system": "new systems",
}
BASELINES = ("mean", "comb", "random", "nearest", "substitution")
ORACLES = ("oracle_volume", "template_oracle")
SCORES = {
    "peak_f1_2deg": "F1 2°",
    "peak_f1_1deg": "F1 1°",
    "peak_f1_0.5deg": "F1 0.5°",
    "cosine_distance": "1−cosine",
    "pearson_distance": "1−Pearson",
}
_N_TIMED = 1000
NAMES = {
    "network": "the paper's network",
    "mean": "mean training pattern",
    "comb": "comb of peaks every 2°",
    "random": "pattern of a random composition",
    "nearest": "pattern of the nearest composition",
    "substitution": "substitution",
    "candidates": "candidate model, `decoded`",
    "candidates-expected": "candidate model, `expected`",
    "shipped": "candidate model as shipped, `decoded`",
    "shipped-expected": "candidate model as shipped, `expected`",
    "oracle_volume": "substitution, told the true volume (an oracle)",
    "template_oracle": "substitution, best of six templates (an oracle)",
}


def main() -> None:
    """Score what is not scored yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--run", action="append", default=[], help="DATA:SPLIT:NAME:FOLDER of a finished run")
    parser.add_argument("--splits", nargs="+", default=list(SPLITS), choices=list(SPLITS))
    parser.add_argument("--rates", action="store_true", help="only measure formulas per second, on a machine at rest")
    arguments = parser.parse_args()
    kept = arguments.data_dir / "model-table"
    if arguments.rates:
        _measure_rates(_task(arguments, "ternary", "composition"), arguments, kept)
        _write_table(kept, arguments.out)
        return
    for split in arguments.splits:
        tasks = {data: _task(arguments, data, split) for data in DATA}
        for data, task in tasks.items():
            for name in (*BASELINES, *ORACLES):
                _score_baseline(task, name, kept / f"{data}-{split}-{name}")
        for data, _, name, folder in (each.split(":", 3) for each in _of(arguments.run, split)):
            _score_run(tasks[data], Path(folder), kept / f"{data}-{split}-{name}")
    _write_table(kept, arguments.out)
    print(f"results: {arguments.out}")


def _of(runs: list[str], split: str) -> list[str]:
    return [each for each in runs if each.split(":")[1] == split]


def _task(arguments: argparse.Namespace, data: str, split: str) -> Task:
    data_parts = DataParts(
        source=FilesSource(path=str(arguments.parquet)),
        selection=DATA[data],
        encoding=OneHotEncoding(),
        xrd=XrdSettings(),
        split=Split(by=split),
        stores_dir=arguments.data_dir / "stores",
        build=BuildOptions(),
    )
    return Task(data_parts)


def _score_baseline(task: Task, name: str, target: Path) -> None:
    if not _is_scored(target):
        started = time.perf_counter()
        baseline = task.fit(make_baseline(baseline_nodes()[name]))
        _score(task, partial(_predict, task, baseline, name), target, fit_s=time.perf_counter() - started)


def _predict(task: Task, baseline: Model, label: str) -> NDArray[np.float32]:
    return task.predict(baseline, label=label)[0]


def _score_run(task: Task, run: Path, target: Path) -> None:
    if _is_scored(target):
        return
    finished = Finished.open(run, setting="--run")
    if sorted(finished.per_sample.index) != sorted(task.store.identity(task.targets)["composition"]):
        msg = f"{run} was tested on other compositions"
        raise RuntimeError(msg)
    predictor = load_predictor(finished.weights)

    def part(places: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        said = predictor.predict([task.formulas[i] for i in places])
        return {"": said.patterns, **{f"-{name}": each for name, each in said.further.items()}}

    found = in_parts(part, np.arange(len(task.targets)), label=target.name, at_once=128)
    facts = {"fit_s": finished.metrics["train_seconds"], "epochs": finished.metrics["epochs"]}
    for ending, patterns in found.items():
        _keep(task, patterns, target.with_name(target.name + ending), **facts)


def _measure_rates(task: Task, arguments: argparse.Namespace, kept: Path) -> None:
    """Formulas per second of each model on some of the ternary test part, nothing else running; into ``rates.json``."""
    formulas = task.formulas[:_N_TIMED]
    runs = [each.split(":", 3) for each in _of(arguments.run, "composition") if each.startswith("ternary")]
    calls: dict[str, Callable[[], Any]] = {
        name: partial(load_predictor(Finished.open(folder, setting="--run").weights).predict, formulas)
        for _, _, name, folder in runs
    }
    calls["shipped"] = partial(load_predictor().predict, formulas)
    for name in BASELINES:
        calls[name] = partial(task.fit(make_baseline(baseline_nodes()[name])).predict, formulas)
    rates = {}
    for name, call in calls.items():
        call()  # once unmeasured: what is made on first use is made
        started = time.perf_counter()
        call()
        rates[name] = len(formulas) / (time.perf_counter() - started)
    write_json(kept / "rates.json", rates)


def _is_scored(target: Path) -> bool:
    """Whether there are scores, with the chemical system of each sample: those of before had none."""
    table = target.with_suffix(".parquet")
    return target.with_suffix(".json").is_file() and "system" in pq.read_schema(table).names


def _score(task: Task, predict: Callable[[], NDArray[np.float32]], target: Path, **facts: Any) -> None:
    _keep(task, predict(), target, **facts)


def _keep(task: Task, patterns: NDArray[np.float32], target: Path, **facts: Any) -> None:
    grid = task.xrd.two_theta_deg

    def part(predicted: NDArray[np.float32], true: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        return score_patterns(predicted, true, grid)

    scores = pd.DataFrame(in_parts(part, patterns, task.true, label=f"Scoring {target.name}"))[list(SCORES)]
    scores["system"] = [formula.chemical_system for formula in task.formulas]
    with atomic_path(target.with_suffix(".parquet")) as temporary:
        scores.to_parquet(temporary, index=False)
    about = {"data_hash": task.store.content_hash, "n_train": len(task.rows["train"]), "n_test": len(patterns)}
    write_json(target.with_suffix(".json"), {**about, **facts})


def _write_table(kept: Path, out: Path) -> None:
    rows, text = [], [_HEAD.format(commit=git_commit(), rates=_rates(kept), **machine())]
    for split, told in SPLITS.items():
        for data in DATA:
            names = [name for name in NAMES if _is_scored(kept / f"{data}-{split}-{name}")]
            if names:
                made, lines = _section(kept, data, split, names)
                rows += made
                text.append(f"\n## {'All ternaries' if data == 'ternary' else 'ABC₃'}, {told}\n\n{lines}")
    with atomic_path(out / "scores.csv") as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.5g")
    write_text(out / "README.md", "\n".join(text))


def _rates(kept: Path) -> str:
    file = kept / "rates.json"
    if not file.is_file():
        return ""
    rates = json.loads(file.read_text(encoding="utf-8"))
    told = ", ".join(f"{NAMES[name]} {rate:,.0f}" for name, rate in rates.items())
    return f"Formulas per\nsecond on one thread, nothing else running, {_N_TIMED} of the ternary test part: {told}."


_HEAD = """# Every model and baseline, on three splits

Written by `benchmarks/model_table.py` (its help tells the command) on {processor}, {cores} core(s), commit {commit}.
Data: Materials Project 2025.02.12 (CC BY 4.0; Jain et al. 2013). All numbers with their intervals are in
[scores.csv](scores.csv).

In brackets: half the width of the 95 % interval (bootstrap over chemical systems). After it: the difference to
substitution, sample by sample, where it is significant at 5 % (p corrected for all of the table, Holm 1979). Oracles
are told part of the truth. The paper's network was stopped early on all ternaries, after the epochs that are given;
more would serve it. Minutes to fit are of one thread of a machine that had other work to do, read off the times of
files. {rates}"""


def _section(kept: Path, data: str, split: str, names: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Rows of the CSV, and a Markdown table, of one data set and split."""
    tables = {name: pd.read_parquet(kept / f"{data}-{split}-{name}.parquet") for name in names}
    facts = {name: json.loads((kept / f"{data}-{split}-{name}.json").read_text(encoding="utf-8")) for name in names}
    first = facts[names[0]]
    lines = [
        f"Data hash {first['data_hash']}; {first['n_train']} to learn from, {first['n_test']} to test on.\n",
        "| | " + " | ".join(SCORES.values()) + " | min to fit |",
        "|---|" + "---|" * (len(SCORES) + 1),
    ]
    rows, differences = [], _differences(tables)
    for name in names:
        cells, row = [], {"data": data, "split": split, "model": name, **facts[name]}
        for score in SCORES:
            values, (paired, p) = tables[name][score].to_numpy(np.float64), differences[name, score]
            mean = mean_interval(values, groups=tables[name]["system"].tolist())
            row |= {score: mean.mean, f"{score} low": mean.low, f"{score} high": mean.high}
            row |= {f"{score} − substitution{end}": getattr(paired, each) for each, end in _ENDS.items()}
            cell = f"{mean.mean:.3f} ({(mean.high - mean.low) / 2:.3f})"
            cells.append(cell + (f" {paired.mean:+.3f}" if p <= SIGNIFICANT_AT and name != "substitution" else ""))
        rows.append(row)
        trained = name.startswith(("network", "candidates")) and facts[name].get("fit_s")
        cells.append(f"{facts[name]['fit_s'] / 60:.0f}" if trained else "")
        units = {"epochs": "epochs"}
        more = [f"{facts[name][key]} {unit}" for key, unit in units.items() if key in facts[name]]
        told = f" ({', '.join(more)})" if more else ""
        lines.append(f"| {NAMES[name]}{told} | " + " | ".join(cells) + " |")
    return rows, "\n".join(lines)


def _differences(tables: dict[str, pd.DataFrame]) -> dict[tuple[str, str], tuple[PairedDifference, float]]:
    """Difference to substitution of each model and score, and its p value corrected for the number of them."""
    found = {}
    for name, table in tables.items():
        for score in SCORES:
            base, values = (each[score].to_numpy(np.float64) for each in (tables["substitution"], table))
            found[name, score] = paired_difference(base, values, groups=table["system"].tolist())
    others = [key for key in found if key[0] != "substitution"]
    corrected = dict(zip(others, holm([found[key].p_value for key in others]), strict=True))
    return {key: (difference, corrected.get(key, 1.0)) for key, difference in found.items()}


_ENDS = {"mean": "", "low": " low", "high": " high"}


if __name__ == "__main__":
    main()
