"""The page, the table and the figure of the readings of Table 2, from the files of the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from deepxrd.analysis.evaluation_figures import ROW_COLOURS
from deepxrd.analysis.evaluation_tables import ROW_NAMES
from deepxrd.analysis.readings import (
    ALIGN_READINGS,
    DTW_READINGS,
    JSD_READINGS,
    OFFSET_READINGS,
    OURS,
    PEAK_READINGS,
    READINGS,
    Reading,
    deviation,
    nearest,
)
from deepxrd.analysis.references import paper_table2
from deepxrd.analysis.sweep_scores import paper_table
from deepxrd.analysis.tables import markdown_table

MATCH_SCORES: Mapping[str, str] = {
    "peak_recall_any": "recall, a predicted peak may serve several",
    "peak_recall_2deg": "recall, one to one",
    "peak_precision_2deg": "precision, one to one",
    "peak_f1_2deg": "F1, one to one",
}
"""Ways to read the paper's peak position match percentage, all at 2°."""
_NAMES = {"cosine": "1 − cosine", "pearson": "1 − Pearson", "jsd": "JSD", "dtw": "DTW"}


_NOTE = (
    "Every number in every reading, run by run: [readings.csv](readings.csv). Written by `benchmarks/readings.py page` "
    "from the runs' own files; no number here was typed."
)


@dataclass(frozen=True)
class ReadingsTable:
    """What was measured of each run.

    Attributes:
        frame: a row per run: ``sigma_deg``, ``seed``, ``epochs``, ``best_epoch``, `MATCH_SCORES` and every number that
            :func:`deepxrd.analysis.readings.measure` gives.
        beside: the same numbers of chemical substitution, a row per ``sigma_deg``; None where they were not measured.
    """

    frame: pd.DataFrame
    beside: pd.DataFrame | None = None

    @classmethod
    def of(
        cls, runs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], *, beside: pd.DataFrame | None = None
    ) -> ReadingsTable:
        """Gather runs: of each what was measured, and its ``metrics.json``."""
        rows = [
            {
                "sigma_deg": measured["sigma_deg"],
                **{key: metrics[key] for key in ("seed", "epochs", "best_epoch", "n_test")},
                **{name: metrics["test"][name] for name in MATCH_SCORES},
                **measured["means"],
            }
            for measured, metrics in runs
        ]
        return cls(pd.DataFrame(rows).sort_values(["sigma_deg", "seed"], ignore_index=True), beside)

    @cached_property
    def means(self) -> pd.DataFrame:
        """The mean over the seeds, a row per width."""
        return self.frame.groupby("sigma_deg").mean()

    @cached_property
    def paper(self) -> dict[tuple[str, str], float]:
        """The paper's twelve numbers by row and distance."""
        return paper_table2()

    @cached_property
    def common(self) -> Reading:
        """The one choice for all widths with which the nearest width is nearest."""
        return min(READINGS, key=lambda reading: self.deviations(reading).min())

    def deviations(self, reading: Reading) -> pd.Series:
        """How far each width is from the paper's numbers with one choice for the rest."""
        return self.means.apply(lambda row: deviation(row, self.paper, reading), axis=1)

    @cached_property
    def best(self) -> dict[float, tuple[Reading, float]]:
        """For each width the choice that is nearest, and how far it is."""
        return {float(sigma): nearest(dict(self.means.loc[sigma]), self.paper) for sigma in self.means.index}

    def by_seed(self, reading: Reading) -> pd.Series:
        """How far each run is, in the order of `frame`."""
        return self.frame.apply(lambda row: deviation(row, self.paper, reading), axis=1)


def width_name(sigma_deg: float) -> str:
    """A width as the page has it."""
    return "sticks" if sigma_deg == 0 else f"σ = {sigma_deg:g}°"


def page(table: ReadingsTable) -> str:
    """The page, Markdown."""
    widths = list(table.means.index)
    runs = ", ".join(f"{width_name(w)}: {int((table.frame['sigma_deg'] == w).sum())}" for w in widths)
    sections = [
        "# Which width of lines does the paper mean?",
        _what(runs),
        "![deviation and distances by width](figures/readings.png)",
        "## How near each width comes",
        _nearness(table),
        _legend(),
        "## Table 2 by width",
        f"Counted the one way with which some width is nearest of all ({_short(table.common)}):",
        _numbers(table, table.common),
        f"The same as `deepxrd.evaluate` counts ({_short(OURS)}):",
        _numbers(table, OURS),
        "## Peak position match",
        _match(table),
        *_substitution(table),
        _NOTE,
    ]
    return "\n\n".join(sections) + "\n"


def _what(runs: str) -> str:
    return (
        "The paper's network (20 blocks, Pearson loss, the default settings, early stopping) on the ABC₃ data, its "
        "patterns made with lines of another width each time, from sticks on the grid (each line all at the nearest of "
        "the 1,024 points) to Gaussians of σ = 0.5°. Each number is the mean over the test compositions, then over "
        f"seeds (runs by width: {runs}). *Deviation* is the mean of |ours − the paper's| / the paper's over the twelve "
        "numbers of its Table 2."
    )


def figure(table: ReadingsTable) -> Figure:
    """Deviation by width; and the distances of Table 2 by width, the paper's as dashed lines."""
    widths = list(table.means.index)
    shown = sorted({*widths, *([] if table.beside is None else table.beside["sigma_deg"])})
    places = {width: place for place, width in enumerate(shown)}
    at = [places[width] for width in widths]
    made = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = made.subplots(1, 3)
    ways = ((OURS, "#777777", "as we count"), (table.common, "#CC3311", "counted the nearest way"))
    for reading, colour, label in ways:
        left.plot(at, table.deviations(reading), "o-", color=colour, label=f"network, {label}")
        left.plot(table.frame["sigma_deg"].map(places), table.by_seed(reading), ".", color=colour, alpha=0.5)
    if table.beside is not None:
        deviations = [deviation(dict(row), table.paper, OURS) for _, row in table.beside.iterrows()]
        left.plot(
            table.beside["sigma_deg"].map(places), deviations, "d--", color="#777777", label="substitution, as we count"
        )
    left.set(ylabel="mean deviation from Table 2", ylim=(0, None))
    left.legend(frameon=False, fontsize=8)
    cells = table.common.cells()
    for axis, name in ((middle, "cosine"), (right, "jsd")):
        for row, colour in ROW_COLOURS.items():
            axis.plot(at, table.means[cells[row, name]], "o-", color=colour, label=ROW_NAMES[row])
            axis.axhline(table.paper[row, name], color=colour, linestyle="--", linewidth=1)
        axis.set(ylim=(0, 1.02), ylabel=f"network, {_NAMES[name]}" + (f", {table.common.jsd}" if name == "jsd" else ""))
    middle.legend(frameon=False, fontsize=8, title="dashed: the paper's", title_fontsize=8)
    for axis in (left, middle, right):
        axis.set_xticks(range(len(shown)), [width_name(width).replace("σ = ", "") for width in shown])
        axis.set(xlabel="width σ of the lines", xlim=(-0.4, len(shown) - 0.6))
    return made


def _nearness(table: ReadingsTable) -> str:
    ours, common = table.deviations(OURS), table.deviations(table.common)
    rows = []
    for width in table.means.index:
        reading, best = table.best[width]
        rows.append([width_name(width), f"{ours[width]:.3f}", f"{common[width]:.3f}", f"{best:.3f}", _short(reading)])
    header = ["width", "as we count", "one choice for all", "best choice for this width", "which is"]
    return markdown_table(header, rows)


def _numbers(table: ReadingsTable, reading: Reading) -> str:
    cells = reading.cells()
    header = ["row", "distance", *(width_name(width) for width in table.means.index), "the paper"]
    rows = [
        [ROW_NAMES[row], _NAMES[name], *(_with_spread(table, column)), f"{table.paper[row, name]:g}"]
        for (row, name), column in cells.items()
    ]
    return markdown_table(header, rows)


def _match(table: ReadingsTable) -> str:
    rows = [[label, *_with_spread(table, name), f"{_paper_match():g}"] for name, label in MATCH_SCORES.items()]
    rows.append(["best epoch", *(f"{value + 1:.0f}" for value in table.means["best_epoch"]), "–"])
    return markdown_table(["", *(width_name(width) for width in table.means.index), "the paper"], rows)


def _paper_match() -> float:
    """The paper's peak position match percentage on ABC3 with the Pearson loss, from its Table 3."""
    table = paper_table("paper_table3.csv").set_index(["data", "loss"])["paper"]
    return float(table["abc3", "pearson"])


def _with_spread(table: ReadingsTable, column: str) -> list[str]:
    """Mean over the seeds, ± the standard deviation between them where there are several."""
    by_width = table.frame.groupby("sigma_deg")[column]
    return [
        f"{mean:.3f}" + ("" if np.isnan(spread) else f" ± {spread:.3f}")
        for mean, spread in zip(by_width.mean(), by_width.std(), strict=True)
    ]


def _substitution(table: ReadingsTable) -> list[str]:
    """How near substitution comes, which learns nothing: what is seen there is of the width alone."""
    if table.beside is None:
        return []
    numbers = {float(row["sigma_deg"]): dict(row) for _, row in table.beside.iterrows()}
    rows = []
    for width, row in numbers.items():
        reading, best = nearest(row, table.paper)
        shown = (deviation(row, table.paper, OURS), deviation(row, table.paper, table.common), best)
        rows.append([width_name(width), *(f"{value:.3f}" for value in shown), _short(reading)])
    header = ["width", "as we count", "the network's one choice", "best choice for this width", "which is"]
    text = "Chemical substitution on the same test part, which needs no training; deviations from Table 2 as above."
    return ["## The same by substitution", text, markdown_table(header, rows)]


def _short(reading: Reading) -> str:
    return "; ".join(
        [reading.offset, f"JSD {reading.jsd}", f"DTW {reading.dtw}", f"peaks {reading.peak}", reading.align]
    )


def _legend() -> str:
    """What the short names of the choices stand for."""
    groups = (OFFSET_READINGS, JSD_READINGS, DTW_READINGS, PEAK_READINGS, ALIGN_READINGS)
    headings = ("offset of a prediction", "JSD", "DTW", "peaks", "alignment of peaks")
    lines = [
        f"- {heading}: " + "; ".join(f"*{name}*, {text}" for name, text in group.items())
        for heading, group in zip(headings, groups, strict=True)
    ]
    return "\n".join(["The choices, in this order:", "", *lines])
