"""Which structure types are near to a composition, with which element in which place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.element_distance import element_distances
from deepxrd.models.candidates.targets import Targets
from deepxrd.models.candidates.templates import WIDTH, Index, Stoichiometry, Templates, order_key

MEMBERS = 32
"""So many of a structure type's nearest templates are looked at closely."""
FOUND = 28
"""So many structure types are kept for each composition."""
_PER_PROTOTYPE, _PER_TYPE = 4, 2
_LOOKED_AT = 112
_AT_ONCE = 3_000_000  # distances
_REACH = 0.4  # how fast a template's vote falls off with its distance
_FAR = np.float32(1e9)
_TIE = np.float32(1e-4)  # per eV above the hull: sorts what is equally near, and no more

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Found:
    """Kinds of structures for targets, n of them in all; those of a target stand together, nearest first.

    Attributes:
        target: ``(n,)``.
        structure_type: see `Templates`, ``(n,)``.
        elements: element in each slot of the templates, ``(n, WIDTH)``.
        slot: the target's slot for each of the templates', ``(n, WIDTH)``.
        member: nearest templates of the structure type, nearest first, ``(n, MEMBERS)``; −1 is padding.
        distance: of each, ``(n, MEMBERS)`` float32; infinite where there is padding.
        votes: ``(n, 8)`` float32, see `VOTES`.
    """

    target: Index
    structure_type: Index
    elements: Index
    slot: Index
    member: Index
    distance: Floats
    votes: Floats

    def __len__(self) -> int:
        return len(self.target)

    def take(self, places: Index) -> Found:
        """Some of them."""
        return Found(*(column[places] for column in vars(self).values()))

    @classmethod
    def join(cls, parts: list[Found]) -> Found:
        """One after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


VOTES = ("rank", "further", "members", "share", "weight", "ground_states", "ground_state_share", "hull")
"""Its rank; how much further than the nearest; octave of its members; the share of all votes exp(−d / 0.4) they have,
and their sum; the ground states' part of it, and share of all votes; mean energy above the hull.

The exact number of members would tell: where a composition's own structures are left out, its true structure type alone
has fewer than it has for all others, and what is learned so holds for no new composition."""


def search(templates: Templates, targets: Targets) -> Found:
    """The structure types nearest to each target; its own composition's structures are left out.

    The distance of a template is the mean over atoms of the distance between elements that take each other's places
    (:func:`element_distances`).
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, counts in enumerate(targets.counts.tolist()):
        name = tuple(count for count in counts if count)
        if name in templates.of_counts:
            groups.setdefault(name, []).append(row)
    parts = [
        part
        for name, rows in groups.items()
        for part in _search(templates, targets, templates.of_counts[name], np.array(rows, dtype=np.int64))
    ]
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        wide = np.zeros((0, WIDTH), dtype=np.int64)
        near = np.zeros((0, MEMBERS))
        return Found(
            none, none, wide, wide, near.astype(np.int64), near.astype(np.float32), np.zeros((0, 8), np.float32)
        )
    found = Found.join(parts)
    return found.take(np.argsort(found.target, kind="stable"))


def _search(templates: Templates, targets: Targets, of: Stoichiometry, rows: Index) -> Iterator[Found]:
    n_templates = of.rows.stop - of.rows.start
    at_once = max(1, _AT_ONCE // (n_templates * max(1, len(of.ways))))
    for start in range(0, len(rows), at_once):
        part = rows[start : start + at_once]
        if len(of.ways):
            distance = _all_ways(templates, targets, of, part)
            ways = np.broadcast_to(of.ways[:, None, None], (*distance.shape, len(of.counts)))
        else:
            distance, ways = _best_way(templates, targets, of, part)
        yield _choose(templates, targets, of, part, distance, ways)


def _all_ways(templates: Templates, targets: Targets, of: Stoichiometry, rows: Index) -> Floats:
    """Distance of each target to each template in each way, ``(n_ways, n_targets, n_templates)``."""
    table = (element_distances() / of.counts.sum()).astype(np.float32)
    new, old = targets.elements[rows], templates.elements[of.rows]
    part: dict[tuple[int, int], Floats] = {}
    out = np.zeros((len(of.ways), len(rows), len(old)), dtype=np.float32)
    for way, slots in enumerate(of.ways.tolist()):
        for slot, other in enumerate(slots):
            if (slot, other) not in part:
                part[slot, other] = table[new[:, other]][:, old[:, slot]] * np.float32(of.counts[slot])
            out[way] += part[slot, other]
    own = targets.own[rows][:, None] == templates.composition[of.rows][None]
    out[:, own] = _FAR
    return _without_doubles(templates, of, new, out)


def _without_doubles(templates: Templates, of: Stoichiometry, new: Index, distance: Floats) -> Floats:
    """Of ways that give the same structure only that is kept in which the templates stand too."""
    if len(of.ways) == 1:
        return distance
    place = {way: index for index, way in enumerate(map(tuple, of.ways.tolist()))}
    stops = [*of.structure_types[1:].tolist(), distance.shape[2]]
    first_type, done = int(templates.structure_type[of.rows.start]), dict[bytes, NDArray[np.bool_]]()
    keys = np.stack([order_key(new[:, way]) for way in of.ways])
    for number, (start, stop) in enumerate(zip(of.structure_types.tolist(), stops, strict=True)):
        same = templates.same_places.get(first_type + number)
        if same is None:
            continue
        name = same.tobytes()
        if name not in done:
            alike = np.array([[place[tuple(way[each].tolist())] for each in same] for way in of.ways])
            done[name] = keys > keys[alike].min(axis=1)
        distance[:, :, start:stop][done[name]] = _FAR
    return distance


def _best_way(templates: Templates, targets: Targets, of: Stoichiometry, rows: Index) -> tuple[Floats, Index]:
    """The same for the best way alone, by an assignment solver: ``(1, …)``; and the way of each pair."""
    from scipy.optimize import linear_sum_assignment  # few formulas need it

    table = element_distances() / of.counts.sum()
    new, old = targets.elements[rows], templates.elements[of.rows]
    forbidden = np.where(of.counts[:, None] == of.counts[None], 0.0, 1e6)
    n = len(of.counts)
    distance = np.zeros((1, len(rows), len(old)), dtype=np.float32)
    ways = np.zeros((1, len(rows), len(old), n), dtype=np.int64)
    for i, after in enumerate(new[:, :n]):
        for j, before in enumerate(old[:, :n]):
            cost = table[before][:, after] * of.counts[:, None] + forbidden
            slot, other = linear_sum_assignment(cost)
            distance[0, i, j], ways[0, i, j] = cost[slot, other].sum(), other
    own = targets.own[rows][:, None] == templates.composition[of.rows][None]
    distance[:, own] = _FAR
    return distance, ways


def _choose(  # noqa: PLR0917 - what belongs together
    templates: Templates, targets: Targets, of: Stoichiometry, rows: Index, distance: Floats, ways: Index
) -> Found:
    n_ways, n, n_types = len(distance), len(rows), len(of.structure_types)
    members = slice(of.rows.start, of.rows.stop)
    least = np.minimum.reduceat(distance, of.structure_types, axis=2)
    vote = np.exp(distance * np.float32(-1 / _REACH))
    voted = (vote > 0).astype(np.float32)
    sums = [
        np.add.reduceat(each, of.structure_types, axis=2).transpose(1, 0, 2).reshape(n, -1)
        for each in (vote, vote * templates.ground_state[members], vote * templates.hull[members], voted)
    ]
    flat = least.transpose(1, 0, 2).reshape(n, n_ways * n_types)
    order = flat
    if targets.cost[rows].any():  # silicon has more structure types than are kept, all as near to Si0.8Ge0.2
        stable = np.minimum.reduceat(templates.hull[members], of.structure_types)
        order = flat + np.where(targets.cost[rows] > 0, _TIE, np.float32(0))[:, None] * np.tile(stable, n_ways)
    looked = min(_LOOKED_AT, flat.shape[1])
    near = np.argpartition(order, looked - 1, axis=1)[:, :looked]
    near = np.take_along_axis(near, np.lexsort((near, np.take_along_axis(order, near, axis=1)), axis=1), axis=1)
    value = np.take_along_axis(flat, near, axis=1)
    structure_type = near % n_types
    prototype = templates.prototype[of.rows][of.structure_types][structure_type]
    keep = (value < _FAR / 2) & (_before(prototype) < _PER_PROTOTYPE) & (_before(structure_type) < _PER_TYPE)
    keep &= np.cumsum(keep, axis=1) <= FOUND
    place, column = np.nonzero(keep)
    chosen, rank = near[place, column], (np.cumsum(keep, axis=1) - 1)[place, column]
    way, structure_type = np.divmod(chosen, n_types)
    nearest, far = _members(of, distance, way, place, structure_type)
    slots = ways[way, place, np.maximum(nearest[:, 0], 0)]
    total = np.maximum(sums[0].sum(axis=1), 1e-30)[place]
    weight, ground, hull, size = (each[place, chosen] for each in sums)  # without the composition's own structures
    safe = np.maximum(weight, 1e-30)
    columns = [
        rank,
        far[:, 0] - value[:, 0][place],
        np.floor(np.log2(np.maximum(size, 1))),
        weight / total,
        weight,
        ground / safe,
        ground / total,
        hull / safe,
    ]
    slot = np.full((len(place), WIDTH), 0, dtype=np.int64)
    slot[:, : slots.shape[1]] = slots
    elements = np.zeros((len(place), WIDTH), dtype=np.int64)
    elements[:, : slots.shape[1]] = np.take_along_axis(targets.elements[rows[place]], slots, axis=1)
    return Found(
        rows[place],
        int(templates.structure_type[of.rows.start]) + structure_type,
        elements,
        slot,
        np.where(nearest >= 0, nearest + of.rows.start, -1),
        far,
        np.stack(columns, axis=1).astype(np.float32),
    )


def _before(values: Index) -> Index:
    """How many before it, along each row, are equal to each, ``(n, k)``."""
    order = np.argsort(values, axis=1, kind="stable")
    there = np.take_along_axis(values, order, axis=1)
    new = np.concatenate([np.ones((len(values), 1), dtype=bool), there[:, 1:] != there[:, :-1]], axis=1)
    places = np.arange(values.shape[1])[None]
    first = np.maximum.accumulate(np.where(new, places, 0), axis=1)
    out = np.empty_like(values)
    np.put_along_axis(out, order, places - first, axis=1)
    return out


def _members(
    of: Stoichiometry, distance: Floats, way: Index, place: Index, structure_type: Index
) -> tuple[Index, Floats]:
    """The nearest members of structure types, as places among the stoichiometry's templates, and their distances."""
    first = of.structure_types[structure_type]
    number = np.append(of.structure_types[1:], distance.shape[2])[structure_type] - first
    member = first[:, None] + np.arange(MEMBERS)
    for each in np.unique(structure_type[number > MEMBERS]).tolist():  # only these have members to leave out
        rows = np.flatnonzero(structure_type == each)
        start = of.structure_types[each]
        part = distance[way[rows], place[rows], start : start + number[rows[0]]]
        member[rows] = start + np.argpartition(part, MEMBERS - 1, axis=1)[:, :MEMBERS]
    there = np.arange(MEMBERS) < number[:, None]
    member = np.where(there, member, 0)
    value = np.where(there, distance[way[:, None], place[:, None], member], _FAR)
    there = value < _FAR / 2
    order = np.lexsort((member, np.where(there, value, np.inf)), axis=1)
    there, member, value = (np.take_along_axis(each, order, axis=1) for each in (there, member, value))
    return np.where(there, member, -1), np.where(there, value, np.float32(np.inf))
