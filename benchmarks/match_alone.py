"""How sure may an answer be where only one formula was asked for? That formula has no lead over another.

    python benchmarks/match_alone.py --data ../shared/data --out results/match

Each scan of ``measured`` whose formula the library knows is matched with the known structures of its formula alone,
and with those of the wrong formula that did best without it, as benchmarks/match_measured.py has kept it. The lead with
which these, half of them right, would be likeliest is fitted on the scans that settings were chosen on, all other
coefficients of `deepxrd.matching.confidence` as they are. It was 0.133, beside the 0.15 that such an answer counts by:
near enough, as who asks for one formula seldom asks for the best of all wrong ones.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from deepxrd.chem import parse_formula
from deepxrd.io.files import write_json
from deepxrd.library import Libraries
from deepxrd.matching.confidence import CONFIDENT, MOST_MARGIN, Agreement, first_is_right
from deepxrd.matching.match import match_scan
from deepxrd.matching.observed import observe
from deepxrd.matching.phases import known_phases_of_formulas
from deepxrd.prediction.known import open_libraries
from deepxrd.scans import read_scan

KEPT = "alone.json"


def main() -> None:
    """Match what is not matched yet, keep it, fit the lead, and print how sure answers are with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("results/match"))
    options = parser.parse_args()
    libraries = open_libraries()
    measured = json.loads((options.out / "measured.json").read_text(encoding="utf-8"))
    kept = options.out / KEPT
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for file, row in measured.items():
        if row["in_library"] and row["without"]["ranking"] and file not in done:
            wrong = row["without"]["ranking"][0][0]
            right = _alone(options.data / "measured" / file, row["formula"], libraries)
            other = _alone(options.data / "measured" / file, wrong, libraries)
            done[file] = {"chosen_on": row["chosen_on"], "wrong": wrong, "with": right, "without": other}
            write_json(kept, done)
    some = [each for each in done.values() if each["chosen_on"]]
    fit = minimize_scalar(lambda lead: _loss(some, lead), bounds=(-0.5, MOST_MARGIN), method="bounded")
    print(f"lead {fit.x:.3f}, {len(some)} scans")
    for name, rows in (("chosen on", some), ("confirming", [each for each in done.values() if not each["chosen_on"]])):
        for lead in (MOST_MARGIN, fit.x):
            right, wrong = (np.array([chance(each[how], lead) for each in rows]) for how in ("with", "without"))
            print(
                f"{name}, lead {lead:.3f}: confident {(right >= CONFIDENT).mean():.1%} where right, "
                f"{(wrong >= CONFIDENT).mean():.1%} where wrong; mean {right.mean():.2f} and {wrong.mean():.2f}"
            )
    print(f"results: {kept}")


def _alone(path: Path, formula: str, libraries: Libraries) -> dict[str, Any]:
    """What the probability of one formula depends on, matched with its known structures; nothing where none fits."""
    phases = known_phases_of_formulas(libraries, [(formula, parse_formula(formula))])
    found = match_scan(observe(read_scan(path, radiation="Cu")), phases)
    if not found.phases:
        return {}
    best = max(found.phases, key=lambda each: each.weight_fraction or 0.0).fit
    agreement = {name: round(value, 4) for name, value in asdict(found.agreement).items()}
    return {**agreement, "hull": round(best.phase.hull, 4), "strain": round(best.strain_deviation, 3)}


def chance(found: dict[str, Any], lead: float) -> float:
    """The probability that the only formula is right, with a lead."""
    if not found:
        return 0.0
    agreement = Agreement(found["similarity"], found["line_misfit"], found["n_lines"])
    return first_is_right(agreement, lead, found["hull"], found["strain"])


def _loss(rows: list[dict[str, Any]], lead: float) -> float:
    """Negative logarithm of the likelihood."""
    right, wrong = (np.clip([chance(each[how], lead) for each in rows], 1e-9, 1 - 1e-9) for how in ("with", "without"))
    return float(-np.log(right).sum() - np.log(1 - wrong).sum())


if __name__ == "__main__":
    main()
