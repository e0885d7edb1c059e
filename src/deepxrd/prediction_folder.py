"""Predictions of a few formulas, for people: a folder of tables and figures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.files import atomic_path
from deepxrd.predict import Predictor
from deepxrd.xrd import find_peaks


def strongest_peaks(
    pattern: NDArray[np.float32], two_theta_deg: NDArray[np.float64], *, n: int = 10
) -> list[tuple[float, float]]:
    """The n strongest peaks as (2θ in degrees, intensity), strongest first."""
    position, height = find_peaks(pattern[None], two_theta_deg).of(0)
    order = np.argsort(-height, kind="stable")[:n]
    return [(float(position[i]), float(height[i])) for i in order]


def predict_to_folder(predictor: Predictor, formulas: list[Formula], folder: Path) -> NDArray[np.float32]:
    """Write a CSV and a PNG per formula, and one ``peaks.csv``; returns the patterns ``(n, n_points)``."""
    from deepxrd.analysis import figures

    patterns = predictor.patterns(formulas)
    peaks = find_peaks(patterns, predictor.two_theta)
    for formula, pattern in zip(formulas, patterns, strict=True):
        with atomic_path(folder / f"{formula}.csv") as temporary:
            table = np.column_stack([predictor.two_theta, pattern])
            np.savetxt(temporary, table, "%.4f", delimiter=",", header="two_theta_deg,intensity", comments="")
        figures.save(figures.predicted_pattern(str(formula), pattern, predictor.xrd), folder / f"{formula}.png")
    with atomic_path(folder / "peaks.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["formula", "two_theta_deg", "intensity"])
        for row, formula in enumerate(formulas):
            writer.writerows([formula, f"{t:.3f}", f"{i:.2f}"] for t, i in zip(*peaks.of(row), strict=True))
    return patterns
