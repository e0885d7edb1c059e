"""Table 3 on the validation part: which loss is the best hangs on when a training is stopped.

    python benchmarks/validation_curves.py --runs results/tables/runs --out results/tables/table3-validation.md

It compares the losses at two networks of each kept run of Table 3: that with the least validation loss, which a run
keeps, and the one with the highest F1.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from deepxrd.analysis.figures import save_figure
from deepxrd.io.bounded import read_yaml
from deepxrd.io.files import write_text
from deepxrd.runs.names import CONFIG, METRICS
from deepxrd.training.loggers import CURVES

SCORES = ("peak_f1_2deg", "peak_recall_any", "pearson_distance")
RUN = ["data", "loss_name", "seed"]
F1 = "peak_f1_2deg"
STOPPED = "by-peaks"
"""Sweeps of one loss each, three seeds, that end after the epoch at which F1 was highest on the validation part."""


def main() -> None:
    """Write the page and its figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="kept runs, by sweep")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    curves = pd.concat(curve(path.parent) for path in sorted((options.runs / "table3").glob(f"*/{METRICS}")))
    curves = curves.sort_values([*RUN, "epoch"], ignore_index=True)
    stopped = sorted(options.runs.glob(f"{STOPPED}-*/*/{METRICS}"))
    write_text(options.out, page(curves, options.out.stem) + test_section(stopped))
    save_figure(figure(curves), options.out.parent / "figures" / f"{options.out.stem}.png")
    print(f"results: {options.out}")


def curve(run: Path) -> pd.DataFrame:
    """Validation scores after each epoch of one run."""
    settings: Any = read_yaml(run / CONFIG)
    loss = settings["loss"]["_target_"].rpartition(".")[2].removesuffix("Loss").lower()
    told = pd.read_csv(run / CURVES / "metrics.csv").dropna(subset="val/loss")
    scores = told[["val/loss", *(f"val/{name}" for name in SCORES)]].rename(columns=lambda name: name[4:])
    facts = {"data": settings["data"]["name"], "loss_name": loss, "seed": settings["seed"], "epoch": told["epoch"]}
    return pd.concat([pd.DataFrame(facts, index=told.index), scores], axis=1)


def page(curves: pd.DataFrame, name: str) -> str:
    """The page, without what was scored on the test part."""
    about = (
        "F1 of peaks at 2° on the validation part, for two networks of each training: the one with the least "
        "validation loss, which a run keeps and whose scores on the test part are in Table 3; and the one with the "
        "highest F1 here, which would be kept by a choice by peaks. Mean over three seeds ± their standard deviation, "
        "and the epochs (counted from 0). A network chosen by a score is flattered by it."
    )
    lines = ["# Table 3 on the validation part: when is a training stopped?", "", about]
    for data, of_data in curves.groupby("data"):
        lines += ["", f"## {data}", ""]
        lines += ["| loss | F1, least loss | epochs | F1, highest | epochs | recall there | 1 − Pearson, least |"]
        lines += ["|---|---|---|---|---|---|---|"]
        runs = of_data.groupby(RUN)
        by_loss, by_f1 = (of_data.loc[index] for index in (runs["loss"].idxmin(), runs[F1].idxmax()))
        for loss in sorted(set(by_f1["loss_name"]), key=lambda x: -by_f1[by_f1["loss_name"] == x][F1].mean()):
            kept, best = (rows[rows["loss_name"] == loss] for rows in (by_loss, by_f1))
            cells = [spread(kept[F1]), epochs(kept), spread(best[F1]), epochs(best), spread(best["peak_recall_any"])]
            lines += [f"| {loss} | {' | '.join(cells)} | {spread(kept['pearson_distance'])} |"]
        lines += [
            "",
            f"Pearson against the others, chosen by the least loss: {steps(by_loss)}; chosen by F1: {steps(by_f1)}.",
        ]
    return "\n".join([*lines, "", f"![F1 by epoch](figures/{name}.png)", ""])


def test_section(stopped: Sequence[Path]) -> str:
    """Scores on the test part of ABC3, of trainings that end where F1 was highest on the validation part."""
    if not stopped:
        return ""
    read = [json.loads(path.read_text(encoding="utf-8")) for path in stopped]
    rows = pd.DataFrame(
        {"loss_name": each["loss"].removesuffix("Loss").lower(), "seed": each["seed"], "epochs": each["epochs"],
         **{name: each["test"][name] for name in SCORES}} for each in read
    )  # fmt: skip
    about = (
        "How long each loss is trained was chosen above: as many epochs as the median seed has up to its highest F1. "
        "Then trained anew for so long, and scored on the test part."
    )
    lines = [
        "",
        "## The test part of ABC₃, stopped by peaks",
        "",
        about,
        "",
        "| loss | epochs | seeds | F1 | recall | 1 − Pearson |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for loss, of_loss in sorted(rows.groupby("loss_name"), key=lambda pair: -pair[1][F1].mean()):
        cells = [str(of_loss["epochs"].iloc[0]), str(len(of_loss)), *(spread(of_loss[name]) for name in SCORES)]
        lines.append(f"| {loss} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Pearson against the others: {steps(rows)}.", ""])


def spread(values: pd.Series[float]) -> str:
    """Mean and standard deviation."""
    return f"{values.mean():.3f} ± {values.std():.3f}"


def epochs(rows: pd.DataFrame) -> str:
    """In order."""
    return ", ".join(map(str, sorted(rows["epoch"])))


def steps(rows: pd.DataFrame) -> str:
    """Mean difference seed by seed, with p by Student's t, corrected for the three steps (Holm 1979)."""
    wide = rows.pivot_table(F1, "seed", "loss_name")
    others = [loss for loss in wide if loss != "pearson"]
    p_of = {loss: float(stats.ttest_rel(wide["pearson"], wide[loss]).pvalue) for loss in others}
    told, corrected = {}, 0.0
    for i, loss in enumerate(sorted(others, key=lambda loss: p_of[loss])):
        corrected = max(corrected, min(1.0, p_of[loss] * (len(others) - i)))
        told[loss] = f"{loss} {(wide['pearson'] - wide[loss]).mean():+.3f} (p {corrected:.3f})"
    return ", ".join(told[loss] for loss in others)


def figure(curves: pd.DataFrame) -> Figure:
    """F1 by epoch, a line for each run, a colour for each loss, a panel for each data set."""
    made = Figure(figsize=(9, 3.6), layout="constrained")
    sets = list(curves.groupby("data"))
    for axis, (data, of_data) in zip(made.subplots(1, len(sets), sharey=True, squeeze=False)[0], sets, strict=True):
        for colour, (loss, of_loss) in zip(("C0", "C1", "C2", "C3"), of_data.groupby("loss_name"), strict=False):
            for i, (_, run) in enumerate(of_loss.groupby("seed")):
                axis.plot(run["epoch"], run[F1], color=colour, lw=1, label=loss if i == 0 else None)
                kept = run.loc[run["loss"].idxmin()]
                axis.plot(kept["epoch"], kept[F1], "o", color=colour, ms=4)
        axis.set_xlabel("epoch")
        axis.set_title(f"{data} (dots: least validation loss)", fontsize=10)
    made.axes[0].set_ylabel("F1 at 2° (validation)")
    made.legend(*made.axes[0].get_legend_handles_labels(), title="loss", fontsize=8, loc="outside right")
    return made


if __name__ == "__main__":
    main()
