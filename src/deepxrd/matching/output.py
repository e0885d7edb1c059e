"""What a match leaves behind: a table, a JSON, a figure and refined structures; and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepxrd.io.bounded import read_json
from deepxrd.io.csv_table import write_csv
from deepxrd.io.files import safe_name, write_json, write_text
from deepxrd.library.space_groups import symbol
from deepxrd.matching.cells import Floats, refined_cell, refined_crystal
from deepxrd.matching.confidence import CONFIDENT
from deepxrd.matching.match import MatchResult, Ranked
from deepxrd.matching.model import LORENTZ, SHIFT, TEXTURE, THERMAL, WIDTH
from deepxrd.matching.phases import PhaseToTry

RANKING, PHASES, FIGURE = "ranking.csv", "phases.json", "fit.png"
NO_MATCH = "no confident match"
_POSSIBLE = 0.4
_SHOWN_LINES = 4
_UNUSUAL = 2.5  # standard deviations of lengths
_REFINED = "Cell refined against a scan by deepxrd match; "
_SITES, _MOVED_SITES = "sites as they were.", "sites moved by less than {:g} Å to a higher symmetry."
_HEAD_BYTES = 1024  # of a CIF, more than its first comment
_CELL = ("a_angstrom", "b_angstrom", "c_angstrom", "alpha_deg", "beta_deg", "gamma_deg")
_HEADER = (
    "rank", "typed", "formula", "known", "material_id", "space_group", "symbol", "cell_symbol", "moved_angstrom",
    "formula_probability", "weight_fraction",
    "similarity", "score", *_CELL, "energy_above_hull_ev_per_atom", "held_out",
)  # fmt: skip


def write_match(result: MatchResult, folder: Path, *, title: str) -> None:
    """Write the ranking, the phases, the figure, and a CIF of each found phase, in the place of those that are there.

    Args:
        result: of one scan.
        folder: where to.
        title: of the figure, such as the scan's name.
    """
    from deepxrd.analysis.figures import save_figure
    from deepxrd.matching.figure import fit_figure

    write_csv(folder / RANKING, _HEADER, ([place, *_row(each)] for place, each in enumerate(result.ranking, 1)))
    names = [f"{cif_name(each.fit.phase)}.cif" for each in result.phases]
    _remove_earlier(folder, names)
    for each, name in zip(result.phases, names, strict=True):
        write_text(folder / name, refined_cif(each.fit.phase, each.fit.parameters))
    write_json(folder / PHASES, to_dict(result, names))
    labels = [phase_label(each) for each in result.phases]
    save_figure(fit_figure(result.observed, result.mixture, labels, f"{title}: {verdict(result)}"), folder / FIGURE)


def verdict(result: MatchResult) -> str:
    """The answer in a few words."""
    if result.is_confident:
        return "confident match, but there is more in the scan" if result.unexplained_lines_deg else "confident match"
    best = max((each.probability for each in result.phases), default=0.0)
    if len(result.phases) > 1 and best >= CONFIDENT:
        return "part of it is a confident match"
    return f"{NO_MATCH}; what fits best is possible" if best >= _POSSIBLE else NO_MATCH


def match_text(result: MatchResult, *, n: int = 5) -> str:
    """The answer, the phases, and what else could be, a line each."""
    numbers = f"similarity {result.similarity:.3f}, {result.n_tried} structures tried"
    lines = [f"  {verdict(result)}: {numbers}, {result.unexplained:.0%} of the measured intensity not explained"]
    lines += [f"  {note}" for note in notes(result)]
    if result.phases:
        what = "phases" if result.is_confident else "what fits best"
        lines.append(f"  {what}, each with its probability:")
    lines += [f"  {_percent(each)}  {phase_label(each)}; {_cell_text(each)}" for each in result.phases]
    found = {each.fit.phase.formula for each in result.phases}
    others: dict[str, Ranked] = {}
    for each in result.ranking:
        if each.fit.phase.formula not in found:
            others.setdefault(str(each.fit.phase.formula), each)
    if others:
        lines.append("  other formulas, each with its probability:")
        lines += [f"  {_percent(each)}  {phase_label(each)}" for each in list(others.values())[:n]]
    return "\n".join(lines)


def notes(result: MatchResult) -> list[str]:
    """What to know of an answer: what was left out, taken for granted, or seen."""
    observed, said = result.observed, []
    if result.n_left_out:
        said.append(
            f"{result.n_left_out} more cannot be compared: no line of theirs is in the range of the scan, or too many"
        )
    if observed.wavelength_is_assumed:
        said.append("the file states no radiation: Cu Kα is taken; give the radiation if it was another")
    said += observed.remarks
    if observed.kbeta:
        said.append(f"every strong line has a Kβ line of {observed.kbeta:.0%} beside it, which is fitted too")
    said += [
        f"the cell of {each.fit.phase.formula} is unusual, {each.fit.strain_deviation:.1f} standard deviations from "
        "what its cell in the library lets expect: a solid solution may have it"
        for each in result.phases
        if each.fit.strain_deviation >= _UNUSUAL
    ]
    said += [
        f"{each.fit.phase.formula}, {each.fit.phase.material_id}, is taken without a distortion of less than "
        f"{each.fit.phase.moved_angstrom:g} Å that its entry in the library has"
        for each in result.phases
        if each.fit.phase.moved_angstrom
    ]
    if alone := result.unexplained_lines_deg:
        said.append(f"lines that none of the phases has: {_angles(alone)}")
    if tungsten := result.tungsten_lines_deg:
        said.append(f"lines where W Lα of the tube would put the strongest ones: {_angles(tungsten)}")
    if result.phases and result.n_formulas == 1:
        said.append("only one formula was compared: others with a like structure and cell may fit as well")
    return said


def _angles(angles_deg: Sequence[float]) -> str:
    first = ", ".join(f"{angle:.2f}°" for angle in angles_deg[:_SHOWN_LINES])
    return first + (f" and {len(angles_deg) - _SHOWN_LINES} more" if len(angles_deg) > _SHOWN_LINES else "")


def _percent(each: Ranked) -> str:
    """The probability, not rounded up to what is called confident: 84.7 % would read as 85 %."""
    whole = round(100 * each.probability)
    return f"{whole - (each.probability < CONFIDENT <= whole / 100):4d}%"


def phase_label(each: Ranked) -> str:
    """Formula, space group, id and share of a phase."""
    phase = each.fit.phase
    name = f"{phase.typed} (read as {phase.formula})" if phase.typed not in {"", str(phase.formula)} else phase.formula
    share = "" if each.weight_fraction is None else f", {each.weight_fraction:.0%} by weight"
    return f"{name} {symbol(phase.space_group)} ({phase.space_group}), {phase.material_id}{share}"


def cif_name(phase: PhaseToTry) -> str:
    """Of the file of a refined phase."""
    return f"{safe_name(str(phase.formula))}_{safe_name(phase.material_id)[:80]}"


def refined_cif(phase: PhaseToTry, parameters: Floats) -> str:
    """A structure as CIF text, with its refined cell.

    Args:
        phase: what was tried.
        parameters: that it was refined to, as `deepxrd.matching.cells` has them.
    """
    from deepxrd.library.cif import crystal_cif

    comment = _REFINED + (_MOVED_SITES.format(phase.moved_angstrom) if phase.moved_angstrom else _SITES)
    if phase.source is not None:
        comment += f"\n{phase.source.name}: {phase.source.citation}\nLicence: {phase.source.licence}"
    return crystal_cif(refined_crystal(phase, parameters), name=f"{phase.formula}_{phase.material_id}", comment=comment)


def to_dict(result: MatchResult, cifs: list[str]) -> dict[str, Any]:
    """The answer as plain values."""
    return {
        "verdict": verdict(result),
        "confident": result.is_confident,
        "similarity": round(result.similarity, 4),
        "structures_tried": result.n_tried,
        "structures_left_out": result.n_left_out,
        "formulas_compared": result.n_formulas,
        "wavelength_angstrom": result.observed.wavelength_angstrom,
        "wavelength_is_assumed": result.observed.wavelength_is_assumed,
        "remarks": list(result.observed.remarks),
        "kbeta_relative_to_kalpha": round(result.observed.kbeta, 4),
        "unexplained_share_of_intensity": round(result.unexplained, 4),
        "unexplained_lines_deg": [round(angle, 3) for angle in result.unexplained_lines_deg],
        "phases": [_phase_dict(each, cif) for each, cif in zip(result.phases, cifs, strict=True)],
    }


def _phase_dict(each: Ranked, cif: str) -> dict[str, Any]:
    phase, p = each.fit.phase, each.fit.parameters
    return {
        "formula": str(phase.formula),
        "typed": phase.typed,
        "known": phase.is_known,
        "material_id": phase.material_id,
        "source": None if phase.source is None else phase.source.name,
        "probability": round(each.probability, 3),
        "weight_fraction": None if each.weight_fraction is None else round(each.weight_fraction, 4),
        "space_group": phase.space_group,
        "symbol": symbol(phase.space_group),
        "cell_symbol": symbol(phase.setting),
        "moved_angstrom": phase.moved_angstrom,
        "energy_above_hull_ev_per_atom": phase.energy_above_hull,
        "cell": {name: round(value, 5) for name, value in zip(_CELL, refined_cell(phase, p).tolist(), strict=True)},
        "shift_deg": round(float(p[SHIFT]), 4),
        "width_inverse_angstrom": round(math.exp(p[WIDTH]), 6),
        "lorentzian_share": round(float(p[LORENTZ]), 3),
        "displacement_b_angstrom2": round(float(p[THERMAL]), 3),
        "texture": {
            "axis": None if each.fit.axis is None else list(each.fit.axis),
            "march_dollase_r": round(math.exp(p[TEXTURE]), 3),
        },
        "cif": cif,
    }


def _row(each: Ranked) -> list[object]:
    phase = each.fit.phase
    cell = refined_cell(phase, each.fit.parameters).tolist()
    share = "" if each.weight_fraction is None else f"{each.weight_fraction:.4f}"
    return [
        phase.typed, phase.formula, "known" if phase.is_known else "predicted", phase.material_id, phase.space_group,
        symbol(phase.space_group), symbol(phase.setting), f"{phase.moved_angstrom:g}", f"{each.probability:.3f}", share,
        f"{each.fit.similarity:.4f}", f"{each.score:.4f}",
        *(f"{value:.5f}" for value in cell), "" if phase.energy_above_hull is None else phase.energy_above_hull,
        phase.held_out,
    ]  # fmt: skip


def _cell_text(each: Ranked) -> str:
    values = refined_cell(each.fit.phase, each.fit.parameters).tolist()
    lengths = " ".join(f"{value:.4f}" for value in values[:3])
    phase = each.fit.phase  # a slightly distorted structure is kept, and refined, in the cell of what it really has
    where = "" if phase.setting == phase.space_group else f" of {symbol(phase.setting)}"
    return f"a b c = {lengths} Å, α β γ = " + " ".join(f"{value:.2f}" for value in values[3:]) + f"°{where}"


def _remove_earlier(folder: Path, names: list[str]) -> None:
    """Remove the refined phases of the match that is replaced: beside the new ones they would be taken for found."""
    try:
        listed = {each["cif"] for each in read_json(folder / PHASES)["phases"]}
    except (OSError, ValueError, KeyError, TypeError):
        return  # there was none, or it says nothing of them
    for file in folder.glob("*.cif"):
        if file.name in listed and file.name not in names and file.is_file():
            with file.open("rb") as stream:
                ours = _REFINED.encode() in stream.read(_HEAD_BYTES)
            if ours:
                file.unlink()
