"""Size, times and memory of the library that ships, and the cost of a pattern against the atoms in the cell.

    python benchmarks/bench_library.py --out results/library

Writes ``README.md``, ``times.json`` and ``cost.png``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.analysis.figures import save_figure
from deepxrd.chem import SYMBOLS
from deepxrd.io.files import file_hash, write_json, write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.library import SHIPPED, Library
from deepxrd.xrd import XrdSettings, simulate

_N_FORMULAS, _N_SETS, _N_PER_BIN = 1000, 40, 24
_EDGES = (1, 3, 6, 11, 21, 41, 81, 161, 241, 361, 700)
_OPEN = "import time; from deepxrd.library import SHIPPED, Library; t = time.perf_counter(); Library.open(SHIPPED); "
_OPEN += "print(time.perf_counter() - t)"


def main() -> None:
    """Measure, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    library, rng = Library.open(SHIPPED), np.random.default_rng(0)
    fresh = [_open_in_a_fresh_process() for _ in range(5)]
    rows = rng.choice(len(library), _N_FORMULAS, replace=False)
    formulas = library.formulas(rows)
    sets = [[SYMBOLS[z] for z in rng.choice(83, 5, replace=False)] for _ in range(_N_SETS - 1)] + [
        ["Ca", "W", "O", "Si", "Al"]
    ]
    times = {
        "open in a fresh process": fresh,
        "find the phases of a formula": _times(library.find_formula, formulas),
        "find them and rebuild their structures": _times(lambda f: library.crystals(library.find_formula(f)), formulas),
        "find all phases of five elements": _times(library.find_elements, sets),
        "find them and rebuild their structures (five elements)": _times(
            lambda elements: library.crystals(library.find_elements(elements)), sets
        ),
    }
    atoms, cost = _cost(library, rng)
    save_figure(_figure(atoms, cost), out / "cost.png")
    facts = {
        "library": {"sha256": file_hash(SHIPPED), "bytes": SHIPPED.stat().st_size, "structures": len(library)},
        "counts": library.header["counts"],
        "least_cosine": library.header["least_cosine"],
        "times_s": {name: _summary(values) for name, values in times.items()},
        "cost_ms": {f"{a:.0f} atoms": 1000 * c for a, c in zip(atoms, cost, strict=True)},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "machine": machine(),
        "commit": git_commit(),
    }
    write_json(out / "times.json", facts)
    write_text(out / "README.md", _page(facts))
    print(f"results: {out}")


def _open_in_a_fresh_process() -> float:
    done = subprocess.run([sys.executable, "-c", _OPEN], capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout)


def _times(call: Callable[[Any], object], arguments: list[Any]) -> list[float]:
    call(arguments[0])  # once unmeasured: what is made on first use is made
    out = []
    for each in arguments:
        started = time.perf_counter()
        call(each)
        out.append(time.perf_counter() - started)
    return out


def _cost(library: Library, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Mean atoms and seconds per pattern of structures in bins of cell size, simulated together."""
    rows = rng.permutation(len(library))[:20_000]
    crystals = library.crystals(rows)
    n = np.array([len(crystal.atomic_numbers) for crystal in crystals])
    atoms, cost = [], []
    simulate(crystals[:10], XrdSettings())
    for low, high in itertools.pairwise(_EDGES):
        chosen = np.flatnonzero((n >= low) & (n < high))[:_N_PER_BIN]
        if len(chosen):
            started = time.perf_counter()
            simulate([crystals[i] for i in chosen], XrdSettings())
            cost.append((time.perf_counter() - started) / len(chosen))
            atoms.append(float(n[chosen].mean()))
    return atoms, cost


def _summary(values: list[float]) -> dict[str, float]:
    quantiles: NDArray[np.float64] = np.quantile(values, [0.5, 0.99, 1.0])
    return dict(zip(("median", "p99", "most"), quantiles.tolist(), strict=True))


def _figure(atoms: list[float], cost: list[float]) -> Figure:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    axis.loglog(atoms, [1000 * each for each in cost], "o-")
    axis.set(xlabel="atoms in the primitive cell", ylabel="ms per pattern (Cu Kα, 0 to 180°)")
    axis.grid(visible=True, which="both", alpha=0.3)
    return figure


def _page(facts: dict[str, Any]) -> str:
    library, counts = facts["library"], facts["counts"]
    rows = [
        f"| {name} | {1000 * t['median']:.2f} | {1000 * t['p99']:.2f} | {1000 * t['most']:.2f} |"
        for name, t in facts["times_s"].items()
    ]
    cost = [f"| {name} | {ms:.2f} |" for name, ms in facts["cost_ms"].items()]
    return f"""# The library that ships

Made by `python benchmarks/bench_library.py --out results/library` at commit {facts["commit"][:12]}, on
{facts["machine"]["processor"]}, {facts["machine"]["cores"]} cores.

{library["structures"]:,} structures in {library["bytes"] / 1e6:.1f} MB, SHA-256 `{library["sha256"]}`. Data: Materials
Project 2025.02.12, CC BY 4.0; Jain et al., APL Materials 1, 011002 (2013), doi 10.1063/1.4812323.

Round trip, checked for every structure when the library was built: the cosine of the pattern of what is rebuilt (Cu Kα,
5 to 90°, σ = 0.1°) with that of the original is {facts["least_cosine"]:.6f} at least. Counts of the build:
`{json.dumps(counts)}`.

| ms | median | 99 % | most |
|---|---:|---:|---:|
{chr(10).join(rows)}

Peak memory of these measurements: {facts["peak_memory_mb"]:.0f} MB.

## What a pattern costs, by the size of the cell

Structures simulated {_N_PER_BIN} at a time, 0 to 180°.

| mean atoms in the primitive cell | ms per pattern |
|---|---:|
{chr(10).join(cost)}

![Cost of a pattern against the atoms in the cell](cost.png)
"""


if __name__ == "__main__":
    main()
