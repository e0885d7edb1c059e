"""Keep the small files of a sweep's finished runs, so that the sweep elsewhere takes these runs as done.

    python benchmarks/keep_runs.py --sweep outputs/sweeps/table4 --out results/tables/runs/table4
    mkdir -p outputs/sweeps && cp -r results/tables/runs/table4 outputs/sweeps/    # elsewhere, before the sweep

Of each finished run it keeps settings (paths made relative), facts, scores, the fingerprint by which a sweep knows it,
the validation curve, and of each test sample those scores that tables are made of; some 30 KB on ABC₃.
``--drop-checkpoints`` removes the checkpoints of the runs that it has kept, 70 MB each.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd

from deepxrd.io.files import atomic_path, write_json, write_text
from deepxrd.runs.names import CHECKPOINTS, CONFIG, METRICS, OVERRIDES, PER_SAMPLE, RUN_FACTS, SWEEP, SWEEP_RUN
from deepxrd.runs.sweep_folder import DONE, SweepFolder
from deepxrd.training.loggers import CURVES
from readings import MEASURED
from relative_paths import HERE, relative

SCORES = ["peak_recall_any", "peak_f1_2deg", "pearson_distance"]
"""What tables are made of."""
_TEXTS = (CONFIG, OVERRIDES, METRICS, SWEEP_RUN, MEASURED)
_CURVE = ["epoch", "step", "val/loss", "val/pearson_distance", "val/peak_recall_any", "val/peak_f1_2deg"]


def main() -> None:
    """Keep them and say how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drop-checkpoints", action="store_true")
    options = parser.parse_args()
    sweep = SweepFolder.open(options.sweep)
    done = [run for run in sweep.runs if run.state == DONE]
    options.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sweep.path / SWEEP, options.out / SWEEP)
    for run in done:
        keep(run.path, options.out / run.path.name)
        if options.drop_checkpoints:
            shutil.rmtree(run.path / CHECKPOINTS, ignore_errors=True)
    print(f"{options.out}: {len(done)} of {len(sweep.runs)} sweep runs kept")


def keep(run: Path, out: Path) -> None:
    """Copy the small files of one finished run."""
    out.mkdir(parents=True, exist_ok=True)
    for name in _TEXTS:
        if (run / name).is_file():
            write_text(out / name, relative((run / name).read_text(encoding="utf-8"), HERE))
    facts = json.loads((run / RUN_FACTS).read_text(encoding="utf-8"))
    facts.pop("packages", None)  # a list of hundreds
    write_json(out / RUN_FACTS, facts)
    scores = pd.read_parquet(run / PER_SAMPLE)[["composition", *SCORES]]
    with atomic_path(out / PER_SAMPLE) as temporary:
        scores.astype(dict.fromkeys(SCORES, "float32")).to_parquet(temporary, index=False, compression="zstd")
    if (run / CURVES / "metrics.csv").is_file():
        curve = pd.read_csv(run / CURVES / "metrics.csv").reindex(columns=_CURVE).dropna(subset="val/loss")
        (out / CURVES).mkdir(exist_ok=True)
        with atomic_path(out / CURVES / "metrics.csv") as temporary:
            curve.round(6).to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
