"""Numbers that were measured elsewhere, and which data they belong to: they stand beside no others."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from typing import Any

import pandas as pd

from deepxrd.data.statement import MATERIALS_PROJECT
from deepxrd.xrd import XrdSettings

PAPER_DATA: dict[str, dict[str, Any]] = {
    "abc3": {"n_elements": 3, "stoichiometry": "ABC3", "least": 2000},
    "ternary": {"n_elements": 3, "stoichiometry": None, "least": 20_000},
}
"""The paper's two data sets as it states them, and about half of the samples that the Materials Project has of them."""
_AS_IN_THE_PAPER = ("radiation", "two_theta_min_deg", "two_theta_max_deg", "n_points", "axis")
_WIDEST_DEG = 0.5
"""The paper gives no width of its lines: from sticks on the grid up to this all are read as its own."""


def paper_table2() -> dict[tuple[str, str], float]:
    """The paper's Table 2 by row and distance, as it names them; packaged with the code."""
    with files("deepxrd.analysis").joinpath("paper_table2.csv").open(encoding="utf-8") as stream:
        table = pd.read_csv(stream, index_col="row")
    return {(str(row), str(name)): float(table[name][row]) for row in table.index for name in table.columns}


def is_papers(data_set: dict[str, Any] | None, which: str) -> bool:
    """Whether data are one of the paper's data sets: as it states it, and not by its name.

    That is: most entries of the Materials Project with that stoichiometry, within its one-hot, patterns over its range,
    parts drawn by composition. Its own entries are of an earlier state of the database, which nobody has.

    Args:
        data_set: see :func:`deepxrd.data.statement.statement`; None where it is not known.
        which: a key of `PAPER_DATA`.
    """
    if data_set is None:
        return False
    stated, ours, theirs = PAPER_DATA[which], data_set["xrd"], XrdSettings().to_dict()
    return bool(
        data_set["database"] == MATERIALS_PROJECT
        and all(data_set["selection"].get(key) == stated[key] for key in ("n_elements", "stoichiometry"))
        and data_set["paper_encoding"]
        and all(ours.get(key) == theirs[key] for key in _AS_IN_THE_PAPER)
        and ours.get("sigma_deg", math.inf) <= _WIDEST_DEG
        and data_set["split"].get("by") == "composition"
        and data_set["n_samples"] >= stated["least"]
    )


def substitution_row(data_set: dict[str, Any] | None) -> dict[str, Any] | None:
    """Scores of chemical substitution on the very same test part, with where they are from; None where none are known.

    Args:
        data_set: see :func:`deepxrd.data.statement.statement`; None where it is not known.
    """
    if data_set is None:
        return None
    for row in reference_rows():
        if all(data_set[key] == row[key] for key in ("samples", "split")) and is_default(data_set["xrd"]):
            return row
    return None


def is_default(xrd: dict[str, Any]) -> bool:
    """Whether patterns are those of the reference scores: the default settings, by whichever engine."""
    default = XrdSettings().to_dict()
    return all(xrd.get(key) == value for key, value in default.items() if key != "engine")


def reference_rows() -> list[dict[str, Any]]:
    """Scores of chemical substitution with the samples and the split they belong to; packaged with the code."""
    text = files("deepxrd.analysis").joinpath("reference_scores.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows
