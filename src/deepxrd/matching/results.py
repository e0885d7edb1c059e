"""What a search for the candidate that fits leaves behind: a table and a figure, and words."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from deepxrd.analysis.figures import PREDICTED_COLOUR, TRUE_COLOUR, save_figure
from deepxrd.chem import Formula
from deepxrd.errors import FormulaError
from deepxrd.io.files import atomic_path
from deepxrd.io.formula_table import read_formulas
from deepxrd.matching.measured import Target, read_measured, target_of
from deepxrd.matching.ranking import MAX_STRAIN, Fit, compared, rank, scaled
from deepxrd.prediction.folder import called
from deepxrd.prediction.predictor import PatternPredictor

RANKING, FIGURE = "ranking.csv", "fits.png"
_SHOWN = 3  # in the figure
Skipped = list[tuple[str, str]]
"""Candidates that cannot be predicted: the formula, with its line where it came from a table; and why."""


def match_to_folder(
    predictor: PatternPredictor,
    measured: Path,
    candidates: Sequence[str] | Path,
    folder: Path,
    *,
    radiation: str | None = None,
    max_strain: float = MAX_STRAIN,
) -> tuple[list[Fit], Skipped]:
    """Rank candidates by how well they fit a measured pattern, and write a table and a figure.

    Args:
        predictor: of the patterns.
        measured: a file of any instrument; see `deepxrd.scans`.
        candidates: formulas, or a table of them; see :func:`deepxrd.io.formula_table.read_formulas`.
        folder: for ``ranking.csv`` and ``fits.png``.
        radiation: of the measurement; None for what the file says, else that of the predictions.
        max_strain: how far all lengths of a predicted cell may be off.

    Raises:
        SourceError: a file cannot be used.
        FormulaError: no candidate can be predicted.
    """
    target = target_of(read_measured(measured, radiation=radiation), predictor.xrd)
    formulas: list[Formula] = []
    typed: list[str] = []
    skipped: Skipped = []
    table = isinstance(candidates, Path)
    rows = read_formulas(candidates) if isinstance(candidates, Path) else enumerate(candidates)
    for line, text in rows:
        try:
            formulas.append(predictor.check(text))
        except FormulaError as error:
            skipped.append((f"line {line}" if table else text, str(error)))
        else:
            typed.append(text)
    if not formulas:
        msg = f"no candidate can be predicted: {skipped[0][1]}" if skipped else f"{candidates} holds no candidates"
        raise FormulaError(msg)
    fits = rank(target, predictor, formulas, max_strain=max_strain, typed=typed)
    write_results(fits, target, predictor, folder)
    return fits, skipped


def write_results(fits: list[Fit], target: Target, predictor: PatternPredictor, folder: Path) -> None:
    """Write the whole ranking as ``ranking.csv`` and the best fits as ``fits.png``."""
    names = list(fits[0].columns)
    with atomic_path(folder / RANKING) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["rank", "typed", "formula", "similarity", "lattice_scale", *names])
        for place, fit in enumerate(fits, 1):
            known = not np.isnan(fit.similarity)
            how_well = [f"{fit.similarity:.4f}", f"{fit.lattice_scale:.3f}"] if known else ["", ""]
            writer.writerow([place, fit.typed, fit.formula, *how_well, *(f"{fit.columns[name]:.4g}" for name in names)])
    save_figure(_figure(fits[:_SHOWN], target, predictor), folder / FIGURE)


def ranking_text(fits: list[Fit], *, n: int = 10) -> str:
    """The n best fits, a line each."""
    with_f1 = "expected_f1" in fits[0].columns
    width = max(len(called(fit.typed, fit.formula)) for fit in fits[:n])
    lines = [f"  rank  {'formula':<{max(width, 7)}}  similarity  lengths" + ("  expected F1" if with_f1 else "")]
    for place, fit in enumerate(fits[:n], 1):
        line = f"  {place:4d}  {called(fit.typed, fit.formula):<{max(width, 7)}}"
        if np.isnan(fit.similarity):
            lines.append(f"{line}  not known: nothing like it was learned from")
            continue
        line += f"  {fit.similarity:10.3f}  {fit.lattice_scale - 1:+7.1%}"
        lines.append(line + (f"  {fit.columns['expected_f1']:11.2f}" if with_f1 else ""))
    return "\n".join(lines)


def _figure(fits: list[Fit], target: Target, predictor: PatternPredictor) -> Figure:
    figure = Figure(figsize=(9, 2.4 * len(fits) + 0.6), layout="constrained")
    xrd, inside = predictor.xrd, target.inside
    two_theta, patterns = xrd.two_theta_deg[inside], compared(predictor.predict([fit.formula for fit in fits]))
    axes = figure.subplots(len(fits), sharex=True, squeeze=False)[:, 0]
    for axis, fit, pattern in zip(axes, fits, patterns, strict=True):
        predicted = scaled(pattern[None], xrd, fit.lattice_scale)[0, inside]
        predicted *= 100 / predicted.max() if predicted.any() else 1
        axis.fill_between(two_theta, target.pattern[inside], color=TRUE_COLOUR, alpha=0.35, linewidth=0)
        axis.plot(two_theta, target.pattern[inside], color=TRUE_COLOUR, linewidth=0.9, label="measured")
        axis.plot(two_theta, predicted, color=PREDICTED_COLOUR, linewidth=1, label="predicted")
        how_well = "not known" if np.isnan(fit.similarity) else f"similarity {fit.similarity:.3f}"
        axis.set_title(f"{called(fit.typed, fit.formula)}: {how_well}", fontsize=10)
        axis.set(xlim=(two_theta[0], two_theta[-1]), ylim=(0, 110))
    figure.axes[0].legend(frameon=False)
    figure.supxlabel(f"2θ (degrees, λ = {xrd.wavelength_angstrom:g} Å)")
    figure.supylabel("intensity (largest = 100)")
    return figure
