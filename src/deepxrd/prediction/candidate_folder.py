"""Candidate structures of formulas, for people: a table, patterns, CIFs and figures in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepxrd.chem import Formula
from deepxrd.errors import FormulaError
from deepxrd.io.csv_table import write_csv
from deepxrd.io.files import write_text
from deepxrd.library import cif_text
from deepxrd.models.candidates.answers import Candidate
from deepxrd.models.candidates.candidates import CELL
from deepxrd.prediction.file_names import file_name
from deepxrd.prediction.pattern_csv import write_pattern
from deepxrd.xrd import XrdSettings, simulate

TABLE = "candidates.csv"
SHOWN = 5
"""Candidates of a formula that are printed and drawn, and get a pattern and a CIF; the table has all."""
_HEADER = (
    "typed", "formula", "rank", "probability", "space_group", "symbol", "prototype", *CELL,
    *(f"{name}_deviation" for name in CELL), "template", "template_formula", "distance", "shared_sites", "file",
)  # fmt: skip


def refuse_one_name_for_two(formulas: Sequence[Formula], typed: Sequence[str]) -> None:
    """Refuse one composition in two ways of writing, whose answers differ and whose files would have one name.

    Raises:
        FormulaError: Ba0.6Sr0.4TiO3 stands beside Ba3Sr2Ti5O15.
    """
    first: dict[Formula, int] = {}
    for row, formula in enumerate(formulas):
        before = first.setdefault(formula, row)
        if formula.written != formulas[before].written:
            msg = (
                f"{typed[before]} and {typed[row]} are one composition, answered in two ways, and their files would "
                "have one name: ask for one at a time, each with its own --out, or for both in a --file"
            )
            raise FormulaError(msg)


def write_candidates(
    candidates: Sequence[Sequence[Candidate]],
    formulas: Sequence[Formula],
    typed: Sequence[str],
    folder: Path,
    xrd: XrdSettings,
) -> list[list[str | None]]:
    """Write `TABLE`; for the first `SHOWN` candidates of each formula a figure, and a pattern and a CIF each.

    Args:
        candidates: of each formula, the most probable first.
        formulas: what was understood.
        typed: what was typed.
        folder: where to.
        xrd: settings of the patterns.

    Returns:
        Of each formula, why each pattern that is drawn is zero, such as for want of a line in the range; else None.
    """
    from deepxrd.analysis import figures

    rows = (
        [text, formula, rank, *_row(each), f"{_file(formula, rank)}.csv" if rank <= SHOWN else ""]
        for mine, formula, text in zip(candidates, formulas, typed, strict=True)
        for rank, each in enumerate(mine, start=1)
    )
    write_csv(folder / TABLE, _HEADER, rows)
    why: list[list[str | None]] = []
    for mine, formula in zip(candidates, formulas, strict=True):
        shown = mine[:SHOWN]
        patterns, failures = simulate([each.unit.to_crystal() for each in shown], xrd)
        why.append(failures)
        if not shown:
            continue
        for rank, (each, pattern) in enumerate(zip(shown, patterns, strict=True), start=1):
            write_pattern(folder / f"{_file(formula, rank)}.csv", xrd.two_theta_deg, {"intensity": pattern})
            comment = f"PREDICTED, not measured: {candidate_label(each)}"
            text = cif_text(each.unit, name=_file(formula, rank), comment=comment)
            write_text(folder / f"{_file(formula, rank)}.cif", text)
        none = 1 - sum(each.probability for each in mine)
        title = f"{formula}: predicted candidates (none of them: {none:.0%})"
        figure = figures.stacked_patterns(title, [candidate_label(each) for each in shown], patterns, xrd)
        figures.save_figure(figure, folder / f"{file_name(formula)}_candidates.png")
    return why


def candidates_in_words(candidates: Sequence[Candidate]) -> str:
    """A line per candidate, the most probable first, and how likely it is that it is none of them."""
    if not candidates:
        return "  predicted candidates: none; nothing like this formula is known"
    lines = ["  predicted candidates:"]
    lines += [f"    {candidate_label(each)}\n          {_cell(each)}" for each in candidates[:SHOWN]]
    others = sum(each.probability for each in candidates[SHOWN:])
    if len(candidates) > SHOWN:
        lines.append(f"    {others:4.0%}  one of {len(candidates) - SHOWN} more, see {TABLE}")
    none = 1 - sum(each.probability for each in candidates)
    lines.append(f"    {none:4.0%}  none of these")
    return "\n".join(lines)


def candidate_label(candidate: Candidate) -> str:
    """Probability, space group, prototype and template, in a line."""
    shared = ", elements share sites" if candidate.shared else ""
    return (
        f"{candidate.probability:4.0%}  {candidate.symbol} ({candidate.space_group}), prototype {candidate.prototype}, "
        f"like {candidate.template_formula} ({candidate.template}){shared}"
    )


def _cell(candidate: Candidate) -> str:
    pairs = list(zip(candidate.cell, candidate.cell_deviation, strict=True))
    lengths = " ".join(f"{value:.2f}±{off:.2f}" for value, off in pairs[:3])
    angles = " ".join(f"{value:.1f}" for value, _ in pairs[3:])
    return f"a b c = {lengths} Å, α β γ = {angles}°"


def _row(candidate: Candidate) -> list[object]:
    return [
        f"{candidate.probability:.4f}", candidate.space_group, candidate.symbol, candidate.prototype,
        *(f"{value:.4f}" for value in (*candidate.cell, *candidate.cell_deviation)),
        candidate.template, candidate.template_formula, f"{candidate.distance:.3f}", candidate.shared,
    ]  # fmt: skip


def _file(formula: Formula, rank: int) -> str:
    return f"{file_name(formula)}_candidate-{rank}"
