"""Symmetry operators of a CIF: those it lists, or those of the space group that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import gemmi
import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from deepxrd.errors import SourceError
from deepxrd.sources.cif_values import column, text_of

_LISTS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz", "_space_group_symop.operation_xyz")
_MAGNETIC_LISTS = ("_space_group_symop_magn_operation.xyz", "_space_group_symop_magn_operation_xyz")
_CENTRINGS = ("_space_group_symop_magn_centering.xyz", "_space_group_symop_magn_centering_xyz")
_NAMES = (
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_full",
    "_space_group_name_H-M_ref",
    "_space_group_name_H-M",
    "_space_group.name_H-M_alt",
)
_HALL_NAMES = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
_NUMBERS = ("_space_group_IT_number", "_symmetry_Int_Tables_number", "_space_group.IT_number")
_SCREW = re.compile(r"(?<=[2346])\(([1-5])\)")  # P6(3)/mmc
_MOST_OPERATORS = 192 * 8  # F-centred cubic, in a magnetic cell eight times as large
_METRIC_TOLERANCE = 0.01  # of a length squared: cells are given to a hundredth of an Å, and are rounded
_DENOMINATOR = gemmi.Op.DEN


@dataclass(frozen=True)
class Symmetry:
    """One way to read the symmetry of a block.

    Attributes:
        source: what it was read from, in words.
        rotations: ``(n, 3, 3)``, acting on fractional coordinates.
        translations: ``(n, 3)``, in units of the cell vectors.
    """

    source: str
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rotations)

    def fits(self, lattice: NDArray[np.float64]) -> bool:
        """Whether the operators leave lengths and angles of the cell as they are."""
        metric = lattice @ lattice.T
        turned = np.einsum("nki,kl,nlj->nij", self.rotations, metric, self.rotations)
        size = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
        return bool((np.abs(turned - metric) <= _METRIC_TOLERANCE * size).all())


def listed_symmetry(block: cif.Block) -> Symmetry | None:
    """The operators that a block lists; None if it lists none.

    Raises:
        SourceError: an operator cannot be read, or the list is no group.
    """
    triplets = column(block, _LISTS)
    triplets = triplets if any(triplets) else []  # a list of nothing but ? is none
    magnetic = column(block, _MAGNETIC_LISTS) if not triplets else []
    if not triplets and not magnetic:
        return None
    centrings = column(block, _CENTRINGS) if magnetic else []
    return _of_triplets(tuple(triplets or magnetic), tuple(centrings))


@cache
def _of_triplets(triplets: tuple[str, ...], centrings: tuple[str, ...]) -> Symmetry:
    operators = [_operator(triplet) for triplet in triplets]
    if centrings:
        operators = [_operator(centring) * operator for centring in centrings for operator in operators]
    if len(operators) > _MOST_OPERATORS:
        msg = f"it lists {len(operators)} symmetry operators, more than any group has"
        raise SourceError(msg)
    symmetry = _of_operators("its list of operators", operators)
    _refuse_no_group(symmetry)
    return symmetry


def named_symmetries(block: cif.Block, lattice: NDArray[np.float64], angles_deg: tuple[float, float]) -> list[Symmetry]:
    """The groups that a block's names may mean: several where a name leaves the origin or the axes open.

    Args:
        block: of the CIF.
        lattice: of the block; groups that do not fit its shape are left out.
        angles_deg: alpha and gamma, which tell hexagonal from rhombohedral axes.

    Raises:
        SourceError: a name cannot be read, or name and number are of different groups.
    """
    hall, name, number = (text_of(block, tags) for tags in (_HALL_NAMES, _NAMES, _NUMBERS))
    if hall and (from_hall := _of_hall(hall)) is not None:
        return [from_hall] if from_hall.fits(lattice) else []
    if name:
        groups = _groups_called(name, angles_deg)
        if not groups:
            msg = f"its space group {name!r} cannot be read, and it lists no symmetry operators"
            raise SourceError(msg)
        if number and number.isdecimal() and int(number) != groups[0].number:
            msg = f"its space group {name!r} has the number {groups[0].number}, but {number} is given"
            raise SourceError(msg)
    elif number:
        groups = _groups_of_number(number)
    else:
        groups = []
    found = [_of_operators(f"space group {group.xhm()}", list(group.operations())) for group in groups]
    return [symmetry for symmetry in found if symmetry.fits(lattice)]


def _groups_called(name: str, angles_deg: tuple[float, float]) -> list[gemmi.SpaceGroup]:
    """The settings that a Hermann-Mauguin symbol may mean; ICSD marks origins by S and Z, others by :1 and :2."""
    plain = _SCREW.sub(r"\1", name).replace("_", "").strip()
    match = re.fullmatch(r"(.*?)\s*(?:[:(]?\s*(?:origin\s*|O)?(?P<origin>[12SZ])\)?)", plain)
    first = gemmi.find_spacegroup_by_name(plain, *angles_deg)
    if first is None and match is not None:
        origin = {"S": "1", "Z": "2"}.get(match["origin"], match["origin"])
        first = gemmi.find_spacegroup_by_name(f"{match[1]}:{origin}", *angles_deg)
        if first is None and match["origin"] in "SZ":  # groups with one origin carry the mark, too
            first = gemmi.find_spacegroup_by_name(match[1], *angles_deg)
        return [first] if first is not None else []
    if first is None:
        return []
    if first.ext in ("1", "2") and ":" not in plain:
        return [group for group in gemmi.spacegroup_table() if group.hm == first.hm]
    return [first]


def _groups_of_number(number: str) -> list[gemmi.SpaceGroup]:
    """All settings of a group: its number alone tells neither axes nor origin."""
    if number in ("1", "2"):
        standard = gemmi.find_spacegroup_by_number(int(number))
        return [standard] if standard is not None else []
    return [group for group in gemmi.spacegroup_table() if str(group.number) == number]


def _of_hall(hall: str) -> Symmetry | None:
    try:
        return _of_operators(f"Hall symbol {hall}", list(gemmi.symops_from_hall(hall)))
    except (RuntimeError, ValueError):
        return None  # its other names may be readable


def _operator(triplet: str) -> gemmi.Op:
    parts = triplet.strip().strip("'\"").split(",")
    plain = ",".join(parts[:3])  # a fourth is the reversal of time in magnetic groups
    try:
        return gemmi.Op(plain)
    except (RuntimeError, ValueError) as error:
        msg = f"its symmetry operator {triplet!r} cannot be read: {error}"
        raise SourceError(msg) from error


def _of_operators(source: str, operators: list[gemmi.Op]) -> Symmetry:
    rotations = np.array([operator.rot for operator in operators], dtype=np.float64) / _DENOMINATOR
    translations = np.array([operator.tran for operator in operators], dtype=np.float64) / _DENOMINATOR
    both = np.concatenate([rotations.reshape(-1, 9), translations % 1.0], axis=1)
    _, first = np.unique(both.round(6), axis=0, return_index=True)
    order = np.sort(first)
    return Symmetry(source, rotations[order], translations[order])


def _refuse_no_group(symmetry: Symmetry) -> None:
    """Products of operators must be operators: a list that was cut short would leave atoms out."""
    rotations, translations = symmetry.rotations, symmetry.translations
    n = len(symmetry)
    products = np.einsum("aij,bjk->abik", rotations, rotations).reshape(n * n, 9)
    shifts = (np.einsum("aij,bj->abi", rotations, translations) + translations[:, None]).reshape(n * n, 3)
    digits = np.arange(12, dtype=np.int64)

    def keys(turns: NDArray[np.float64], moves: NDArray[np.float64]) -> NDArray[np.int64]:
        whole = np.concatenate([np.rint(turns) + 1, np.rint(moves * _DENOMINATOR) % _DENOMINATOR], axis=1)
        return np.asarray((whole.astype(np.int64) * 31**digits).sum(axis=1))

    if not np.isin(keys(products, shifts), keys(rotations.reshape(n, 9), translations)).all():
        msg = f"its list of {n} symmetry operators is no group: some are missing or wrong"
        raise SourceError(msg)
