"""Tables 3 to 5 and those of free sweeps: as Markdown, LaTeX and for the terminal; ours beside the paper's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from deepxrd.analysis.sweep_scores import SweepScores
from deepxrd.analysis.tables import higher_is_better, markdown_table
from deepxrd.runs.sweep_folder import DONE

_NAMES = {
    "model.depth": "layers",
    "optimizer.lr": "learning rate",
    "data.batch_size": "batch size",
    "data": "data set",
}
_MADE_WITH = {
    "machine": "Machine",
    "torch": "torch",
    "precision": "Precision",
    "data_hash": "Data hash",
    "code_hash": "Code hash",
    "git_commit": "Commit",
}
_LATEX = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "−": "$-$",
    "±": r"$\pm$",
    "°": r"\textdegree{}",
}


def key_name(key: str) -> str:
    """What a setting is called in tables and figures."""
    return _NAMES.get(key, key)


def heading(scores: SweepScores) -> str:
    """What a table shows."""
    direction = "higher" if higher_is_better(scores.metric) else "lower"
    return f"{scores.layout.title}: {scores.metric} by {key_name(scores.layout.column)} ({direction} is better)"


def markdown(scores: SweepScores) -> str:
    """The table as Markdown; the best cell is bold."""
    header, rows = _grid(scores, bold="**{}**")
    return markdown_table(header, rows) + "\n"


def latex(scores: SweepScores) -> str:
    """The table as LaTeX, for the package booktabs; the best cell is bold."""
    header, rows = _grid(scores, bold=r"\textbf{{{}}}", escape=_escape)
    n_rows = len(scores.layout.rows)
    columns = "l" * n_rows + "r" * (len(header) - n_rows)
    return pd.DataFrame(rows, columns=header).style.hide(axis="index").to_latex(column_format=columns, hrules=True)


def terminal(scores: SweepScores) -> Table:
    """The table for the terminal."""
    header, rows = _grid(scores, bold="[bold]{}[/bold]")
    table = Table(title=heading(scores))
    for place, text in enumerate(header):
        table.add_column(text, justify="left" if place < len(scores.layout.rows) else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _grid(scores: SweepScores, *, bold: str, escape: Any = str) -> tuple[list[str], list[list[str]]]:
    """Header and rows: for each value of the column's key ours, then the paper's if it has any."""
    frame, layout = scores.frame, scores.layout
    columns = list(dict.fromkeys(frame[layout.column]))
    with_paper = bool(frame["paper"].notna().any())
    header = [key_name(key) for key in layout.rows]
    for value in columns:
        header += [f"{value}"] + ["paper"] * with_paper
    rows: dict[tuple[Any, ...], list[str]] = {}
    cells = {tuple(each[key] for key in layout.keys): each for each in frame.to_dict("records")}
    for key in dict.fromkeys(key[:-1] for key in cells):
        row = [escape(f"{value}") for value in key]
        for value in columns:
            each = cells.get((*key, value))
            row.append(_ours(each, bold, escape, of_seeds=scores.averages))
            if with_paper:
                row.append(_paper(each, bold))
        rows[key] = row
    return [escape(text) for text in header], list(rows.values())


def _ours(cell: dict[Any, Any] | None, bold: str, escape: Any, *, of_seeds: bool) -> str:
    if cell is None:
        return "–"
    if cell["state"] != DONE:
        return str(escape(cell["state"]))
    text = score_text(cell["value"])
    if not np.isnan(cell["std"]):
        text += escape(f" ± {score_text(cell['std'])}")
    text = bold.format(text) if cell["best"] else text
    if not of_seeds:
        return text
    return f"{text} (n {cell['n']}{'' if cell['n'] == cell['n_runs'] else ' of ' + str(cell['n_runs'])})"


def _paper(cell: dict[Any, Any] | None, bold: str) -> str:
    if cell is None or np.isnan(cell["paper"]):
        return "–"
    text = f"{cell['paper']:g}"
    return bold.format(text) if cell["paper_best"] else text


def score_text(value: float) -> str:
    """Three figures after the point, or fewer for large values."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"  # noqa: PLR2004 - three figures either way


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def effort(facts: pd.DataFrame) -> str:
    """What the sweep cost and what it was made with, in sentences; as Markdown."""
    counts = ", ".join(f"{n} {state}" for state, n in facts["state"].value_counts().items())
    done = facts[facts["state"] == DONE]
    lines = [f"Runs of the sweep: {counts}."]
    if len(done):
        rates, epochs = done["samples_per_second"], done["epochs"]
        noun = "epoch" if (epochs == 1).all() else "epochs"
        lines.append(
            f"Training, validation included, took {done['train_seconds'].sum() / 3600:.2f} hours in all: "
            f"{_range(epochs, 'd')} {noun} per run of {_range(done['n_train'], 'd')} samples, "
            f"{_range(rates, '.1f')} samples per second."
        )
        for what, name in _MADE_WITH.items():
            values = list(dict.fromkeys(done[what]))
            mixed = " (mixed: compare with care)" if len(values) > 1 and what != "git_commit" else ""
            lines.append(f"{name}: {', '.join(map(str, values))}{mixed}.")
    if "error" in facts:
        wrong = facts[facts["error"].fillna("") != ""]
        keys = list(facts.columns[: list(facts.columns).index("state")])
        for row in wrong.to_dict("records"):
            settings = ", ".join(f"{key_name(str(key))} {row[key]}" for key in keys)
            lines.append(f"Failed: {settings}: `{row['error']}`.")
    return "\n".join(f"- {line}" for line in lines)


def _range(values: pd.Series, form: str) -> str:
    kind = int if form == "d" else float
    low, high = format(kind(values.min()), form), format(kind(values.max()), form)
    return low if low == high else f"{low} to {high}"
