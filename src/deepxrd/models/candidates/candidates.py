"""Candidate structures of a composition: the nearest templates, the elements put in, at predicted volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Crystal, Formula
from deepxrd.models.baselines.neighbours import Neighbours, NeighbourSearch
from deepxrd.models.baselines.templates import substitute
from deepxrd.models.baselines.volumes import AdditiveVolumes
from deepxrd.models.candidates.features import exchange_features, slot_counts, vote_features
from deepxrd.models.candidates.learned import LearnedFrom
from deepxrd.models.candidates.protostructure import Protostructure
from deepxrd.models.candidates.volumes import TemplateVolumes, folds
from deepxrd.xrd import XrdSettings, simulate

N_NEIGHBOURS = 60
N_CANDIDATES = 16
_PER_KIND = 2
_PAIRS_PER_STRUCTURE = 6

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of n compositions, nearest first; k = `N_CANDIDATES`.

    Attributes:
        row: the template of each, ``(n, k)``; −1 where there is none.
        old: atomic numbers of its elements, ``(n, k, width)``; 0 is padding.
        new: what takes their places, likewise.
        scale: factor of all lengths, ``(n, k)``.
        features: ``(n, k, n_features)`` float32; zero where there is none.
    """

    row: NDArray[np.int64]
    old: NDArray[np.int64]
    new: NDArray[np.int64]
    scale: NDArray[np.float64]
    features: Floats

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where there are candidates, ``(n, k)``."""
        return self.row >= 0


@dataclass(frozen=True, eq=False)
class TemplateLibrary:
    """Structures to substitute into.

    Attributes:
        formulas: their compositions.
        crystals: the structures.
        kinds: their protostructures.
        additive: volumes of the elements.
        learned_from: all compositions that volumes and networks were learned from, if more than are left here.
    """

    formulas: Sequence[Formula]
    crystals: Sequence[Crystal]
    kinds: Sequence[Protostructure]
    additive: AdditiveVolumes
    learned_from: LearnedFrom | None = None

    @cached_property
    def learned(self) -> LearnedFrom:
        """All compositions that volumes and networks were learned from."""
        return self.learned_from or LearnedFrom.of(self.formulas)

    @cached_property
    def width(self) -> int:
        """The most elements that a template has."""
        return max(len(formula.counts) for formula in self.formulas)

    @cached_property
    def _search(self) -> NeighbourSearch:
        return NeighbourSearch(self.formulas)

    @cached_property
    def _codes(self) -> NDArray[np.int64]:
        return np.unique([kind.label for kind in self.kinds], return_inverse=True)[1].astype(np.int64)

    @cached_property
    def _volume_per_atom(self) -> NDArray[np.float64]:
        return np.array([crystal.volume / crystal.occupancies.sum() for crystal in self.crystals])

    @cached_property
    def _additive_per_atom(self) -> NDArray[np.float64]:
        return self._additive_of(self.formulas)

    @cached_property
    def _columns(self) -> NDArray[np.float64]:
        """Space group, atoms of the cell and of the primitive cell, ``(n_templates, 3)``."""
        sites = [len(crystal.atomic_numbers) for crystal in self.crystals]
        return np.array(
            [(kind.space_group, n, kind.n_primitive) for kind, n in zip(self.kinds, sites, strict=True)], dtype=float
        )

    @cached_property
    def _compositions(self) -> tuple[set[Formula], NDArray[np.int64]]:
        """All compositions, and how many of them hold each element, ``(1 + 118,)``."""
        distinct, n = set(self.formulas), np.zeros(1 + len(SYMBOLS), dtype=np.int64)
        for formula in distinct:
            n[[ATOMIC_NUMBERS[symbol] for symbol in formula.elements]] += 1
        return distinct, n

    def known(self, formulas: Sequence[Formula]) -> NDArray[np.bool_]:
        """Whether other compositions have the stoichiometry, and others have each of the elements: ``(n,)``."""
        distinct, n = self._compositions
        seen = [
            all(n[ATOMIC_NUMBERS[symbol]] > (formula in distinct) for symbol in formula.elements)
            for formula in formulas
        ]
        return np.asarray(self._search.has_any(formulas) & np.array(seen, dtype=bool))

    def neighbours(self, formulas: Sequence[Formula]) -> Neighbours:
        """The nearest templates of each composition, its own left out."""
        found = self._search.nearest(formulas, N_NEIGHBOURS)
        pad = max(0, self.width - found.old.shape[2])
        old, new = (np.pad(each, ((0, 0), (0, 0), (0, pad)))[:, :, : self.width] for each in (found.old, found.new))
        return Neighbours(found.row, found.distance, old, new)

    def fit_volumes(self, *, seed: int) -> TemplateVolumes:
        """Learn volumes from pairs of each structure and the nearest of its kind."""
        distinct = sorted(set(self.formulas), key=lambda formula: formula.reduced)
        place_of = {formula: place for place, formula in enumerate(distinct)}
        place = np.array([place_of[formula] for formula in self.formulas])
        neighbours = self.neighbours(distinct)
        same = self._kinds_of(neighbours)[place] == self._codes[:, None]
        structure, rank = np.nonzero(same & (np.cumsum(same, axis=1) <= _PAIRS_PER_STRUCTURE))
        template = neighbours.row[place[structure], rank]
        features = self._features(distinct, neighbours, place[structure], rank)
        change = np.log(self._volume_per_atom[structure] / self._volume_per_atom[template])
        additive = np.log(self._additive_per_atom[structure] / self._additive_per_atom[template])
        return TemplateVolumes.fit(features, change - additive, folds(distinct)[place[structure]], seed=seed)

    def candidates(self, formulas: Sequence[Formula], volumes: TemplateVolumes) -> Candidates:
        """Candidates of compositions; none of their own structures."""
        neighbours = self.neighbours(formulas)
        kinds = self._kinds_of(neighbours)
        order, mask = _choose(kinds)
        places, columns = np.nonzero(mask)
        ranks = order[places, columns]
        template = neighbours.row[places, ranks]
        features = self._features(formulas, neighbours, places, ranks)
        correction = volumes.predict(features, folds(formulas)[places], self.learned.has(formulas)[places])
        ratio = self._additive_of(formulas)[places] / self._additive_per_atom[template]
        features = np.concatenate(
            [features, vote_features(neighbours, kinds, places, ranks), self._columns[template, 1:]], axis=1
        ).astype(np.float32)

        def spread(values: NDArray, fill: float) -> NDArray:  # type: ignore[type-arg]
            full = np.full((*mask.shape, *values.shape[1:]), fill, dtype=values.dtype)
            full[places, columns] = values
            return full

        return Candidates(
            spread(template, -1),
            spread(neighbours.old[places, ranks], 0),
            spread(neighbours.new[places, ranks], 0),
            spread(ratio ** (1 / 3) * np.exp(correction / 3), 1.0),
            spread(features, 0.0),
        )

    def patterns(self, candidates: Candidates, xrd: XrdSettings) -> Floats:
        """Simulated patterns, ``(n, k, n_points)`` in 0 to 1; zero where there is no candidate."""
        mask = candidates.mask
        rows, old, new = candidates.row[mask], candidates.old[mask], candidates.new[mask]
        exchange = np.tile(np.arange(1 + len(SYMBOLS)), (len(rows), 1))
        np.put_along_axis(exchange, old, new, axis=1)
        crystals = [
            substitute(self.crystals[row], each, scale)
            for row, each, scale in zip(rows, exchange, candidates.scale[mask], strict=True)
        ]
        out = np.zeros((*mask.shape, xrd.n_points), dtype=np.float32)
        if crystals:  # the engine may leave −1e-4 where there is nothing, of which a square root is not a number
            out[mask] = np.maximum(simulate(crystals, xrd)[0], 0.0) / 100
        return out

    def _additive_of(self, formulas: Sequence[Formula]) -> NDArray[np.float64]:
        """Additive volume per atom, Å^3, ``(n,)``, at least 1."""
        atoms = np.array([sum(count for _, count in formula.counts) for formula in formulas])
        return np.maximum(self.additive.of(formulas) / atoms, 1.0) if len(formulas) else np.zeros(0)

    def _kinds_of(self, neighbours: Neighbours) -> NDArray[np.int64]:
        return np.where(neighbours.row >= 0, self._codes[np.maximum(neighbours.row, 0)], -1)

    def _features(
        self, formulas: Sequence[Formula], found: Neighbours, places: NDArray[np.int64], ranks: NDArray[np.int64]
    ) -> Floats:
        """Exchange, distance, space group, packing of the template, additive volumes: ``(n_pairs, 17 width + 5)``."""
        row, old, new = (each[places, ranks] for each in (found.row, found.old, found.new))
        above, below = self._additive_of(formulas)[places], self._additive_per_atom[row]
        columns = [
            found.distance[places, ranks],
            self._columns[row, 0],
            np.log(self._volume_per_atom[row] / below),
            np.log(below),
            np.log(above / below),
        ]
        parts = [exchange_features(old, new, slot_counts(formulas, self.width)[places]), np.stack(columns, axis=1)]
        parts.append(np.log1p(self.additive.volume_angstrom3)[new])
        return np.concatenate(parts, axis=1).astype(np.float32)


def n_exchange_features(width: int) -> int:
    """How many numbers describe an exchange, by the most elements that a template has."""
    return 17 * width + 5


def n_features(width: int) -> int:
    """How many numbers describe a candidate: those of its exchange, 6 of votes, and the atoms of its cells."""
    return n_exchange_features(width) + 6 + 2


def _choose(kinds: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Ranks of the chosen neighbours, nearest first, at most `_PER_KIND` of a kind, and where there are any."""
    before = np.stack([(kinds[:, :j] == kinds[:, j : j + 1]).sum(axis=1) for j in range(kinds.shape[1])], axis=1)
    keep = (kinds >= 0) & (before < _PER_KIND)
    order = np.argsort(~keep, axis=1, kind="stable")[:, :N_CANDIDATES]
    return order, np.take_along_axis(keep, order, axis=1)
