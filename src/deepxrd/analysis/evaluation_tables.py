"""Tables of evaluations: scores beside baselines, Table 2 beside the paper's, two models side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from deepxrd.analysis.references import paper_table2
from deepxrd.analysis.tables import COLUMNS, markdown_table
from deepxrd.metrics import TABLE2_ROWS
from deepxrd.metrics.bootstrap import Interval

DISTANCES = {
    "cosine_distance": "cosine",
    "pearson_distance": "Pearson",
    "jsd": "JSD",
    "js_distance": "√JSD",
    "dtw": "DTW",
}
_FEW = 0.05  # share of fallbacks that moves means too little to show those without
_PAPER_COLUMNS = {"cosine_distance": "cosine", "pearson_distance": "pearson", "jsd": "jsd", "dtw": "dtw"}
ROW_NAMES = dict(zip(TABLE2_ROWS, ("whole pattern", "peaks", "aligned peaks"), strict=True))
"""Rows of Table 2 for people."""
_OURS = "Distances are means over the test part, with 95 % intervals by bootstrap over its chemical systems."
_NOTES = (
    f"{_OURS} The paper's are of its own test part, 20 % of 4,270 ABC3 samples. It does not say on what scale its DTW "
    "is; the two cannot be compared. Its JSD of 0.773 and 0.811 is more than its own formula can reach, ln 2 = 0.693; "
    "√JSD, at most 0.833, may be what it is."
)


def score_frame(models: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Headline scores of several models, one row each, in full precision: means, then the ends of their intervals.

    Args:
        models: by name, the values of :class:`deepxrd.evaluation.scores.Summary`. Where more than a few samples are
            fallbacks, the means over the others stand in a row of their own.
    """
    rows = {}
    for name, model in models.items():
        row = {score: model["test"][score] for score in COLUMNS} | {"fallbacks": model["fallbacks"]}
        for score in COLUMNS:
            row[f"{score}_low"], row[f"{score}_high"] = model["intervals"][score]
        rows[name] = row
        if _has_many_fallbacks(model):
            rows[_without(name, model)] = {s: model["test_without_fallbacks"][s] for s in COLUMNS} | {"fallbacks": 0}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def evaluation_table(models: Mapping[str, Mapping[str, Any]], *, data: str) -> Table:
    """Headline scores: the first model with its intervals, and the others, its baselines, beside it.

    Args:
        models: as for :func:`score_frame`.
        data: name of the data set.
    """
    first, *others = models
    columns = {first: _means(models[first]["test"]), "95 % interval": _intervals(models[first]["intervals"])}
    for name in models:
        model = models[name]
        if name in others:
            columns[name] = _means(model["test"])
        if _has_many_fallbacks(model):
            columns[_without(name, model)] = _means(model["test_without_fallbacks"])
    table = Table(title=f"Test scores, {models[first]['n_samples']} samples of {data}")
    table.add_column("", no_wrap=True)
    for place, heading in enumerate(columns):
        # without underscores a heading can be broken between its words
        table.add_column(heading.replace("_", " "), justify="right", style="bold" if place == 0 else None)
    for place, score in enumerate(COLUMNS.values()):
        table.add_row(score, *(cells[place] for cells in columns.values()))
    notes = []
    if any("oracle" in name for name in models):
        notes.append("An oracle was told part of the truth: a bound, no prediction.")
    if fallbacks := [f"{name} {model['fallbacks']}" for name, model in models.items() if model["fallbacks"]]:
        notes.append(f"Fallbacks, where a baseline gives the mean training pattern: {', '.join(fallbacks)}.")
    table.caption = " ".join(notes)
    return table


def table2_frame(intervals: Mapping[str, Mapping[str, Interval]], *, paper: bool) -> pd.DataFrame:
    """Table 2: one row per comparison and distance, with the paper's value where it belongs to the data.

    Args:
        intervals: by row of the table and distance.
        paper: whether the data are the paper's ABC3; see :func:`deepxrd.analysis.references.is_papers`.

    Returns:
        Columns ``row``, ``distance``, ``mean``, ``low``, ``high``, ``paper`` (not a number where it has none).
    """
    theirs = paper_table2() if paper else {}
    rows = [
        {
            "row": row,
            "distance": distance,
            "mean": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "paper": theirs.get((row, _PAPER_COLUMNS.get(distance, "")), float("nan")),
        }
        for row, cells in intervals.items()
        for distance, interval in cells.items()
    ]
    return pd.DataFrame(rows)


def table2_table(frame: pd.DataFrame) -> Table:
    """Table 2 for the terminal: our means, their intervals, and the paper's values."""
    header, *rows = _table2_lines(frame)
    with_paper = bool(frame["paper"].notna().any())
    table = Table(
        title="Table 2: mean distances beside the paper's"
        if with_paper
        else "Mean distances, as in the paper's Table 2",
        caption=_NOTES if with_paper else _OURS,
    )
    table.add_column("", no_wrap=True)
    for heading in header[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        ours = row[0] in ROW_NAMES.values()
        table.add_row(row[0] if ours else f"  {row[0]}", *row[1:], style="bold" if ours else "dim")
    return table


def table2_markdown(frame: pd.DataFrame, *, title: str) -> str:
    """Table 2 as Markdown."""
    header, *rows = _table2_lines(frame)
    notes = _NOTES if frame["paper"].notna().any() else _OURS
    return f"# {title}\n\n{markdown_table(header, rows)}\n\n{notes}\n"


def comparison_table(comparison: dict[str, Any]) -> Table:
    """A paired comparison for the terminal; see :func:`deepxrd.evaluation.compare.compare`."""
    table = Table(
        title=f"b minus a on {comparison['n_test']} samples of {comparison['data']}", caption=_who(comparison)
    )
    for column, justify in zip(_COMPARISON, ("left", *["right"] * 6, "left"), strict=True):
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in _comparison_rows(comparison):
        table.add_row(*row)
    return table


def comparison_markdown(comparison: dict[str, Any]) -> str:
    """The same as Markdown."""
    table = markdown_table(_COMPARISON, _comparison_rows(comparison))
    return f"# {_versus(comparison)}\n\n{_who(comparison)}\n\n{table}\n"


_COMPARISON = ["", "a", "b", "difference", "95 % interval", "p", "p (Holm)", "verdict"]


def _comparison_rows(comparison: dict[str, Any]) -> list[list[str]]:
    return [
        [
            COLUMNS[name],
            _number(each["a"]),
            _number(each["b"]),
            f"{each['difference']:+.4f}",
            f"{each['low']:+.4f} to {each['high']:+.4f}",
            f"{each['p_value']:.4f}",
            f"{each['p_corrected']:.4f}",
            each["verdict"],
        ]
        for name, each in comparison["scores"].items()
    ]


def _has_many_fallbacks(model: Mapping[str, Any]) -> bool:
    return model["test_without_fallbacks"] is not None and model["fallbacks"] > _FEW * model["n_samples"]


def _without(name: str, model: Mapping[str, Any]) -> str:
    return f"{name}, without {model['fallbacks']} fallbacks"


def _means(scores: Mapping[str, float]) -> list[str]:
    return [_number(scores[name]) for name in COLUMNS]


def _intervals(ends: Mapping[str, Any]) -> list[str]:
    return ["–".join(_number(end) for end in ends[name]) for name in COLUMNS]


def _versus(comparison: dict[str, Any]) -> str:
    return f"b minus a on {comparison['n_test']} samples of {comparison['data']}"


def _who(comparison: dict[str, Any]) -> str:
    a, b = (f"{key}: {comparison[key]['model']} in {comparison[key]['folder']}" for key in ("a", "b"))
    return (
        f"{a}; {b}. Intervals by bootstrap over chemical systems, p by flipping the signs of their differences; each "
        "interval is for one score alone. Significant is what p, corrected for the number of scores (Holm 1979), says. "
        "None of it knows of the seed of a training: other seeds give other numbers."
    )


def _table2_lines(frame: pd.DataFrame) -> list[list[str]]:
    """The header, then for each row of the table our means, their intervals, and the paper's values if it has any."""
    cells = {(str(each["row"]), str(each["distance"])): each for each in frame.to_dict("records")}
    shown = [distance for distance in DISTANCES if distance in set(frame["distance"])]
    lines = [["", *(DISTANCES[distance] for distance in shown)]]
    for row, name in ROW_NAMES.items():
        found = [cells[row, distance] for distance in shown]
        lines.append([name, *(_number(each["mean"]) for each in found)])
        lines.append(["95 % interval", *(f"{_number(each['low'])}–{_number(each['high'])}" for each in found)])
        if frame["paper"].notna().any():
            lines.append(["the paper", *(_number(each["paper"]) for each in found)])
    return lines


def _number(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"  # noqa: PLR2004 - three figures either way
