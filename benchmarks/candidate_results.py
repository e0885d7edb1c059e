r"""The candidate model on the test part: scores by number of elements, structures found, and how sure it is.

    python benchmarks/candidate_results.py --store STORE --weights RUN/model --out results/model \
        [--split composition|time|chemical_system] [--structures all] [--before FOLDER]

STORE is what ``python -m deepxrd.prepare data=any`` leaves, and RUN what ``python -m deepxrd.train data=any
model=candidates`` does on the same split. FOLDER holds what the model shipped before said of the test formulas
(``deepxrd predict --file TABLE --unseen`` of that version). Each composition's scores are kept under ``OUT/work`` and
not computed again. Writes ``SPLIT.md``, ``SPLIT.csv`` (means with intervals) and ``figures/reliability-SPLIT.png``;
with ``--structures all``, as the model ships, ``SPLIT-all-structures.md`` and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.analysis.figures import save_figure
from deepxrd.chem import Formula
from deepxrd.data import PatternStore
from deepxrd.evaluation.baselines import baseline_nodes, make_baseline
from deepxrd.io.files import atomic_path, file_hash, write_text
from deepxrd.io.progress import progress_bar
from deepxrd.io.provenance import git_commit, machine
from deepxrd.metrics import score_patterns
from deepxrd.metrics.bootstrap import mean_intervals
from deepxrd.metrics.calibration import calibration_error, reliability_bins
from deepxrd.metrics.peaks import mean_f1
from deepxrd.models.baselines import Reference
from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.agreement import agreement
from deepxrd.models.candidates.answers import weighed
from deepxrd.models.candidates.calibrate import known_structures
from deepxrd.models.candidates.saved import FACTS, load
from deepxrd.xrd import find_peaks
from split_arguments import made_from, open_split, result_name, split_parser

SCORES = {"peak_f1_2deg": "F1 2°", "peak_f1_1deg": "1°", "peak_f1_0.5deg": "0.5°", "pearson_distance": "1−Pearson"}
STRUCTURES = ("structure", "space_group", "cell")
OUTPUTS = {"best": "best candidate", "decoded": "decoded peaks", "expected": "expected pattern"}
_STRUCTURES_TEXT = (
    "How often the true prototype (with the same elements on its sites and a cell of about its shape), the true space "
    "group, and besides the prototype a cell within 2 % (and 2°), belong to the first candidate, or to one of the "
    "first five. The truth is the most stable structure that is known."
)
_AT_ONCE, _FIRST = 256, 5


def main() -> None:
    """Predict the test part, score it, write tables and a figure."""
    parser = split_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--before", type=Path)
    arguments = parser.parse_args()
    store, rows = open_split(arguments)
    weights = file_hash(arguments.weights / FACTS)
    work = arguments.out / "work" / arguments.split

    def candidates() -> pd.DataFrame:
        return _candidates(store, rows["test"], load(arguments.weights, structures=arguments.structures))

    name = result_name(arguments)
    samples = _kept(work / f"candidates-{weights[:12]}-{arguments.structures}.parquet", candidates)
    substitution = _kept(work / f"substitution-{store.content_hash}.parquet", lambda: _substitution(store, rows))
    columns = [samples, substitution]
    if arguments.before:
        columns.append(_before(arguments.before, store, rows["test"]))
    everything = pd.concat(columns, axis=1)
    about = (
        f"Written by `benchmarks/candidate_results.py` on {machine()['processor']}, commit {git_commit()}. Data: "
        f"Materials Project 2025.02.12 (CC BY 4.0; Jain et al. 2013), data hash {store.content_hash}; split by "
        f"{arguments.split}, {len(rows['train']):,} compositions to learn from, {len(rows['test']):,} to test on. "
        f"Weights `{weights}`. {made_from(arguments)}"
    )
    _write(everything, arguments.out, name, about)
    print(f"results: {arguments.out / name}.md")


def _kept(file: Path, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    if not file.is_file():
        with atomic_path(file) as temporary:
            make().to_parquet(temporary)
    return pd.read_parquet(file)


def _scores(predicted: NDArray[np.float32], true: NDArray[np.float32], store: PatternStore, name: str) -> pd.DataFrame:
    scores = score_patterns(predicted, true, store.xrd.two_theta_deg)
    return pd.DataFrame({f"{name} {score}": scores[score] for score in SCORES})


def _candidates(store: PatternStore, test: NDArray[np.int64], model: CandidateModel) -> pd.DataFrame:
    """A row per composition: scores of the outputs, which candidates agree with the truth, what was promised."""
    formulas = store.formulas
    known = known_structures(model.maker, [formulas[row] for row in test.tolist()])
    parts = []
    with progress_bar() as bar:
        for start in bar.track(range(0, len(test), _AT_ONCE), description="Predicting by candidates"):
            rows = test[start : start + _AT_ONCE]
            parts.append(_part(store, rows, [formulas[row] for row in rows.tolist()], model, known))
    return pd.concat(parts, ignore_index=True)


def _part(
    store: PatternStore, rows: NDArray[np.int64], formulas: Sequence[Formula], model: CandidateModel, known: Any
) -> pd.DataFrame:
    said, true = model.predict(formulas), np.array(store.patterns[rows])
    (found,) = said.candidates
    order, (_, probability) = found.order, weighed(found)
    ranked = np.take_along_axis(probability, order, axis=1)
    peaks = find_peaks(true, store.xrd.two_theta_deg)
    if said.peaks is None or said.peak_probability is None:
        raise TypeError
    valid = said.peaks.valid
    angles = said.peaks.two_theta_deg.T
    with np.errstate(invalid="ignore"):  # padding minus padding
        near = np.stack(
            [np.nanmin(np.abs(peaks.two_theta_deg - each[:, None]), axis=1) <= 1.0 for each in angles], axis=1
        )
    agrees = agreement(model.maker.templates, known, found)
    out: dict[str, Any] = {
        "formula": [formula.reduced for formula in formulas],
        "system": [formula.chemical_system for formula in formulas],
        "elements": [len(formula.counts) for formula in formulas],
        "answered": found.mask.any(axis=1),
        "shared": found.shared[:, 0],
        "known": said.columns["known"],
        "expected_f1": said.columns["expected_f1"],
        "f1": mean_f1(peaks, said.peaks),
        "truth": agrees.known,
        "probability": list(ranked[:, :_FIRST].astype(np.float32)),
        "right": list(np.take_along_axis(agrees.structure, order, axis=1)[:, :_FIRST]),
        "peak_probability": [row[ok].astype(np.float32) for row, ok in zip(said.peak_probability, valid, strict=True)],
        "peak_there": [row[ok] for row, ok in zip(near, valid, strict=True)],
    }
    for name in STRUCTURES:
        hit = np.take_along_axis(getattr(agrees, name), order, axis=1)
        out[f"{name} first"], out[f"{name} among five"] = hit[:, 0], hit[:, :_FIRST].any(axis=1)
    patterns = {"decoded": said.patterns, **said.further}
    return pd.concat([pd.DataFrame(out), *(_scores(patterns[name], true, store, name) for name in OUTPUTS)], axis=1)


def _substitution(store: PatternStore, rows: dict[str, NDArray[np.int64]]) -> pd.DataFrame:
    formulas, crystals, parts = store.formulas, store.crystals(), []
    train, test = rows["train"].tolist(), rows["test"]
    reference = Reference(
        [formulas[row] for row in train],
        [crystals[row] for row in train],
        np.array(store.patterns[rows["train"]]),
        store.xrd,
    )
    model = make_baseline(baseline_nodes()["substitution"]).fit(reference)
    with progress_bar() as bar:
        for start in bar.track(range(0, len(test), _AT_ONCE), description="Predicting by substitution"):
            part = test[start : start + _AT_ONCE]
            some = [formulas[row] for row in part.tolist()]
            scores = _scores(model.predict(some), np.array(store.patterns[part]), store, "substitution")
            parts.append(scores.assign(**{"substitution answered": ~model.fallbacks(some)}))
    return pd.concat(parts, ignore_index=True)


def _before(folder: Path, store: PatternStore, test: NDArray[np.int64]) -> pd.DataFrame:
    """Scores of what another version's screening said, not a number where it gave no answer."""
    table = pq.read_table(sorted((folder / "patterns").glob("part-*.parquet")), columns=["formula", "known", "decoded"])
    place = {formula: row for row, formula in enumerate(table["formula"].to_pylist())}
    known = np.array(table["known"])
    patterns = np.stack([np.asarray(each, dtype=np.float32) for each in table["decoded"].to_numpy()])
    patterns *= 100 / np.maximum(patterns.max(axis=1, keepdims=True), 1.0)  # rounded to half precision
    found = np.array([place.get(str(store.formulas[row]), -1) for row in test.tolist()])
    there = np.flatnonzero((found >= 0) & known[found])
    scores = _scores(patterns[found[there]], np.array(store.patterns[test[there]]), store, "before")
    return scores.set_index(there).reindex(range(len(test)))


def _write(samples: pd.DataFrame, out: Path, name: str, about: str) -> None:
    models = {"substitution": "substitution", "before": "shipped before, where it answers"}
    models |= {name: f"candidates, {words}" for name, words in OUTPUTS.items()}
    models = {name: words for name, words in models.items() if f"{name} pearson_distance" in samples}
    groups = {**{str(n): samples[samples["elements"] == n] for n in range(1, 7)}, "all": samples}
    groups = {size: group for size, group in groups.items() if len(group)}
    rows = [row for size, group in groups.items() for row in _rows(group, size, models)]
    table = pd.DataFrame(rows)
    with atomic_path(out / f"{name}.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.5f")
    text = [
        f"# The candidate model on the test part, split by {name.replace('-all-', ', all ')}",
        about,
        "F1 of peaks and 1 − Pearson; in brackets half the width of the 95 % interval (bootstrap by chemical system).",
        *(_score_table(table, size, models) for size in groups),
        "## Structures",
        _STRUCTURES_TEXT,
        _structure_table(groups),
        "## How sure",
        _reliability_text(samples),
        f"![reliability](figures/reliability-{name}.png)",
    ]
    write_text(out / f"{name}.md", "\n\n".join(text) + "\n")
    save_figure(_figure(samples), out / f"figures/reliability-{name}.png")


def _rows(group: pd.DataFrame, size: str, models: dict[str, str]) -> list[dict[str, Any]]:
    out = []
    for name, words in models.items():
        there = group[group[f"{name} pearson_distance"].notna()]
        if there.empty:
            continue
        answered = {"substitution": there.get("substitution answered"), "before": there["known"] | True}
        share = answered.get(name, there["answered"])
        intervals = mean_intervals(
            {score: there[f"{name} {score}"].to_numpy() for score in SCORES}, groups=there["system"].tolist()
        )
        row: dict[str, Any] = {"elements": size, "model": words, "n": len(there)}
        row["answered"] = float(share.sum()) / len(group)
        for score, each in intervals.items():
            row |= {score: each.mean, f"{score} low": each.low, f"{score} high": each.high}
        out.append(row)
    return out


def _score_table(table: pd.DataFrame, size: str, models: dict[str, str]) -> str:
    part = table[table["elements"] == size]
    heading = "all numbers of elements" if size == "all" else f"{size} element(s)"
    lines = [
        f"## {heading[0].upper()}{heading[1:]}",
        "",
        f"| | n | answered | {' | '.join(SCORES.values())} |",
        "|---|" + "---|" * (2 + len(SCORES)),
    ]
    for row in part.to_dict("records"):
        cells = [f"{row[s]:.3f} ({(row[f'{s} high'] - row[f'{s} low']) / 2:.3f})" for s in SCORES]
        lines.append(f"| {row['model']} | {row['n']:,} | {row['answered']:.1%} | {' | '.join(cells)} |")
    return "\n".join(lines) if len(part) and models else ""


def _structure_table(groups: dict[str, pd.DataFrame]) -> str:
    names = [f"{name} {rank}" for name in STRUCTURES for rank in ("first", "among five")]
    words = [name.replace("structure", "prototype").replace("_", " ") for name in names]
    lines = [f"| elements | n | {' | '.join(words)} |", "|---|" + "---|" * (1 + len(names))]
    for size, group in groups.items():
        there = group[group["truth"]]
        if len(there):
            lines.append(f"| {size} | {len(there):,} | " + " | ".join(f"{there[n].mean():.3f}" for n in names) + " |")
    return "\n".join(lines)


def _flat(samples: pd.DataFrame, column: str) -> NDArray[Any]:
    return np.concatenate([np.asarray(each) for each in samples[column]])


def _pairs(samples: pd.DataFrame) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    own = samples[~samples["shared"] & samples["truth"]]
    return {
        "a candidate is the true structure": (_flat(own, "probability"), _flat(own, "right")),
        "expected F1": (samples["expected_f1"].to_numpy(), samples["f1"].to_numpy()),
        "a peak is within 1°": (_flat(samples, "peak_probability"), _flat(samples, "peak_there")),
    }


def _reliability_text(samples: pd.DataFrame) -> str:
    sizes = {**{str(n): samples[samples["elements"] == n] for n in range(1, 7)}, "all": samples}
    pairs = {size: _pairs(group) for size, group in sizes.items() if len(group)}
    lines = [
        "Expected calibration error: promise and outcome in tenths of the promise, mean distance.",
        "",
        f"| elements | {' | '.join(pairs['all'])} |",
        "|---|---|---|---|",
    ]
    for size, each in pairs.items():
        lines.append(f"| {size} | " + " | ".join(f"{calibration_error(*pair):.3f}" for pair in each.values()) + " |")
    shared = samples[samples["shared"]]
    lines += ["", f"{len(shared):,} compositions were answered by structures whose elements share sites."]
    return "\n".join(lines)


def _figure(samples: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    pairs = _pairs(samples)
    for axis, (name, pair) in zip(figure.subplots(1, len(pairs)), pairs.items(), strict=True):
        bins = reliability_bins(*pair)
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axis.plot([said for said, *_ in bins], [came for _, came, _ in bins], "o-", color="tab:red", markersize=5)
        axis.set(xlim=(0, 1), ylim=(0, 1), xlabel="promised", ylabel="came true", aspect="equal", title=name)
    return figure


if __name__ == "__main__":
    main()
