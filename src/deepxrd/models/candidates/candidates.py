"""Candidate structures of compositions: found, ranked, and given cells by what was learned from known structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Crystal, Formula
from deepxrd.chem.element_distance import element_distances
from deepxrd.models.candidates.agreement import own_structures
from deepxrd.models.candidates.cells import Cells, log_volume, predict_cells
from deepxrd.models.candidates.describe import N_BEFORE, N_CELL, describe, describe_cells
from deepxrd.models.candidates.folded import FoldedTrees, folds
from deepxrd.models.candidates.places import best_of, spread
from deepxrd.models.candidates.search import Found, search
from deepxrd.models.candidates.sharing import Sharing
from deepxrd.models.candidates.solid_solutions import are_mixed, as_solid_solutions, crowding
from deepxrd.models.candidates.structures import structures
from deepxrd.models.candidates.targets import Targets, plain_targets
from deepxrd.models.candidates.templates import Templates
from deepxrd.xrd import XrdSettings, simulate

N_CANDIDATES = 16
CELL = ("a_angstrom", "b_angstrom", "c_angstrom", "alpha_deg", "beta_deg", "gamma_deg")
"""Names of cell parameters in tables."""
N_FEATURES = 2 + N_CELL + N_BEFORE
"""Of each candidate: the correction of its volume, what describes its cell, the ranking, what describes its type."""
MOST_CHANGE, MOST_ODDS = 1.0, 30.0
"""Of the logarithm of a volume and of odds: far beyond what is learned."""
_FEW = 6  # fewer structure types than this, and the second tier is asked too
_LESS = 20.0  # of the logarithm of the odds: what the second tier finds comes after what the first does
_MOST = 0.4  # of the logarithm of a volume: what the process misses by more is odd, and would teach nothing
_RANKED = 30_000  # compositions to learn the ranking from
_VOLUMES: dict[str, Any] = {
    "objective": "l1",
    "learning_rate": 0.08,
    "min_data_in_leaf": 20,
    "rounds": 1000,
    "most": MOST_CHANGE,
}
_RANKS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.06,
    "min_data_in_leaf": 40,
    "rounds": 250,
    "most": MOST_ODDS,
}
_VACUUM = 80.0  # Å^3 per atom: cells with more hold mostly vacuum
_AT_ONCE = 4096

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of n compositions, the most probable first; k = `N_CANDIDATES`, or as many as were asked for.

    Attributes:
        targets: what was looked up.
        found: all candidates, one after the other, m of them.
        cells: of each, ``(m, …)``.
        place: which of them, ``(n, k)``; −1 where there is none.
        odds: logarithm of the odds that it is the true structure, as the ranking says, ``(n, k)``; for candidates whose
            elements share sites, of what they would be if each site held its main element only. Of a formula that is
            written as a solid solution these are less what sharing costs, and more for the ground state of the main
            elements' compound.
        features: ``(n, k, n_features)`` float32; zero where there is none.
        elements: atomic numbers, those of the template and what takes their places, ``(n, k, 2 WIDTH)`` uint8.
        share: of the expected pattern, as the networks say, ``(n, k)``; None before they were asked.
        probability: that it is right, ``(n, k)``, see :class:`deepxrd.models.candidates.confidence.Confidence`; None
            before the networks were asked.
        space_group_part, crystal_system_part: its part in the probability of its space group or crystal system, to be
            summed up over the candidates that have the same, ``(n, k)`` each; None likewise.
        volume_deviation: standard deviation of the logarithm of the volume, ``(m,)``; None likewise.
        space_groups: probability of each of 1 to 230, ``(n, 230)``; what is missing to 1 is not known; None likewise.
        crystal_systems: of each of `CRYSTAL_SYSTEMS`, ``(n, 7)``; None likewise.
    """

    targets: Targets
    found: Found
    cells: Cells
    place: NDArray[np.int64]
    odds: NDArray[np.float64]
    features: Floats
    elements: NDArray[np.uint8]
    share: NDArray[np.float64] | None = None
    probability: NDArray[np.float64] | None = None
    space_group_part: NDArray[np.float64] | None = None
    crystal_system_part: NDArray[np.float64] | None = None
    volume_deviation: NDArray[np.float64] | None = None
    space_groups: NDArray[np.float64] | None = None
    crystal_systems: NDArray[np.float64] | None = None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where there are candidates, ``(n, k)``."""
        return self.place >= 0

    def groups(self, templates: Templates) -> NDArray[np.int64]:
        """Space group of each candidate, ``(n, k)``; 0 where there is none.

        Args:
            templates: that they were made from.
        """
        of_each = templates.space_group[self.found.member[:, 0]]
        return np.asarray(np.append(of_each, 0)[self.place])  # the place -1 is the last

    @property
    def shared(self) -> NDArray[np.bool_]:
        """Where elements share sites, sites stay empty, or the stoichiometry is a near one, ``(n, k)``."""
        return np.append(self.targets.cost[self.found.target] > 0, False)[self.place]

    @property
    def order(self) -> NDArray[np.int64]:
        """Columns of each composition, the most probable first, then those with the largest share, ``(n, k)``."""
        share = self.odds if self.share is None else self.share
        probability = share if self.probability is None else self.probability
        return np.asarray(np.lexsort((-share, -probability, ~self.mask), axis=1))


@dataclass(frozen=True, eq=False)
class CandidateMaker:
    """Makes candidates.

    Attributes:
        templates: structures to substitute into.
        additive: volume of each element in Å^3, ``(1 + 118,)``.
        volumes: corrects the logarithm of the volume of a predicted cell.
        ranking: the logarithm of the odds that a found structure type is the true one.
        learned_from: which compositions of the templates' library all this was learned from, ``(n_compositions,)``.
    """

    templates: Templates
    additive: NDArray[np.float64]
    volumes: FoldedTrees
    ranking: FoldedTrees
    learned_from: NDArray[np.bool_]

    @classmethod
    def fit(cls, templates: Templates, formulas: Sequence[Formula], *, seed: int) -> Self:
        """Learn from the templates, each composition in turn as if it were not known.

        Args:
            templates: structures of the training part.
            formulas: their compositions.
            seed: of all that is drawn.
        """
        none = FoldedTrees.none
        tables = templates.library.tables
        learned_from = np.zeros(len(tables.composition_start) - 1, dtype=bool)
        learned_from[tables.composition_of(np.flatnonzero(templates.chosen))] = True
        maker = cls(templates, additive_volumes(templates), none(MOST_CHANGE), none(MOST_ODDS), learned_from)
        if not len(templates):
            return maker
        order = np.random.default_rng(seed).permutation(len(formulas))
        fold_of = folds(formulas)
        parts = [
            maker._lessons(order[start : start + _AT_ONCE], formulas, fold_of, ranked=start < _RANKED)
            for start in range(0, len(order), _AT_ONCE)
        ]
        volume, wanted, fold, ranks, right, rank_fold = (np.concatenate(column) for column in zip(*parts, strict=True))
        sound = np.abs(wanted) < _MOST
        return replace(
            maker,
            volumes=FoldedTrees.fit(volume[sound], wanted[sound], fold[sound], seed=seed, **_VOLUMES),
            ranking=FoldedTrees.fit(ranks, right, rank_fold, seed=seed, **_RANKS),
        )

    def _lessons(
        self, rows: NDArray[np.int64], formulas: Sequence[Formula], fold_of: NDArray[np.int64], *, ranked: bool
    ) -> tuple[NDArray[np.generic], ...]:
        """Features, corrections of volumes and folds of true structure types; features, truth of all found."""
        chosen = [formulas[row] for row in rows.tolist()]
        targets = plain_targets(chosen, self.templates.compositions_of(chosen))
        found = search(self.templates, targets)
        row, right = self._own(targets, found)
        true = np.flatnonzero(row >= 0)
        there = found.take(true)
        cells = predict_cells(self.templates, targets, there, self.additive)
        before = describe(self.templates, targets, found)
        features = np.concatenate([before[true], describe_cells(self.templates, there, cells)], axis=1)
        volume = self._log_volume[row[true]] - log_volume(cells.mean)
        fold = fold_of[rows][targets.owner[found.target]]
        kept = len(found) if ranked else 0
        return features, volume, fold[true], before[:kept], right[:kept], fold[:kept]

    @cached_property
    def _log_volume(self) -> NDArray[np.float64]:
        """Of the conventional cell of each template, ``(n,)``."""
        cell = self.templates.cell
        return log_volume(np.concatenate([np.log(cell[:, :3]), np.radians(cell[:, 3:])], axis=1))

    def _own(self, targets: Targets, found: Found) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which of the target's own structures each found type is, −1 if none; and whether it is the ground state."""
        item, row, off = own_structures(self.templates, self.templates, targets, found)
        right = np.zeros(len(found), dtype=bool)
        right[item[self.templates.ground_state[row] > 0]] = True
        out = np.full(len(found), -1)
        worst_first = np.argsort(-off, kind="stable")
        out[item[worst_first]] = row[worst_first]
        return out, right

    @cached_property
    def _sharing(self) -> Sharing:
        return Sharing(self.templates)

    @cached_property
    def _with_element(self) -> NDArray[np.int64]:
        """How many compositions of the templates hold each element, ``(1 + 118,)``."""
        _, first = np.unique(self.templates.composition, return_index=True)
        return np.bincount(self.templates.elements[first].ravel(), minlength=1 + len(SYMBOLS))

    def knows_elements(self, formulas: Sequence[Formula]) -> NDArray[np.bool_]:
        """Whether other compositions with each of the elements are among the templates, ``(n,)``."""
        number = self.templates.compositions_of(formulas)
        own_there = (number >= 0) & self.templates.has_composition[number]
        seen = [
            all(self._with_element[ATOMIC_NUMBERS[symbol]] > own for symbol in formula.elements)
            for formula, own in zip(formulas, own_there.tolist(), strict=True)
        ]
        return np.array(seen, dtype=bool)

    def learned(self, formulas: Sequence[Formula]) -> NDArray[np.bool_]:
        """Whether each composition was learned from, ``(n,)``."""
        return self._learned(self.templates.compositions_of(formulas))

    def _learned(self, compositions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The same of compositions by their numbers in the library, −1 where it has none, ``(n,)``."""
        return np.asarray((compositions >= 0) & self.learned_from[compositions])

    def candidates(self, formulas: Sequence[Formula], *, most: int = N_CANDIDATES) -> Candidates:
        """Candidates of compositions, so many at most of each; none of their own structures.

        Where a formula is written as a solid solution, half of them or more have shared sites, if there are as many.
        """
        own, n = self.templates.compositions_of(formulas), len(formulas)
        targets = plain_targets(formulas, own)
        found = search(self.templates, targets)
        number = np.bincount(targets.owner[found.target], minlength=n)
        mixed = are_mixed(formulas)
        few = np.flatnonzero((number < _FEW) | mixed)
        if len(few):
            more = self._sharing.targets(formulas, own, few)
            also = search(self.templates, more)
            shifted = replace(also, target=also.target + len(targets))
            targets, found = Targets.join([targets, more]), Found.join([found, shifted])
        owner, fold, learned = targets.owner[found.target], folds(formulas), self._learned(own)
        before = describe(self.templates, targets, found)
        odds = self.ranking.predict(before, fold[owner], learned[owner])
        cost = targets.cost[found.target]
        score = np.where(cost > 0, -_LESS - cost - found.distance[:, 0], odds)
        likely, here = odds.copy(), np.flatnonzero(mixed[owner])
        if len(here):
            likely[here] = as_solid_solutions(self.templates, found.take(here), cost[here], odds[here])
            crowd = crowding(owner[here], likely[here], cost[here] > 0, n, most)
            score[here] = np.where(crowd, -np.inf, likely[here])
        kept, rank = best_of(owner, score, n, most)
        found, before, owner = found.take(kept), before[kept], owner[kept]
        cells = predict_cells(self.templates, targets, found, self.additive)
        features = np.concatenate([describe_cells(self.templates, found, cells), odds[kept, None], before], axis=1)
        seen = np.concatenate([before, features[:, : -before.shape[1] - 1]], axis=1)
        change = self.volumes.predict(seen, fold[owner], learned[owner])
        mean = cells.mean.copy()
        mean[:, :3] += change[:, None] / 3
        features = np.concatenate([change[:, None], features], axis=1).astype(np.float32)
        old = self.templates.elements[found.member[:, 0]]
        return Candidates(
            targets,
            found,
            replace(cells, mean=mean),
            spread(np.arange(len(found)), owner, rank, (n, most), fill=-1),
            spread(likely[kept], owner, rank, (n, most)),
            spread(features, owner, rank, (n, most)),
            spread(np.concatenate([old, found.elements], axis=1).astype(np.uint8), owner, rank, (n, most)),
        )

    def structures(self, candidates: Candidates, *, primitive: bool = True) -> list[Crystal]:
        """The structures of all candidates, ``(m,)``."""
        return structures(
            self.templates, candidates.targets, candidates.found, candidates.cells.mean, primitive=primitive
        )

    def patterns(self, candidates: Candidates, xrd: XrdSettings, *, device: str = "cpu") -> Floats:
        """Simulated patterns, ``(n, k, n_points)`` in 0 to 1; zero where there is no candidate."""
        out = np.zeros((*candidates.place.shape, xrd.n_points), dtype=np.float32)
        crystals = self.structures(candidates)
        if crystals:  # the engine may leave −1e-4 where there is nothing, of which a square root is not a number
            made = np.maximum(simulate(crystals, xrd, device=device)[0], 0.0) / 100
            out[candidates.mask] = made[candidates.place[candidates.mask]]
        return out


def additive_volumes(templates: Templates) -> NDArray[np.float64]:
    """Volume of each element, Å^3, ``(1 + 118,)``; see :class:`deepxrd.models.baselines.volumes.AdditiveVolumes`."""
    cell = templates.cell
    logs = log_volume(np.concatenate([np.log(cell[:, :3]), np.radians(cell[:, 3:])], axis=1))
    per_atom = np.exp(logs) / np.maximum(templates.n_atoms, 1)
    rows = np.flatnonzero((per_atom < _VACUUM) & (templates.ground_state > 0))
    if not len(rows):
        rows = np.arange(len(templates))
    if not len(rows):
        return np.full(119, 15.0)
    atoms = np.zeros((len(rows), 119))
    np.add.at(atoms, (np.arange(len(rows))[:, None], templates.elements[rows]), templates.counts[rows])
    atoms /= atoms.sum(axis=1, keepdims=True)
    occurring = np.flatnonzero(atoms.any(axis=0))
    from scipy.optimize import nnls  # to predict needs none of it

    solution, _ = nnls(atoms[:, occurring] / per_atom[rows, None], np.ones(len(rows)))
    return np.asarray(solution[element_distances()[:, occurring].argmin(axis=1)])
