"""The figure at the top of README: a predicted pattern beside the pattern of the structure that is known.

    python benchmarks/front_figure.py --parquet STRUCTURES --formula SrTiO3 --out docs/figures

The prediction is that of ``deepxrd predict``, by the weights that come with deepxrd; the formula should be one of their
test part (SrTiO3 is). The true pattern is simulated from the structure in the table that the data set would take.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.analysis.figures import PREDICTED_COLOUR, TRUE_COLOUR
from deepxrd.chem import Crystal, lattice_from_parameters, parse_formula
from deepxrd.io.files import atomic_path
from deepxrd.xrd import XrdSettings, simulate

_SHOWN_TO_DEG = 120.0  # beyond it a laboratory seldom measures
_DPI = 110


def main() -> None:
    """Predict, simulate, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True)
    parser.add_argument("--formula", default="SrTiO3")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    xrd = XrdSettings()
    predicted, peaks = predict(options.formula)
    crystal, material_id = known_structure(options.parquet, options.formula)
    true, _ = simulate([crystal], xrd)
    title = f"{options.formula}: percentages are the probability of a peak within 1°"
    figure = draw(xrd, true[0], predicted, peaks, known=material_id)
    figure.axes[0].set_title(title)
    with atomic_path(options.out / "predicted-and-true.png") as temporary:
        figure.savefig(temporary, dpi=_DPI)


def predict(formula: str) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """The expected pattern ``(n_points,)``, 0 to 100, and the table of chosen peaks, as the command writes them."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "deepxrd.cli", "predict", formula, "--out", folder]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a command of our own
        table = pd.read_csv(Path(folder) / f"{parse_formula(formula)}.csv")
        return table["expected"].to_numpy(), pd.read_csv(Path(folder) / "peaks.csv")


def known_structure(parquet: Path, formula: str) -> tuple[Crystal, str]:
    """The ground state of a composition in a table of structures, and its id."""
    wanted = parse_formula(formula)
    table = pd.read_parquet(parquet, columns=["material_id", "formula", "ground_state"])
    rows = table[table["ground_state"] & table["formula"].map(lambda text: parse_formula(text) == wanted)]
    row = pd.read_parquet(parquet, filters=[("material_id", "==", rows["material_id"].iloc[0])]).iloc[0]
    edges, angles = row[["a", "b", "c"]], row[["alpha", "beta", "gamma"]]
    lattice = lattice_from_parameters(edges.to_numpy(float)[None], angles.to_numpy(float)[None])[0]
    numbers = np.array(row["atomic_numbers"])
    places = np.array(row["frac_coords"], dtype=np.float64).reshape(-1, 3)
    return Crystal(lattice, numbers, places, np.ones(len(numbers))), str(row["material_id"])


def draw(
    xrd: XrdSettings, true: NDArray[np.float32], predicted: NDArray[np.float64], peaks: pd.DataFrame, *, known: str
) -> Figure:
    """True pattern above, prediction below, upside down, so that peaks at one angle meet at the middle line."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axis = figure.subplots()
    angle = xrd.two_theta_deg
    axis.fill_between(angle, true, color=TRUE_COLOUR, alpha=0.35, linewidth=0)
    axis.plot(angle, true, color=TRUE_COLOUR, linewidth=1, label=f"of the known structure ({known}), simulated")
    axis.fill_between(angle, -predicted, color=PREDICTED_COLOUR, alpha=0.35, linewidth=0)
    axis.plot(angle, -predicted, color=PREDICTED_COLOUR, linewidth=1, label="predicted from the formula alone")
    for place, chance in zip(peaks["two_theta_deg"], peaks["probability_within_1deg"], strict=True):
        if place < _SHOWN_TO_DEG:
            below = np.interp(place, angle, predicted) + 9
            axis.annotate(f"{chance:.0%}", (place, -below), ha="center", fontsize=9, color=PREDICTED_COLOUR)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(
        xlim=(10, _SHOWN_TO_DEG),
        ylim=(-118, 112),
        xlabel=f"2θ (degrees, λ = {xrd.wavelength_angstrom:g} Å)",
        ylabel="intensity (largest = 100)",
    )
    axis.set_yticks([-100, -50, 0, 50, 100], ["100", "50", "0", "50", "100"])
    axis.legend(frameon=False, loc="upper right")
    return figure


if __name__ == "__main__":
    main()
