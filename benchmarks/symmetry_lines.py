r"""Positions and intensities of sharp lines: of training and test structures, of candidates, of measured scans.

    python benchmarks/symmetry_lines.py --store STORE --weights RUN/model --work FOLDER --data ../shared/data

After ``symmetry_predictions.py``; ``symmetry_patterns.py`` learns from them. Lines are simulated with σ = 0.08°, and
peaks of scans are found after smoothing to about as much, so that both are seen alike.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks as find_maxima

from deepxrd.chem import Crystal
from deepxrd.io.files import atomic_path
from deepxrd.io.progress import progress_bar
from deepxrd.matching.observed import observe
from deepxrd.models.candidates.saved import load
from deepxrd.scans import read_scan
from deepxrd.xrd import XrdSettings, find_peaks, simulate
from line_features import Lines
from split_arguments import open_split, split_parser
from symmetry_predictions import part_folder, read_known

SHARP = XrdSettings(two_theta_min_deg=5.0, two_theta_max_deg=90.0, n_points=4251, sigma_deg=0.08)
_MERGE_DEG, _LEAST, _MOST = 0.2, 0.5, 40
_SMOOTH_DEG, _LEAST_OF_SCAN, _NOISE = (
    0.06,
    2.0,
    5.0,
)  # of a scan's peaks: intensity, and standard deviations of its noise
_AT_ONCE = 256


def main() -> None:
    """Simulate and find what is not kept yet."""
    parser = split_parser(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--n-train", type=int, default=16_000)
    parser.add_argument("--n-test", type=int, default=1_536)
    arguments = parser.parse_args()
    store, rows = open_split(arguments)
    folder = part_folder(arguments)
    crystals, model = store.crystals(), load(arguments.weights, structures=arguments.structures)
    train = np.random.default_rng(0).permutation(len(rows["train"]))[: arguments.n_train]
    n_parts = -(-len(rows["test"]) // _AT_ONCE)
    test = np.concatenate([np.arange(part, len(rows["test"]), n_parts) for part in range(arguments.n_test // _AT_ONCE)])

    def simulated(name: str, chosen: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        lines = lines_of([crystals[row] for row in rows[name][chosen].tolist()])
        return {**lines, "group": read_known(folder, name).space_group[chosen], "place": chosen}

    def candidates() -> dict[str, NDArray[Any]]:
        best: list[Crystal] = []
        answered = []
        for start in range(0, len(test), _AT_ONCE):
            some = [store.formulas[row] for row in rows["test"][test[start : start + _AT_ONCE]].tolist()]
            (found,) = model.predict(some).candidates
            place = found.place[np.arange(len(some)), found.order[:, 0]]
            structures = model.maker.structures(found)
            best += [structures[row] for row in place[place >= 0].tolist()]
            answered.append(place >= 0)
        chosen = test[np.concatenate(answered)]
        return {**lines_of(best), "group": read_known(folder, "test").space_group[chosen], "place": chosen}

    _kept(folder / "lines-train.npz", lambda: simulated("train", train))
    _kept(folder / "lines-test.npz", lambda: simulated("test", test))
    _kept(folder / "lines-best.npz", candidates)
    _kept(folder / "lines-scans.npz", lambda: of_scans(arguments.data / "measured"))
    print(f"kept: {folder}")


def read_lines(folder: Path, name: str) -> tuple[Lines, NDArray[np.int64], NDArray[Any]]:
    """Lines, space groups (0 where none is known), and places in their part, or formulas of scans."""
    with np.load(folder / f"lines-{name}.npz") as file:
        lines = Lines(file["two_theta_deg"].astype(np.float64), file["intensity"].astype(np.float64))
        return lines, file["group"], file["place"]


def lines_of(crystals: Sequence[Crystal]) -> dict[str, NDArray[np.float32]]:
    """The first lines of structures."""
    parts = []
    with progress_bar() as bar:
        for start in bar.track(range(0, len(crystals), _AT_ONCE), description="Simulating sharp lines"):
            patterns = np.asarray(simulate(crystals[start : start + _AT_ONCE], SHARP)[0])
            patterns = 100 * patterns / np.maximum(patterns.max(axis=1, keepdims=True), 1e-9)
            peaks = find_peaks(patterns, SHARP.two_theta_deg, threshold=_LEAST, merge_within_deg=_MERGE_DEG)
            angles, heights = np.full((len(patterns), _MOST), np.nan), np.zeros((len(patterns), _MOST))
            width = min(_MOST, peaks.two_theta_deg.shape[1])
            there = peaks.valid[:, :width]
            angles[:, :width] = np.where(there, peaks.two_theta_deg[:, :width], np.nan)
            heights[:, :width] = np.where(there, peaks.intensity[:, :width], 0.0)
            parts.append((angles, heights))
    return _packed(parts)


def of_scans(folder: Path) -> dict[str, NDArray[Any]]:
    """Peaks of measured scans that stand out from their noise, and the refined space groups."""
    with (folder / "measured.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    parts = []
    for row in rows:
        seen = observe(read_scan(folder / row["file"], radiation="Cu"))
        width = _SMOOTH_DEG / float(np.median(np.diff(seen.two_theta_deg)))
        smooth = gaussian_filter1d(seen.intensity, width)
        noise = float(np.median(seen.noise)) / np.sqrt(2 * np.sqrt(np.pi) * width)  # what smoothing leaves of it
        places, _ = find_maxima(smooth, prominence=max(_LEAST_OF_SCAN / 100 * smooth.max(), _NOISE * noise))
        places = places[seen.two_theta_deg[places] < SHARP.two_theta_max_deg][:_MOST]
        angles, heights = np.full((1, _MOST), np.nan), np.zeros((1, _MOST))
        angles[0, : len(places)] = seen.two_theta_deg[places]
        heights[0, : len(places)] = 100 * smooth[places] / smooth.max()
        parts.append((angles, heights))
    groups = np.array([int(row["space_group"]) for row in rows], dtype=np.int64)
    return {**_packed(parts), "group": groups, "place": np.array([row["formula"] for row in rows])}


def _packed(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> dict[str, NDArray[np.float32]]:
    angles, heights = (np.concatenate(column).astype(np.float32) for column in zip(*parts, strict=True))
    return {"two_theta_deg": angles, "intensity": heights}


def _kept(file: Path, make: Callable[[], dict[str, NDArray[Any]]]) -> None:
    if not file.is_file():
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **make())


if __name__ == "__main__":
    main()
