"""How often is the true formula found among candidates, by a pattern as a laboratory would measure it?

    python benchmarks/match_study.py --store STORE --checkpoint best.ckpt --out results/match

Patterns are made from structures of one part of the data that the models were not trained on: cells as an experiment
would find them, a Kα doublet, narrow lines, thermal motion, a shifted zero, a background, counts with Poisson noise.
Candidates are drawn in three ways. Writes ``scores-PART.json`` and, of all parts that are there, ``README.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal, Formula, parse_formula
from deepxrd.data import PatternStore, Split, indices
from deepxrd.io.files import write_json, write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.matching import Measured, Target, best_fits, lattice_scales, target_of
from deepxrd.prediction.predictor import load_predictor
from deepxrd.xrd import XrdSettings, simulate

INSTRUMENT = XrdSettings(
    two_theta_min_deg=10, two_theta_max_deg=90, n_points=4001, sigma_deg=0.08, debye_waller_b_angstrom2=0.8,
    kalpha_doublet=True, form_factors="waasmaier_kirfel",
)  # fmt: skip
N_CANDIDATES = 20
STRAINS = (0.0, 0.01, 0.02, 0.03, 0.05)
LISTS = {
    "random": "drawn from all",
    "stoichiometry": "of the same stoichiometry",
    "system": "of the same three elements, all that are known",
}

_ABOUT = """# Which candidate fits a measured pattern?

Made by `benchmarks/match_study.py`: do not edit.

Patterns as a laboratory would measure them, made from structures that no model was trained on: all lengths of the cell
off by -2 to +1 %, Cu Kα1 and Kα2, 10–90° in steps of 0.02°, lines of σ = 0.08°, B = 0.8 Å², a zero off by up to 0.05°,
a falling background and a hump of up to 4 % of the strongest line, Poisson noise at 10,000 counts. They are
simulations, not measurements: no texture, no second phase, no width by small crystals.

The true formula stands among candidates, and each is ranked by `deepxrd match`. In how many cases is it the first, and
among the first three? *Strain* is how far lengths of a predicted cell may be off. *Shipped* is the model that comes
with deepxrd, *network* the one of Table 1 trained on all ternaries (12 epochs). Candidates are drawn from all parts of
the data, so others may be better known than the true one."""
_SOURCE = """The allowed strain of `deepxrd match` and the answer that it compares (`expected`) were chosen on the
validation part. Data: Materials Project 2025.02.12, CC BY 4.0; Jain et al., APL Materials 1, 011002 (2013), doi
10.1063/1.4812323."""


@dataclass(frozen=True)
class Case:
    """A measurement, and rows of candidates, the true one first."""

    target: Target
    lists: dict[str, NDArray[np.int64]]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="of a network, to be compared")
    parser.add_argument("--part", choices=["val", "test"], default="test")
    parser.add_argument("--n", type=int, default=500, help="measurements")
    parser.add_argument("--strains", type=float, nargs="+", default=STRAINS)
    parser.add_argument("--out", type=Path, default=Path("results/match"))
    options = parser.parse_args()
    store = PatternStore.open(options.store)
    formulas = [parse_formula(text) for text in store.samples["composition"]]
    rng = np.random.default_rng(0)
    rows = rng.permutation(indices(store, Split())[options.part])[: options.n]
    crystals = store.crystals()
    targets = measurements([crystals[row] for row in rows], store.xrd, rng)
    cases = [Case(target, candidates(row, formulas, rng)) for row, target in zip(rows, targets, strict=True) if target]
    needed = np.unique(np.concatenate([some for case in cases for some in case.lists.values()]))
    scores = {}
    for name, patterns in predictions(options.checkpoint, [formulas[i] for i in needed]).items():
        for strain in options.strains:
            scores[f"{name}, {strain:g}"] = found(cases, needed, patterns, store.xrd, strain)
            print(name, strain, scores[f"{name}, {strain:g}"], flush=True)
    sizes = {name: float(np.mean([len(case.lists[name]) for case in cases])) for name in LISTS}
    chance = {name: float(np.mean([1 / len(case.lists[name]) for case in cases])) for name in LISTS}
    result = {
        "commit": git_commit(), "machine": machine(), "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "n": len(cases), "part": options.part, "candidates": sizes, "chance": chance, "scores": scores,
    }  # fmt: skip
    write_json(options.out / f"scores-{options.part}.json", result)
    write_text(options.out / "README.md", page(options.out))
    print(f"results: {options.out / 'README.md'}")


def page(out: Path) -> str:
    """What was found, in words and tables."""
    sections = [_ABOUT]
    for path in sorted(out.glob("scores-*.json"), reverse=True):
        result = json.loads(path.read_text(encoding="utf-8"))
        header = ["answer, strain", *(f"{how}" for how in LISTS.values())]
        rows = [["by chance", *(f"{result['chance'][name]:.1%}" for name in LISTS)]]
        for way, scores in result["scores"].items():
            rows.append([way, *(f"{scores[n]['first']:.1%} / {scores[n]['first three']:.1%}" for n in LISTS)])
        table = "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))
        sizes = ", ".join(f"{result['candidates'][name]:.1f} {how}" for name, how in LISTS.items())
        sections.append(
            f"## {'Test' if result['part'] == 'test' else 'Validation'} part: first / first three\n\n{table}\n\n"
            f"{result['n']} measurements; candidates of each, the true one included, in the mean: {sizes}. "
            f"`{result['command']}`, commit {result['commit'][:9]}, {result['machine']['processor']}."
        )
    sections.append(_SOURCE)
    return "\n\n".join(sections) + "\n"


def measurements(crystals: list[Crystal], xrd: XrdSettings, rng: np.random.Generator) -> list[Target | None]:
    """Patterns as a laboratory would measure them, made ready; None where a crystal gives none."""
    strained = [replace(c, lattice=c.lattice * rng.uniform(0.98, 1.01)) for c in crystals]
    patterns, failures = simulate(strained, INSTRUMENT)
    angle = INSTRUMENT.two_theta_deg
    targets: list[Target | None] = []
    for pattern, failure in zip(patterns, failures, strict=True):
        slope = rng.uniform(200, 1500) * np.exp(-(angle - 10) / rng.uniform(10, 60))
        hump = rng.uniform(0, 400) * np.exp(-0.5 * ((angle - rng.uniform(20, 30)) / 6) ** 2)
        counts = rng.poisson(100.0 * pattern + slope + hump + 100)  # 10,000 counts at the highest peak
        shifted = Measured(angle + rng.uniform(-0.05, 0.05), counts.astype(np.float64))
        targets.append(None if failure else target_of(shifted, xrd))
    return targets


def candidates(row: int, formulas: Sequence[Formula], rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Rows of each list, the true one first."""
    true = formulas[row]
    alike = {
        "random": [i for i in rng.choice(len(formulas), N_CANDIDATES, replace=False) if i != row],
        "stoichiometry": [i for i, f in enumerate(formulas) if f.anonymous == true.anonymous and i != row],
        "system": [i for i, f in enumerate(formulas) if set(f.elements) == set(true.elements) and i != row],
    }
    return {
        name: np.array([row, *rng.permutation(others)[: N_CANDIDATES - 1]], dtype=np.int64)
        for name, others in alike.items()
    }


def predictions(checkpoint: Path | None, formulas: list[Formula]) -> dict[str, NDArray[np.float32]]:
    """Of the model that comes with deepxrd, both answers; and of a network."""
    shipped = load_predictor().predict(formulas)
    made = {"shipped, expected": shipped.further["expected"], "shipped, decoded": shipped.patterns}
    return made | ({"network": load_predictor(checkpoint).predict(formulas).patterns} if checkpoint else {})


def found(
    cases: list[Case], needed: NDArray[np.int64], patterns: NDArray[np.float32], xrd: XrdSettings, strain: float
) -> dict[str, dict[str, float]]:
    """How often the true formula is first, and among the first three, of each list."""
    scales, result = lattice_scales(strain), {}
    for name in LISTS:
        places = []
        for case in cases:
            some = patterns[np.searchsorted(needed, case.lists[name])]
            similarity, _ = best_fits(case.target, some, xrd, scales)
            places.append(int((similarity[1:] >= similarity[0]).sum()))
        place = np.array(places)
        result[name] = {"first": float((place == 0).mean()), "first three": float((place < 3).mean())}
    return result


if __name__ == "__main__":
    main()
