"""Tables for the terminal and for pages, made from the files of finished runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from deepxrd.analysis.references import substitution_row

COLUMNS = {
    "peak_precision_2deg": "P 2°",
    "peak_recall_2deg": "R 2°",
    "peak_f1_2deg": "F1 2°",
    "peak_f1_1deg": "F1 1°",
    "peak_f1_0.5deg": "F1 0.5°",
    "cosine_distance": "1−cosine",
    "pearson_distance": "1−Pearson",
    "mse": "MSE",
    "peak_recall_any": "R any 2°",
}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """A table as Markdown, a line a row without padding, so that a changed cell changes its own line alone.

    Args:
        header: names of the columns.
        rows: a cell for each.
        numbers: whether all columns but the first stand to the right.
    """
    ruled = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ruled, *rows])


def higher_is_better(score: str) -> bool:
    """Whether a score rises with quality: peak scores do, distances and errors fall."""
    return score.startswith("peak_")


def score_table(metrics: dict[str, Any]) -> Table:
    """Test scores of a run, with those of chemical substitution below where they are known for the same test part.

    Args:
        metrics: as in a run's ``metrics.json``.
    """
    table = Table(title=f"Test scores, {metrics['n_test']} samples of {metrics['data']}")
    table.add_column("", no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right")
    table.add_row(f"{metrics['model']}, {metrics['loss']}", *_cells(metrics["test"]))
    reference = substitution_row(metrics.get("data_set"))
    if reference is None:
        table.caption = "What needs no training scores on the same test part: python -m deepxrd.evaluate run=FOLDER"
        return table
    table.add_row("substitution*", *_cells(reference["substitution"]), style="dim")
    table.caption = (
        "* put the elements into the nearest known structure, rescale, simulate; learned from the same training part, "
        f"scored on the same test part ({reference['measured_on']})."
    )
    return table


def show(table: Table) -> None:
    """Print a table; wide enough for its columns even where the output is a file."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    console.print(table)


def _cells(scores: dict[str, float]) -> list[str]:
    return [f"{scores[name]:.3f}" if name in scores else "–" for name in COLUMNS]
