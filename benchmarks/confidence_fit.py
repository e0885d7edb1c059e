"""Fit the probabilities of deepxrd.matching.confidence: on scans that settings were chosen on, and on simulated ones.

    python benchmarks/confidence_fit.py --out results/match

Reads what benchmarks/match_measured.py has kept, and prints coefficients, and how sure answers would be if each scan in
turn were left out of the fit. The confirming scans take no part. The coefficients in the package were fitted once in
this way, and not anew when a later change (which energy an entry without one gets) moved the kept values a little.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from deepxrd.matching.confidence import CONFIDENT

NAMES = ("at zero", "similarity", "margin", "hull", "strain", "line misfit")
SIMULATED_WEIGHT = 0.25
"""Of a simulated scan: they are easier than real ones, and are there because real ones are few."""
_RIDGE = 0.1
Floats = NDArray[np.float64]


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/match"))
    options = parser.parse_args()
    real = [
        (name, row)
        for name, row in json.loads((options.out / "measured.json").read_text(encoding="utf-8")).items()
        if row["in_library"] and row["chosen_on"]
    ]
    simulated = list(json.loads((options.out / "simulated.json").read_text(encoding="utf-8")).items())
    tried = [(*each, 1.0) for each in real] + [(*each, SIMULATED_WEIGHT) for each in simulated]
    rows = [(name, row, how, weight) for name, row, weight in tried for how in ("with", "without") if row[how]]
    x = np.array([features(row[how]) for _, row, how, _ in rows])
    right = np.array([how == "with" and main_phase(row[how])["formula"] == row["formula"] for _, row, how, _ in rows])
    weights = np.array([weight for *_, weight in rows])
    found = fitted(x, right, weights)
    print("coefficients:", ", ".join(f"{name} {value:.2f}" for name, value in zip(NAMES, found, strict=True)))
    names = np.array([name for name, *_ in rows])
    chance = np.empty(len(rows))
    for name in dict.fromkeys(names.tolist()):
        out = names == name
        chance[out] = 1 / (1 + np.exp(-x[out] @ fitted(x[~out], right[~out], weights[~out])))
    there = np.array([how == "with" for _, _, how, _ in rows])
    for kind, some in (("measured, chosen on", weights == 1), ("simulated", weights < 1)):
        sure = chance >= CONFIDENT
        print(
            f"{kind}: confident {sure[some & there].mean():.1%}, right {right[some & there & sure].mean():.1%}, "
            f"without the own structures {sure[some & ~there].mean():.1%}"
        )


def features(found: dict[str, Any]) -> list[float]:
    """One, and what the probability depends on."""
    best = main_phase(found)
    return [
        1.0, found["similarity"], max(best["margin"], 0.0), best["hull"], best["strain"], found["line_misfit"],
    ]  # fmt: skip


def main_phase(found: dict[str, Any]) -> dict[str, Any]:
    """The phase with the largest share."""
    return dict(max(found["phases"], key=lambda each: each["weight"]))


def fitted(x: Floats, right: NDArray[np.bool_], weights: Floats) -> Floats:
    """Coefficients of a logistic regression, those of standardised columns drawn a little to zero."""
    scale = x.std(axis=0)
    scale[0] = 1.0
    sign = 2.0 * right - 1.0

    def loss(values: Floats) -> float:
        odds = (x / scale) @ values
        return float((weights * np.logaddexp(0, -sign * odds)).sum() + _RIDGE * (values[1:] ** 2).sum())

    return np.asarray(minimize(loss, np.zeros(x.shape[1])).x / scale)


if __name__ == "__main__":
    main()
