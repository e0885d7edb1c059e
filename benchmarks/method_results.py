"""Gather evaluated runs of one network that differ by their seed, beside the paper and all baselines, into one page.

    python benchmarks/method_results.py --runs outputs/seed1 outputs/seed2 --baseline outputs/substitution \
        --baselines results/baselines-abc3.csv --out results/abc3

Each run is a folder of ``deepxrd.train`` with the ``evaluation/`` that ``deepxrd.evaluate run=…`` leaves in it; the
baseline is a folder of ``deepxrd.evaluate model=substitution``. Writes ``README.md`` and copies the figures of the
first run and the small files of all. ``make method`` does it all, training included.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deepxrd.analysis.evaluation_tables import DISTANCES
from deepxrd.analysis.tables import COLUMNS
from deepxrd.chem import chemical_systems
from deepxrd.io.files import write_text
from deepxrd.metrics.bootstrap import holm, mean_interval, paired_difference
from deepxrd.runs.finished import Finished

_KEPT = ("config.yaml", "overrides.yaml", "run.json", "curves/metrics.csv", "evaluation/metrics.json")
_NOTE = (
    "Data: Materials Project 2025.02.12, CC BY 4.0; Jain et al., APL Materials 1, 011002 (2013), "
    "doi 10.1063/1.4812323. Written by `benchmarks/method_results.py`; no number here was typed."
)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--baseline", type=Path, required=True, help="an evaluation of substitution")
    parser.add_argument("--baselines", type=Path, required=True, help="the scores.csv of all baselines")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    runs = [Finished.open(path / "evaluation", setting="runs") for path in arguments.runs]
    substitution = Finished.open(arguments.baseline, setting="baseline")
    sections = [
        _title(runs),
        _scores(runs, pd.read_csv(arguments.baselines, index_col="model")),
        _differences(runs, substitution),
        _table2(runs),
        _facts(arguments.runs),
        _NOTE,
    ]
    write_text(arguments.out / "README.md", "\n\n".join(sections) + "\n")
    for path, run in zip(arguments.runs, runs, strict=True):
        for name in _KEPT:
            target = arguments.out / f"seed{run.metrics['seed']}" / name.replace("/", "-")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path / name, target)
    shutil.copytree(runs[0].path / "figures", arguments.out / "figures", dirs_exist_ok=True)
    print(f"results: {arguments.out}")


def _title(runs: list[Finished]) -> str:
    first = runs[0].metrics
    return (
        f"# The paper's network on the real {first['data']} set\n\n"
        f"{first['model']} of {first['parameters'] / 1e6:.1f} M parameters, {first['loss']}; {len(runs)} seed(s); "
        f"{first['n_train']} training, {first['n_val']} validation and {first['n_test']} test compositions, data hash "
        f"`{first['data_hash']}`."
    )


def _over_seeds(runs: list[Finished], score: str) -> np.ndarray:
    """A score of each test sample, averaged over the seeds."""
    index = runs[0].per_sample.index
    return np.mean([run.per_sample.loc[index, score].to_numpy() for run in runs], axis=0)


def _scores(runs: list[Finished], baselines: pd.DataFrame) -> str:
    lines = ["## Scores", "", _row(["", *COLUMNS.values()]), _row(["---"] * (1 + len(COLUMNS)))]
    for run in runs:
        means = [f"{run.metrics['test'][score]:.3f}" for score in COLUMNS]
        lines.append(_row([f"seed {run.metrics['seed']}", *means]))
    systems = chemical_systems(runs[0].per_sample.index)
    intervals = [mean_interval(_over_seeds(runs, score), groups=systems) for score in COLUMNS]
    lines.append(_row(["**mean of the seeds**", *(f"**{interval.mean:.3f}**" for interval in intervals)]))
    lines.append(_row(["95 % interval", *(f"{interval.low:.3f}–{interval.high:.3f}" for interval in intervals)]))
    for name, scores in baselines.iterrows():
        lines.append(_row([str(name), *(f"{scores[score]:.3f}" for score in COLUMNS)]))
    note = (
        "Intervals are bootstrap intervals over chemical systems, of each sample's score averaged over the seeds; they "
        "do not hold the scatter of the seeds. Baselines see the same training part; an oracle was told part of the "
        "truth. The paper reports a peak position match percentage of 68.1 (ABC3) and 67.8 (Ternary) for this loss, "
        "without saying how it is counted; `R any 2°` is our nearest reading."
    )
    return "\n".join([*lines, "", note])


def _differences(runs: list[Finished], substitution: Finished) -> str:
    index = runs[0].per_sample.index
    lines = ["## Against substitution, sample by sample", ""]
    lines += [_row(["", "network − substitution", "95 % interval", "p (Holm)"]), _row(["---"] * 4)]
    groups, other = chemical_systems(index), substitution.per_sample.loc[index]
    found = [paired_difference(other[score].to_numpy(), _over_seeds(runs, score), groups=groups) for score in COLUMNS]
    corrected = holm([difference.p_value for difference in found])
    for heading, difference, p in zip(COLUMNS.values(), found, corrected, strict=True):
        interval = f"{difference.low:+.3f} to {difference.high:+.3f}"
        lines.append(_row([heading, f"{difference.mean:+.3f}", interval, f"{p:.4f}"]))
    return "\n".join(lines)


def _table2(runs: list[Finished]) -> str:
    tables = [pd.read_csv(run.path / "table2.csv").set_index(["row", "distance"]) for run in runs]
    seeds = [f"seed {run.metrics['seed']}" for run in runs]
    lines = ["## Table 2", "", _row(["row", "distance", *seeds, "mean", "paper"]), _row(["---"] * (4 + len(seeds)))]
    for key in tables[0].index:
        if key[1] in DISTANCES:
            means = [table.loc[key, "mean"] for table in tables]
            paper = tables[0].loc[key, "paper"]
            shown = "–" if np.isnan(paper) else f"{paper:g}"
            cells = [f"{mean:.3f}" for mean in (*means, np.mean(means))]
            lines.append(_row([key[0], DISTANCES[key[1]], *cells, shown]))
    return "\n".join(lines)


def _facts(folders: list[Path]) -> str:
    lines = ["## How", ""]
    for folder in folders:
        facts: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        machine = facts["machine"]
        lines.append(
            f"- `{facts['command']}`, commit {facts['git_commit'][:10]}, {metrics['precision']}, "
            f"{metrics['epochs']} epochs, best {metrics['best_epoch'] + 1}; torch {facts['versions']['torch']}, "
            f"{machine['processor']}, {machine['cores']} cores"
        )
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
