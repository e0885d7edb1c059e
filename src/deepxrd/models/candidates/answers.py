"""Candidates in words and numbers that a reader can use: prototype, space group, cell, probability, template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.library import AsymmetricUnit
from deepxrd.library.space_groups import symbol
from deepxrd.models.candidates.candidates import CELL, CandidateMaker, Candidates
from deepxrd.models.candidates.structures import asymmetric_unit


@dataclass(frozen=True, eq=False)
class Candidate:
    """One candidate structure of a composition.

    Attributes:
        probability: that the most stable structure is of this prototype, with the same elements on its sites and a cell
            of this shape; where elements share sites or sites stay empty, that its pattern agrees with the true one to
            a mean F1 of 0.75, or for a formula that is written as a solid solution, that this is its average
            structure. What a composition's candidates lack to 1 is the probability that it is none of them.
        share: of the expected pattern that the networks give it, 0 to 1; all of a composition's sum up to 1.
        prototype: such as ``221:a|b|c``.
        space_group: 1 to 230.
        symbol: its short Hermann-Mauguin symbol.
        cell: a, b, c in Å, alpha, beta, gamma in degrees of the conventional cell.
        cell_deviation: standard deviation of each, from how much the members of the prototype scatter.
        template: the source's name of the structure whose sites it has.
        template_formula: its composition.
        distance: mean distance between elements that take each other's places, over atoms.
        shared: whether elements share sites, or sites stay empty.
        unit: the structure by its symmetry.
    """

    probability: float
    share: float
    prototype: str
    space_group: int
    symbol: str
    cell: tuple[float, ...]
    cell_deviation: tuple[float, ...]
    template: str
    template_formula: Formula
    distance: float
    shared: bool
    unit: AsymmetricUnit


def answers(maker: CandidateMaker, parts: Sequence[Candidates], *, most: int | None = None) -> list[list[Candidate]]:
    """The candidates of each composition, the most probable first.

    Args:
        maker: of the model that predicted.
        parts: `Predictions.candidates`.
        most: of each composition; None for all.
    """
    return [mine for found in parts for mine in _answers(maker, found, most)]


def _answers(maker: CandidateMaker, found: Candidates, most: int | None) -> list[list[Candidate]]:
    share, probability = weighed(found)
    order = found.order[:, :most]
    first = found.found.member[:, 0]
    rows = maker.templates.row[first]
    library = maker.templates.library
    ids, formulas = library.ids(rows), library.formulas(rows)
    edges, off = np.exp(found.cells.mean[:, :3]), found.cells.deviation
    cell = np.concatenate([edges, np.degrees(found.cells.mean[:, 3:])], axis=1)
    deviation = np.concatenate([edges * off[:, :3], np.degrees(off[:, 3:])], axis=1)
    out = []
    for row, ranks in enumerate(order.tolist()):
        mine = []
        for rank in ranks:
            place = int(found.place[row, rank])
            if place < 0:
                continue
            number = int(maker.templates.space_group[first[place]])
            mine.append(
                Candidate(
                    probability=float(probability[row, rank]),
                    share=float(share[row, rank]),
                    prototype=library.prototype(int(rows[place])).label,
                    space_group=number,
                    symbol=symbol(number),
                    cell=tuple(cell[place].tolist()),
                    cell_deviation=tuple(deviation[place].tolist()),
                    template=ids[place],
                    template_formula=formulas[place],
                    distance=float(found.found.distance[place, 0]),
                    shared=bool(found.targets.cost[found.found.target[place]] > 0),
                    unit=asymmetric_unit(maker.templates, found.targets, found.found, found.cells.mean, place),
                )
            )
        out.append(mine)
    return out


def first_columns(maker: CandidateMaker, parts: Sequence[Candidates]) -> dict[str, NDArray[np.generic]]:
    """The most probable candidate of each composition in columns ``(n,)``, as tables of many formulas have them.

    Empty, zero or not a number where a composition has no candidate.
    """
    columns: dict[str, list[NDArray[Any]]] = {}
    library = maker.templates.library
    for found in parts:
        probability = weighed(found)[1]
        rank = found.order[:, :1]
        place = np.take_along_axis(found.place, rank, axis=1)[:, 0] if len(rank) else np.zeros(0, dtype=np.int64)
        there = np.flatnonzero(place >= 0)
        template = found.found.member[place[there], 0]
        rows = maker.templates.row[template]
        mean = found.cells.mean[place[there]]
        made: dict[str, tuple[Any, NDArray[Any]]] = {
            "probability": (np.nan, np.take_along_axis(probability, rank, axis=1)[there, 0].astype(np.float32)),
            "space_group": (0, maker.templates.space_group[template].astype(np.int32)),
            "prototype": ("", np.array([library.prototype(row).label for row in rows.tolist()], dtype=object)),
            "template": ("", np.array(library.ids(rows), dtype=object)),
        }
        cell = np.concatenate([np.exp(mean[:, :3]), np.degrees(mean[:, 3:])], axis=1).astype(np.float32)
        made |= {name: (np.nan, cell[:, place_]) for place_, name in enumerate(CELL)}
        for name, (none, values) in made.items():
            full = np.full(len(place), none, dtype=values.dtype if values.dtype != object else object)
            full[there] = values
            columns.setdefault(f"best_{name}", []).append(full)
    return {name: _plain(np.concatenate(each)) for name, each in columns.items()}


def weighed(found: Candidates) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares and probabilities of candidates that a model gave, ``(n, k)`` each.

    Raises:
        TypeError: no network was asked about them.
    """
    if found.share is None or found.probability is None:
        msg = "these candidates have no probabilities yet: take those of a model's predictions"
        raise TypeError(msg)
    return found.share, found.probability


def _plain(values: NDArray[Any]) -> NDArray[np.generic]:
    return values.astype(str) if values.dtype == object else values
