"""How often is a compound that nobody has seen found by predicted structures, among 20 of its stoichiometry?

    python benchmarks/match_unseen.py --data ../shared/data --out results/match

Each scan of a ternary in ``measured`` is matched with the predicted structures of its own formula and of 19 others of
the same stoichiometry, drawn from the library by the hash of the scan's name; no known structure is tried, and no
formula's own structures are among what its candidates are made from. Held-out compositions take no part. What is found
is kept scan by scan, so that a run that was stopped goes on; `match_page.py` writes the table.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from deepxrd.chem import Formula, parse_formula
from deepxrd.io.files import write_json
from deepxrd.library import Libraries
from deepxrd.matching.observed import Observed, observe
from deepxrd.matching.phases import PhaseToTry
from deepxrd.matching.predicted import predicted_phases
from deepxrd.matching.single import best_single, candidates_for
from deepxrd.prediction.known import open_libraries
from deepxrd.prediction.predictor import CandidatePredictor
from deepxrd.scans import read_scan
from match_measured import first_half

N_ELEMENTS, N_FORMULAS = 3, 20


def main() -> None:
    """Match what is not matched yet, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("results/match"))
    options = parser.parse_args()
    libraries, predictor = open_libraries(), CandidatePredictor.load()
    kept = options.out / "unseen.json"
    done = dict(json.loads(kept.read_text(encoding="utf-8"))) if kept.is_file() else {}
    with (options.data / "measured/measured.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    chosen_on = first_half([row["file"] for row in rows], [row["formula"] for row in rows], libraries)
    alike = of_each_stoichiometry(libraries)
    for row in rows:
        name, formula = row["file"], parse_formula(row["formula"])
        if name in done or formula.reduced not in {each.reduced for each in alike[formula.anonymous]}:
            continue
        if len(formula.elements) != N_ELEMENTS:
            continue
        began = time.process_time()
        asked = drawn(name, formula, alike[formula.anonymous])
        predicted = predicted_phases(predictor, asked)
        seconds = time.process_time() - began
        observed = observe(read_scan(options.data / "measured" / name, radiation="Cu"))
        done[name] = {
            "formula": str(formula),
            "chosen_on": name in chosen_on,
            "n_formulas": len(asked),
            "n_structures": len(predicted),
            "has_candidates": any(each.formula == formula for each in predicted),
            "predicting_cpu_s": round(seconds, 2),
            "fits": fits(observed, predicted),
            "cpu_s": round(time.process_time() - began, 2),
        }
        write_json(kept, done)
        print(name, formula, [each[0] for each in done[name]["fits"]], flush=True)
    print(f"results: {kept}")


def of_each_stoichiometry(libraries: Libraries) -> dict[str, list[Formula]]:
    """Formulas of three elements by their stoichiometry, sorted; no held-out ones."""
    held_out = libraries.held_out_formulas()
    out: dict[str, dict[str, Formula]] = defaultdict(dict)
    for library in libraries.libraries:
        for formula in library.formulas(np.arange(len(library))):
            if len(formula.elements) == N_ELEMENTS and formula.reduced not in held_out:
                out[formula.anonymous][formula.reduced] = formula
    return defaultdict(list, {each: [found[name] for name in sorted(found)] for each, found in out.items()})


def drawn(name: str, formula: Formula, alike: list[Formula]) -> list[Formula]:
    """The formula and others of its stoichiometry, in the order of the alphabet so that its place tells nothing."""
    others = [each for each in alike if each.reduced != formula.reduced]
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    some = [others[i] for i in rng.permutation(len(others))[: N_FORMULAS - 1]]
    return sorted([formula, *some], key=lambda each: each.reduced)


def fits(observed: Observed, phases: list[PhaseToTry]) -> list[list[Any]]:
    """What was refined to the end, the best first: formula, space group, similarity, probability, score."""
    return [
        [
            str(fit.phase.formula),
            fit.phase.space_group,
            round(fit.similarity, 4),
            round(fit.phase.probability, 5),
            round(fit.score, 4),
        ]
        for fit in best_single(observed, candidates_for(observed, phases))
    ]


if __name__ == "__main__":
    main()
