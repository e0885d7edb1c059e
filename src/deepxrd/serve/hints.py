"""What else a person may look for, from what is typed so far."""

from __future__ import annotations

import math

from deepxrd.chem import Formula
from deepxrd.library import Libraries

_MOST = 6
_MOST_READ = 2000
"""Entries of one chemical system that are looked at: silica has hundreds, and somebody waits at the keyboard."""


def others_of(libraries: Libraries, formula: Formula) -> list[str]:
    """Other known compounds of the same elements, the most stable first; of equals, the simplest.

    Args:
        libraries: where they are looked for.
        formula: what was typed.
    """
    found = libraries.find_elements(sorted(formula.elements), subsets=False)
    least: dict[Formula, float] = {}
    for part, library in enumerate(found.libraries):
        rows = found.rows[found.part == part][:_MOST_READ]
        energies = library.energies_above_hull(rows).tolist()
        for each, energy in zip(library.formulas(rows), energies, strict=True):
            known = math.inf if math.isnan(energy) else energy
            least[each] = min(least.get(each, math.inf), known)
    least.pop(formula, None)
    best = sorted(least, key=lambda each: (least[each], sum(n for _, n in each.counts), str(each)))
    return [str(each) for each in best[:_MOST]]
