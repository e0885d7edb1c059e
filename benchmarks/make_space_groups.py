"""Write src/deepxrd/library/space_groups.json from moyopy's tables, and check it.

Run: python benchmarks/make_space_groups.py

moyopy hands out operations by number, but Wyckoff positions only of structures. So for each group a crystal is made up
for each of many special places: a few atoms on a general position that fix the group, and one on the place. The letters
found must run from a to that of the general position without a gap.
"""

# ruff: noqa: S101 - a script that checks what it writes
from __future__ import annotations

import itertools
import json
import logging
from pathlib import Path

import moyopy
import numpy as np
from numpy.typing import NDArray

from deepxrd.library.space_groups import _PRIMITIVE_BASES, DENOMINATOR, N_GROUPS, affine, crystal_family, pivots_of

TARGET = Path(__file__).resolve().parents[1] / "src/deepxrd/library/space_groups.json"
SETTING = moyopy.Setting.standard()
GENERIC = np.sqrt([2.0, 3.0, 7.0]) / 10
TOLERANCE = 1e-6
CELLS = {
    "triclinic": (7.1, 8.3, 9.7, 81.0, 97.0, 108.0),
    "monoclinic": (7.1, 8.3, 9.7, 90.0, 101.0, 90.0),
    "orthorhombic": (7.1, 8.3, 9.7, 90.0, 90.0, 90.0),
    "tetragonal": (7.1, 7.1, 9.7, 90.0, 90.0, 90.0),
    "hexagonal": (7.1, 7.1, 9.7, 90.0, 90.0, 120.0),
    "cubic": (8.3, 8.3, 8.3, 90.0, 90.0, 90.0),
}
Operations = tuple[NDArray[np.float64], NDArray[np.float64]]


def candidates() -> NDArray[np.float64]:
    """Places that may be special: each coordinate is a constant, or follows from up to three free numbers."""
    x, y, z = GENERIC
    constants = [i / 8 for i in range(8)] + [1 / 6, 1 / 3, 2 / 3, 5 / 6]
    of_x = [sign * x + shift for sign in (1, -1) for shift in constants[:8]] + [2 * x]
    of_y = [sign * y + shift for sign in (1, -1) for shift in constants[:8]]
    places = itertools.chain(
        itertools.product(constants, constants, constants),
        itertools.product([x], constants + of_x, constants + of_x),
        itertools.product(constants, [y], constants + of_y),
        itertools.product(constants, constants, [z]),
        itertools.product([x], constants + of_x, [z]),
        itertools.product([x], [y], constants + of_y),
        itertools.product(constants, [y], [z]),
        [(x, y, z)],
    )
    return np.array(list(places))


def images(site: NDArray[np.float64], operations: Operations) -> NDArray[np.float64]:
    """All distinct sites in the conventional cell."""
    moved = operations[0] @ site + operations[1]
    return moved[np.unique(np.round(moved % 1.0, 6) % 1.0, axis=0, return_index=True)[1]] % 1.0


def lattice(number: int) -> NDArray[np.float64]:
    """A cell of the group's family with no accidental symmetry."""
    from deepxrd.chem import lattice_from_parameters

    cell = np.array([CELLS[crystal_family(number)]])
    return lattice_from_parameters(cell[:, :3], cell[:, 3:])[0]


def positions(number: int, operations: Operations, places: NDArray[np.float64]) -> list[tuple[str, int, str, str]]:
    """Letter, multiplicity, site symmetry and coordinates of all Wyckoff positions."""
    if number == 1:
        return [("a", 1, "1", "x,y,z")]
    found: dict[str, tuple[str, int, str, str]] = {}
    cell = lattice(number)
    general = [images(np.array(site), operations) for site in ([0.137, 0.291, 0.383], [0.061, 0.177, 0.459])]
    seen: set[bytes] = set()
    last = "A"
    for site in places:
        delta = operations[0] @ site + operations[1] - site
        fixes = np.abs(delta - np.round(delta)).max(axis=1) < TOLERANCE
        key = np.packbits(fixes).tobytes() + np.round(delta[fixes]).astype(np.int8).tobytes()
        if key in seen or (fixes.sum() == 1 and found):
            continue
        seen.add(key)
        orbit = images(site, operations)
        coords = np.concatenate([*general, orbit])
        kinds = [1] * len(general[0]) + [2] * len(general[1]) + [3] * len(orbit)
        dataset = moyopy.MoyoDataset(moyopy.Cell(cell.tolist(), coords.tolist(), kinds), symprec=1e-5, setting=SETTING)
        if dataset.number != number:
            continue
        normaliser = dataset.normalizer_wyckoff_positions()
        for _, sequence in normaliser.coset_representatives:
            for wyckoff in sequence:
                entry = (wyckoff.letter, wyckoff.multiplicity, wyckoff.site_symmetry, wyckoff.coordinates)
                found[wyckoff.letter] = entry
        last = max(found, key=lambda letter: (letter.isupper(), letter))
        expected = "abcdefghijklmnopqrstuvwxyzA"
        if "".join(sorted(found, key=expected.index)) == expected[: expected.index(last) + 1] and complete(
            found, operations, number
        ):
            break
    letters = sorted(found, key="abcdefghijklmnopqrstuvwxyzA".index)
    assert "".join(letters) == "abcdefghijklmnopqrstuvwxyzA"[: len(letters)], (number, letters)
    return [found[letter] for letter in letters]


def complete(found: dict[str, tuple[str, int, str, str]], operations: Operations, number: int) -> bool:
    """Whether the general position is among those found."""
    del number
    return any(multiplicity == len(operations[0]) for _, multiplicity, _, _ in found.values())


def letter_of(site: NDArray[np.float64], table: list[tuple[str, int, str, str]], operations: Operations) -> str:
    """The most special position that holds a site."""
    moved = operations[0] @ site + operations[1]
    for letter, _, _, coordinates in table:
        linear, shift = affine(coordinates)
        free = (moved - shift)[:, pivots_of(linear)]
        rest = moved - shift - free @ linear.T
        if (np.abs(rest - np.round(rest)).max(axis=1) < TOLERANCE).any():
            return letter
    raise AssertionError(site)


def rotations(family: str) -> list[NDArray[np.int64]]:
    """Proper rotations that map any lattice of the family's shape on one of that shape, but for the names of axes."""
    if family == "hexagonal":
        three, two_z, swap = (np.array(m) for m in ([[0, -1, 0], [1, -1, 0], [0, 0, 1]],
                                                    [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
                                                    [[0, 1, 0], [1, 0, 0], [0, 0, -1]]))  # fmt: skip
        powers = [np.linalg.matrix_power(three, n) for n in range(3)]
        return [a @ b @ c for c in (np.eye(3, dtype=int), swap) for b in (np.eye(3, dtype=int), two_z) for a in powers]
    out = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            matrix = np.zeros((3, 3), dtype=np.int64)
            matrix[range(3), order] = signs
            if round(np.linalg.det(matrix)) != 1:
                continue
            keeps_b = order[1] == 1 and matrix[0, order[0]] * matrix[2, order[2]] > 0
            keeps_c = order[2] == 2
            allowed = {
                "triclinic": np.array_equal(matrix, np.eye(3)),
                "monoclinic": keeps_b,
                "tetragonal": keeps_c,
                "orthorhombic": True,
                "cubic": True,
            }
            if allowed[family]:
                out.append(matrix)
    out.sort(key=lambda m: not np.array_equal(m, np.eye(3)))
    return out


def normalisers(
    number: int, operations: Operations, centrings: NDArray[np.float64], table: list[tuple[str, int, str, str]]
) -> list[tuple[list[int], list[int], str]]:
    """One change of axes and origin for each way to exchange the letters, the one that changes nothing first."""
    family = crystal_family(number)
    steps = [0, 12, 8, 16, 4, 20, 6, 18] if family == "hexagonal" else [0, 12, 6, 18, 3, 9, 15, 21]
    shifts = np.array(list(itertools.product(steps, repeat=3)), dtype=np.float64) / DENOMINATOR
    n_point = len(operations[0]) // len(centrings)
    rots, moves = operations[0][:n_point], operations[1][:n_point]
    sites = [affine(c)[0] @ GENERIC[: affine(c)[0].shape[1]] + affine(c)[1] for *_, c in table]
    found: dict[str, tuple[list[int], list[int], str]] = {}
    for matrix in rotations(family):
        conjugate = matrix @ rots @ np.linalg.inv(matrix)
        same = np.abs(conjugate[:, None] - rots[None]).max(axis=(2, 3)) < TOLERANCE
        turned = (centrings @ matrix.T)[:, None] - centrings
        keeps_centring = (np.abs(turned - np.round(turned)).max(axis=2) < TOLERANCE).any(axis=1).all()
        if not same.any(axis=1).all() or not keeps_centring:
            continue
        partner = same.argmax(axis=1)
        # W' = P W P^-1 and w' = P w + p - W' p must be an operation of the group again
        moved = moves @ matrix.T + shifts[:, None] - np.einsum("oij,sj->soi", conjugate, shifts) - moves[partner]
        delta = moved[:, :, None] - centrings
        good = (np.abs(delta - np.round(delta)).max(axis=-1) < TOLERANCE).any(axis=-1).all(axis=-1)
        for shift in shifts[good]:
            letters = "".join(letter_of(matrix @ site + shift, table, operations) for site in sites)
            entry = (matrix.astype(int).ravel().tolist(), np.round(shift * DENOMINATOR).astype(int).tolist(), letters)
            found.setdefault(letters, entry)
    identity = "".join(letter for letter, *_ in table)
    assert found[identity][1] == [0, 0, 0], number
    return [found.pop(identity), *found.values()]


def main() -> None:
    """Derive, check and write all groups."""
    logging.getLogger("moyo").setLevel(logging.ERROR)
    places = candidates()
    groups = []
    for number in range(1, N_GROUPS + 1):
        kind = moyopy.SpaceGroupType(number)
        raw = moyopy.operations_from_number(number, setting=SETTING, primitive=False)
        rots, moves = np.array(raw.rotations, dtype=np.float64), np.array(raw.translations)
        is_centring = (rots == np.eye(3)).all(axis=(1, 2))
        centrings = moves[is_centring] % 1.0
        centrings = centrings[np.lexsort(centrings.T[::-1])]
        point = [i for i, rot in enumerate(rots) if not any((rot == rots[j]).all() for j in range(i))]
        # Wyckoff tables are about the operations of the setting; one with the least shift stands for each rotation
        moves_of = moves[point] % 1.0
        order = [(centrings[:, None] + moves_of).reshape(-1, 3) % 1.0]
        operations = (np.tile(rots[point], (len(centrings), 1, 1)), order[0])
        table = positions(number, operations, places)
        for letter, multiplicity, _, coordinates in table:
            linear, shift = affine(coordinates)
            site = linear @ GENERIC[: linear.shape[1]] + shift
            assert len(images(site, operations)) == multiplicity, (number, letter)
            pivots = pivots_of(linear)
            assert (linear[pivots] == np.eye(linear.shape[1])).all(), (number, letter, coordinates)
            assert (shift[pivots] == 0).all(), (number, letter, coordinates)
        basis = np.array(_PRIMITIVE_BASES[kind.hm_short[0]])
        assert abs(np.linalg.det(basis) * len(centrings) - 1) < TOLERANCE, number
        compact = np.concatenate([rots[point].reshape(-1, 9), np.round(moves_of * DENOMINATOR)], axis=1).astype(int)
        assert np.abs(compact[:, 9:] / DENOMINATOR - moves_of).max() < TOLERANCE, number
        groups.append(
            {
                "symbol": kind.hm_short,
                "operations": compact.ravel().tolist(),
                "centrings": np.round(centrings * DENOMINATOR).astype(int).ravel().tolist(),
                "positions": table,
                "normalisers": normalisers(number, operations, centrings, table),
            }
        )
        print(number, kind.hm_short, len(table), len(groups[-1]["normalisers"]), flush=True)
    facts = {"setting": "standard (International Tables A)", "made_with": f"moyopy {moyopy.__version__}"}
    lines = ",\n".join(json.dumps(group, separators=(",", ":")) for group in groups)
    head = json.dumps(facts)[:-1]
    TARGET.write_text(f'{head}, "groups": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
