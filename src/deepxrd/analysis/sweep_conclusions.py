"""Whether the paper's conclusions hold in a sweep: differences over the same test samples, with intervals."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepxrd.analysis.sweep_scores import SweepScores
from deepxrd.analysis.sweep_tables import key_name, score_text
from deepxrd.analysis.tables import higher_is_better
from deepxrd.chem import chemical_systems
from deepxrd.metrics.bootstrap import SIGNIFICANT_AT, PairedDifference, holm, paired_difference
from deepxrd.metrics.trainings import difference_over_trainings

HOLDS, REFUTED, OPEN, UNKNOWN = "holds", "does not hold", "undecided", "cannot be said yet"
_LOSSES = ("pearson", "cosine", "msle", "mse")
"""The paper's order in Table 3, from the best."""
_BEST = {
    "table4": {"model.depth": 20, "optimizer.lr": 0.001, "data.batch_size": 64},
    "table5": {"model.depth": 20, "optimizer.lr": 0.001, "data.batch_size": 128},
}
"""What the paper found best in Tables 4 and 5."""
_Comparison = tuple[str, Any, Any, tuple[tuple[str, Any], ...]]
"""A key, the value of it that should be better, the other, and what other keys must be."""
CAVEAT = (
    "Differences are of sweep runs that agree in all else, over the same test samples. The 95 % intervals are for "
    "other trainings and other chemical systems: from how far the pairs disagree, and how far the systems do. A step "
    "holds, or does not, where its difference is significant at 5 %, its p corrected for the number of steps (Holm "
    "1979). One pair does not tell how much is the luck of a training: its interval is over systems alone, and nothing "
    "is said yet."
)


@dataclass(frozen=True)
class Step:
    """One comparison: whether one value is better than another.

    Attributes:
        better: the value that should be better.
        worse: the other.
        n_pairs: of finished sweep runs that differ in nothing else.
        difference: of the score, better minus worse; None where there is no pair.
        p_corrected: its p value, corrected for the number of distinct steps of all claims; None where there are
            fewer than two pairs.
        verdict: `HOLDS`, `REFUTED`, `OPEN` or `UNKNOWN`.
    """

    better: Any
    worse: Any
    n_pairs: int
    difference: PairedDifference | None
    p_corrected: float | None
    verdict: str


@dataclass(frozen=True)
class Claim:
    """A conclusion of the paper, and the comparisons that it rests on."""

    text: str
    steps: list[Step]

    @property
    def verdict(self) -> str:
        """It holds if all its steps do, and does not if one does not."""
        found = {step.verdict for step in self.steps}
        if found == {HOLDS}:
            return HOLDS
        return next(verdict for verdict in (REFUTED, UNKNOWN, OPEN) if verdict in found)


def claims(scores: SweepScores) -> list[Claim]:
    """The paper's conclusions from this table, held against the sweep; none for a free sweep."""
    if scores.paper.empty:
        return []
    asked = _asked(scores)
    # two claims may rest on one comparison: it is one hypothesis, and is corrected for once
    distinct = dict.fromkeys(row for rows in asked.values() for row in rows)
    found = {row: compare_values(scores, *row[:3], dict(row[3])) for row in distinct}
    tested = {row: each.p_value for row, (n_pairs, each) in found.items() if each and n_pairs > 1}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return [
        Claim(text, [_step(scores, row[1], row[2], found[row], corrected.get(row)) for row in rows])
        for text, rows in asked.items()
    ]


def _asked(scores: SweepScores) -> dict[str, list[_Comparison]]:
    """For each claim its comparisons."""
    if scores.layout.title == "Table 3":
        best, *others = _LOSSES
        claimed = {
            f"{best} is the best": [(best, other) for other in others],
            " > ".join(_LOSSES): list(itertools.pairwise(_LOSSES)),
        }
        return {
            f"{data}: {text}": [("loss", *pair, (("data", data),)) for pair in pairs]
            for data in dict.fromkeys(scores.paper["data"])
            for text, pairs in claimed.items()
        }
    return {
        f"{key_name(key)}: {best} is the best": [
            (key, best, other, ()) for other in dict.fromkeys(scores.paper[key]) if other != best
        ]
        for key, best in _BEST[str(scores.sweep.table)].items()
    }


def compare_values(
    scores: SweepScores, key: str, a: Any, b: Any, among: Mapping[str, Any]
) -> tuple[int, PairedDifference | None]:
    """Difference of the score between sweep runs with one value and those with another, a minus b.

    Only sweep runs with a partner that differs in nothing else count, not in its seed either.

    Args:
        scores: of the sweep.
        key: what is compared.
        a: one value of it.
        b: the other.
        among: values of other keys that the sweep runs must have.

    Returns:
        How many pairs of sweep runs there are, and their difference: with its interval over trainings and samples, of
        one pair over samples alone, None if there is none.
    """
    pairs = []
    for place in scores.done:
        values = dict(zip(scores.layout.keys, place, strict=True))
        if values[key] == a and among.items() <= values.items():
            pairs += scores.pairs(place, tuple({**values, key: b}.values()))
    if not pairs:
        return 0, None
    compositions = pairs[0][0].index
    groups = chemical_systems(compositions)
    of_a, of_b = (
        np.stack([each.loc[compositions].to_numpy(np.float64) for each in side]) for side in zip(*pairs, strict=True)
    )
    if len(pairs) == 1:
        return 1, paired_difference(of_b[0], of_a[0], groups=groups)
    return len(pairs), difference_over_trainings(of_a - of_b, groups=groups)


def text(scores: SweepScores) -> str:
    """What holds of the paper's conclusions, as Markdown; empty for a free sweep."""
    lines = []
    for claim in claims(scores):
        lines.append(f"- {claim.text}: **{claim.verdict}**.")
        lines += [f"  - {_sentence(step)}" for step in claim.steps]
    return "\n".join([*lines, "", CAVEAT]) if lines else ""


def _sentence(step: Step) -> str:
    versus = f"{step.better} against {step.worse}"
    if step.difference is None:
        return f"{versus}: {UNKNOWN}, no two finished sweep runs differ in this alone"
    d = step.difference
    interval = f"{versus}: {d.mean:+.4f} ({d.low:+.4f} to {d.high:+.4f}"
    if step.p_corrected is None:
        return f"{interval} over systems; 1 pair of sweep runs): {step.verdict}"
    return f"{interval}; p {step.p_corrected:.4f}; {step.n_pairs} pairs of sweep runs): {step.verdict}"


def _step(
    scores: SweepScores, better: Any, worse: Any, found: tuple[int, PairedDifference | None], p: float | None
) -> Step:
    n_pairs, difference = found
    if difference is None or p is None:
        return Step(better, worse, n_pairs, difference, None, UNKNOWN)
    right_way = (difference.mean > 0) == higher_is_better(scores.metric)
    verdict = OPEN if p > SIGNIFICANT_AT else HOLDS if right_way else REFUTED
    return Step(better, worse, n_pairs, difference, p, verdict)


def seeds_text(scores: SweepScores) -> str:
    """Mean and standard deviation over the seeds of a sweep that varies nothing else; else empty."""
    values = scores.frame["value"].dropna()
    if scores.layout.keys != ["seed"] or len(values) < 2:  # noqa: PLR2004 - a deviation needs two
        return ""
    return (
        f"Over {len(values)} seeds: mean {score_text(values.mean())}, standard deviation {score_text(values.std())}, "
        f"from {score_text(values.min())} to {score_text(values.max())}."
    )
