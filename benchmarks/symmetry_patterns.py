r"""What of a crystal's symmetry survives in a pattern: true, predicted and measured ones, by trees on peak positions.

    python benchmarks/symmetry_patterns.py --store STORE --weights RUN/model --work FOLDER --data ../shared/data \
        --out results/symmetry [--split composition]

After ``symmetry_predictions.py`` and ``symmetry_lines.py``. Trees (extremely randomised, as Suzuki et al. 2020 use)
learn from true simulated patterns of the training part, and see a pattern only: some the peaks of patterns with
σ = 0.5°, as they are predicted, others sharp lines and how well lattices explain them. Writes ``patterns-SPLIT.md``
and ``patterns-SPLIT.csv``.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from sklearn.ensemble import ExtraTreesClassifier

from deepxrd.analysis.readings import over_threshold
from deepxrd.analysis.symmetry_tables import share_table
from deepxrd.chem import Formula, parse_formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system_places
from deepxrd.data import PatternStore
from deepxrd.errors import DeepXRDError
from deepxrd.io.files import atomic_path, file_hash, write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.matching.observed import observe
from deepxrd.metrics.bootstrap import mean_interval
from deepxrd.models.candidates.saved import FACTS
from deepxrd.prediction.predictor import PatternPredictor, load_predictor
from deepxrd.scans import read_scan
from deepxrd.xrd import XrdSettings, find_peaks
from line_features import Lines, line_features
from split_arguments import open_split, split_parser
from symmetry_lines import SHARP, read_lines
from symmetry_predictions import OUTPUTS, part_folder, read_known, read_parts

N_PEAKS = 12
RANGE_DEG = (5.0, 90.0)
"""2θ of the measured scans; what is outside is not looked at, in simulated patterns neither."""
_THRESHOLD, _MERGE_DEG = 2.0, 0.0  # of 100; weak peaks tell of symmetry too
_LAST_TRICLINIC = 2
_TREES, _SHARP_TREES, _LEAST_IN_LEAF = 150, 100, 2
_LEAST_LINE = 2.5  # of 100
_SHARP_WORDS = {"test": "true", "best": "best candidate", "scans": "measured scans"}
_WORDS = {"best": "best candidate", "decoded": "decoded peaks", "expected": "expected pattern"}

_SHARP_TEXT = (
    "1/d² of the first 14 lines of at least 2.5 % of the strongest, their ratios and intensities, and how well the "
    "best cubic, tetragonal, hexagonal and orthorhombic lattice explains the first ten (`benchmarks/line_features.py`)."
)
_REST = (
    "measured scans of RRUFF (Lafuente et al. 2015), with the refined space group. In brackets half the width of the "
    "95 % interval (bootstrap by chemical system)."
)


def main() -> None:
    """Learn, score true, predicted and measured patterns, write a table."""
    parser = split_parser(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", type=Path, help="checkpoint of the paper's network for ABC3, random split")
    parser.add_argument("--n-train", type=int, default=10_000)
    parser.add_argument("--n-test", type=int, help="so many test compositions, evenly from the whole list")
    arguments = parser.parse_args()
    store, rows = open_split(arguments)
    folder = part_folder(arguments)
    group = read_known(folder, "train").space_group
    chosen = np.flatnonzero(group > 0)
    if len(chosen) > arguments.n_train:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, arguments.n_train, replace=False))
    features = peak_features(np.array(store.patterns[rows["train"][chosen]]), store.xrd)
    trees = ExtraTreesClassifier(_TREES, min_samples_leaf=_LEAST_IN_LEAF, max_features=0.5, random_state=0)
    trees.fit(features, group[chosen])
    if arguments.network:
        _network(arguments, trees, store, rows["test"], folder)
        return
    kept = read_parts(folder, OUTPUTS)
    if arguments.n_test and arguments.n_test < len(kept["place"]):
        some = np.linspace(0, len(kept["place"]) - 1, arguments.n_test).astype(int)
        kept = {name: values[some] for name, values in kept.items()}
    place = kept["place"]
    true = read_known(folder, "test").space_group[place]
    systems = [store.formulas[row].chemical_system for row in rows["test"][place].tolist()]
    patterns = {"true pattern": np.array(store.patterns[rows["test"][place]])}
    patterns |= {_WORDS[name]: kept[name].astype(np.float32) for name in OUTPUTS}
    table = [_baseline(np.bincount(group[group > 0], minlength=231), true, systems)]
    table += _of_patterns(patterns, trees, store.xrd, true, systems)
    scans, of_scans, formulas = measured_patterns(arguments.data / "measured", store.xrd)
    own = [parse_formula(text).chemical_system for text in formulas]
    table.append(_scored("measured scan", trees, peak_features(scans, store.xrd), of_scans, own))
    names = [store.formulas[row].chemical_system for row in rows["test"].tolist()]
    sharp, n_sharp = _of_lines(folder, names)
    with atomic_path(arguments.out / f"patterns-{arguments.split}.csv") as temporary:
        pd.concat([pd.DataFrame(table).assign(lines="0.5°"), pd.DataFrame(sharp).assign(lines="sharp")]).to_csv(
            temporary, index=False, float_format="%.5f"
        )
    about = (
        f"Written by `benchmarks/symmetry_patterns.py` on {machine()['processor']}, commit {git_commit()}. Data hash "
        f"{store.content_hash}, split by {arguments.split}; predictions of weights "
        f"`{file_hash(arguments.weights / FACTS)}`; {_REST}"
    )
    text = [
        "# What of symmetry survives in a pattern",
        about,
        f"## Peaks of patterns with σ = {store.xrd.sigma_deg}°",
        f"{RANGE_DEG[0]:g}° to {RANGE_DEG[1]:g}°; trees learned from {len(chosen):,} true simulated patterns.",
        share_table(table),
        f"## Sharp lines, σ = {SHARP.sigma_deg}°",
        f"{_SHARP_TEXT} Trees learned from {n_sharp:,} true simulated patterns.",
        share_table(sharp),
    ]
    write_text(arguments.out / f"patterns-{arguments.split}.md", "\n\n".join(text) + "\n")
    print(share_table([*table, *sharp]))


def _network(
    arguments: argparse.Namespace,
    trees: ExtraTreesClassifier,
    store: PatternStore,
    test: NDArray[np.int64],
    folder: Path,
) -> None:
    """Score patterns of the paper's network beside others on the ABC3 compositions that nothing was learned from.

    Parts of the random split depend on the composition alone, so the test part of the network is of this test part.
    """
    kept = read_parts(folder, OUTPUTS)
    formulas = [store.formulas[row] for row in test[kept["place"]].tolist()]
    predictor = load_predictor(arguments.network)
    chosen = [p for p, each in enumerate(formulas) if each.anonymous == "ABC3" and _answered(predictor, each)]
    some, place = [formulas[p] for p in chosen], kept["place"][chosen]
    patterns = {"true pattern": np.array(store.patterns[test[place]])}
    patterns |= {_WORDS[name]: kept[name][chosen].astype(np.float32) for name in OUTPUTS}
    network = predictor.predict(some).patterns
    # ripples lie under the paper's own threshold of peaks, so both are shown with it too
    patterns |= {"true pattern, 10 or more": over_threshold(patterns["true pattern"])}
    patterns |= {"the paper's network": network, "the paper's network, 10 or more": over_threshold(network)}
    true = read_known(folder, "test").space_group[place]
    table = _of_patterns(patterns, trees, store.xrd, true, [each.chemical_system for each in some])
    with atomic_path(arguments.out / "patterns-network.csv") as temporary:
        pd.DataFrame(table).to_csv(temporary, index=False, float_format="%.5f")
    epochs = torch.load(arguments.network, map_location="cpu", weights_only=True)["epoch"] + 1
    about = (
        f"Written by `benchmarks/symmetry_patterns.py` on {machine()['processor']}, commit {git_commit()}. "
        f"Compositions ABC3 of the test part, peaks of patterns with σ = {store.xrd.sigma_deg}°, and trees of all "
        f"stoichiometries, as in patterns-composition.md. The network learned for {epochs} epochs (Pearson loss, ABC3, "
        "random split); in brackets half the width of the 95 % interval (bootstrap by chemical "
        "system)."
    )
    text = ["# What of symmetry survives in the patterns of the paper's network", about, share_table(table)]
    write_text(arguments.out / "patterns-network.md", "\n\n".join(text) + "\n")
    print(share_table(table))


def _answered(predictor: PatternPredictor, formula: Formula) -> bool:
    try:
        predictor.check(formula.reduced)
    except DeepXRDError:
        return False
    return True


def _of_lines(folder: Path, systems: list[str]) -> tuple[list[dict[str, float | str]], int]:
    """Scores by sharp lines, and from how many patterns these trees learned.

    Args:
        folder: of kept lines.
        systems: chemical system of each composition of the test part.
    """
    lines, group, _ = read_lines(folder, "train")
    known = group > 0
    trees = ExtraTreesClassifier(_SHARP_TREES, min_samples_leaf=_LEAST_IN_LEAF, max_features=0.4, random_state=0)
    trees.fit(_seen(lines)[known], group[known])
    table = []
    for name, words in _SHARP_WORDS.items():
        lines, group, place = read_lines(folder, name)
        features = _seen(lines)
        own = (
            [parse_formula(text).chemical_system for text in place] if name == "scans" else [systems[p] for p in place]
        )
        table.append(_scored(words, trees, features, group, own))
        higher = group > _LAST_TRICLINIC
        kept = [system for system, ok in zip(own, higher.tolist(), strict=True) if ok]
        table.append(_scored(f"{words}, no triclinic", trees, features[higher], group[higher], kept))
    return table, int(known.sum())


def _seen(lines: Lines) -> NDArray[np.float32]:
    return line_features(lines.above(_LEAST_LINE), SHARP.wavelength_angstrom)


def peak_features(patterns: NDArray[np.float32], xrd: XrdSettings) -> NDArray[np.float32]:
    """The first peaks of each pattern: 1/d² and its ratio to the first, intensity; and how many there are.

    Args:
        patterns: ``(n, n_points)`` in 0 to 100.
        xrd: of their grid.

    Returns:
        ``(n, 3 * N_PEAKS + 1)``; −1 stands for peaks that are not there.
    """
    angles = xrd.two_theta_deg
    inside = (angles >= RANGE_DEG[0]) & (angles <= RANGE_DEG[1])
    cut = patterns[:, inside]
    cut = 100 * cut / np.maximum(cut.max(axis=1, keepdims=True), 1e-6)
    peaks = find_peaks(cut, angles[inside], threshold=_THRESHOLD, merge_within_deg=_MERGE_DEG)
    out = np.full((len(cut), 3 * N_PEAKS + 1), -1.0)
    width = min(N_PEAKS, peaks.two_theta_deg.shape[1])
    there = peaks.valid[:, :width]
    # (λ / 2d)²: only ratios tell of a crystal system, and lengths of what is common among its members
    square = np.sin(np.radians(np.where(there, peaks.two_theta_deg[:, :width], 0.0) / 2)) ** 2
    first = np.where(square[:, :1] > 0, square[:, :1], 1.0)
    out[:, :width] = np.where(there, square, -1)
    out[:, N_PEAKS : N_PEAKS + width] = np.where(there, square / first, -1)
    out[:, 2 * N_PEAKS : 2 * N_PEAKS + width] = np.where(there, peaks.intensity[:, :width], -1)
    out[:, -1] = peaks.count
    return out.astype(np.float32)


def measured_patterns(folder: Path, xrd: XrdSettings) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
    """Scans on the grid of simulated patterns, freed of their background, with the simulated width; and what they are.

    Returns:
        Patterns ``(n, n_points)`` in 0 to 100, refined space groups ``(n,)``, formulas.
    """
    with (folder / "measured.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    angles, out = xrd.two_theta_deg, []
    step = angles[1] - angles[0]
    for row in rows:
        seen = observe(read_scan(folder / row["file"], radiation="Cu"))
        binned = np.interp(angles, seen.two_theta_deg, _at_steps(seen.two_theta_deg, seen.intensity, step), 0.0, 0.0)
        smooth = gaussian_filter1d(binned, xrd.sigma_deg / step)
        out.append(100 * smooth / max(float(smooth.max()), 1e-9))
    groups = np.array([int(row["space_group"]) for row in rows], dtype=np.int64)
    return np.array(out, dtype=np.float32), groups, [row["formula"] for row in rows]


def _at_steps(angles: NDArray[np.float64], values: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Values under a narrow Gaussian, so that none is lost between the points of a coarser grid."""
    own = float(np.median(np.diff(angles)))
    return np.asarray(gaussian_filter1d(values, step / own / 2))


def _of_patterns(
    patterns: dict[str, NDArray[np.float32]],
    trees: ExtraTreesClassifier,
    xrd: XrdSettings,
    true: NDArray[np.int64],
    systems: list[str],
) -> list[dict[str, float | str]]:
    """Scores of each kind of patterns, and of those whose crystal is not triclinic, as Suzuki et al. have them."""
    table = []
    higher = true > _LAST_TRICLINIC
    own = [system for system, ok in zip(systems, higher.tolist(), strict=True) if ok]
    for name, each in patterns.items():
        features = peak_features(each, xrd)
        table.append(_scored(name, trees, features, true, systems))
        table.append(_scored(f"{name}, no triclinic", trees, features[higher], true[higher], own))
    return table


def _scored(
    name: str, trees: ExtraTreesClassifier, features: NDArray[np.float32], true: NDArray[np.int64], systems: list[str]
) -> dict[str, float | str]:
    return _row(name, trees.predict_proba(features), np.asarray(trees.classes_, dtype=np.int64), true, systems)


def _baseline(counted: NDArray[np.int64], true: NDArray[np.int64], systems: list[str]) -> dict[str, float | str]:
    groups = np.arange(1, 231)
    shares = np.tile(counted[1:] / max(1, counted.sum()), (len(true), 1))
    return _row("majority", shares, groups, true, systems)


def _row(
    name: str,
    shares: NDArray[np.float64],
    groups: NDArray[np.int64],
    true: NDArray[np.int64],
    systems: list[str],
) -> dict[str, float | str]:
    known = true > 0
    of_system = shares @ np.eye(len(CRYSTAL_SYSTEMS))[crystal_system_places(groups)]
    best = groups[np.argsort(-shares, axis=1, kind="stable")[:, :5]] == true[:, None]
    right = {
        "system_right": of_system.argmax(axis=1) == crystal_system_places(np.maximum(true, 1)),
        "group_first": best[:, 0],
        "group_among_five": best.any(axis=1),
    }
    own = [system for system, ok in zip(systems, known.tolist(), strict=True) if ok]
    row: dict[str, float | str] = {"model": name, "n": int(known.sum())}
    for score, values in right.items():
        found = mean_interval(values[known].astype(float), groups=own)
        row |= {score: found.mean, f"{score}_low": found.low, f"{score}_high": found.high}
    return row


if __name__ == "__main__":
    main()
