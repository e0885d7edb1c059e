"""How often are the phases of measured scans found? Known structures, on scans whose phase is known.

    python benchmarks/match_measured.py --data ../shared/data --out results/match

Each scan of ``measured`` is matched with all known phases of its elements, once with and once without the structures of
its own formula; each of ``instruments/mixtures`` with all known phases of the elements of its parts. What is found is
kept scan by scan, so that a run that was stopped goes on; ``--page`` writes the tables from what is kept.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula, parse_formula
from deepxrd.io.files import write_json
from deepxrd.library import Libraries
from deepxrd.matching.candidate import Candidate, candidates_for
from deepxrd.matching.match import MatchResult, match_scan
from deepxrd.matching.observed import Observed, observe
from deepxrd.matching.phases import PhaseToTry, known_phases_of_elements, known_phases_of_formulas
from deepxrd.matching.profile import Stack
from deepxrd.matching.screen import COARSE_SIGMA, coarse_grid, coarse_view, correlation
from deepxrd.prediction.known import open_libraries
from deepxrd.scans import read_scan
from simulated_scans import simulated_scan

CHOSEN_ON = 50
"""Scans, the first by the hash of their names, that settings and probabilities were chosen on; those of held-out
compositions are never among them."""
_FEW, _MANY, _STABLE, _MOST_ATOMS = 2, 5, 0.02, 80
"""Elements, eV per atom above the hull, and atoms of phases whose scans are simulated."""
_MOST_GRAINS = 0.35
_OLD_STRAINS = np.linspace(-0.03, 0.03, 13)
_AT_ONCE = 64


def main() -> None:
    """Match what is not matched yet, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("results/match"))
    parser.add_argument("--simulated", type=int, default=48, help="scans to fit probabilities on, beside real ones")
    options = parser.parse_args()
    libraries = open_libraries()
    kept = options.out / "simulated.json"
    done = _read(kept)
    for seed, phase in enumerate(stable_phases(libraries, options.simulated)):
        name = f"simulated {phase.formula}"
        if name not in done:
            done[name] = simulated(phase, libraries, seed)
            write_json(kept, done)
            print(name, done[name]["place"], flush=True)
    mixtures = sorted((options.data / "instruments/mixtures").glob("*.xrdml"))
    kept = options.out / "mixtures.json"
    done = _read(kept)
    for path in mixtures:
        if path.name not in done:
            done[path.name] = mixture(path, libraries)
            write_json(kept, done)
            print(path.name, [(each["formula"], each["weight"]) for each in done[path.name]["phases"]], flush=True)
    kept = options.out / "measured.json"
    done = _read(kept)
    with (options.data / "measured/measured.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    chosen_on = first_half([row["file"] for row in rows], [row["formula"] for row in rows], libraries)
    for row in rows:
        if row["file"] not in done:
            done[row["file"]] = measured(row, options.data / "measured", libraries, chosen_on=row["file"] in chosen_on)
            write_json(kept, done)
            print(row["file"], row["formula"], done[row["file"]]["place"], flush=True)
    print(f"results: {options.out}")


def first_half(files: Sequence[str], formulas: Sequence[str], libraries: Libraries) -> frozenset[str]:
    """The scans that settings were chosen on."""
    held_out = libraries.held_out_formulas()
    free = [f for f, text in zip(files, formulas, strict=True) if parse_formula(text).reduced not in held_out]
    return frozenset(sorted(free, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:CHOSEN_ON])


def mixture(path: Path, libraries: Libraries) -> dict[str, Any]:
    """What is found in a mixture; the truth is in the file's name."""
    parts = [part.rsplit("_", 1) for part in path.name.split("--")[0].split("-")]
    truth = {parse_formula(text): float(weight.replace("p", ".")) for text, weight in parts}
    elements = sorted({symbol for formula in truth for symbol in formula.elements})
    began = time.process_time()
    found = match_scan(observe(read_scan(path)), known_phases_of_elements(libraries, elements))
    total = sum(truth.values())
    return {
        "truth": {str(formula): round(weight / total, 4) for formula, weight in truth.items()},
        "cpu_s": round(time.process_time() - began, 2),
        **_plain(found),
    }


def measured(row: dict[str, str], folder: Path, libraries: Libraries, *, chosen_on: bool) -> dict[str, Any]:
    """What is found in a scan of one phase."""
    formula = parse_formula(row["formula"])
    began = time.process_time()
    observed = observe(read_scan(folder / row["file"], radiation="Cu"))
    phases = known_phases_of_elements(libraries, formula.elements)
    found = match_scan(observed, phases)
    seconds = time.process_time() - began
    others = [phase for phase in phases if phase.formula != formula]
    in_library = len(others) < len(phases)
    return {
        "formula": str(formula),
        "space_group": int(row["space_group"]),
        "n_elements": len(formula.elements),
        "n_formulas": len({phase.formula for phase in phases}),
        "n_structures": len(phases),
        "in_library": in_library,
        "held_out": formula.reduced in libraries.held_out_formulas(),
        "chosen_on": chosen_on,
        "place": place(found, formula),
        "old_place": old_place(observed, phases, formula) if in_library else None,
        "cpu_s": round(seconds, 2),
        "with": _plain(found),
        "without": _plain(match_scan(observed, others)) if in_library else None,
    }


def stable_phases(libraries: Libraries, n: int) -> list[PhaseToTry]:
    """Phases of two to five elements drawn from the library, the most stable of each formula; no held-out ones."""
    held_out, library = libraries.held_out_formulas(), libraries.libraries[0]
    rng, seen, out = np.random.default_rng(11), set(), []
    for row in rng.permutation(len(library)).tolist():
        if len(out) == n:
            break
        formula = library.formulas(np.array([row]))[0]
        if formula.reduced in held_out or formula.reduced in seen or not _FEW <= len(formula.elements) <= _MANY:
            continue
        seen.add(formula.reduced)
        known = known_phases_of_formulas(libraries, [("", formula)])
        stable = [each for each in known if each.energy_above_hull is not None and each.hull < _STABLE]
        if stable and not stable[0].is_gas:
            best = min(stable, key=lambda each: each.hull)
            out += [best] if len(best.crystal.atomic_numbers) <= _MOST_ATOMS else []
    return out


def simulated(phase: PhaseToTry, libraries: Libraries, seed: int) -> dict[str, Any]:
    """What is found in a simulated scan of a phase, with and without its own structures in the list."""
    rng = np.random.default_rng(seed)
    observed = observe(simulated_scan(phase, rng, grains=float(rng.uniform(0, _MOST_GRAINS))))
    phases = known_phases_of_elements(libraries, phase.formula.elements)
    found = match_scan(observed, phases)
    others = [each for each in phases if each.formula != phase.formula]
    return {
        "formula": str(phase.formula),
        "space_group": phase.space_group,
        "place": place(found, phase.formula),
        "with": _plain(found),
        "without": _plain(match_scan(observed, others)) if others else None,
    }


def place(found: MatchResult, formula: Formula) -> int | None:
    """Place of a formula in the ranking, 0 for the first; None if it is not there."""
    formulas = list(dict.fromkeys(each.fit.phase.formula for each in found.ranking))
    return formulas.index(formula) if formula in formulas else None


def old_place(observed: Observed, phases: Sequence[PhaseToTry], formula: Formula) -> int:
    """Place by the way before: correlation of intensities at 0.5°, all lengths free within 3 %, nothing refined."""
    best: dict[Formula, float] = {}
    candidates = candidates_for(observed, phases)
    for start in range(0, len(candidates), _AT_ONCE):
        some = candidates[start : start + _AT_ONCE]
        for each, value in zip(some, _old_similarity(observed, some).tolist(), strict=True):
            best[each.phase.formula] = max(best.get(each.phase.formula, -1.0), value)
    return sorted(best, key=lambda each: -best[each]).index(formula)


def _old_similarity(observed: Observed, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    view, grid = coarse_view(observed), coarse_grid(observed)
    stack = Stack.of([each.reflections for each in candidates])
    blur = np.exp(-0.5 * (COARSE_SIGMA * grid.frequencies) ** 2)
    best = np.full(stack.size, -1.0)
    for strain in _OLD_STRAINS:
        x = np.sqrt(stack.q) * (1 - strain) * grid.lines[0][0]
        bins = grid.deposit(x, stack.owner, stack.size, (stack.intensity * grid.factor(x))[None])[:, 0]
        patterns = grid.cut(grid.transform(bins) * blur)[:, view.inside]
        best = np.maximum(best, correlation(view.pattern[view.inside], patterns))
    return best


def _plain(found: MatchResult) -> dict[str, Any]:
    return {
        "similarity": round(found.similarity, 4),
        "line_misfit": round(found.agreement.line_misfit, 4),
        "n_lines": found.agreement.n_lines,
        "phases": [
            {
                "formula": str(each.fit.phase.formula),
                "material_id": each.fit.phase.material_id,
                "space_group": each.fit.phase.space_group,
                "weight": round(each.weight_fraction or 0.0, 4),
                "score": round(each.score, 4),
                "hull": round(each.fit.phase.hull, 4),
                "margin": round(each.margin, 4),
                "strain": round(each.fit.strain_deviation, 3),
            }
            for each in found.phases
        ],
        "ranking": [
            [str(each.fit.phase.formula), each.fit.phase.space_group, each.fit.phase.material_id, round(each.score, 4)]
            for each in found.ranking[:8]
        ],
    }


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


if __name__ == "__main__":
    main()
