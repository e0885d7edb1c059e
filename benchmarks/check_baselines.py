"""Score every baseline on the test part of a pattern store, in the form of the reference table.

    python benchmarks/check_baselines.py --store data/stores/files-ABC3-… --out results/baselines-abc3.csv

The store is made by ``python -m deepxrd.prepare``; the split is the default one of training.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from deepxrd.chem import parse_formula
from deepxrd.data import PatternStore, Split, indices
from deepxrd.metrics import score_patterns
from deepxrd.models.baselines import (
    Baseline,
    Comb,
    MeanPattern,
    NearestPattern,
    OracleVolume,
    RandomPattern,
    Reference,
    Substitution,
    TemplateOracle,
    Truth,
)

_COLUMNS = {
    "recall_2deg": "peak_recall_2deg",
    "precision_2deg": "peak_precision_2deg",
    "f1_2deg": "peak_f1_2deg",
    "f1_1deg": "peak_f1_1deg",
    "f1_0.5deg": "peak_f1_0.5deg",
    "cosine": "cosine_distance",
    "pearson": "pearson_distance",
}


def baselines() -> dict[str, Baseline]:
    """All baselines, not yet fitted."""
    return {
        "mean": MeanPattern(),
        "comb every 2°": Comb(step_deg=2.0, start_deg=0.0),
        "comb every 4° from 20°": Comb(step_deg=4.0, start_deg=20.0),
        "random": RandomPattern(seed=0),
        "nearest": NearestPattern(),
        "substitution, no rescaling": Substitution(rescale=False),
        "substitution": Substitution(),
        "oracle_volume": OracleVolume(),
        "template_oracle (6)": TemplateOracle(k=6),
    }


def main() -> None:
    """Run the check and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="a .csv to write the table to")
    arguments = parser.parse_args()
    table = check(PatternStore.open(arguments.store), Split())
    print(table.to_string(float_format=lambda value: f"{value:.3f}"))
    if arguments.out is not None:
        table.round(5).to_csv(arguments.out)


def check(store: PatternStore, split: Split) -> pd.DataFrame:
    """Fit on the training part, score on the test part: one row per baseline, means over test samples."""
    rows = indices(store, split)
    formulas = [parse_formula(text) for text in store.samples["composition"]]
    crystals, patterns, xrd = store.crystals(), store.patterns, store.xrd
    train, test = rows["train"], rows["test"]
    reference = Reference([formulas[i] for i in train], [crystals[i] for i in train], patterns[train], xrd)
    truth = Truth([crystals[i] for i in test], np.array(patterns[test]))
    targets = [formulas[i] for i in test]
    print(f"{len(train)} training and {len(test)} test compositions of {store.path.name}\n")
    lines = {}
    for name, baseline in baselines().items():
        start = time.perf_counter()
        baseline.fit(reference)
        fitted = time.perf_counter()
        predicted = baseline.predict(targets, oracle=truth if baseline.needs_oracle else None)
        done = time.perf_counter()
        scores = score_patterns(predicted, truth.patterns, xrd.two_theta_deg)
        means = {column: float(np.mean(scores[key])) for column, key in _COLUMNS.items()}
        counts = {"fallbacks": int(baseline.fallbacks(targets).sum()), "fit_s": fitted - start}
        lines[name] = means | counts | {"predict_s": done - fitted}
    return pd.DataFrame(lines).T.rename_axis("baseline").astype({"fallbacks": int})


if __name__ == "__main__":
    main()
