"""Case studies: a crystal above its predicted and true pattern (Dong et al. 2022, Figures 7 to 10)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.analysis.figures import PREDICTED_COLOUR, TRUE_COLOUR
from deepxrd.analysis.structure_drawing import draw_structure
from deepxrd.analysis.tables import higher_is_better
from deepxrd.chem import Crystal
from deepxrd.errors import ConfigError
from deepxrd.metrics import all_distances, peak_scores
from deepxrd.xrd import THRESHOLD, Peaks, XrdSettings, align_peaks, find_peaks, stick_patterns

PAPER_FORMULAS: tuple[str, ...] = (
    "BaTbO3",
    "SrSeO3",
    "YAlO3",
    "BaZrO3",
    "Ca3SiO",
    "CsInBr3",
    "CsCaCl3",
    "NdLuS3",
    "Ca3BiSb",
    "MgAgF3",
    "Fe3O2F4",  # Fe3(OF2)2 in the paper
    "PBr2N",
    "Tl6PbI10",
    "Al2NiO4",
    "Co3Bi3N5",
    "VC6N9",  # V(C2N3)3 in the paper
)
"""Materials of the paper's Figures 7 to 10, as the reduced formulas that compositions are written in."""
_ROOM_ABOVE = 1.28  # of the highest peak, for the scores


def pick_cases(per_sample: pd.DataFrame, *, score: str = "peak_f1_2deg") -> dict[str, int]:
    """Samples to look at: the paper's materials as far as they are there, then the best, the median and the worst.

    Args:
        per_sample: one row per sample, with ``composition`` as a reduced formula, and the score.
        score: by which samples are good or bad. Of scores of peaks the highest is the best, of distances the lowest; a
            value that is not a number is the worst.

    Returns:
        The number of the row, counted from zero whatever the index, by what it is: a reduced formula, ``best``,
        ``median`` or ``worst``. Of equals the first row is taken.

    Raises:
        ConfigError: no samples, or no such score.
    """
    if score not in per_sample:
        msg = f"no score {score!r} to pick cases by: there are {', '.join(map(str, per_sample.columns))}"
        raise ConfigError(msg)
    if per_sample.empty:
        msg = "no samples to pick cases from"
        raise ConfigError(msg)
    compositions = per_sample["composition"].tolist()
    cases = {formula: compositions.index(formula) for formula in PAPER_FORMULAS if formula in compositions}
    badness = per_sample[score].to_numpy(dtype=np.float64)
    badness = -badness if higher_is_better(score) else badness
    order = np.argsort(badness, kind="stable")
    first_of_the_worst = int(np.argmax(badness))
    return cases | {"best": int(order[0]), "median": int(order[(len(order) - 1) // 2]), "worst": first_of_the_worst}


def case_study(
    crystal: Crystal,
    predicted: NDArray[np.floating],
    true: NDArray[np.floating],
    xrd: XrdSettings,
    *,
    title: str,
) -> Figure:
    """A crystal; below, predicted (red) over true (blue): the patterns, their peaks, and the peaks after alignment.

    Each panel says how near the two are in it. The distances are those of Table 2's rows. The patterns' peaks are
    scored in the upper two panels, and the aligned ones in the last.

    Args:
        crystal: the true structure.
        predicted: its predicted pattern, ``(n_points,)``, largest = 100.
        true: its true pattern, the same shape.
        xrd: settings of the patterns.
        title: of the figure.
    """
    grid = xrd.two_theta_deg
    true_peaks, peaks = find_peaks(true[None], grid), find_peaks(predicted[None], grid)
    aligned = align_peaks(peaks, true_peaks)
    figure = Figure(figsize=(9.5, 11), layout="constrained")
    axes = figure.subplots(4, 1, height_ratios=[2.1, 1, 1, 1])
    draw_structure(axes[0], crystal)
    axes[0].set_title(title, fontsize=13)
    pattern_axis, peak_axis, aligned_axis = axes[1:]
    pattern_axis.fill_between(grid, true, color=TRUE_COLOUR, alpha=0.3, linewidth=0)
    pattern_axis.plot(grid, true, color=TRUE_COLOUR, linewidth=1.0, label="true")
    pattern_axis.plot(grid, predicted, color=PREDICTED_COLOUR, linewidth=1.0, label="predicted")
    _annotate(pattern_axis, "patterns", predicted, true, peaks=(peaks, true_peaks), xrd=xrd)
    sticks = stick_patterns(true_peaks, grid)[0]
    for axis, what, of_panel in (
        (peak_axis, f"peaks of at least {THRESHOLD:g}", peaks),
        (aligned_axis, "the same, aligned", aligned),
    ):
        _sticks(axis, of_panel, true_peaks)
        _annotate(axis, what, stick_patterns(of_panel, grid)[0], sticks, peaks=(of_panel, true_peaks), xrd=xrd)
    for axis in (pattern_axis, peak_axis):
        axis.sharex(aligned_axis)
        axis.tick_params(labelbottom=False)
    aligned_axis.set(xlim=(grid[0], grid[-1]), xlabel=f"2θ (degrees, λ = {xrd.wavelength_angstrom:g} Å)")
    peak_axis.set_ylabel("intensity (largest = 100)")
    return figure


def _sticks(axis: Axes, predicted: Peaks, true: Peaks) -> None:
    """A stick per peak: thin red ones over broad blue ones, so that both are seen where they coincide."""
    for peaks, colour, width, label in (
        (true, TRUE_COLOUR, 4.5, "true"),
        (predicted, PREDICTED_COLOUR, 1.4, "predicted"),
    ):
        position, height = peaks.of(0)
        axis.vlines(position, 0, height, colors=colour, linewidth=width, alpha=0.5 if width > 2 else 1.0, label=label)  # noqa: PLR2004


def _annotate(
    axis: Axes,
    what: str,
    predicted: NDArray[np.floating],
    true: NDArray[np.floating],
    *,
    peaks: tuple[Peaks, Peaks],
    xrd: XrdSettings,
) -> None:
    """Say above the curves what they are and how near they are; set the limits and the legend."""
    distances = all_distances(predicted[None], true[None], xrd.two_theta_deg)
    scores = peak_scores(peaks[1], peaks[0])
    f1 = ", ".join(f"{scores[f'peak_f1_{at}deg'][0]:.2f} at {at}°" for at in ("2", "1", "0.5"))
    text = (
        f"{what}: 1 − cosine {distances['cosine_distance'][0]:.2f}, "
        f"1 − Pearson {distances['pearson_distance'][0]:.2f}; F1 of peaks {f1}"
    )
    axis.text(0.01, 0.96, text, transform=axis.transAxes, va="top", fontsize=9)
    axis.set_ylim(0, _ROOM_ABOVE * 100)
    axis.set_yticks([0, 50, 100])
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="upper right", frameon=False, fontsize=9, ncols=2, borderaxespad=0.1)
