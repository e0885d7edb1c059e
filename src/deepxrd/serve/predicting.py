"""The tasks of a worker for formulas: what is understood of one, its known phases and its candidate structures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system
from deepxrd.errors import ConfigError, FormulaError
from deepxrd.library import AsymmetricUnit, cif_text
from deepxrd.library.space_groups import symbol
from deepxrd.models.candidates.answers import Candidate
from deepxrd.prediction.known import known_phases, view
from deepxrd.prediction.known_folder import phase_comment
from deepxrd.serve.cell_view import cell_view, n_not_drawn
from deepxrd.serve.lines import lines_of
from deepxrd.serve.settings import MOST_FORMULAS, SHOWN
from deepxrd.xrd import XrdSettings, simulate

if TYPE_CHECKING:
    from deepxrd.models.predictions import Predictions
    from deepxrd.serve.worker import Loaded

_MOST_POINTS = 20_001
"""Of a pattern that is sent: a browser draws no more, and a width of 0.01° over 40° has as many."""


def view_for(radiation: str, first_deg: float, last_deg: float, width_deg: float) -> XrdSettings:
    """The settings of patterns that a page asks for.

    Raises:
        ConfigError: they make no sense, or a pattern would have more points than a browser draws.
    """
    if not width_deg >= 0.01:  # noqa: PLR2004 - a tenth of a laboratory's
        msg = f"a width of {width_deg:g}° is too small: give 0.01° or more"
        raise ConfigError(msg)
    made = view(radiation=radiation, range_deg=(first_deg, last_deg), width_deg=width_deg)
    if made.n_points > _MOST_POINTS:
        msg = (
            f"{first_deg:g} to {last_deg:g}° with lines of {width_deg:g}° are {made.n_points:,} points, and "
            f"{_MOST_POINTS:,} are sent at most: give a larger width or a shorter range"
        )
        raise ConfigError(msg)
    return made


def predict(  # noqa: PLR0917 - a task is asked for by its name and a list
    loaded: Loaded, formulas: list[Formula], radiation: str, first_deg: float, last_deg: float, width_deg: float
) -> list[bytes]:
    """Known phases and candidates of formulas, each as JSON: it is kept and sent as it is.

    Args:
        loaded: what predicts, and the libraries.
        formulas: compositions; slips of a person were refused before, and ``SIO2`` is what is meant now.
        radiation: see `deepxrd.xrd.parse_radiation`.
        first_deg: of the patterns, degrees 2θ.
        last_deg: likewise.
        width_deg: full width of a line at half maximum, degrees 2θ.

    Raises:
        FormulaError: one of them cannot be read, or there are too many.
        ConfigError: the settings make no sense.
    """
    xrd = view_for(radiation, first_deg, last_deg, width_deg)
    if not 1 <= len(formulas) <= MOST_FORMULAS:
        msg = f"{len(formulas)} formulas: give 1 to {MOST_FORMULAS}, or a table to be screened"
        raise FormulaError(msg)
    said = loaded.predictor.predict(formulas)
    candidates = loaded.predictor.candidates(said)
    learned = loaded.predictor.learned(formulas)
    answers = []
    for row, formula in enumerate(formulas):
        answer = {
            "formula": str(formula),
            "learned": bool(learned[row]),
            **_known(loaded, formula, xrd),
            **_candidates(candidates[row], formula, xrd),
            **_of_columns(said, row),
            "peaks": _peaks(said, row, loaded.predictor.xrd),
            "pattern": {
                "first_deg": xrd.two_theta_min_deg,
                "last_deg": xrd.two_theta_max_deg,
                "n_points": xrd.n_points,
            },
            "wavelength_angstrom": xrd.wavelength_angstrom,
            "peaks_wavelength_angstrom": loaded.predictor.xrd.wavelength_angstrom,
        }
        answers.append(json.dumps(answer, allow_nan=False, separators=(",", ":")).encode())
    return answers


def _known(loaded: Loaded, formula: Formula, xrd: XrdSettings) -> dict[str, Any]:
    n = len(loaded.libraries.find_formula(formula).rows)
    found = known_phases(loaded.libraries, formula, xrd, most=SHOWN)
    rows = zip(found.phases, found.units, found.patterns, found.failures, strict=True)
    return {
        "n_known": n,
        "known": [
            {
                "name": phase.material_id,
                "probability": None,
                "prototype": phase.prototype,
                "cell_deviation": None,
                "energy_above_hull_ev_per_atom": phase.energy_above_hull,
                "known_from_experiment": phase.known_from_experiment,
                "held_out": phase.held_out,
                "origin": f"{phase.source.name}. {phase.source.citation} Licence: {phase.source.licence}",
                "cif": cif_text(unit, name=f"{formula}_{phase.material_id}", comment=phase_comment(phase)),
                **_drawn(unit, pattern, xrd, list(phase.cell)),
                "no_pattern": failure,
            }
            for phase, unit, pattern, failure in rows
        ],
    }


def _candidates(mine: list[Candidate], formula: Formula, xrd: XrdSettings) -> dict[str, Any]:
    shown = mine[:SHOWN]
    patterns, failures = simulate([each.unit.to_crystal() for each in shown], xrd)
    return {
        "n_candidates": len(mine),
        "none_of_them": max(0.0, 1 - sum(each.probability for each in mine)),
        "candidates": [
            {
                "name": f"candidate {rank}",
                "probability": round(each.probability, 4),
                "prototype": each.prototype,
                "cell_deviation": [round(value, 4) for value in each.cell_deviation],
                "shared_sites": each.shared,
                "origin": f"sites of {each.template_formula} ({each.template})",
                "cif": cif_text(
                    each.unit,
                    name=f"{formula}_candidate-{rank}",
                    comment=f"PREDICTED, not measured: probability {each.probability:.2f}, "
                    f"sites of {each.template_formula} ({each.template})",
                ),
                **_drawn(each.unit, pattern, xrd, list(each.cell)),
                "no_pattern": failure,
            }
            for rank, (each, pattern, failure) in enumerate(zip(shown, patterns, failures, strict=True), start=1)
        ],
    }


def _drawn(unit: AsymmetricUnit, pattern: NDArray[np.float32], xrd: XrdSettings, cell: list[float]) -> dict[str, Any]:
    return {
        "space_group": unit.space_group,
        "symbol": symbol(unit.space_group),
        "crystal_system": crystal_system(unit.space_group),
        "cell": [round(float(value), 4) for value in cell],
        "intensity": np.round(pattern.astype(np.float64), 2).tolist(),
        "lines": lines_of(unit, xrd),
        "cell_view": cell_view(unit),
        "n_not_drawn": n_not_drawn(unit),
    }


def _of_columns(said: Predictions, row: int) -> dict[str, Any]:
    """What all candidates say together: crystal system, space groups, volume, density, and the expected score."""
    columns = said.columns
    out: dict[str, Any] = {"expected_f1": _number(columns["expected_f1"][row])}
    system = str(columns["crystal_system"][row])
    out["crystal_system"] = system if system in CRYSTAL_SYSTEMS else None
    out["crystal_system_probability"] = _number(columns["crystal_system_probability"][row])
    groups = [
        (int(columns[f"space_group_{n}"][row]), columns[f"space_group_{n}_probability"][row]) for n in range(1, 6)
    ]
    out["space_groups"] = [
        {"number": number, "symbol": symbol(number), "probability": _number(chance)}
        for number, chance in groups
        if number > 0
    ]
    for name in ("volume_per_atom_angstrom3", "density_g_per_cm3"):
        out[name] = [_number(columns[f"{name}{end}"][row]) for end in ("_low", "", "_high")]
    return out


def _peaks(said: Predictions, row: int, xrd: XrdSettings) -> list[list[float | None]]:
    """Angle, intensity, and the probability that a true peak is within 1°, of each peak.

    Angles are degrees 2θ for the wavelength that the weights learned.
    """
    angles, intensities = said.peaks_of(row, xrd)
    chances = [None] * len(angles) if said.peak_probability is None else said.peak_probability[row].tolist()
    rows = zip(angles.tolist(), intensities.tolist(), chances, strict=False)
    return [[round(angle, 3), round(height, 2), None if p is None else round(p, 3)] for angle, height, p in rows]


def _number(value: Any) -> float | None:
    number = float(value)
    return round(number, 4) if np.isfinite(number) else None
