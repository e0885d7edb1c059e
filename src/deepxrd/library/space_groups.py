"""The 230 space groups in their standard setting: operations, Wyckoff positions, and changes of origin or axes.

The facts are read from ``space_groups.json``, which ``benchmarks/make_space_groups.py`` derives from moyopy's tables:
unique axis b and cell choice 1, hexagonal axes for rhombohedral groups, the origin at a centre where there are two
choices (International Tables for Crystallography A).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.crystal_system import crystal_system

N_GROUPS = 230
DENOMINATOR = 24
"""All translations of space groups are whole multiples of 1/24."""

_FREE_NAMES = "xyz"
_TERM = re.compile(r"([+-]?)(\d+(?:/\d+)?)?([xyz]?)")
_GENERIC = np.sqrt([2.0, 3.0, 7.0]) / 10  # no coordinates of a special position
_PRIMITIVE_BASES: dict[str, list[list[float]]] = {
    "P": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "A": [[1, 0, 0], [0, 0.5, -0.5], [0, 0.5, 0.5]],
    "C": [[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]],
    "I": [[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]],
    "F": [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
    "R": [[2 / 3, 1 / 3, 1 / 3], [-1 / 3, 1 / 3, 1 / 3], [-1 / 3, -2 / 3, 1 / 3]],
}


class Operations(NamedTuple):
    """The operations of a group.

    Attributes:
        rotations: ``(n_ops, 3, 3)`` float64; the centring translations vary slowest, the first is zero.
        translations: ``(n_ops, 3)`` float64 in [0, 1).
        n_point: operations without the centrings.
        basis: primitive cell vectors in units of the conventional ones, rows, ``(3, 3)``.
    """

    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    n_point: int
    basis: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WyckoffPosition:
    """One kind of site: ``x = linear @ free + shift``, and what the group makes of it.

    Attributes:
        letter: ``a`` to ``z``, and ``A`` for the 27th of Pmmm.
        multiplicity: sites in the conventional cell.
        site_symmetry: symbol of the point group that leaves such a site where it is.
        linear: ``(3, n_free)`` float64, whole numbers.
        shift: ``(3,)`` float64.
        pivots: for each free parameter the coordinate that equals it but for the shift, ``(n_free,)``.
        operations: those of the group.
    """

    letter: str
    multiplicity: int
    site_symmetry: str
    linear: NDArray[np.float64]
    shift: NDArray[np.float64]
    pivots: NDArray[np.int64]
    operations: Operations

    @cached_property
    def images(self) -> NDArray[np.int64]:
        """Operations that give each site once, ``(multiplicity,)``; the first give those of a primitive cell."""
        rotations, translations, n_point, basis = self.operations
        site = self.linear @ _GENERIC[: self.n_free] + self.shift
        moved = rotations[:n_point] @ site + translations[:n_point]
        in_primitive = np.round((moved @ np.linalg.inv(basis)) % 1.0, 6) % 1.0
        first = np.sort(np.unique(in_primitive, axis=0, return_index=True)[1])
        n_centrings = len(rotations) // n_point
        return np.asarray((n_point * np.arange(n_centrings)[:, None] + first).ravel())

    @property
    def n_free(self) -> int:
        """Number of free parameters, 0 to 3."""
        return int(self.linear.shape[1])


@dataclass(frozen=True, eq=False)
class StackedPositions:
    """The Wyckoff positions of one group side by side, those with fewer free parameters padded with zeros.

    Attributes:
        place: place of each letter's code, ``(128,)``, -1 where there is none.
        n_free: free parameters, ``(n,)``.
        linear: ``(n, 3, 3)`` float64.
        shift: ``(n, 3)`` float64.
        pivots: ``(n, 3)``.
    """

    place: NDArray[np.int64]
    n_free: NDArray[np.int64]
    linear: NDArray[np.float64]
    shift: NDArray[np.float64]
    pivots: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Normaliser:
    """A change of origin or axes that leaves the group as it is but exchanges Wyckoff letters.

    Attributes:
        linear: ``(3, 3)`` float64, a proper rotation of the lattice: new coordinates are ``linear @ x + shift``.
        shift: ``(3,)`` float64.
        letters: the new letter of each old one.
    """

    linear: NDArray[np.float64]
    shift: NDArray[np.float64]
    letters: dict[str, str]


@dataclass(frozen=True, eq=False)
class SpaceGroup:
    """One space group.

    Attributes:
        number: 1 to 230.
        symbol: the short Hermann-Mauguin symbol, such as ``P m -3 m``.
        operations: its operations.
        positions: the Wyckoff positions, the most special first.
    """

    number: int
    symbol: str
    operations: Operations
    positions: tuple[WyckoffPosition, ...]

    @property
    def rotations(self) -> NDArray[np.float64]:
        """``(n_ops, 3, 3)`` float64."""
        return self.operations.rotations

    @property
    def translations(self) -> NDArray[np.float64]:
        """``(n_ops, 3)`` float64 in [0, 1)."""
        return self.operations.translations

    @property
    def n_centrings(self) -> int:
        """Lattice points in the conventional cell."""
        return len(self.rotations) // self.operations.n_point

    @cached_property
    def normalisers(self) -> tuple[Normaliser, ...]:
        """Changes of axes and origin that exchange letters; the first is no change."""
        letters = [position.letter for position in self.positions]
        return tuple(
            Normaliser(
                np.array(linear, dtype=np.float64).reshape(3, 3),
                np.array(shift, dtype=np.float64) / DENOMINATOR,
                dict(zip(letters, exchanged, strict=True)),
            )
            for linear, shift, exchanged in _table()[self.number - 1]["normalisers"]
        )

    @cached_property
    def index(self) -> dict[str, int]:
        """Where each letter stands in ``positions``."""
        return {position.letter: i for i, position in enumerate(self.positions)}

    @cached_property
    def stacked(self) -> StackedPositions:
        """All positions as arrays, to look up those of many sites at once."""
        n = len(self.positions)
        linear, pivots = np.zeros((n, 3, 3)), np.zeros((n, 3), dtype=np.int64)
        for i, position in enumerate(self.positions):
            linear[i, :, : position.n_free] = position.linear
            pivots[i, : position.n_free] = position.pivots
        place = np.full(128, -1, dtype=np.int64)
        place[[ord(position.letter) for position in self.positions]] = np.arange(n)
        shift = np.stack([position.shift for position in self.positions])
        return StackedPositions(place, np.array([p.n_free for p in self.positions]), linear, shift, pivots)

    def rotations_in(self, *, primitive: bool) -> NDArray[np.int8]:
        """The point group in units of the primitive or of the conventional cell, ``(n_point, 3, 3)``."""
        return self._primitive_rotations if primitive else self._conventional_rotations

    @cached_property
    def _conventional_rotations(self) -> NDArray[np.int8]:
        return np.rint(self.rotations[: self.operations.n_point]).astype(np.int8)

    @cached_property
    def _primitive_rotations(self) -> NDArray[np.int8]:
        basis = self.primitive_basis.T
        return np.rint(np.linalg.inv(basis) @ self._conventional_rotations @ basis).astype(np.int8)

    @property
    def primitive_basis(self) -> NDArray[np.float64]:
        """Primitive cell vectors in units of the conventional ones, rows, ``(3, 3)``."""
        return self.operations.basis


@cache
def space_group(number: int) -> SpaceGroup:
    """The space group of a number from 1 to 230."""
    facts = _table()[number - 1]
    operations = np.array(facts["operations"], dtype=np.float64).reshape(-1, 12)
    centrings = np.array(facts["centrings"], dtype=np.float64).reshape(-1, 3) / DENOMINATOR
    n_point = len(operations)
    rotations = np.tile(operations[:, :9].reshape(-1, 3, 3), (len(centrings), 1, 1))
    moved = operations[None, :, 9:] / DENOMINATOR + centrings[:, None]
    translations = (moved.reshape(-1, 3)) % 1.0
    basis = np.array(_PRIMITIVE_BASES[facts["symbol"][0]], dtype=np.float64)
    all_operations = Operations(rotations, translations, n_point, basis)
    positions = tuple(_position(entry, all_operations) for entry in facts["positions"])
    return SpaceGroup(number, facts["symbol"], all_operations, positions)


def symbol(number: int) -> str:
    """The short Hermann-Mauguin symbol of a space group, such as ``P m -3 m``."""
    return str(_table()[number - 1]["symbol"])


@cache
def crystal_family(number: int) -> str:
    """The crystal system, but ``hexagonal`` for trigonal groups too: they are in hexagonal axes."""
    system = crystal_system(number)
    return "hexagonal" if system == "trigonal" else system


@cache
def free_parameters() -> NDArray[np.uint8]:
    """Free parameters of each Wyckoff position by group and letter code, ``(231, 128)``; 255 where there is none."""
    table = np.full((N_GROUPS + 1, 128), 255, dtype=np.uint8)
    for number, facts in enumerate(_table(), start=1):
        for letter, _, _, coordinates in facts["positions"]:
            table[number, ord(letter)] = len(set(coordinates) & set(_FREE_NAMES))
    return table


@cache
def multiplicities() -> NDArray[np.int64]:
    """Sites in the conventional cell of each Wyckoff position by group and letter code, ``(231, 128)``."""
    table = np.zeros((N_GROUPS + 1, 128), dtype=np.int64)
    for number, facts in enumerate(_table(), start=1):
        for letter, multiplicity, _, _ in facts["positions"]:
            table[number, ord(letter)] = multiplicity
    return table


def affine(coordinates: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix and shift of a text such as ``x,x+1/2,-z``, only the columns of names that occur.

    Example:
        >>> linear, shift = affine("x,2x,1/4")
        >>> linear.ravel().tolist(), shift.tolist()
        ([1.0, 2.0, 0.0], [0.0, 0.0, 0.25])
    """
    linear, shift = np.zeros((3, 3)), np.zeros(3)
    for row, text in enumerate(coordinates.split(",")):
        for sign, number, name in _TERM.findall(text):
            if not number and not name:
                continue
            numerator, _, denominator = (number or "1").partition("/")
            value = (-1 if sign == "-" else 1) * int(numerator) / int(denominator or 1)
            if name:
                linear[row, _FREE_NAMES.index(name)] += value
            else:
                shift[row] += value
    used = [i for i, name in enumerate(_FREE_NAMES) if name in coordinates]
    return linear[:, used], shift


def pivots_of(linear: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each column the first row that holds a one there and nothing else."""
    alone = (linear == 1.0) & (np.count_nonzero(linear, axis=1, keepdims=True) == 1)
    return np.asarray(alone.argmax(axis=0), dtype=np.int64)


def _position(entry: tuple[str, int, str, str], operations: Operations) -> WyckoffPosition:
    letter, multiplicity, site_symmetry, coordinates = entry
    linear, shift = affine(coordinates)
    return WyckoffPosition(letter, multiplicity, site_symmetry, linear, shift, pivots_of(linear), operations)


@cache
def _table() -> list[dict[str, Any]]:
    text = (files("deepxrd.library") / "space_groups.json").read_text(encoding="utf-8")
    groups: list[dict[str, Any]] = json.loads(text)["groups"]
    return groups
