"""What an evaluation leaves in its folder: tables, scores per sample, predictions, figures."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.analysis import evaluation_figures, evaluation_tables
from deepxrd.analysis.case_studies import case_study
from deepxrd.analysis.figures import save_figure
from deepxrd.analysis.references import is_papers
from deepxrd.data import statement
from deepxrd.evaluation.scores import Summary
from deepxrd.evaluation.task import Task, in_parts
from deepxrd.io.files import atomic_path, write_text
from deepxrd.io.progress import progress_bar
from deepxrd.metrics import CURVE_TOLERANCES_DEG, DtwSettings, table2
from deepxrd.metrics.bootstrap import mean_intervals
from deepxrd.runs.names import PER_SAMPLE

PREDICTIONS, SCORES, CURVES = "predictions.npy", "scores.csv", "tolerance_curves.csv"
_PART_NAMES = {"train": "training", "val": "validation"}


def write_predictions(predicted: NDArray[np.float32], per_sample: pd.DataFrame, out: Path) -> None:
    """Write the patterns of the test part, in the order of the table, and the scores of each."""
    with atomic_path(out / PREDICTIONS) as temporary:
        np.save(temporary, predicted.astype(np.float32))  # half precision would move peaks across the threshold
    with atomic_path(out / PER_SAMPLE) as temporary:
        per_sample.to_parquet(temporary, index=False)


def write_table2(
    task: Task, predicted: NDArray[np.float32], out: Path, *, label: str, data: str, dtw: DtwSettings | None,
    n_resamples: int,
) -> pd.DataFrame:  # fmt: skip
    """Write Table 2 and Figure 6: ``table2.csv``, ``table2.md`` and ``figures/distances.png``.

    Args:
        task: what was to be predicted.
        predicted: ``(n_test, n_points)``.
        out: the folder.
        label: name of the model.
        data: name of the data set.
        dtw: settings of DTW; None leaves it out.
        n_resamples: for the intervals.

    Returns:
        What ``table2.csv`` holds.
    """

    def distances(predicted: NDArray[np.float32], true: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        table = table2(predicted, true, task.xrd.two_theta_deg, dtw=dtw)
        return {f"{row}/{name}": values for row, cells in table.items() for name, values in cells.items()}

    flat = in_parts(distances, predicted, task.true, label="Distances of Table 2")
    table: dict[str, dict[str, NDArray[np.floating]]] = {}
    for key, values in flat.items():
        row, _, name = key.partition("/")
        table.setdefault(row, {})[name] = values
    groups = [formula.chemical_system for formula in task.formulas]
    intervals = {row: mean_intervals(cells, groups=groups, n_resamples=n_resamples) for row, cells in table.items()}
    frame = evaluation_tables.table2_frame(intervals, paper=is_papers(statement(task.store, task.split), "abc3"))
    title = f"{label} on {len(predicted)} test samples of {data}"
    save_figure(evaluation_figures.distance_histograms(table, title=f"{label}, {data}"), out / "figures/distances.png")
    write_text(out / "table2.csv", frame.to_csv(index=False))
    write_text(out / "table2.md", evaluation_tables.table2_markdown(frame, title=f"Table 2: {title}"))
    return frame


def write_scores(models: dict[str, Summary], out: Path) -> None:
    """Write headline scores and curves over the tolerance of the model, the first, and its baselines."""
    frame = evaluation_tables.score_frame({name: asdict(summary) for name, summary in models.items()})
    write_text(out / SCORES, frame.round(6).to_csv())
    curves = {name: np.array(summary.curves["f1"]) for name, summary in models.items()}
    table = pd.DataFrame({"tolerance_deg": CURVE_TOLERANCES_DEG, **curves})
    write_text(out / CURVES, table.round(6).to_csv(index=False))
    figure = evaluation_figures.tolerance_curves(curves, CURVE_TOLERANCES_DEG, score="F1", highlight=next(iter(models)))
    save_figure(figure, out / "figures/tolerance_curves.png")


def write_cases(task: Task, predicted: NDArray[np.float32], cases: dict[str, int], out: Path) -> None:
    """Write a figure of each case, named by its label.

    Args:
        task: what was to be predicted.
        predicted: its targets' patterns, ``(n, n_points)``.
        cases: row of each case among the targets, by label.
        out: the folder.
    """
    samples = task.store.identity(task.targets)
    with progress_bar() as bar:
        for label, row in bar.track(cases.items(), total=len(cases), description="Case studies"):
            sample = samples.iloc[row]
            name = sample["composition"] if label == sample["composition"] else f"{label}: {sample['composition']}"
            learned = "" if task.parts[row] == "test" else f", of the {_PART_NAMES[task.parts[row]]} part"
            title = f"{name} ({sample['material_id']}){learned}"
            figure = case_study(task.crystals[row], predicted[row], task.true[row], task.xrd, title=title)
            save_figure(figure, out / "figures/cases" / f"{re.sub(r'[^A-Za-z0-9().+-]+', '_', label)}.png")
