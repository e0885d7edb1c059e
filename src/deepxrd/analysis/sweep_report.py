"""The report of a sweep: all its files, written into one folder."""

from __future__ import annotations

from pathlib import Path

from deepxrd.analysis import sweep_conclusions as conclusions
from deepxrd.analysis import sweep_tables as tables
from deepxrd.analysis.figures import save_figure
from deepxrd.analysis.sweep_figures import heat_map
from deepxrd.analysis.sweep_scores import SweepScores, facts_of_runs
from deepxrd.io.files import atomic_path, write_text


def report_name(scores: SweepScores) -> str:
    """What the files of a sweep's report begin with: the paper's table, or the sweep's folder."""
    return scores.sweep.table or scores.sweep.path.resolve().name


def write_report(scores: SweepScores, out: Path) -> Path:
    """Write the table in three forms, the heat map, all that is known of each run, and the page.

    Args:
        scores: of the sweep.
        out: the folder.

    Returns:
        The page.
    """
    name = report_name(scores)
    stem = f"{name}-{scores.metric}"
    facts = facts_of_runs(scores)
    for path, frame in ((out / f"{stem}.csv", scores.frame), (out / f"{name}-runs.csv", facts)):
        with atomic_path(path) as temporary:
            frame.to_csv(temporary, index=False)
    write_text(out / f"{stem}.tex", tables.latex(scores))
    save_figure(heat_map(scores), out / "figures" / f"{stem}.png")
    page = out / f"{stem}.md"
    write_text(page, _page(scores, tables.effort(facts), stem))
    return page


def _page(scores: SweepScores, effort: str, stem: str) -> str:
    parts = [f"# {tables.heading(scores)}", tables.markdown(scores)]
    if scores.averages:
        parts.append(
            "Each place is the mean over sweep runs that differ in their seed alone, ± the standard deviation between "
            "them, with n, the number of seeds."
        )
    if not scores.paper.empty:
        parts.append(
            'Beside ours the paper\'s "peak position match percentage", which it does not define further; '
            "`peak_recall_any` is the reading nearest to it, and worthless alone: a comb of peaks every 2° scores 1. "
            "Its data are an earlier state of the Materials Project."
        )
    if seeds := conclusions.seeds_text(scores):
        parts.append(seeds)
    if verdicts := conclusions.text(scores):
        parts += [f"## Do the paper's conclusions hold, by {scores.metric}?", verdicts]
    parts += ["## How it was made", effort, f"![heat map](figures/{stem}.png)"]
    return "\n\n".join(part.strip() for part in parts) + "\n"
