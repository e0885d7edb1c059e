"""A scan and what explains it, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.mixture import Mixture
from deepxrd.matching.model import SHIFT, STRAIN, calculated, grid_of
from deepxrd.matching.observed import FINE_STEP, Observed
from deepxrd.matching.single import Fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_COLOURS = ("tab:red", "tab:green", "tab:purple", "tab:orange")
_TICK = 0.05  # of the highest count, for a row of ticks
_SEEN = 1e-3  # of the strongest reflection: weaker ones get no tick


def fit_figure(observed: Observed, mixture: Mixture | None, labels: Sequence[str], title: str) -> Figure:
    """The scan at its own resolution, the fit, ticks of each phase, and the residual.

    Args:
        observed: the scan.
        mixture: what explains it; None where nothing does.
        labels: of the phases.
        title: of the figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    axis, below = figure.subplots(2, sharex=True, height_ratios=[4, 1])
    angle = observed.two_theta_deg
    counts = np.where(observed.measured, observed.intensity + observed.background, np.nan)
    axis.plot(angle, counts, color="black", linewidth=0.6, label="measured")
    axis.plot(
        angle, np.where(observed.measured, observed.background, np.nan), color="grey", linewidth=0.7, label="background"
    )
    highest = float(np.nanmax(counts))
    rest = np.where(observed.measured, observed.intensity, np.nan)
    if mixture is not None:
        grid = grid_of(observed, FINE_STEP)
        each = calculated(grid, mixture.stack, mixture.parameters, 0.0)
        rest = rest - each.sum(axis=0)
        total = np.where(observed.measured, observed.background + each.sum(axis=0), np.nan)
        axis.plot(angle, total, color="tab:blue", linewidth=0.8, label="fit")
        for row, (fit, label) in enumerate(zip(mixture.fits, labels, strict=True)):
            places = tick_angles(observed, fit)
            level = -_TICK * highest * (row + 1)
            colour = _COLOURS[row % len(_COLOURS)]
            axis.vlines(places, level, level + 0.6 * _TICK * highest, color=colour, linewidth=0.7, label=label)
    axis.set(
        ylabel="counts",
        title=title,
        ylim=(-_TICK * highest * (1 + (len(mixture.fits) if mixture else 0)), 1.05 * highest),
    )
    axis.legend(frameon=False, fontsize=8, loc="upper right")
    below.plot(angle, rest, color="black", linewidth=0.5)
    below.axhline(0, color="grey", linewidth=0.5)
    below.set(xlabel=f"2θ (degrees, λ = {observed.wavelength_angstrom:g} Å)", ylabel="rest", xlim=(angle[0], angle[-1]))
    return figure


def tick_angles(observed: Observed, fit: Fit) -> Floats:
    """2θ of the reflections of a phase that can be seen, by the first line of the tube, degrees."""
    found = fit.candidate.reflections
    strain = fit.parameters[STRAIN : STRAIN + len(found.slopes)]
    root = np.sqrt(np.maximum(found.q + strain @ found.slopes, 1e-6))
    grid = grid_of(observed, FINE_STEP)
    strength = found.intensity * grid.factor(root) * np.exp(-0.5 * root**2)
    x = root + fit.parameters[SHIFT] * grid.tilt(root)
    seen = (strength > _SEEN * strength.max()) & (x >= observed.x[0]) & (x <= observed.x[-1])
    return np.asarray(np.degrees(2 * np.arcsin(np.minimum(x[seen] * observed.wavelength_angstrom / 2, 1.0))))
