"""The part of results/match/README.md on compounds that nobody has seen, from what benchmarks/match_unseen.py kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Rows = Sequence[dict[str, Any]]

LACKS_HYDROGEN = {
    "R050157-1.xy": "inyoite, CaB3O3(OH)5·4H2O",
    "R070092-1.xy": "clinoclase, Cu3AsO4(OH)3",
    "R050581-1.xy": "spencerite, Zn4(PO4)2(OH)2·3H2O",
    "R050239-1.xy": "senegalite, Al2PO4(OH)3·H2O",
    "R050100-1.xy": "augelite, Al2PO4(OH)3",
}
"""Scans whose label is no ternary but a compound of four elements without its hydrogen, by their cells."""
_SEEN = {
    "R050052-1.xy": "anglesite: with coordinates of others of its structure it reaches a similarity of 0.78 only",
    "R050412-1.xy": "chiolite: Na5Ti3F14 has the same structure and about the same cell",
    "R050453-1.xy": "livingstonite: no candidate has its structure",
    "R050629-1.xy": "simpsonite: no candidate has its structure",
    "R060356-1.xy": "proustite: this model learned from no compound of its structure",
}
_TEXT = """## What nobody has seen

Each scan of a ternary, among the predicted structures of its own formula and of 19 others of the same stoichiometry
(`benchmarks/match_unseen.py`). No known structure is tried, and the structures of the scan's own compound are left out
of what any of the 20 is made from. Held-out compositions take no part.

The shipped networks learned from most of these compositions, each as if its own structures were not known; so beside
them stands a model whose split is by chemical system (one network), on scans whose elements it never saw together.
"""
_AFTER = """
*All labels*: {n_lack} labels are no ternaries but hydrates or hydroxides written without their hydrogen, which the
table below names; the other columns set them aside.

What a predicted structure loses for its probability, {prior:g} per unit of its negative logarithm, was looked for on
{n_simulated} simulated scans of stable ternaries from chemical systems of the validation part, and on the chosen-on
half of the real ones: {first} first and {three} among three on the former with it, {first_none} and {three_none}
without; from 0.005 to 0.02 no more than one scan changes. To refine more structures (32 in place of 20, 14 in place of
8 with texture) gave nothing.

What bounds it: on simulated scans, compounds that are alike. {n_no_template} of the {n_missed} that are missed are not
among what was refined to the end, for no candidate has the true structure; the others lose to a compound of a like
structure and cell, often of a neighbour in the periodic table. On real scans, structures that no other known compound
has (livingstonite, simpsonite).
"""


def unseen_section(unseen: dict[str, dict[str, dict[str, Any]]], *, prior_weight: float) -> str:
    """The section.

    Args:
        unseen: rows by scan, by model.
        prior_weight: see `deepxrd.matching.single.PRIOR_WEIGHT`.
    """
    shipped, system = unseen["shipped"], unseen["chemical_system"]
    parts: list[tuple[str, dict[str, dict[str, Any]], Callable[[dict[str, Any]], bool]]] = [
        ("shipped, all", shipped, lambda _: True),
        ("shipped, chosen on", shipped, lambda row: bool(row["chosen_on"])),
        ("shipped, confirming", shipped, lambda row: not row["chosen_on"]),
        ("shipped, compositions that it did not learn", shipped, lambda row: not row["learned"]),
        ("by chemical system, systems that it did not learn", system, lambda row: not row["system_learned"]),
    ]
    lines = [_TEXT, "| model, scans | n | first | among three | all labels: n | first | among three |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for name, rows, fits in parts:
        some = {key: row for key, row in rows.items() if fits(row)}
        good = [row for key, row in some.items() if key not in LACKS_HYDROGEN]
        lines.append(f"| {name} | {_scores(good)} | {_scores(list(some.values()))} |")
    any_elements = list(unseen["chemical_system, any elements"].values())
    lines.append(f"| the same, scans of 2 to 5 elements | | | | {_scores(any_elements)} |")
    simulated = list(unseen["chemical_system, simulated"].values())
    lines.append(f"| by chemical system, simulated scans | {_scores(simulated)} | | | |")
    without = [{**row, "place": place_at(row, 0.0)} for row in simulated]
    missed = [row for row in simulated if row["place"] != 0]
    lines.append(
        _AFTER.format(
            n_lack=len(LACKS_HYDROGEN),
            prior=prior_weight,
            n_simulated=len(simulated),
            first=f"{_share(simulated, 1):.0%}",
            three=f"{_share(simulated, 3):.0%}",
            first_none=f"{_share(without, 1):.0%}",
            three_none=f"{_share(without, 3):.0%}",
            n_missed=len(missed),
            n_no_template=sum(row["place"] is None for row in missed),
        )
    )
    return "\n".join([*lines, *_missed(unseen)]) + "\n"


def place_at(row: dict[str, Any], prior_weight: float, *, now: float = 0.005) -> int | None:
    """Place of the true formula if probabilities counted otherwise, among what was kept of the fits."""
    best: dict[str, float] = {}
    for formula, _, _, probability, _, score in row["fits"]:
        changed = score + (now - prior_weight) * -float(np.log(max(probability, 1e-3)))
        best[formula] = max(best.get(formula, -1.0), changed)
    order = sorted(best, key=lambda each: -best[each])
    return order.index(row["formula"]) if row["formula"] in order else None


def _missed(unseen: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    lines = [
        "| not first, or set aside | model | label | first | place of the label | what was seen |",
        "|---|---|---|---|---:|---|",
    ]
    for model, seen in (("shipped", lambda _: True), ("chemical_system", lambda row: not row["system_learned"])):
        for name, row in unseen[model].items():
            why = LACKS_HYDROGEN.get(name)
            if (row["place"] == 0 and not why) or not seen(row):
                continue
            why = f"the label lacks hydrogen: {why}" if why else _SEEN.get(name, "")
            place = "—" if row["place"] is None else row["place"] + 1
            lines.append(f"| {name} | {model} | {row['formula']} | {row['fits'][0][0]} | {place} | {why} |")
    return lines


def _scores(rows: Rows) -> str:
    return f"{len(rows)} | {_share(rows, 1):.0%} | {_share(rows, 3):.0%}" if rows else "0 | |"


def _share(rows: Rows, within: int) -> float:
    return float(np.mean([row["place"] is not None and row["place"] < within for row in rows]))
