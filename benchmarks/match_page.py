"""The page results/match/README.md from what benchmarks/match_measured.py has kept.

python benchmarks/match_page.py --out results/match
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepxrd.io.files import write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.matching.confidence import CONFIDENT, Agreement, first_is_right
from deepxrd.matching.single import PRIOR_WEIGHT
from match_unseen_page import unseen_section

Rows = Sequence[dict[str, Any]]

_HEAD = """# Which phases does a measured pattern hold?

Made by `benchmarks/match_measured.py` and `benchmarks/match_page.py`: do not edit.

{n} measured patterns of minerals (RRUFF; Lafuente et al., 2015; Cu Kα, 5–90°), each matched with all known phases of
its elements from the [library](../../docs/library.md): {structures:.0f} structures of {formulas:.0f} formulas
in the mean.
{in_library} have a formula that the library knows. Settings and probabilities were chosen on {chosen} scans, the first
by the hash of their file names; none of a held-out composition is among them. The others, *confirming*, were looked at
when all was done.

The way before compares intensities blurred to 0.5°, all lengths free within 3 %, with nothing refined.
"""
_SURE = (
    f"An answer is *confident* if its first phase has a probability of {CONFIDENT:g} or more. Each scan was also\n"
    "matched without all structures of its own formula: what is confident then is wrong, though it may be the same\n"
    "compound without its hydrogen. Probabilities were fitted on the scans that settings were chosen on and, with a\n"
    "quarter of their weight, on 48 simulated ones (`benchmarks/confidence_fit.py`).\n"
)
_MIXTURES = (
    "Ten weighed mixtures (PANalytical Aeris; data of the Dara project, MIT licence), candidates being all known\n"
    "phases of their elements. Shares are by weight.\n"
)
_FILES = "## Files\n\nEvery file of instruments, and every case that failed once: [files.md](files.md).\n"
_FAILS = {
    "R050157-1.xy": "the label lacks its hydrogen (Ca(BO4)3): no structure fits well, and none is confident",
    "R050668-1.xy": "prosopite, CaAl2(F,OH)8: label and entry lack its hydrogen; CaAl2F8 has the same structure",
    "R040014-1.xy": "bustamite: the library has CaMnSi2O6 as a pyroxene only, and CaSiO3 in bustamite's structure",
    "R050208-1.xy": "chalcopyrite: sulfides of Fe and Cu differ in their order, which this radiation hardly tells; its "
    "computed energy is 0.12 eV/atom above the hull",
    "R070506-1.xy": "hauerite: the computed cell of MnS2, 5.52 Å for 6.10 Å, is a tenth too small",
    "R061034-1.xy": "weak, with a feldspar in it (27.9°, 22.1°, 24.3°) whose aluminium was not asked for",
    "R050232-1.xy": "TaSb3O8 is a superstructure of the same lattice of cations",
    "R050529-1.xy": "fluorapatite and oxyapatite differ in one atom of 42",
    "R060150-1.xy": "one large cell against another; the scores are within 0.01",
    "R070747-1.xy": "U17O31 is a superstructure of UO2",
}
"""What was seen when the scans whose formula is not the first were looked at one by one."""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/match"))
    options = parser.parse_args()
    measured = json.loads((options.out / "measured.json").read_text(encoding="utf-8"))
    mixtures = json.loads((options.out / "mixtures.json").read_text(encoding="utf-8"))
    unseen = json.loads((options.out / "unseen.json").read_text(encoding="utf-8"))
    write_text(options.out / "README.md", page(measured, mixtures, unseen))
    print(f"results: {options.out / 'README.md'}")


def page(
    measured: dict[str, dict[str, Any]],
    mixtures: dict[str, dict[str, Any]],
    unseen: dict[str, dict[str, dict[str, Any]]],
) -> str:
    """All tables, in words."""
    rows = list(measured.values())
    known = [row for row in rows if row["in_library"]]
    head = _HEAD.format(
        n=len(rows),
        in_library=len(known),
        structures=np.mean([row["n_structures"] for row in rows]),
        formulas=np.mean([row["n_formulas"] for row in rows]),
        chosen=sum(row["chosen_on"] for row in rows),
    )
    sections = [head, _places(known), _by_elements(known), _sureness(known), _mixed(mixtures), _failed(measured)]
    sections += [unseen_section(unseen, prior_weight=PRIOR_WEIGHT), _FILES]
    seconds = sum(row["cpu_s"] for row in rows)
    made = f"Commit {git_commit()[:9]}, {machine()['processor']}."
    end = f"{seconds / len(rows):.1f} s of one core per scan in the mean. {made}"
    return "\n".join([*sections, end]) + "\n"


def _places(known: Rows) -> str:
    parts: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
        ("chosen on", lambda row: bool(row["chosen_on"])),
        ("confirming", lambda row: not row["chosen_on"]),
        ("all", lambda _: True),
        ("all without held-out compositions", lambda row: not row["held_out"]),
    ]
    lines = [
        "## The true formula\n",
        "| scans | n | first | among three | space group right where it is first | the way before |",
    ]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for name, fits in parts:
        some = [row for row in known if fits(row)]
        first = [row for row in some if row["place"] == 0]
        groups = [_own_group(row) == row["space_group"] for row in first]
        lines.append(
            f"| {name} | {len(some)} | {len(first) / len(some):.1%} | {_share(some, 'place', 3):.1%} | "
            f"{np.mean(groups):.1%} | {_share(some, 'old_place', 1):.1%}, {_share(some, 'old_place', 3):.1%} |"
        )
    return "\n".join(lines) + "\n"


def _by_elements(known: Rows) -> str:
    lines = ["## By number of elements\n", "| elements | n | first | among three |", "|---|---:|---:|---:|"]
    for n in sorted({row["n_elements"] for row in known}):
        some = [row for row in known if row["n_elements"] == n]
        lines.append(f"| {n} | {len(some)} | {_share(some, 'place', 1):.1%} | {_share(some, 'place', 3):.1%} |")
    return "\n".join(lines) + "\n"


def _sureness(known: Rows) -> str:
    lines = [
        "## How sure\n",
        _SURE,
        "| scans | confident | of these right | confident without the own structures |",
        "|---|---:|---:|---:|",
    ]
    for name, chosen in (("chosen on", True), ("confirming", False)):
        some = [row for row in known if row["chosen_on"] == chosen]
        sure = [row for row in some if _chance(row["with"]) >= CONFIDENT]
        right = np.mean([_main(row["with"])["formula"] == row["formula"] for row in sure]) if sure else float("nan")
        wrong = np.mean([_chance(row["without"]) >= CONFIDENT for row in some])
        lines.append(f"| {name} | {len(sure) / len(some):.1%} | {right:.1%} | {wrong:.1%} |")
    lines += [
        "\nOn the confirming scans, with and without their own structures:\n",
        "| probability | n | right |",
        "|---|---:|---:|",
    ]
    tried = [
        (_chance(row[how]), how == "with" and _main(row[how])["formula"] == row["formula"])
        for row in known if not row["chosen_on"] for how in ("with", "without")
    ]  # fmt: skip
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = [right for chance, right in tried if low <= chance < low + 0.2]
        if inside:
            lines.append(f"| {low:.1f}–{low + 0.2:.1f} | {len(inside)} | {np.mean(inside):.0%} |")
    return "\n".join(lines) + "\n"


def _mixed(mixtures: dict[str, dict[str, Any]]) -> str:
    lines = [
        "## Mixtures\n",
        _MIXTURES,
        "| weighed | found | all found, none false |",
        "|---|---|---|",
    ]
    errors, good = [], 0
    for row in mixtures.values():
        found: dict[str, float] = {}
        for each in row["phases"]:
            found[each["formula"]] = found.get(each["formula"], 0.0) + each["weight"]
        right = set(found) == set(row["truth"])
        good += right
        errors += [abs(found.get(name, 0.0) - weight) for name, weight in row["truth"].items()]
        lines.append(f"| {_shares(row['truth'])} | {_shares(found)} | {'yes' if right else 'no'} |")
    lines.append(f"\n{good} of {len(mixtures)} are right; shares are off by {np.mean(errors):.1%} in the mean.")
    return "\n".join(lines) + "\n"


def _failed(measured: dict[str, dict[str, Any]]) -> str:
    lines = [
        "## What fails, looked at one by one\n",
        "| scan | label | first | place of the label | what was seen |",
        "|---|---|---|---|---|",
    ]
    for name, row in measured.items():
        if row["in_library"] and row["place"] != 0:
            place = "not among the refined" if row["place"] is None else row["place"] + 1
            lines.append(
                f"| {name} | {row['formula']} | {row['with']['ranking'][0][0]} | {place} | {_FAILS.get(name, '')} |"
            )
    return "\n".join(lines) + "\n"


def _share(rows: Rows, column: str, within: int) -> float:
    return float(np.mean([row[column] is not None and row[column] < within for row in rows]))


def _own_group(row: dict[str, Any]) -> int | None:
    return next((int(each[1]) for each in row["with"]["ranking"] if each[0] == row["formula"]), None)


def _main(found: dict[str, Any]) -> dict[str, Any]:
    return dict(max(found["phases"], key=lambda each: each["weight"]))


def _chance(found: dict[str, Any]) -> float:
    main = _main(found)
    agreement = Agreement(found["similarity"], found["line_misfit"], found["n_lines"])
    return first_is_right(agreement, max(main["margin"], 0.0), main["hull"], main["strain"])


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items()))


if __name__ == "__main__":
    main()
