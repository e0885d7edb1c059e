"""Figures of predicted symmetry: crystal systems taken for others, and lattice parameters. They write nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS

_SHOWN = 0.5  # of a row: on darker squares the number is white
_LONGEST_ANGSTROM = 40.0


def confusion_figure(counts: NDArray[np.int64], *, title: str) -> Figure:
    """Shares of each true crystal system that are said to be each, with numbers of samples.

    Args:
        counts: rows are true, columns are said, ``(7, 7)``.
        title: of the figure.
    """
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axis = figure.subplots()
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), n in np.ndenumerate(counts):
        colour = "white" if share[row, column] > _SHOWN else "black"
        axis.text(column, row, f"{share[row, column]:.2f}\n{n}", ha="center", va="center", fontsize=7, color=colour)
    ticks = range(len(CRYSTAL_SYSTEMS))
    axis.set_xticks(ticks, CRYSTAL_SYSTEMS, rotation=40, ha="right")
    axis.set_yticks(ticks, CRYSTAL_SYSTEMS)
    axis.set(xlabel="said", ylabel="true", title=title)
    return figure


def lattice_figure(samples: pd.DataFrame) -> Figure:
    """Predicted *a* over the true one, Å, one panel per true crystal system; blue where the space group is right.

    Args:
        samples: with ``system``, ``a``, ``said_a`` and ``group_first``.
    """
    figure = Figure(figsize=(12, 6), layout="constrained")
    axes = figure.subplots(2, 4, sharex=True, sharey=True).ravel()
    for place, name in enumerate(CRYSTAL_SYSTEMS):
        axis, part = axes[place], samples[samples["system"] == place]
        axis.plot([0, _LONGEST_ANGSTROM], [0, _LONGEST_ANGSTROM], color="0.7", linewidth=0.8)
        for right, colour in ((False, "tab:red"), (True, "tab:blue")):
            some = part[part["group_first"] == right]
            axis.plot(some["a"], some["said_a"], ".", markersize=2, alpha=0.4, color=colour, rasterized=True)
        axis.set(xlim=(0, _LONGEST_ANGSTROM), ylim=(0, _LONGEST_ANGSTROM), title=f"{name}, {len(part):,}")
    axes[-1].axis("off")
    axes[-1].text(0.05, 0.5, "blue: space group right\nred: another space group", transform=axes[-1].transAxes)
    figure.supxlabel("true a / Å")
    figure.supylabel("predicted a / Å")
    return figure
