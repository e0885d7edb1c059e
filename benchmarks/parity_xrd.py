"""How far the batched engine's patterns are from pymatgen's, structure by structure, by crystal system.

    python benchmarks/parity_xrd.py --parquet mp-ternary.parquet --n 700 --out results

Writes ``xrd_parity.png``, ``xrd_parity.csv`` and prints the summary. Structures are drawn evenly from the seven crystal
systems; all with tin of a further draw and the largest cells are added. Two comparisons are made: with pymatgen as it
is, and with its rule switched off that drops every peak under 1e-5 of the strongest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from matplotlib.figure import Figure

from deepxrd.chem import Crystal
from deepxrd.chem.symmetry import space_group_number
from deepxrd.sources import FilesSource, StructureRecord
from deepxrd.xrd import XrdSettings, simulate, simulate_pattern

_TIN = 50
_SYSTEMS = {
    "triclinic": 2, "monoclinic": 15, "orthorhombic": 74, "tetragonal": 142, "trigonal": 167, "hexagonal": 194,
    "cubic": 230,
}  # fmt: skip
_MOST_SITES = 380


def main() -> None:
    """Draw, simulate twice, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True)
    parser.add_argument("--n", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    records = draw(arguments.parquet, arguments.n, arguments.seed)
    crystals = [record.crystal for record in records]
    batched, _ = simulate(crystals, XrdSettings(engine="batched"))
    parallel = Parallel(n_jobs=-1)
    table = pd.DataFrame({
        "material_id": [record.material_id for record in records],
        "system": [crystal_system(crystal) for crystal in crystals],
        "n_sites": [len(crystal.atomic_numbers) for crystal in crystals],
        "tin": [_TIN in crystal.atomic_numbers for crystal in crystals],
    })  # fmt: skip
    for column, keep_all in (("as_it_is", False), ("all_peaks_kept", True)):
        pymatgen = np.stack(parallel(delayed(reference)(crystal, keep_all=keep_all) for crystal in crystals))
        table[column] = np.abs(pymatgen - batched).max(axis=1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out / "xrd_parity.csv", index=False, float_format="%.5g")
    plot(table).savefig(arguments.out / "xrd_parity.png", dpi=130)
    print(f"{len(table)} structures, {table.n_sites.min()} to {table.n_sites.max()} sites, {table.tin.sum()} with tin")
    summary = table.groupby("system")[["as_it_is", "all_peaks_kept"]].agg(["count", "median", "max"])
    print("largest difference on the 1024 points, of 100\n", summary.round(4).to_string())
    print("all:", table[["as_it_is", "all_peaks_kept"]].agg(["median", "max"]).round(4).to_dict())
    print(f"results: {arguments.out}/xrd_parity.png, {arguments.out}/xrd_parity.csv")


def draw(parquet: Path, n: int, seed: int) -> list[StructureRecord]:
    """Evenly over the crystal systems, with tin compounds and large cells among them."""
    rng = np.random.default_rng(seed)
    pool = [r for r in FilesSource(parquet) if isinstance(r, StructureRecord)]
    pool = [pool[i] for i in rng.permutation(len(pool)) if len(pool[i].crystal.atomic_numbers) <= _MOST_SITES]
    tin = [r for r in pool[: 8 * n] if _TIN in r.crystal.atomic_numbers][: n // 10]
    large = sorted(pool, key=lambda r: -len(r.crystal.atomic_numbers))[: n // 50]
    chosen = {r.material_id: r for r in (*tin, *large)}
    left = dict.fromkeys(_SYSTEMS, (n - len(chosen)) // len(_SYSTEMS))
    for record in pool:
        system = crystal_system(record.crystal) if any(left.values()) else ""
        if left.get(system) and record.material_id not in chosen:
            chosen[record.material_id] = record
            left[system] -= 1
    return list(chosen.values())


def crystal_system(crystal: Crystal) -> str:
    """Crystal system as data cards say it; triclinic where no group is found."""
    number = space_group_number(crystal)
    return next(system for system, last in _SYSTEMS.items() if number <= last)


def reference(crystal: Crystal, *, keep_all: bool) -> np.ndarray:
    """Pymatgen's pattern; it drops peaks under 1e-5 of the strongest unless told otherwise."""
    from pymatgen.analysis.diffraction.core import AbstractDiffractionPatternCalculator as Calculator

    Calculator.SCALED_INTENSITY_TOL = 0.0 if keep_all else 1e-3
    return simulate_pattern(crystal, XrdSettings(engine="pymatgen"))


def plot(table: pd.DataFrame) -> Figure:
    """One point per structure, by crystal system."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    axis = figure.subplots()
    rng = np.random.default_rng(0)
    styles = {
        "as_it_is": ("tab:orange", "pymatgen as it is"),
        "all_peaks_kept": ("tab:blue", "pymatgen, all peaks kept"),
    }
    for column, (colour, label) in styles.items():
        shift = -0.18 if column == "as_it_is" else 0.18
        for place, system in enumerate(_SYSTEMS):
            values = table.loc[table.system == system, column]
            jitter = rng.uniform(-0.12, 0.12, len(values))
            axis.scatter(
                place + shift + jitter, values, s=6, color=colour, alpha=0.5, label=label if not place else None
            )
            axis.hlines(values.median(), place + shift - 0.15, place + shift + 0.15, color="black", linewidth=1.5)
    axis.axhline(0.02, color="grey", linestyle="--", linewidth=1)
    axis.text(6.45, 0.021, "0.02", ha="right", color="grey")
    counts = table.system.value_counts()
    axis.set_xticks(range(len(_SYSTEMS)), [f"{system}\n({counts.get(system, 0)})" for system in _SYSTEMS])
    axis.set(yscale="log", ylim=(None, 0.08), ylabel="largest difference on the 1024 points (of 100)")
    axis.set_title("Batched engine against pymatgen; bars are medians")
    axis.legend(frameon=False, loc="upper left")
    return figure


if __name__ == "__main__":
    main()
