"""Tables of predicted symmetry in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from deepxrd.analysis.tables import markdown_table

SHARES = {"system_right": "crystal system", "group_first": "space group first", "group_among_five": "among five"}
"""Columns that are true or false for each sample, with their words."""


def share_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Shares with half the width of their 95 % intervals, a row per model.

    Args:
        rows: of :func:`deepxrd.evaluation.symmetry_scores.summary`, each with the name of its ``model``.
    """
    lines = []
    for row in rows:
        cells = [f"{row[name]:.3f} ({(row[f'{name}_high'] - row[f'{name}_low']) / 2:.3f})" for name in SHARES]
        lines.append([row["model"], f"{row['n']:,}", *cells])
    return markdown_table(["", "n", *SHARES.values()], lines)


def sureness_table(rows: Sequence[Mapping[str, Any]], *, first: str) -> str:
    """Calibration errors, coverages of 90 % intervals, and the median error of the volume, a row per group."""
    heads = ["calibration error, crystal system", "space groups", "*a* covered", "*b*", "*c*", "volume covered"]
    lines = []
    for row in rows:
        cells = [f"{row['system_calibration_error']:.3f}", f"{row['group_calibration_error']:.3f}"]
        cells += [_percent(row[f"{name}_covered"]) for name in ("a", "b", "c", "volume")]
        lines.append([str(row[first]), *cells, _percent(row["median_volume_error"], digits=1)])
    return markdown_table(["", *heads, "median error of the volume"], lines)


def lattice_markdown(models: Mapping[str, pd.DataFrame]) -> str:
    """R² of *a* by true crystal system: each model, the first where system and space group are right, MLatticeABC.

    Args:
        models: of :func:`deepxrd.evaluation.symmetry_scores.lattice_table` by name; the first is looked at closely.
    """
    main, table = next(iter(models.items()))
    heads = [*models, "system right", "space group right", "MLatticeABC", f"median error, {main}", "space group right"]
    lines = []
    for place, row in enumerate(table.to_dict("records")):
        cells = [f"{each.iloc[place]['r2']:.3f}" for each in models.values()]
        cells += [f"{row[name]:.3f}" for name in ("system_right_r2", "group_right_r2", "mlattice_abc_r2")]
        cells += [_percent(row[name], digits=1) for name in ("median_error", "group_right_median_error")]
        lines.append([row["crystal_system"], f"{row['n']:,}", *cells])
    return markdown_table(["crystal system", "n", *heads], lines)


def _percent(value: float, *, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f} %"
