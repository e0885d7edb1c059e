"""Time three ways to a powder pattern on the same structures: pymatgen, xrd-rust, and our batched engine.

    python benchmarks/bench_xrd.py --parquet mp-ternary.parquet --n 500 --seed 0

Every way starts from structures in memory and ends with smoothed patterns. xrd-rust is optional: pip install xrd-rust.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

# numpy's own threads are set when it is loaded; torch's below
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from deepxrd.chem.crystal import Crystal, lattice_from_parameters
from deepxrd.xrd.batched import simulate_patterns
from deepxrd.xrd.settings import XrdSettings
from deepxrd.xrd.smoothing import smooth_reflections

_OFF = 0.1
_REPEATS = 5  # of our engine, which is too quick to time once; the least counts


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True)
    parser.add_argument("--n", type=int, default=500, help="how many structures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="where the batched engine runs")
    arguments = parser.parse_args()
    settings = XrdSettings()
    crystals = load_crystals(arguments.parquet, arguments.n, arguments.seed)
    sites = [len(crystal.atomic_numbers) for crystal in crystals]
    print(f"{len(crystals)} structures, {np.mean(sites):.1f} sites in the mean ({min(sites)} to {max(sites)})")
    print(f"torch {torch.__version__}, device {arguments.device}, load {os.getloadavg()[0]:.1f}\n")
    time_all(crystals, settings, arguments.device)
    if arguments.device == "cpu":
        print_profile(crystals, settings)


def load_crystals(parquet: Path, n: int, seed: int) -> list[Crystal]:
    """Draw structures from a snapshot of the Materials Project."""
    frame = pd.read_parquet(parquet).sample(n, random_state=seed)
    lattices = lattice_from_parameters(
        frame[["a", "b", "c"]].to_numpy(float), frame[["alpha", "beta", "gamma"]].to_numpy(float)
    )
    return [
        Crystal(lattice, np.asarray(numbers, dtype=np.int64), np.asarray(coords).reshape(-1, 3), np.ones(len(numbers)))
        for lattice, numbers, coords in zip(lattices, frame.atomic_numbers, frame.frac_coords, strict=True)
    ]


def time_all(crystals: list[Crystal], settings: XrdSettings, device: str) -> None:
    """Time every engine and print ms per structure, the speed-ups and the largest difference from pymatgen."""
    engines: dict[str, Callable[[], NDArray[np.float32]]] = {"pymatgen": reference(crystals, settings)}
    for threads in (1, 2):
        rust = xrd_rust(crystals, settings, threads)
        if rust is not None:
            engines[f"xrd-rust, {threads} thread{'s' * (threads > 1)}"] = rust
    engines["deepxrd batched, 1 thread"] = batched(crystals, settings, device)
    if device == "cpu":
        engines["deepxrd batched, 2 processes"] = batched_in_processes(crystals, settings)

    patterns, cpu_ms, wall_ms = {}, {}, {}
    for name, engine in engines.items():
        times = []
        for _ in range(_REPEATS if "batched" in name else 1):
            start = time.process_time(), time.perf_counter()
            patterns[name] = engine()
            times.append((time.process_time() - start[0], time.perf_counter() - start[1]))
        cpu_ms[name], wall_ms[name] = (1e3 * min(column) / len(crystals) for column in zip(*times, strict=True))

    print(
        f"{'engine':28} {'CPU ms':>9} {'wall ms':>9} {'x pymatgen':>11} {'x xrd-rust':>11} {'max diff':>9} {'off':>4}"
    )
    for name in engines:
        ms = cpu_ms if "2" not in name and device == "cpu" else wall_ms
        ratios = [ms.get(other, float("nan")) / ms[name] for other in ("pymatgen", "xrd-rust, 1 thread")]
        numbers = f"{cpu_ms[name]:9.3f} {wall_ms[name]:9.3f} {ratios[0]:11.1f} {ratios[1]:11.1f}"
        difference = np.abs(patterns[name] - patterns["pymatgen"]).max(axis=1)
        print(f"{name:28} {numbers} {difference.max():9.4f} {np.sum(difference > _OFF):4d}")
    print("per structure; ratios of CPU time, for two at once of wall time; largest difference of patterns whose")
    print(f"largest value is 100, and how many of them differ by more than {_OFF}\n")


def reference(crystals: list[Crystal], settings: XrdSettings) -> Callable[[], NDArray[np.float32]]:
    """Pymatgen's calculator, and the exact sum of Gaussians."""
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    return _per_structure(XRDCalculator(settings.wavelength_angstrom), crystals, settings)


def xrd_rust(crystals: list[Crystal], settings: XrdSettings, threads: int) -> Callable[[], NDArray[np.float32]] | None:
    """The calculator of xrd-rust, and the same sum; None if it is not installed."""
    try:
        from xrd_rust_calculator import XRDCalculatorRust
    except ImportError:
        return None
    calculator = XRDCalculatorRust(settings.wavelength_angstrom, parallel=threads > 1, num_threads=threads)
    return _per_structure(calculator, crystals, settings)


def batched(crystals: list[Crystal], settings: XrdSettings, device: str) -> Callable[[], NDArray[np.float32]]:
    """Our engine, its tables made beforehand."""
    simulate_patterns(crystals[:1], settings, device=device)
    return partial(simulate_patterns, crystals, settings, device=device)


def batched_in_processes(crystals: list[Crystal], settings: XrdSettings) -> Callable[[], NDArray[np.float32]]:
    """Our engine in two processes, each with half of the crystals; sending them there and back counts."""
    workers = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    halves = [crystals[0::2], crystals[1::2]]
    simulate = partial(simulate_patterns, settings=settings)
    for _ in range(5):  # until both have started and made their tables
        list(workers.map(simulate, halves))

    def run() -> NDArray[np.float32]:
        patterns = np.empty((len(crystals), settings.n_points), dtype=np.float32)
        patterns[0::2], patterns[1::2] = workers.map(simulate, halves)
        return patterns

    return run


def _per_structure(
    calculator: object, crystals: list[Crystal], settings: XrdSettings
) -> Callable[[], NDArray[np.float32]]:
    """Run a calculator with pymatgen's interface on every structure and smooth what it gives."""
    structures = [crystal.to_pymatgen() for crystal in crystals]
    limits = (settings.two_theta_min_deg, settings.two_theta_max_deg)

    def run() -> NDArray[np.float32]:
        patterns = []
        for structure in structures:
            peaks = calculator.get_pattern(structure, two_theta_range=limits)  # type: ignore[attr-defined]
            patterns.append(smooth_reflections(np.asarray(peaks.x), np.asarray(peaks.y), settings))
        return np.stack(patterns)

    return run


def print_profile(crystals: list[Crystal], settings: XrdSettings) -> None:
    """Print which operations the time of the batched engine goes to."""
    torch.set_num_threads(1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        simulate_patterns(crystals, settings)
    events = sorted(profile.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    print("what bounds the batched engine (torch's own profile, 1 thread):")
    for event in events[:12]:
        share, calls = event.self_cpu_time_total / total, event.count
        print(f"  {event.key:28} {share:6.1%} {calls:7d} calls {event.self_cpu_time_total / calls:8.1f} us each")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
