"""Known phases of formulas, for people: a table, patterns, CIFs and figures in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepxrd.chem import Formula
from deepxrd.io.csv_table import write_csv
from deepxrd.io.files import safe_name, write_text
from deepxrd.library import Phase, cif_text
from deepxrd.prediction.file_names import file_name
from deepxrd.prediction.known import KnownPhases
from deepxrd.prediction.pattern_csv import write_pattern

TABLE = "known_phases.csv"
_SHOWN = 6
"""Phases of a formula that are printed and drawn; silica has hundreds. The table and the files have all."""
_HEADER = (
    "typed", "formula", "material_id", "library", "space_group", "symbol", "prototype", "a_angstrom", "b_angstrom",
    "c_angstrom", "alpha_deg", "beta_deg", "gamma_deg", "energy_above_hull_ev_per_atom", "known_from_experiment",
    "held_out", "file",
)  # fmt: skip


def write_known(known: Sequence[KnownPhases], formulas: Sequence[Formula], typed: Sequence[str], folder: Path) -> None:
    """Write `TABLE`, a figure per formula, and a CSV and a CIF per phase.

    Args:
        known: the phases of each formula.
        formulas: what was understood.
        typed: what was typed.
        folder: where to.
    """
    from deepxrd.analysis import figures

    rows = (
        [text, formula, *_row(phase), f"{phase_file_name(phase)}.csv"]
        for found, formula, text in zip(known, formulas, typed, strict=True)
        for phase in found.phases
    )
    write_csv(folder / TABLE, _HEADER, rows)
    for found, formula in zip(known, formulas, strict=True):
        for phase, unit, pattern in zip(found.phases, found.units, found.patterns, strict=True):
            file = phase_file_name(phase)
            write_pattern(folder / f"{file}.csv", found.xrd.two_theta_deg, {"intensity": pattern})
            text = cif_text(unit, name=f"{formula}_{phase.material_id}", comment=phase_comment(phase))
            write_text(folder / f"{file}.cif", text)
        if found.phases:
            labels = [phase_label(phase) for phase in found.phases[:_SHOWN]]
            title = f"{formula}: {len(found.phases)} known phase(s)"
            figure = figures.stacked_patterns(title, labels, found.patterns[:_SHOWN], found.xrd)
            figures.save_figure(figure, folder / f"{file_name(formula)}_known.png")


def known_in_words(found: KnownPhases) -> str:
    """A line per phase, the most stable first."""
    if not found.phases:
        return "  known phases: none in the library"
    lines = [f"  known phases: {len(found.phases)}"]
    lines += [f"    {phase_label(phase)}; {_cell(phase)}" for phase in found.phases[:_SHOWN]]
    if len(found.phases) > _SHOWN:
        lines.append(f"    and {len(found.phases) - _SHOWN} more, see {TABLE}")
    return "\n".join(lines)


def phase_comment(phase: Phase) -> str:
    """Where a phase is from, for the head of its CIF."""
    return f"{phase.source.name}: {phase.source.citation}\nLicence: {phase.source.licence}"


def phase_label(phase: Phase) -> str:
    """Id, space group, energy above the hull and whether experiment knows the phase, in a line."""
    energy = phase.energy_above_hull
    hull = "energy unknown" if energy is None else f"{1000 * energy:.0f} meV/atom above the hull"
    words = {True: "known from experiment", False: "computed only", None: "experiment: not recorded"}
    known = f", {words[phase.known_from_experiment]}"
    return f"{phase.material_id}  {phase.symbol} ({phase.space_group}), {hull}{known}"


def _cell(phase: Phase) -> str:
    lengths = " ".join(f"{value:.3f}" for value in phase.cell[:3])
    where = "" if phase.setting == phase.symbol else f" of {phase.setting}"
    return f"a b c = {lengths} Å, α β γ = " + " ".join(f"{value:.1f}" for value in phase.cell[3:]) + f"°{where}"


def _row(phase: Phase) -> list[object]:
    return [
        phase.material_id, phase.library, phase.space_group, phase.symbol, phase.prototype,
        *(f"{value:.5f}" for value in phase.cell), phase.energy_above_hull, phase.known_from_experiment, phase.held_out,
    ]  # fmt: skip


def phase_file_name(phase: Phase) -> str:
    """Of the files of a phase; ids of a user's own library may hold what a file name must not."""
    return f"{file_name(phase.formula)}_{safe_name(phase.material_id)[:80]}"
