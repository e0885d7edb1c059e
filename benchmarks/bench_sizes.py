"""Time of a simulated pattern by the size of the cell: pymatgen, xrd-rust, our engine without and with symmetry.

    python benchmarks/bench_sizes.py --out results/speed

The structures are drawn by a seed from the library that comes with deepxrd, in their primitive cells. Each way starts
from structures in memory and ends with smoothed patterns, on one thread. Writes ``sizes.json``.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench_xrd import batched, reference, xrd_rust
from deepxrd.chem import Crystal
from deepxrd.io.files import file_hash, write_json
from deepxrd.library import SHIPPED, Library
from deepxrd.xrd.settings import XrdSettings
from timed import facts

_EDGES = (1, 10, 20, 40, 80, 160, 320, 500)
_ROUNDS = 3  # of ours; the least counts
_SLOW_MS = 5.0  # what is so slow is timed once
_RIVAL_ATOMS = 1500  # that the slow ways work on, in each class


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=400, help="structures of each class, where there are so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    rows = measured(Library.open(SHIPPED), np.random.default_rng(options.seed), options.n)
    said = facts({"deepxrd": Path(__file__).parents[1] / "src"}, load)
    write_json(
        options.out / "sizes.json",
        {**said, "seed": options.seed, "library_sha256": file_hash(SHIPPED), "classes": rows},
    )
    print(f"results: {options.out / 'sizes.json'}")


def measured(library: Library, rng: np.random.Generator, n: int) -> list[dict[str, float]]:
    """Of each class of sizes: ms per structure of each way, and how far patterns are off."""
    crystals = library.crystals(rng.permutation(len(library)))
    n_sites = np.array([len(each.atomic_numbers) for each in crystals])
    rows = []
    for least, end in pairwise(_EDGES):
        chosen = np.flatnonzero((n_sites >= least) & (n_sites < end))[:n]
        some, sites = [crystals[place] for place in chosen.tolist()], float(n_sites[chosen].mean())
        few = some[: max(2, int(_RIVAL_ATOMS / sites))]
        row = {"least": least, "end": end, "n": len(some), "sites": sites, **ways(some, few)}
        print({key: round(value, 3) for key, value in row.items()}, flush=True)
        rows.append(row)
    return rows


def ways(some: list[Crystal], few: list[Crystal]) -> dict[str, float]:
    """Time per structure of each way in ms; the slow ones work on few."""
    settings = XrdSettings()
    rust = xrd_rust(few, settings, 1)
    pymatgen, slow = timed_ms(reference(few, settings), len(few))
    plain, without = timed_ms(batched([replace(each, rotations=None) for each in some], settings, "cpu"), len(some))
    ours, with_symmetry = timed_ms(batched(some, settings, "cpu"), len(some))
    return {
        "n_slow": len(few),
        "pymatgen_ms": slow,
        "xrd_rust_ms": timed_ms(rust, len(few))[1] if rust else float("nan"),
        "without_symmetry_ms": without,
        "with_symmetry_ms": with_symmetry,
        "off_pymatgen": float(np.abs(ours[: len(few)] - pymatgen).max()),
        "off_without": float(np.abs(ours - plain).max()),
    }


def timed_ms(run: Callable[[], NDArray[np.float32]], n: int) -> tuple[NDArray[np.float32], float]:
    """What a way gives, and its least processor time in ms per structure."""
    taken = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        patterns = run()
        taken.append(1e3 * (time.process_time() - start) / n)
        if taken[-1] > _SLOW_MS:
            break
    return patterns, min(taken)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
