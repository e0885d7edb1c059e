"""What trainings that were stopped before their end show of the validation part: a table, a page and a figure.

    python benchmarks/validation_curves.py keep FOLDER [FOLDER …] --out results/tables/table3-ternary-validation.csv
    python benchmarks/validation_curves.py page --out results/tables/table3-ternary-validation.csv

``keep`` takes folders of runs, with or without scores of the test part. ``page`` compares the losses at the network
that each run would have kept had it been stopped after the epoch that all have reached.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from deepxrd.analysis.figures import save_figure
from deepxrd.io.bounded import read_yaml
from deepxrd.io.files import atomic_path, write_text
from deepxrd.runs.names import CONFIG
from deepxrd.training.loggers import CURVES

SCORES = ("peak_f1_2deg", "peak_recall_any", "pearson_distance")


def main() -> None:
    """Keep the curves, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("keep", "page"))
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.what == "keep":
        with atomic_path(options.out) as temporary:
            pd.concat(map(curve, options.runs)).round(6).to_csv(temporary, index=False)
    else:
        curves = pd.read_csv(options.out)
        write_text(options.out.with_suffix(".md"), page(curves, options.out.stem))
        save_figure(figure(curves), options.out.parent / "figures" / f"{options.out.stem}.png")
    print(f"results: {options.out}")


def curve(run: Path) -> pd.DataFrame:
    """Validation scores after each epoch of one run."""
    loss = str(read_yaml(run / CONFIG)["loss"]["_target_"]).rpartition(".")[2].removesuffix("Loss").lower()  # type: ignore[index]
    told = pd.read_csv(run / CURVES / "metrics.csv").dropna(subset="val/loss")
    scores = told[["epoch", "val/loss", *(f"val/{name}" for name in SCORES)]].rename(
        columns=lambda n: n[4:] if "/" in n else n
    )
    return scores.assign(loss_name=loss, seed=read_yaml(run / CONFIG)["seed"])[["loss_name", "seed", *scores]]  # type: ignore[index]


def page(curves: pd.DataFrame, name: str) -> str:
    """The page."""
    runs = curves.groupby(["loss_name", "seed"])
    last = int(runs["epoch"].max().min())
    kept = curves[curves["epoch"] <= last]
    best = kept.loc[kept.groupby(["loss_name", "seed"])["loss"].idxmin()].set_index(["loss_name", "seed"])
    about = (
        f"{runs.ngroups} trainings, of which each had reached epoch {last} (counted from 0) when the GPU that they "
        "shared had to be given back. Scores are of the network with the least validation loss until then, on the "
        "validation part, which is what chose it; the test part was not looked at. Mean over seeds ± their standard "
        "deviation."
    )
    lines = [
        "# Table 3 on all ternaries, on the validation part",
        "",
        about,
        "",
        "| loss | seeds | epoch of the best | F1 at 2° | recall | 1 − Pearson |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for loss, rows in best.groupby("loss_name"):
        told = " | ".join(f"{rows[s].mean():.3f} ± {rows[s].std():.3f}" for s in SCORES)
        lines.append(f"| {loss} | {len(rows)} | {', '.join(map(str, rows['epoch']))} | {told} |")
    lines += [
        "",
        "Differences in F1 at 2°, seed by seed (95 % interval by Student's t over seeds; no correction for six):",
        "",
    ]
    wide = best.reset_index().pivot_table("peak_f1_2deg", "seed", "loss_name")
    for first, second in itertools.combinations(sorted(wide, key=lambda loss: -wide[loss].mean()), 2):
        by_seed = (wide[first] - wide[second]).dropna().to_numpy()
        half = stats.t.ppf(0.975, len(by_seed) - 1) * stats.sem(by_seed)
        mean = by_seed.mean()
        lines.append(f"- {first} before {second}: {mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})")
    return "\n".join([*lines, "", f"![validation scores by epoch](figures/{name}.png)", ""])


def figure(curves: pd.DataFrame) -> Figure:
    """F1 and Pearson distance by epoch, a line for each run, a colour for each loss."""
    made = Figure(figsize=(9, 3.6), layout="constrained")
    axes = np.atleast_1d(made.subplots(1, 2))
    for axis, (column, label) in zip(
        axes, [("peak_f1_2deg", "F1 at 2° (validation)"), ("pearson_distance", "1 − Pearson (validation)")], strict=True
    ):
        for colour, (loss, of_loss) in zip(("C0", "C1", "C2", "C3"), curves.groupby("loss_name"), strict=False):
            for i, (_, run) in enumerate(of_loss.groupby("seed")):
                axis.plot(run["epoch"], run[column], color=colour, lw=1, label=loss if i == 0 else None)
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
    axes[0].legend(title="loss", fontsize=8)
    return made


if __name__ == "__main__":
    main()
