"""Figures of an evaluation: distances per sample, and scores over the tolerance. They write nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.analysis.evaluation_tables import ROW_NAMES
from deepxrd.errors import ConfigError
from deepxrd.metrics import TABLE2_ROWS, TOLERANCES_DEG

DISTANCE_LABELS = {
    "cosine_distance": "cosine distance",
    "pearson_distance": "Pearson distance (1 − correlation)",
    "js_distance": "Jensen–Shannon distance",
    "dtw": "dynamic time warping (DTW)",
}
"""The four distances of Figure 6. Its JSD goes up to 0.811, as the root of the divergence does, but not itself."""
ROW_COLOURS = dict(zip(TABLE2_ROWS, ("#777777", "#CC3311", "#0077BB"), strict=True))  # Tol, "vibrant"
"""Of the rows of Table 2."""
_N_BINS = 40
_FROM_HERE_TWO_DIGITS = 2.0  # as Table 2 prints DTW
_ORACLE = "oracle"


def distance_histograms(table2: dict[str, dict[str, NDArray[np.floating]]], *, title: str) -> Figure:
    """Histograms of four distances for each row of Table 2 (Dong et al. 2022, Figure 6).

    One below the other, on one axis per distance: what alignment does is how far the mean moves between the last two.

    Args:
        table2: of :func:`deepxrd.metrics.table2`: for each of its rows arrays ``(n_samples,)`` by distance. DTW, which
            takes long, may be left out of all rows.
        title: of the figure.

    Raises:
        ConfigError: a row or a distance is missing.
    """
    has_dtw = any("dtw" in cells for cells in table2.values())
    labels = {name: label for name, label in DISTANCE_LABELS.items() if has_dtw or name != "dtw"}
    for row in TABLE2_ROWS:
        missing = [name for name in labels if name not in table2.get(row, {})]
        if missing:
            msg = f"the distances of Table 2 lack {', '.join(missing)} in the row {row!r}"
            raise ConfigError(msg)
    figure = Figure(figsize=(3.25 * len(labels), 7), layout="constrained")
    grid = figure.subplots(len(TABLE2_ROWS), len(labels), sharex="col")
    for column, (name, label) in zip(grid.T, labels.items(), strict=True):
        values = [np.asarray(table2[row][name]) for row in TABLE2_ROWS]
        bins = np.histogram_bin_edges(np.concatenate(values), bins=_N_BINS)
        for axis, row, of_row in zip(column, TABLE2_ROWS, values, strict=True):
            _histogram(axis, of_row, bins, ROW_COLOURS[row])
        before, after = (float(of_row.mean()) for of_row in values[1:])
        column[-1].axvline(before, color=ROW_COLOURS[TABLE2_ROWS[1]], linewidth=1.2, linestyle=":")
        column[-1].annotate(
            "", (after, 0.8), (before, 0.8), xycoords=column[-1].get_xaxis_transform(), arrowprops={"arrowstyle": "->"}
        )
        column[-1].set(xlabel=label, xlim=(bins[0], bins[-1]))
    for axis, row in zip(grid[:, 0], TABLE2_ROWS, strict=True):
        axis.set_ylabel(f"{ROW_NAMES[row]}\nnumber of samples")
    n_samples = len(next(iter(table2[TABLE2_ROWS[0]].values())))
    figure.suptitle(f"{title} ({n_samples:,} samples; dashed: mean, arrow: what alignment does to it)", fontsize=12)
    return figure


def tolerance_curves(
    curves: dict[str, NDArray[np.floating]], tolerances_deg: Sequence[float], *, score: str = "F1", highlight: str
) -> Figure:
    """A mean score over the tolerance, one line per model.

    The legend lists the models from the best to the worst, by the mean over the tolerances.

    Args:
        curves: means over samples by model, ``(n_tolerances,)`` each. Models with ``oracle`` in their name know
            something of the truth: their lines are dashed.
        tolerances_deg: how far a predicted peak may be from the true one, in degrees, ascending.
        score: its name.
        highlight: the model whose line is bold.

    Raises:
        ConfigError: there is no such model, or a curve is not as long as the tolerances.
    """
    if highlight not in curves:
        msg = f"no curve of the model {highlight!r} to highlight among {', '.join(curves) or 'none'}"
        raise ConfigError(msg)
    for name, curve in curves.items():
        if np.shape(curve) != (len(tolerances_deg),):
            msg = f"the curve of {name!r} has shape {np.shape(curve)}, and there are {len(tolerances_deg)} tolerances"
            raise ConfigError(msg)
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    axis = figure.subplots()
    for tolerance in TOLERANCES_DEG:
        axis.axvline(tolerance, color="#bbbbbb", linewidth=0.9, zorder=0)
    colours = _line_colours([name for name in curves if name != highlight])
    for name in sorted(curves, key=lambda name: -float(np.mean(curves[name]))):
        bold = name == highlight
        axis.plot(
            tolerances_deg,
            curves[name],
            color="black" if bold else colours[name],
            linewidth=3.2 if bold else 1.6,
            linestyle="--" if _ORACLE in name else "-",
            zorder=4 if bold else 3,
            label=name,
        )
    axis.set(
        xlabel="tolerance of a peak's position (degrees 2θ)",
        ylabel=f"mean {score}",
        xlim=(0, tolerances_deg[-1]),
        ylim=(0, 1),
        title=f"{score} of peaks over the tolerance",
    )
    axis.grid(axis="y", linewidth=0.4)
    axis.spines[["top", "right"]].set_visible(False)
    legend = figure.legend(loc="outside right center", frameon=False, title="best first")
    for text in legend.get_texts():
        if text.get_text() == highlight:
            text.set_fontweight("bold")
    return figure


def _line_colours(names: list[str]) -> dict[str, tuple[float, ...]]:
    """Colours that keep apart; the grey of ``tab10`` is left out, since it reads as a helper line."""
    hues = [colour for i, colour in enumerate(colormaps["tab10"].colors) if i != 7]  # type: ignore[attr-defined]  # noqa: PLR2004
    return {name: hues[i % len(hues)] for i, name in enumerate(names)}


def _histogram(axis: Axes, values: NDArray[np.floating], bins: NDArray[np.float64], colour: str) -> None:
    """Bars, and their mean as a line with its number above."""
    mean = float(values.mean())
    axis.hist(values, bins=bins.tolist(), color=colour, alpha=0.55)
    axis.axvline(mean, color=colour, linewidth=1.8, linestyle="--")
    axis.set_title(f"mean {mean:.3f}" if mean < _FROM_HERE_TWO_DIGITS else f"mean {mean:.2f}", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
