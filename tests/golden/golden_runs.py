"""The commands whose numbers are held fixed, and what is read from the files that they leave.

Only commands are run, never functions, so that the same file serves an old checkout and a new one however the modules
are laid out. Columns may have been renamed in between: ``NAMES`` lists every name that one of them has had.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
MEASURED = HERE / "measured.xy"
NAMES: Mapping[str, tuple[str, ...]] = {
    "decoded": ("decoded", "intensity", "pattern", "likely"),
    "expected": ("expected",),
    "probability": ("probability", "probability_within_1deg"),
    "formula": ("understood", "formula"),
    "typed": ("typed", "formula"),
    "two_theta_deg": ("two_theta_deg",),
    "expected_f1": ("expected_f1",),
    "known": ("known",),
    "line": ("line",),
    "similarity": ("similarity",),
    "probability_of_match": ("formula_probability", "probability"),
    "a_angstrom": ("a_angstrom",),
}
"""Each column by what it holds, and the names to look for, the newest first."""

# Perovskites, spinels, layered and intermetallic compounds, typed as a user would; among them a binary, of which the
# shipped weights know nothing, a formula with brackets, and in the table one that is no formula.
FORMULAS = (HERE / "formulas.txt").read_text(encoding="utf-8").split()
ROWS = (HERE / "rows.txt").read_text(encoding="utf-8").split()
CANDIDATES = ("BaTiO3", "SrZrO3", "Sr2TiO4", "SrTiO3", "KNbO3", "CaTiO3", "Sr3Ti2O7", "NaCl")
OWN_FORMULAS = ("SrTiO3", "KMgF3", "CaCO3")
TRAINING = (
    "++source.max_structures=240",
    "trainer.max_epochs=2",
    "trainer.precision=32-true",
    "trainer.enable_progress_bar=false",
    "model.depth=10",
    "data.batch_size=32",
    "seed=7",
    "threads=1",
    "build.n_jobs=1",
    "paths.data_dir=data",
    "hydra.run.dir=run",
)
N_POINTS = 1024


def deepxrd(folder: Path, module: str, *arguments: str, source: Path | None = None, code: int = 0) -> None:
    """Run ``python -m deepxrd.MODULE`` in a folder and hold it to an exit code.

    Args:
        folder: where it runs.
        module: ``cli``, ``train``, ….
        arguments: as typed.
        source: the folder ``src`` of another checkout; None for the package that the tests use.
        code: the exit code that it must end with.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    done = subprocess.run(
        [sys.executable, "-m", f"deepxrd.{module}", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != code:
        msg = f"{module} {arguments[:3]} ended with {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
        raise RuntimeError(msg)


def processor() -> str:
    """The processor, what it can do, and the release of torch: with the same three, a training gives the same bits."""
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    first = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
    flags = hashlib.sha256(first.get("flags", "").encode()).hexdigest()[:8]
    return f"{first.get('model name', platform.machine())}, flags {flags}, torch {torch.__version__}"


def column(table: pd.DataFrame, what: str) -> pd.Series[Any]:
    """The column that holds something, under whichever of its names the table has."""
    for name in NAMES[what]:
        if name in table:
            return table[name]
    msg = f"no column for {what!r} ({', '.join(NAMES[what])}) among {', '.join(map(str, table))}"
    raise KeyError(msg)


def predict_formulas(folder: Path, source: Path | None = None) -> dict[str, Any]:
    """``deepxrd predict FORMULA …`` by the shipped weights: both patterns of each formula, and the table of peaks."""
    deepxrd(folder, "cli", "predict", *FORMULAS, "--out", "patterns", source=source)
    peaks = pd.read_csv(folder / "patterns/peaks.csv")
    names = list(dict.fromkeys(column(peaks, "formula").astype(str)))
    tables = [read_pattern(folder / "patterns", name) for name in names]
    return {
        "formulas": names,
        "decoded": _stack([column(table, "decoded") for table in tables]),
        "expected": _stack([column(table, "expected") for table in tables]),
        "peaks": [
            [float(x) for x in row]
            for row in zip(
                column(peaks, "formula").map(names.index),
                column(peaks, "two_theta_deg"),
                column(peaks, "probability").fillna(-1),
                strict=True,
            )
        ],
    }


def screen(folder: Path, source: Path | None = None) -> dict[str, Any]:
    """``deepxrd predict --file`` by the shipped weights: patterns of all rows, and which rows were skipped."""
    (folder / "rows.csv").write_text("id,formula\n" + "".join(f"{i},{row}\n" for i, row in enumerate(ROWS)))
    deepxrd(folder, "cli", "predict", "--file", "rows.csv", "--out", "screened", "--jobs", "1", source=source, code=2)
    table = pd.read_parquet(folder / "screened/patterns")
    skipped = pd.read_csv(folder / "screened/skipped.csv", keep_default_na=False)
    return {
        "lines": [int(line) for line in column(table, "line")],
        "formulas": [str(formula) for formula in column(table, "typed")],
        "expected_f1": [float(value) for value in column(table, "expected_f1")],
        "known": [bool(value) for value in column(table, "known")],
        "decoded": _stack(column(table, "decoded")),
        "expected": _stack(column(table, "expected")),
        "skipped": [
            [int(line), str(formula)]
            for line, formula in zip(column(skipped, "line"), column(skipped, "typed"), strict=True)
        ],
    }


def match(folder: Path, source: Path | None = None) -> dict[str, Any]:
    """``deepxrd match`` of the simulated measurement: the whole ranking."""
    (folder / MEASURED.name).write_bytes(MEASURED.read_bytes())
    deepxrd(folder, "cli", "match", MEASURED.name, *CANDIDATES, "--out", "matched", source=source)
    table = pd.read_csv(folder / "matched/ranking.csv")
    read = {what: column(table, what).astype(float) for what in ("similarity", "probability_of_match", "a_angstrom")}
    return {
        "formulas": [str(formula) for formula in column(table, "formula")],
        **{what: [float(value) for value in values] for what, values in read.items()},
    }


def train(folder: Path, source: Path | None = None) -> dict[str, Any]:
    """``deepxrd.train`` on 240 of the model structures for two epochs: curves, test scores, and a prediction."""
    deepxrd(folder, "train", *TRAINING, source=source)
    with (folder / "run/curves/metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    curves = {
        name: [float(row[name]) for row in rows if row.get(name)]
        for name in ("train/loss", "val/loss", "val/cosine_distance")
    }
    metrics = json.loads((folder / "run/metrics.json").read_text(encoding="utf-8"))
    samples = pd.read_parquet(folder / "run/per_sample.parquet").sort_values("composition")
    deepxrd(
        folder, "cli", "predict", *OWN_FORMULAS, "--checkpoint", "run/checkpoints/best.ckpt", "--out", "own",
        source=source,
    )  # fmt: skip
    tables = [read_pattern(folder / "own", name) for name in OWN_FORMULAS]
    return {
        "curves": curves,
        "parts": [metrics["n_train"], metrics["n_val"], metrics["n_test"]],
        "parameters": metrics["parameters"],
        "best_epoch": metrics["best_epoch"],
        "test": {name: float(value) for name, value in metrics["test"].items()},
        "compositions": [str(name) for name in samples["composition"]],
        "pearson_distance": [round(float(value), 5) for value in samples["pearson_distance"]],
        "own": _stack([column(table, "decoded") for table in tables]),
    }


RUNS = {"predicted": predict_formulas, "screened": screen, "matched": match, "trained": train}
"""What is run, by the name of the file that holds its numbers."""


def read_pattern(folder: Path, formula: str) -> pd.DataFrame:
    """The table of one formula's pattern; ``formulas.csv`` says in which file it is, where there is one."""
    index = folder / "formulas.csv"
    if not index.is_file():
        return pd.read_csv(folder / f"{formula}.csv")
    files = pd.read_csv(index).set_index("formula")["file"]
    return pd.read_csv(folder / files[formula])


def _stack(columns: Any) -> NDArray[np.float64]:
    """Patterns ``(n, 1024)``, 0 to 100."""
    return np.stack([np.asarray(values, dtype=np.float64) for values in columns])
