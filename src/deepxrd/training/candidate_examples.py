"""What the networks learn from: candidates of each composition, simulated and compared with the truth, in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.data.workers import BuildOptions, workers
from deepxrd.io.files import atomic_path
from deepxrd.io.progress import progress_bar
from deepxrd.metrics.peaks import mean_f1
from deepxrd.models.candidates.candidates import N_CANDIDATES, CandidateMaker
from deepxrd.xrd import Peaks, XrdSettings, find_peaks

_PART_SIZE = 512  # compositions per file of work: a kill loses some seconds
_SIMULATED = "simulated.npy"


@dataclass(frozen=True, eq=False)
class Examples:
    """n compositions with their candidates; k = `N_CANDIDATES`.

    Attributes:
        features: of each candidate, ``(n, k, n_features)`` float32.
        elements: atomic numbers, those of the template and then what takes their places, ``(n, k, 2 width)`` uint8.
        mask: where there are candidates, ``(n, k)``.
        quality: mean F1 of each candidate over the tolerances, ``(n, k)`` float32.
        simulated: patterns of the candidates, ``(n, k, n_points)`` float16 in 0 to 1, memory-mapped.
        patterns: true patterns, ``(n, n_points)`` float32 in 0 to 100; may be memory-mapped.
        peaks: where the merged peaks of the true patterns are, ``(n, n_points)``.
    """

    features: NDArray[np.float32]
    elements: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    quality: NDArray[np.float32]
    simulated: NDArray[np.float16]
    patterns: NDArray[np.float32]
    peaks: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mask)


def build_examples(
    formulas: Sequence[Formula],
    patterns: NDArray[np.float32],
    *,
    maker: CandidateMaker,
    xrd: XrdSettings,
    folder: Path,
    options: BuildOptions | None = None,
) -> Examples:
    """Make the examples of some compositions, or finish and open those that are in the folder.

    Patterns of candidates are kept in a file, 32 kB a composition at 1024 points, and not in memory.

    Args:
        formulas: n compositions; structures of their own are never among the candidates.
        patterns: the true patterns, ``(n, n_points)`` in 0 to 100.
        maker: what makes the candidates.
        xrd: settings of the patterns.
        folder: for these inputs and no others; what a killed build left there is used.
        options: processes; one if nothing is said.
    """
    shape = len(formulas), N_CANDIDATES, xrd.n_points
    file = folder / _SIMULATED
    folder.mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        with atomic_path(file) as temporary:
            np.lib.format.open_memmap(temporary, "w+", np.float16, shape).flush()
    slices = [slice(start, start + _PART_SIZE) for start in range(0, len(formulas), _PART_SIZE)]
    parts = [folder / f"part-{place:05d}.npz" for place in range(len(slices))]
    with progress_bar() as bar:
        task = bar.add_task("Simulating candidates", total=len(formulas))
        left = [(part, chosen) for part, chosen in zip(parts, slices, strict=True) if not part.is_file()]
        bar.advance(task, len(formulas) - sum(len(formulas[chosen]) for _, chosen in left))
        with workers(options or BuildOptions(n_jobs=1), len(left) * _PART_SIZE) as parallel:
            jobs = (
                delayed(_make_part)(formulas[chosen], np.asarray(patterns[chosen]), maker, xrd, part, chosen.start)
                for part, chosen in left
            )
            for done in parallel(jobs):
                bar.advance(task, done)
    read = [_read(part) for part in parts]
    joined = {name: np.concatenate([part.pop(name) for part in read]) for name in list(read[0])}
    return Examples(**joined, simulated=np.load(file, mmap_mode="r"), patterns=patterns)


def _read(part: Path) -> dict[str, NDArray[Any]]:
    with np.load(part, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _make_part(  # noqa: PLR0917 - as joblib hands them over
    formulas: Sequence[Formula],
    patterns: NDArray[np.float32],
    maker: CandidateMaker,
    xrd: XrdSettings,
    part: Path,
    start: int,
) -> int:
    """Make some examples, in a worker process: the patterns go into their place in the file of all, then the rest."""
    found = maker.candidates(formulas)
    simulated = maker.patterns(found, xrd)
    everything = np.lib.format.open_memmap(part.parent / _SIMULATED, "r+")
    everything[start : start + len(formulas)] = simulated
    everything.flush()
    true = find_peaks(patterns, xrd.two_theta_deg)
    made = {
        "features": found.features,
        "elements": found.elements,
        "mask": np.asarray(simulated.any(axis=2)),
        "quality": _quality(simulated, true, xrd.two_theta_deg),
        "peaks": _peak_map(true, xrd),
    }
    with atomic_path(part) as temporary:
        np.savez(temporary, **made)  # type: ignore[arg-type]
    return len(formulas)


def _quality(simulated: NDArray[np.float32], true: Peaks, two_theta_deg: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean F1 of each candidate over the tolerances, ``(n, k)``."""
    n, k, n_points = simulated.shape
    ours = find_peaks(100 * simulated.reshape(n * k, n_points), two_theta_deg)
    return mean_f1(true.repeat(k), ours).reshape(n, k).astype(np.float32)


def _peak_map(peaks: Peaks, xrd: XrdSettings) -> NDArray[np.bool_]:
    """Where the merged peaks are, ``(n, n_points)``."""
    out = np.zeros((len(peaks.count), xrd.n_points), dtype=bool)
    points = np.rint((peaks.two_theta_deg[peaks.valid] - xrd.two_theta_deg[0]) / xrd.step).astype(np.int64)
    out[np.nonzero(peaks.valid)[0], points] = True
    return out
