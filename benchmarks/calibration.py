"""Does the candidate model know how sure it is? Its confidences beside what came true on the test part.

    python benchmarks/calibration.py --store STORE --weights RUN/model --out results/model

The store and the weights are those that ``python -m deepxrd.train model=candidates`` leaves. Writes
``calibration.md`` and ``figures/reliability.png``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.analysis.figures import save_figure
from deepxrd.chem import parse_formula
from deepxrd.data import PatternStore, Split, indices
from deepxrd.io.files import write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.metrics import peak_scores
from deepxrd.models.candidates.saved import load
from deepxrd.xrd import find_peaks

_F1 = ("peak_f1_2deg", "peak_f1_1deg", "peak_f1_0.5deg")
_SUREST = 0.3
Bins = list[tuple[float, float, int]]


def main() -> None:
    """Predict the test part and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    store, model = PatternStore.open(arguments.store), load(arguments.weights)
    test = indices(store, Split())["test"]
    said = model.predict([parse_formula(text) for text in store.samples["composition"].iloc[test]])
    true = find_peaks(np.array(store.patterns[test]), store.xrd.two_theta_deg)
    scores = peak_scores(true, said.peaks)
    f1 = np.stack([scores[name] for name in _F1], axis=1)
    rows, columns = np.nonzero(said.peaks.valid & said.known[:, None])
    gap = np.abs(true.two_theta_deg[rows] - said.peaks.two_theta_deg[rows, columns][:, None]).min(axis=1)
    samples = _bins(said.expected_f1, f1.mean(axis=1), np.quantile(said.expected_f1, np.linspace(0, 1, 11)[1:-1]))
    peaks = _bins(said.peak_probability[rows, columns], gap <= 1.0, np.linspace(0, 1, 11)[1:-1])
    surest = said.expected_f1 >= np.quantile(said.expected_f1, 1 - _SUREST)
    facts = machine()
    correlation = np.corrcoef(said.expected_f1, f1.mean(axis=1))[0, 1]
    about = (
        f"{len(test)} compositions of `{arguments.store.name}`. Expected F1 and F1 are means over 2, 1 and 0.5°; their "
        f"correlation is {correlation:.3f}. Of {(~said.known).sum()} nothing is known: their expected F1 is 0, and "
        "they have no part in the second table."
    )
    sure = (
        f"The surest {_SUREST:.0%}, picked by expected F1 alone, have an F1 of {_three(f1[surest])} at 2, 1 and 0.5°; "
        f"all have {_three(f1)}."
    )
    how = (
        f"Commit {git_commit()}, {facts['processor']}. Data: Materials Project 2025.02.12, CC BY 4.0; Jain et al., "
        "APL Materials 1, 011002 (2013), doi 10.1063/1.4812323. Written by `benchmarks/calibration.py`."
    )
    text = [
        "# Confidence of the candidate model on the test part",
        about,
        _table("expected F1 | F1 | compositions (tenths)", samples),
        sure,
        _table("probability of a true peak within 1° | share that have one | peaks", peaks),
        how,
    ]
    write_text(arguments.out / "calibration.md", "\n\n".join(text) + "\n")
    save_figure(_figure(samples, peaks), arguments.out / "figures/reliability.png")
    print(f"results: {arguments.out / 'calibration.md'}")


def _bins(said: NDArray[np.float64], came: NDArray[np.generic], edges: NDArray[np.float64]) -> Bins:
    """Means of what was said and of what came true, and how many, in each bin that holds any."""
    place = np.digitize(said, edges)
    groups = [np.flatnonzero(place == i) for i in range(len(edges) + 1)]
    return [(float(said[g].mean()), float(came[g].mean()), len(g)) for g in groups if len(g)]


def _table(heading: str, bins: Bins) -> str:
    rows = [f"| {said:.3f} | {came:.3f} | {n} |" for said, came, n in bins]
    return "\n".join([f"| {heading} |", "|---|---|---|", *rows])


def _three(f1: NDArray[np.float64]) -> str:
    return " / ".join(f"{value:.3f}" for value in f1.mean(axis=0))


def _figure(samples: Bins, peaks: Bins) -> Figure:
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    names = ("expected F1", "mean F1 of a tenth"), ("probability of a peak", "share with a true peak within 1°")
    for axis, bins, (x, y) in zip(figure.subplots(1, 2), (samples, peaks), names, strict=True):
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axis.plot([said for said, *_ in bins], [came for _, came, _ in bins], "o-", color="tab:red", markersize=5)
        axis.set(xlim=(0, 1), ylim=(0, 1), xlabel=x, ylabel=y, aspect="equal")
    return figure


if __name__ == "__main__":
    main()
