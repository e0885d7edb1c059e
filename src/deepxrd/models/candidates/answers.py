"""Candidates in words and numbers that a reader can use: prototype, space group, cell, probability, template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepxrd.chem import Crystal, Formula
from deepxrd.library.space_groups import symbol
from deepxrd.models.candidates.candidates import CandidateMaker
from deepxrd.models.candidates.model import Prediction


@dataclass(frozen=True, eq=False)
class Candidate:
    """One candidate structure of a composition.

    Attributes:
        share: of the expected pattern that the networks give it, 0 to 1; all of a composition's sum up to 1.
        probability: that the most stable structure is of this prototype, with the same elements on its sites; 0 where
            elements share sites or sites stay empty, of which no structure is known.
        prototype: such as ``221:a|b|c``.
        space_group: 1 to 230.
        symbol: its short Hermann-Mauguin symbol.
        cell: a, b, c in Å, alpha, beta, gamma in degrees of the conventional cell.
        cell_deviation: standard deviation of each, from how much the members of the prototype scatter.
        template: the source's name of the structure whose sites it has.
        template_formula: its composition.
        distance: mean distance between elements that take each other's places, over atoms.
        shared: whether elements share sites, or sites stay empty.
        crystal: the structure, in its primitive cell.
    """

    share: float
    probability: float
    prototype: str
    space_group: int
    symbol: str
    cell: tuple[float, ...]
    cell_deviation: tuple[float, ...]
    template: str
    template_formula: Formula
    distance: float
    shared: bool
    crystal: Crystal


def answers(maker: CandidateMaker, said: Prediction, *, most: int | None = None) -> list[list[Candidate]]:
    """The candidates of each composition, those of the largest share first.

    Args:
        maker: of the model that predicted.
        said: what it predicted.
        most: of each composition; None for all.
    """
    out: list[list[Candidate]] = []
    start = 0
    for found in said.candidates:
        n = len(found.place)
        share = said.share[start : start + n]
        order = np.argsort(-np.where(found.mask, share, -1.0), axis=1, kind="stable")[:, :most]
        crystals = maker.structures(found)
        first = found.found.member[:, 0]
        rows = maker.templates.row[first]
        library = maker.templates.library
        ids, formulas = library.ids(rows), library.formulas(rows)
        edges, spread = np.exp(found.cells.mean[:, :3]), found.cells.spread
        cell = np.concatenate([edges, np.degrees(found.cells.mean[:, 3:])], axis=1)
        deviation = np.concatenate([edges * spread[:, :3], np.degrees(spread[:, 3:])], axis=1)
        for row in range(n):
            mine = []
            for rank in order[row].tolist():
                place = int(found.place[row, rank])
                if place < 0:
                    continue
                number = int(maker.templates.space_group[first[place]])
                mine.append(
                    Candidate(
                        share=float(share[row, rank]),
                        probability=float(found.probability[row, rank]),
                        prototype=library.prototype(int(rows[place])).label,
                        space_group=number,
                        symbol=symbol(number),
                        cell=tuple(cell[place].tolist()),
                        cell_deviation=tuple(deviation[place].tolist()),
                        template=ids[place],
                        template_formula=formulas[place],
                        distance=float(found.found.distance[place, 0]),
                        shared=bool(found.targets.cost[found.found.target[place]] > 0),
                        crystal=crystals[place],
                    )
                )
            out.append(mine)
        start += n
    return out
