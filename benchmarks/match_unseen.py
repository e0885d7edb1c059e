"""How often is a compound that nobody has seen found by predicted structures, among 20 of its stoichiometry?

    python benchmarks/match_unseen.py --data ../shared/data --out results/match
    python benchmarks/match_unseen.py … --name chemical_system --checkpoint FOLDER --simulated 60

Each scan of a ternary in ``measured`` is matched with the predicted structures of its own formula and of 19 others of
the same stoichiometry, drawn from the library by the hash of the scan's name. No known structure is tried; the
structures of the scan's own composition are left out of what any of the 20 is made from; what was learned in folds
speaks of it as of a composition that it has not seen. Only the networks may have learned from it: so each row says
whether they did, and a second model, split by chemical system (README of results/match), has scans whose elements it
never saw together. ``--simulated N`` matches N scans that are made from known structures of chemical systems of the
validation part, to choose settings by. ``--any-elements`` takes the scans of any number of elements whose chemical
system was not learned. Held-out compositions take no part. What is found is kept scan by scan, so that
a run that was stopped goes on; `match_page.py` writes the table.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deepxrd.chem import Formula, parse_formula
from deepxrd.data import Split
from deepxrd.io.files import write_json
from deepxrd.library import Libraries
from deepxrd.matching.candidate import candidates_for
from deepxrd.matching.model import TEXTURE
from deepxrd.matching.observed import Observed, observe
from deepxrd.matching.phases import PhaseToTry, known_phases_of_formulas
from deepxrd.matching.predicted import predicted_phases
from deepxrd.matching.single import best_single
from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.saved import SHIPPED, Structures, load
from deepxrd.models.candidates.templates import Templates
from deepxrd.prediction.known import open_libraries
from deepxrd.prediction.predictor import CandidatePredictor
from deepxrd.scans import read_scan
from match_measured import first_half
from simulated_scans import simulated_scan

N_ELEMENTS, N_FORMULAS = 3, 20
_STABLE = 0.03  # eV per atom above the hull: what is measured is stable or nearly so
_KEPT = 6  # fits of a scan


def main() -> None:
    """Match what is not matched yet, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("results/match"))
    parser.add_argument("--name", default="shipped")
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED)
    parser.add_argument("--simulated", type=int, default=0)
    parser.add_argument("--any-elements", action="store_true", help="also scans of other than three elements")
    options = parser.parse_args()
    structures: Structures = "all" if options.checkpoint == SHIPPED else "learned"  # each as it answers
    libraries, model = open_libraries(), load(options.checkpoint, structures=structures)
    kept = options.out / "unseen.json"
    done = dict(json.loads(kept.read_text(encoding="utf-8"))) if kept.is_file() else {}
    alike, systems = of_each_stoichiometry(libraries, any_elements=options.any_elements), learned_systems(model)
    name = f"{options.name}, any elements" if options.any_elements else options.name
    for key, found in measured(options.data / "measured", libraries, alike):
        rows = done.setdefault(name, {})
        if options.any_elements and frozenset(found["formula"].elements) in systems:
            continue  # where there are more scans, only those that say something of what was not learned
        if key not in rows:
            rows[key] = matched(model, systems, found, alike)
            write_json(kept, done)
            print(name, key, rows[key]["formula"], rows[key]["place"], flush=True)
    for number, found in enumerate(simulated(libraries, alike, options.simulated)):
        rows = done.setdefault(f"{options.name}, simulated", {})
        if str(found["formula"]) not in rows:
            rows[str(found["formula"])] = matched(model, systems, found, alike)
            write_json(kept, done)
            print(options.name, number, found["formula"], rows[str(found["formula"])]["place"], flush=True)
    print(f"results: {kept}")


def measured(folder: Path, libraries: Libraries, alike: dict[str, list[Formula]]) -> list[tuple[str, dict[str, Any]]]:
    """Scans of ternaries whose stoichiometry has enough formulas; not read yet."""
    with (folder / "measured.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    chosen_on = first_half([row["file"] for row in rows], [row["formula"] for row in rows], libraries)
    out = []
    for row in rows:
        formula, name = parse_formula(row["formula"]), row["file"]
        if formula.reduced in {each.reduced for each in alike[formula.anonymous]}:
            scan = {"name": name, "formula": formula, "chosen_on": name in chosen_on, "path": folder / name}
            out.append((name, {**scan, "space_group": int(row["space_group"])}))
    return out


def simulated(libraries: Libraries, alike: dict[str, list[Formula]], n: int) -> list[dict[str, Any]]:
    """Stable compounds of chemical systems in the validation part of the split, each with what is to be measured."""
    every = [each for some in alike.values() for each in some]
    part = Split(by="chemical_system").assign([each.reduced for each in every])
    some = [each for each, of in zip(every, part.tolist(), strict=True) if of == "val"]
    rng, out = np.random.default_rng(0), []
    for place in rng.permutation(len(some)).tolist():
        if len(out) == n:
            break
        known = known_phases_of_formulas(libraries, [("", some[place])])
        best = min(known, key=lambda each: each.hull)
        if best.energy_above_hull is not None and best.hull < _STABLE:
            name = f"simulated {some[place].reduced}"
            found = {"name": name, "formula": some[place], "chosen_on": True, "space_group": best.space_group}
            out.append({**found, "phase": best, "seed": place})
    return out


def matched(
    model: CandidateModel,
    systems: frozenset[frozenset[str]],
    found: dict[str, Any],
    alike: dict[str, list[Formula]],
) -> dict[str, Any]:
    """What the predicted structures of 20 formulas make of a scan."""
    formula: Formula = found["formula"]
    began = time.process_time()
    asked = drawn(found["name"], formula, alike[formula.anonymous])
    predicted = predicted_phases(without(model, formula), asked)
    seconds = time.process_time() - began
    if "path" in found:
        observed = observe(read_scan(found["path"], radiation="Cu"))
    else:
        observed = observe(simulated_scan(found["phase"], np.random.default_rng(found["seed"])))
    began = time.process_time()
    ranked = fits(observed, predicted)
    formulas = list(dict.fromkeys(each[0] for each in ranked))
    return {
        "formula": str(formula),
        "space_group": found["space_group"],
        "chosen_on": found["chosen_on"],
        "learned": bool(model.maker.learned([formula])[0]),
        "system_learned": frozenset(formula.elements) in systems,
        "n_structures": len(predicted),
        "place": formulas.index(str(formula)) if str(formula) in formulas else None,
        "fits": ranked[:_KEPT],
        "predicting_cpu_s": round(seconds, 2),
        "matching_cpu_s": round(time.process_time() - began, 2),
    }


def without(model: CandidateModel, formula: Formula) -> CandidatePredictor:
    """A model that has no structure of a composition to make others from."""
    maker, templates = model.maker, model.maker.templates
    own = templates.row[templates.composition == templates.compositions_of([formula])[0]]
    if len(own):
        chosen = templates.chosen.copy()
        chosen[own] = False
        rest = Templates(templates.library, chosen)
        maker = replace(maker, templates=rest)
    return CandidatePredictor(replace(model, maker=maker), fingerprint="")


def learned_systems(model: CandidateModel) -> frozenset[frozenset[str]]:
    """Sets of elements that the model learned from."""
    tables, maker = model.maker.templates.library.tables, model.maker
    first = tables.composition_start[:-1][maker.learned_from].astype(np.int64)
    return frozenset(frozenset(each.elements) for each in maker.templates.library.formulas(first))


def of_each_stoichiometry(libraries: Libraries, *, any_elements: bool = False) -> dict[str, list[Formula]]:
    """Formulas of three elements by their stoichiometry, sorted, where there are enough; no held-out ones."""
    held_out = libraries.held_out_formulas()
    found: dict[str, dict[str, Formula]] = defaultdict(dict)
    for library in libraries.libraries:
        for formula in library.formulas(np.arange(len(library))):
            if (any_elements or len(formula.elements) == N_ELEMENTS) and formula.reduced not in held_out:
                found[formula.anonymous][formula.reduced] = formula
    enough = {each: some for each, some in found.items() if len(some) >= N_FORMULAS}
    return defaultdict(list, {each: [some[name] for name in sorted(some)] for each, some in enough.items()})


def drawn(name: str, formula: Formula, alike: list[Formula]) -> list[Formula]:
    """The formula and others of its stoichiometry, in the order of the alphabet so that its place tells nothing."""
    others = [each for each in alike if each.reduced != formula.reduced]
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    some = [others[i] for i in rng.permutation(len(others))[: N_FORMULAS - 1]]
    return sorted([formula, *some], key=lambda each: each.reduced)


def fits(observed: Observed, phases: list[PhaseToTry]) -> list[list[Any]]:
    """What was refined to the end, the best first: formula, space group, similarity, probability, texture, score."""
    return [
        [
            str(fit.phase.formula),
            fit.phase.space_group,
            round(fit.similarity, 4),
            round(fit.phase.probability, 5),
            round(abs(float(fit.parameters[TEXTURE])), 3),
            round(fit.score, 4),
        ]
        for fit in best_single(observed, candidates_for(observed, phases))
    ]


if __name__ == "__main__":
    main()
