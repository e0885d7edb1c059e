"""Predictions of a few formulas, for people: a folder of tables and figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.io.csv_table import write_csv
from deepxrd.library.space_groups import symbol
from deepxrd.models.predictions import Predictions
from deepxrd.prediction.file_names import file_name
from deepxrd.prediction.pattern_csv import write_pattern
from deepxrd.prediction.predictor import PatternPredictor
from deepxrd.xrd import XrdSettings

INDEX = "formulas.csv"


def peak_table(predictions: Predictions, row: int, xrd: XrdSettings) -> NDArray[np.float64]:
    """Peaks of one formula by angle: 2θ (degrees), d (Å), intensity and, where the predictor knows it, probability."""
    position, height = predictions.peaks_of(row, xrd)
    columns = [position, xrd.wavelength_angstrom / 2 / np.sin(np.radians(position / 2)), height]
    if predictions.peak_probability is not None:
        columns.append(predictions.peak_probability[row, : len(position)])
    return np.stack(columns, axis=1).astype(np.float64)


def prediction_text(predictions: Predictions, row: int, xrd: XrdSettings, *, n: int = 10) -> str:
    """How sure the prediction is, and the n strongest peaks."""
    lines, columns = [], predictions.columns
    if "known" in columns and not columns["known"][row]:
        return (
            "  not known: nothing of this stoichiometry, or with one of the elements, was learned from;\n"
            "  the files hold the mean of all training patterns, which tells nothing of this formula"
        )
    if "crystal_system" in columns:
        lines += _symmetry_text(columns, row)
    if "expected_f1" in columns:
        lines.append(
            f"  expected F1 of the peaks (mean over 2°, 1° and 0.5°): {float(columns['expected_f1'][row]):.2f}"
        )
    peaks = peak_table(predictions, row, xrd)
    with_probability = peaks.shape[1] > 3  # noqa: PLR2004 - the fourth column
    head = "  2θ (deg)    d (Å)  intensity" + ("  probability" if with_probability else "")
    lines.append(f"{head}   (2θ for λ = {xrd.wavelength_angstrom:g} Å)")
    strongest = peaks[np.argsort(-peaks[:, 2], kind="stable")[:n]]
    lines += [
        f"  {angle:8.2f}  {d:7.4f}  {height:9.1f}" + "".join(f"  {each:11.2f}" for each in probability)
        for angle, d, height, *probability in strongest
    ]
    return "\n".join(lines)


def _symmetry_text(columns: dict[str, NDArray[np.generic]], row: int) -> list[str]:
    """The likeliest crystal system, space groups, cell and density, as columns of a prediction hold them."""

    def of(name: str) -> float:
        return float(columns[name][row])

    groups = [
        f"{symbol(number)} ({number}) {of(f'space_group_{rank}_probability'):.0%}"
        for rank in range(1, 6)
        if (number := int(columns[f"space_group_{rank}"][row]))
    ]
    cell = ", ".join(
        f"{name[0]} {of(name):.2f} ({of(f'{name}_low'):.2f} to {of(f'{name}_high'):.2f})"
        for name in ("a_angstrom", "b_angstrom", "c_angstrom")
    )
    name = "density_g_per_cm3"
    density = f"density {of(name):.2f} ({of(f'{name}_low'):.2f} to {of(f'{name}_high'):.2f}) g/cm³"
    system = f"{columns['crystal_system'][row]} {of('crystal_system_probability'):.0%}"
    return [
        f"  crystal system: {system}; space group: {', '.join(groups)}",
        f"  cell, Å, with 90 % intervals: {cell}; {density}",
    ]


def predict_to_folder(
    predictor: PatternPredictor, formulas: list[Formula], folder: Path, *, typed: list[str] | None = None
) -> Predictions:
    """Write a CSV and a PNG per formula, one ``peaks.csv``, and ``formulas.csv``, which says what is where.

    Args:
        predictor: of the patterns.
        formulas: what to predict.
        folder: where to.
        typed: the same formulas as a person wrote them, which stand beside them in the tables.

    Returns:
        What the files were made from.
    """
    from deepxrd.analysis import figures

    predictions, xrd = predictor.predict(formulas), predictor.xrd
    typed = typed or [str(formula) for formula in formulas]
    main = "intensity" if predictions.peaks is None else predictions.name
    for row, formula in enumerate(formulas):
        curves = {name: values[row] for name, values in {main: predictions.patterns, **predictions.further}.items()}
        file = file_name(formula)
        write_pattern(folder / f"{file}.csv", xrd.two_theta_deg, curves)
        curve = predictions.further.get("expected", predictions.patterns)[row]
        figure = figures.predicted_pattern(
            _title(predictions, row, called(typed[row], formula)),
            curve,
            xrd,
            peaks=predictions.peaks_of(row, xrd),
            peaks_called=None if predictions.peaks is None else f"{predictions.name} peaks",
        )
        figures.save_figure(figure, folder / f"{file}.png")
    _write_peaks(predictions, formulas, typed, folder, xrd)
    _write_index(predictions, formulas, typed, folder)
    return predictions


def called(typed: str, formula: Formula) -> str:
    """A formula as it was typed, and as it was understood where that is written in another way."""
    return typed if typed == str(formula) else f"{typed} (read as {formula})"


def _write_peaks(
    predictions: Predictions, formulas: list[Formula], typed: list[str], folder: Path, xrd: XrdSettings
) -> None:
    """``peaks.csv``: the peaks of all formulas, and of each how likely it is where the predictor knows it."""
    further = [] if predictions.peak_probability is None else ["probability_within_1deg"]
    rows = (
        [typed[row], formula, f"{angle:.3f}", f"{d:.5f}", *(f"{value:.2f}" for value in rest)]
        for row, formula in enumerate(formulas)
        for angle, d, *rest in peak_table(predictions, row, xrd)
    )
    write_csv(folder / "peaks.csv", ["typed", "formula", "two_theta_deg", "d_angstrom", "intensity", *further], rows)


def _write_index(predictions: Predictions, formulas: list[Formula], typed: list[str], folder: Path) -> None:
    """``formulas.csv``: what was typed, what was understood, and the file of its pattern."""
    rows = (
        [typed[row], formula, f"{file_name(formula)}.csv", *(values[row] for values in predictions.columns.values())]
        for row, formula in enumerate(formulas)
    )
    write_csv(folder / INDEX, ["typed", "formula", "file", *predictions.columns], rows)


def _title(predictions: Predictions, row: int, formula: str) -> str:
    columns = predictions.columns
    if "known" in columns and not columns["known"][row]:
        return f"{formula}: not known; the mean of all training patterns"
    expected_f1 = (
        f", expected F1 of its peaks {float(columns['expected_f1'][row]):.2f}" if "expected_f1" in columns else ""
    )
    return f"{formula}: predicted pattern{expected_f1}"
