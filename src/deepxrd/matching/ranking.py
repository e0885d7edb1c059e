"""How well predicted patterns fit a measured one, and which fits best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.errors import ConfigError
from deepxrd.io.progress import progress_bar
from deepxrd.matching.measured import Target
from deepxrd.models.predictions import Predictions
from deepxrd.prediction.predictor import PatternPredictor
from deepxrd.xrd import XrdSettings

MAX_STRAIN = 0.02
"""How far all lengths of a predicted cell may be off: computed and measured volumes differ, and so do temperatures."""
STRAIN_STEP = 0.001
_CANDIDATES_AT_ONCE = 128
_LARGEST_STRAIN = 0.2


@dataclass(frozen=True)
class Fit:
    """How one candidate fits.

    Attributes:
        formula: of the candidate.
        typed: the same as a person wrote it.
        similarity: Pearson correlation of both patterns over the measured range, at the best scale; NaN where the
            predictor knows nothing of the candidate.
        lattice_scale: what all predicted lengths are multiplied by for that.
        columns: what else the predictor knows, such as ``expected_f1``.
    """

    formula: Formula
    similarity: float
    lattice_scale: float
    columns: dict[str, float]
    typed: str = ""


def rank(
    target: Target,
    predictor: PatternPredictor,
    candidates: Iterable[Formula],
    *,
    max_strain: float = MAX_STRAIN,
    typed: Sequence[str] | None = None,
) -> list[Fit]:
    """Fits of candidates, the best first; those that the predictor knows nothing of come last.

    Args:
        target: the measured pattern.
        predictor: of the patterns.
        candidates: formulas.
        max_strain: how far all lengths of a predicted cell may be off.
        typed: the candidates as a person wrote them; their reduced formulas, if not given.

    Raises:
        ConfigError: there is no such strain.
    """
    scales = lattice_scales(max_strain)
    formulas, fits = list(candidates), []
    texts = [str(formula) for formula in formulas] if typed is None else typed
    with progress_bar() if len(formulas) > _CANDIDATES_AT_ONCE else nullcontext() as bar:
        task = bar.add_task("Matching", total=len(formulas)) if bar else None
        for start in range(0, len(formulas), _CANDIDATES_AT_ONCE):
            some = formulas[start : start + _CANDIDATES_AT_ONCE]
            fits += _fits(target, predictor, some, scales)
            if bar and task is not None:
                bar.advance(task, len(some))
    fits = [replace(fit, typed=text) for fit, text in zip(fits, texts, strict=True)]
    return sorted(fits, key=lambda fit: (np.isnan(fit.similarity), -fit.similarity, str(fit.formula)))


def _fits(
    target: Target, predictor: PatternPredictor, formulas: list[Formula], scales: NDArray[np.float64]
) -> list[Fit]:
    found = predictor.predict(formulas)
    similarity, best = best_fits(target, compared(found), predictor.xrd, scales)
    known = found.columns.get("known", np.ones(len(formulas), dtype=np.bool_))
    similarity[~np.asarray(known, dtype=np.bool_)] = np.nan
    return [
        Fit(
            formula,
            float(similarity[row]),
            float(best[row]),
            {name: float(values[row]) for name, values in found.columns.items()},
        )
        for row, formula in enumerate(formulas)
    ]


def compared(found: Predictions) -> NDArray[np.float32]:
    """The patterns that a measurement is compared with: the expected ones, where a predictor has them.

    What could be, in the mean, is nearer to what is than what is likeliest (results/match).
    """
    return found.further.get("expected", found.patterns)


def lattice_scales(max_strain: float) -> NDArray[np.float64]:
    """Scales from ``1 - max_strain`` to ``1 + max_strain``, 1 among them.

    Raises:
        ConfigError: the strain is negative, or beyond all reason.
    """
    if not 0 <= max_strain <= _LARGEST_STRAIN:
        msg = f"a strain of {100 * max_strain:g} %: give one from 0 to {100 * _LARGEST_STRAIN:g}"
        raise ConfigError(msg)
    n = round(max_strain / STRAIN_STEP)
    return np.asarray(1 + STRAIN_STEP * np.arange(-n, n + 1, dtype=np.float64))


def best_fits(
    target: Target, patterns: NDArray[np.float32], xrd: XrdSettings, scales: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pearson correlation of each pattern with the target at the scale of its cell that suits it best.

    Args:
        target: the measured pattern.
        patterns: predicted, ``(n, n_points)``.
        xrd: settings of the patterns.
        scales: to be tried, ``(n_scales,)``.

    Returns:
        Correlations ``(n,)``, 0 for a pattern without any feature in the measured range; and scales ``(n,)``.
    """
    measured = target.pattern[target.inside]
    measured = measured - measured.mean()
    measured /= np.linalg.norm(measured)
    best = np.full(len(patterns), -np.inf)
    at = np.ones(len(patterns))
    for scale in scales[np.argsort(np.abs(scales - 1), kind="stable")]:  # of equals, the least strained
        moved = scaled(patterns, xrd, scale)[:, target.inside]
        moved -= moved.mean(axis=1, keepdims=True)
        length = np.linalg.norm(moved, axis=1)
        correlation = np.divide(moved @ measured, length, out=np.zeros(len(moved)), where=length > 0)
        better = correlation > best
        best[better], at[better] = correlation[better], scale
    return best, at


def scaled(patterns: NDArray[np.float32], xrd: XrdSettings, scale: float) -> NDArray[np.float64]:
    """Patterns of cells whose lengths are multiplied by ``scale``: what was at ``q`` is at ``q / scale``.

    Zero where the pattern would have to be known beyond its range.
    """
    sine = np.sin(np.radians(xrd.two_theta_deg) / 2) * scale
    source = xrd.coordinate(np.degrees(2 * np.arcsin(np.minimum(sine, 1.0))))
    position = np.clip((source - xrd.grid[0]) / xrd.step, 0, xrd.n_points - 1)
    low = np.minimum(position.astype(np.int64), xrd.n_points - 2)
    share = position - low
    known = (sine <= 1) & (source <= xrd.grid[-1] + 1e-9) & (source >= xrd.grid[0] - 1e-9)
    return np.where(known, patterns[:, low] * (1 - share) + patterns[:, low + 1] * share, 0.0)
