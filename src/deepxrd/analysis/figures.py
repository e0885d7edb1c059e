"""Figures. Functions return a figure and write nothing; :func:`save_figure` writes one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.io.files import atomic_path
from deepxrd.xrd import XrdSettings

if TYPE_CHECKING:
    import pandas as pd

TRUE_COLOUR, PREDICTED_COLOUR = "tab:blue", "tab:red"
_ORDERED_BY, _IN_GRID = "peak_f1_2deg", 6
"""The score by which samples of the grid are ordered, and how many are shown, even steps apart."""
_ROOM_BELOW = -12.0  # of 100, for marks under a pattern


def pattern_grid(
    per_sample: pd.DataFrame,
    predicted: NDArray[np.float32],
    true: NDArray[np.float32],
    xrd: XrdSettings,
) -> Figure:
    """Predicted patterns in red over true ones in blue, from the worst sample of the test set to the best.

    Args:
        per_sample: one row per sample, with ``composition`` and ``peak_f1_2deg``, by which they are ordered.
        predicted: ``(n_samples, n_points)``.
        true: the same shape.
        xrd: settings of the patterns.
    """
    order = np.argsort(per_sample[_ORDERED_BY].to_numpy(), kind="stable")
    shown = order[np.linspace(0, len(order) - 1, min(_IN_GRID, len(order))).round().astype(int)]
    figure = Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots((len(shown) + 1) // 2, 2, sharex=True, squeeze=False)
    for axis, row in zip(axes.ravel(), shown, strict=False):
        two_theta = xrd.two_theta_deg
        axis.fill_between(two_theta, true[row], color=TRUE_COLOUR, alpha=0.35, linewidth=0)
        axis.plot(two_theta, true[row], color=TRUE_COLOUR, linewidth=0.9, label="true")
        axis.plot(two_theta, predicted[row], color=PREDICTED_COLOUR, linewidth=0.9, label="predicted")
        sample = per_sample.iloc[row]
        axis.set_title(
            f"{sample['composition']} ({sample['material_id']}): F1 at 2° {sample[_ORDERED_BY]:.2f}, "
            f"1 − Pearson {sample['pearson_distance']:.2f}",
            fontsize=10,
        )
        axis.set_xlim(two_theta[0], two_theta[-1])
        axis.set_ylim(0, 105)
    axes[0, 0].legend(fontsize=9, frameon=False)
    figure.supxlabel(f"2θ (degrees, λ = {xrd.wavelength_angstrom:g} Å)")
    figure.supylabel("intensity (largest = 100)")
    figure.suptitle(f"Test samples from the worst to the best by F1 of peaks ({len(order)} samples)", fontsize=12)
    return figure


def stacked_patterns(title: str, labels: list[str], patterns: NDArray[np.float32], xrd: XrdSettings) -> Figure:
    """Patterns ``(n, n_points)`` one below the other, each with its label."""
    figure = Figure(figsize=(9, 1.2 + 1.5 * len(labels)))
    axes = figure.subplots(len(labels), 1, sharex=True, squeeze=False)[:, 0]
    _set_margins(figure, left=0.15, bottom=0.6, top=0.65)
    figure.subplots_adjust(hspace=0.3)
    for axis, label, pattern in zip(axes, labels, patterns, strict=True):
        axis.plot(xrd.two_theta_deg, pattern, color=TRUE_COLOUR, linewidth=0.8)
        axis.set(xlim=(xrd.two_theta_deg[0], xrd.two_theta_deg[-1]), ylim=(0, 108), yticks=[])
        axis.set_title(label, fontsize=9, loc="left")
    axes[-1].set_xlabel(f"2θ (degrees, λ = {xrd.wavelength_angstrom:g} Å)", fontsize=10)
    figure.suptitle(title, fontsize=12, y=1 - 0.1 / figure.get_figheight(), va="top")
    return figure


def predicted_pattern(
    title: str,
    pattern: NDArray[np.float32],
    xrd: XrdSettings,
    *,
    peaks: tuple[NDArray[np.float64], NDArray[np.float64]],
    peaks_called: str | None = None,
) -> Figure:
    """One predicted pattern ``(n_points,)``, its strongest peaks marked with their angle.

    Args:
        title: of the figure.
        pattern: to be drawn as a line.
        xrd: settings of the patterns.
        peaks: angles (degrees) and intensities of the peaks, each ``(n_peaks,)``.
        peaks_called: what peaks are that say more than the pattern; they are drawn below it. None for its own.
    """
    figure = Figure(figsize=(9, 4))
    axis = figure.subplots()
    _set_margins(figure, left=0.65, bottom=0.55, top=0.35)
    two_theta, (position, height) = xrd.two_theta_deg, peaks
    lowest = 0.0
    if peaks_called is None:
        axis.plot(two_theta, pattern, color=PREDICTED_COLOUR, linewidth=1)
    else:
        lowest = _ROOM_BELOW
        axis.plot(two_theta, pattern, color=PREDICTED_COLOUR, linewidth=1, label="expected pattern")
        axis.vlines(position, lowest, 0.4 * lowest, colors=TRUE_COLOUR, linewidth=1.4, label=peaks_called)
        axis.legend(frameon=False)
    for i in np.argsort(-height, kind="stable")[:10]:
        axis.annotate(
            f"{position[i]:.1f}°", (position[i], height[i]), (0, 3), textcoords="offset points", ha="center", fontsize=8
        )
    axis.set(
        xlim=(two_theta[0], two_theta[-1]),
        ylim=(lowest, 112),
        xlabel=f"2θ (degrees, λ = {xrd.wavelength_angstrom:g} Å)",
        ylabel="intensity (largest = 100)",
        title=title,
    )
    return figure


def _set_margins(figure: Figure, *, left: float, bottom: float, top: float) -> None:
    """Room around the axes, inches: to have matplotlib find it takes longer than to draw the figure."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left=left / width, right=1 - 0.15 / width, bottom=bottom / height, top=1 - top / height)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure atomically; the ending of the path says in which format."""
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)
