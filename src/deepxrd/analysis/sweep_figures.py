"""Heat maps of sweeps: ours above the paper's. Functions return a figure and write nothing."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from deepxrd.analysis.sweep_scores import SweepScores
from deepxrd.analysis.sweep_tables import heading, key_name, score_text
from deepxrd.analysis.tables import higher_is_better
from deepxrd.runs.sweep_folder import DONE

_COLOURS = "viridis"
_DARK = 0.55  # share of the colour scale below which text on it is white


def heat_map(scores: SweepScores) -> Figure:
    """The score of each run as a colour and a number, the best one framed; runs without a score say why.

    The first key goes down, the column's key across, and each choice of the others has a panel of its own.
    """
    frame, layout = scores.frame, scores.layout
    down, rest = (layout.rows[0], list(layout.rows[1:])) if layout.rows else (None, [])
    panels: list[Any] = list(frame.groupby(rest, sort=False)) if rest else [((), frame)]
    columns = ["value", "paper"] if frame["paper"].notna().any() else ["value"]
    n_down = frame[down].nunique() if down else 1
    n_across = frame[layout.column].nunique()
    figure = Figure(
        figsize=(max(4.0, len(panels) * n_across * 0.85 + 2.2), len(columns) * (n_down * 0.55 + 1.1) + 0.8),
        layout="constrained",
    )
    axes = figure.subplots(len(columns), len(panels), squeeze=False, sharex="row", sharey="row")
    for column, axes_of_column in zip(columns, axes, strict=True):
        scale = _scale(frame[column], up=column == "paper" or higher_is_better(scores.metric))
        for axis, (values, rows) in zip(axes_of_column, panels, strict=True):
            _panel(axis, rows, column, down=down, across=layout.column, scale=scale)
            title = ", ".join(f"{key_name(key)} {value}" for key, value in zip(rest, values, strict=True))
            if column == columns[0]:
                axis.set_title(title, fontsize=9)
        axes_of_column[0].set_ylabel(
            ("ours\n" if column == "value" else "the paper's\n") + (key_name(down) if down else "")
        )
        label = scores.metric if column == "value" else "peak match"
        figure.colorbar(scale, ax=list(axes_of_column), label=label, shrink=0.9, format="%.3g")
    for axis in axes[-1]:
        axis.set_xlabel(key_name(layout.column))
    figure.suptitle(heading(scores), fontsize=11)
    return figure


def _scale(values: pd.Series, *, up: bool) -> ScalarMappable:
    """Colours from the worst to the best of what there is: yellow is best, whichever way the score goes."""
    known = values.dropna().astype(float)
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5e-3, high + 0.5e-3
    colours = mpl.colormaps[_COLOURS]
    return ScalarMappable(Normalize(low, high), colours if up else colours.reversed())


def _panel(
    axis: Axes, rows: pd.DataFrame, column: str, *, down: str | None, across: str, scale: ScalarMappable
) -> None:
    xs = list(dict.fromkeys(rows[across]))
    ys: list[Any] = list(dict.fromkeys(rows[down])) if down else [""]
    best = "best" if column == "value" else "paper_best"
    for row in rows.to_dict("records"):
        x, y = xs.index(row[across]), ys.index(row[down]) if down else 0
        if np.isnan(row[column]):
            axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="0.92", edgecolor="0.75", hatch="///", lw=0))
            state = row["state"] if column == "value" and row["state"] != DONE else "–"
            axis.text(x, y, state.replace(" ", "\n"), ha="center", va="center", fontsize=7, color="0.25")
            continue
        colour = scale.to_rgba(row[column])
        axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour))
        brightness = float(np.dot(colour[:3], (0.3, 0.59, 0.11)))
        text = score_text(row[column]) if column == "value" else f"{row[column]:g}"
        if column == "value" and not np.isnan(row["std"]):
            text += f"\n± {score_text(row['std'])}"
        axis.text(x, y, text, ha="center", va="center", fontsize=8, color="white" if brightness < _DARK else "black")
        if row[best]:
            axis.add_patch(Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, fill=False, edgecolor="tab:red", lw=2))
    axis.set(xlim=(-0.5, len(xs) - 0.5), ylim=(len(ys) - 0.5, -0.5))
    axis.set_xticks(range(len(xs)), [str(value) for value in xs])
    axis.set_yticks(range(len(ys)), [str(value) for value in ys])
    axis.tick_params(length=0, labelsize=8)
