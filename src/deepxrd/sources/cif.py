"""Crystals from CIF text: every block, its sites held against the formula that it declares.

Syntax is gemmi's (Wojdyr, JOSS 7, 4200 (2022), doi 10.21105/joss.04200); what the values mean is decided here, and
what they leave open is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.chem.crystal import READABLE_ATOMS
from deepxrd.chem.species import atomic_number_of, atomic_number_of_label
from deepxrd.errors import SourceError
from deepxrd.sources.cif_formula import DeclaredFormula, declared_formula
from deepxrd.sources.cif_sites import Sites, fill_cell
from deepxrd.sources.cif_symmetry import Symmetry, listed_symmetry, named_symmetries
from deepxrd.sources.cif_values import cell_of, column, has_structure, number_of

Read = Callable[[], "tuple[Crystal, tuple[str, ...]]"]
"""What reads one block: its crystal, and remarks on what had to be repaired."""

_BLOCK_START = re.compile(r"(?:^|(?<=\s))data_(\S*)", re.IGNORECASE)
_LINE_START = re.compile(r"^data_", re.IGNORECASE)
_FRACTIONAL = tuple((f"_atom_site_fract_{x}", f"_atom_site.fract_{x}") for x in "xyz")
_CARTESIAN = tuple((f"_atom_site_Cartn_{x}", f"_atom_site.Cartn_{x}") for x in "xyz")
_LABEL = ("_atom_site_label", "_atom_site.label")
_TYPE = ("_atom_site_type_symbol", "_atom_site.type_symbol")
_OCCUPANCY = ("_atom_site_occupancy", "_atom_site.occupancy")
_ATTACHED = ("_atom_site_attached_hydrogens",)
_STATUS = ("_atom_site_calc_flag",)
_TO_FRACTIONAL = tuple(f"_atom_sites_fract_tran_matrix_{i}{j}" for i in "123" for j in "123")
_RIGHT_ANGLE_DEG = 90.0


def count_blocks(text: str) -> int:
    """How many entries `cif_blocks` gives for a text, without parsing it where there is one block at most."""
    return 1 if len(_BLOCK_START.findall(text)) <= 1 else len(cif_blocks(text))


def cif_blocks(text: str) -> list[tuple[str, Read]]:
    """Name of each structure in a CIF, and what reads it; blocks that hold no structure are no entries.

    Where the text is broken, each block is read for itself, so that the others come through. There is one entry at
    least: the one that says what is wrong.
    """
    try:
        document = cif.read_string(text)
        blocks = [(block.name.strip(), block) for block in document if has_structure(block)]
    except (ValueError, RuntimeError):
        return _blocks_apart(text)
    if not blocks:
        return [("", _failing("it holds no structure: no cell and no atom sites"))]
    return [(name, _reader(block)) for name, block in blocks]


def _blocks_apart(text: str) -> list[tuple[str, Read]]:
    """The blocks of a text that gemmi cannot parse as a whole."""
    entries: list[tuple[str, Read]] = []
    for part in _cut(text):
        try:
            found = [(block.name.strip(), block) for block in cif.read_string(part) if has_structure(block)]
        except (ValueError, RuntimeError) as error:
            match = _BLOCK_START.search(part)
            entries.append((match[1] if match else "", _failing(_in_words(error, part))))
        else:
            entries += [(name, _reader(block)) for name, block in found]
    return entries or [("", _failing("it holds no structure: no cell and no atom sites"))]


def _cut(text: str) -> list[str]:
    """Pieces of a text that begin with ``data_``, those within text fields apart."""
    starts, plain_starts, position, in_text = [], [], 0, False
    for line in text.splitlines(keepends=True):
        if line.startswith(";"):
            in_text = not in_text
        if _LINE_START.match(line):
            plain_starts.append(position)
            if not in_text:
                starts.append(position)
        position += len(line)
    starts = plain_starts if in_text else starts  # a text field without an end swallows what comes after it
    if not starts:
        return [text]
    return [text[start:stop] for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)]


def _in_words(error: Exception, part: str) -> str:
    """The complaint of gemmi, with the line that it is about."""
    reason = re.sub(r"^string:?", "", str(error)).strip()
    match = re.match(r"(\d+)(?::\d+\(\d+\))?:?\s*(.*)", reason)
    if match is None:
        return f"it is no CIF: {reason}"
    lines = part.splitlines()
    line = lines[int(match[1]) - 1].strip() if 0 < int(match[1]) <= len(lines) else ""
    return f"it is no CIF: {match[2]}" + (f" at {line[:60]!r}" if line else "")


def _failing(reason: str) -> Read:
    def read() -> tuple[Crystal, tuple[str, ...]]:
        raise SourceError(reason)

    return read


def _reader(block: cif.Block) -> Read:
    return lambda: crystal_of_block(block)


@dataclass
class _Verdict:
    """What came of one way to read the symmetry."""

    crystal: Crystal | None = None
    reason: str = ""
    remarks: tuple[str, ...] = field(default_factory=tuple)


def crystal_of_block(block: cif.Block) -> tuple[Crystal, tuple[str, ...]]:
    """The crystal of one block, and remarks on what had to be repaired.

    Raises:
        SourceError: something is missing, cannot be read, or contradicts something else; the message says what.
    """
    lattice, angles = cell_of(block)
    declared = declared_formula(block)
    sites = _sites(block, lattice, angles, declared)
    verdict = _by_symmetry(block, lattice, (float(angles[0]), float(angles[2])), sites, declared)
    if verdict.crystal is None:
        raise SourceError(verdict.reason)
    return verdict.crystal, tuple(remark for remark in (*verdict.remarks, declared.remark) if remark)


def _by_symmetry(
    block: cif.Block,
    lattice: NDArray[np.float64],
    angles_deg: tuple[float, float],
    sites: Sites,
    declared: DeclaredFormula,
) -> _Verdict:
    """Fill the cell by the operators that are listed, or else by the one group that name and formula leave."""
    listed = listed_symmetry(block)
    if listed is not None:
        if not listed.fits(lattice):
            return _Verdict(reason="its symmetry operators do not fit the shape of its cell")
        verdict = _fill(lattice, sites, listed, declared)
        if verdict.crystal is not None and not (declared.amounts and declared.units):
            named = _named_or_none(block, lattice, angles_deg)
            _refuse_contradiction(lattice, sites, listed, named, len(verdict.crystal.atomic_numbers))
        return verdict
    named = named_symmetries(block, lattice, angles_deg)
    if not named:
        return _Verdict(reason="it has no readable symmetry that fits its cell: neither operators nor a space group")
    verdicts = [_fill(lattice, sites, symmetry, declared) for symmetry in named]
    possible = [verdict for verdict in verdicts if verdict.crystal is not None]
    if len(possible) > 1:
        settings = " or ".join(symmetry.source for symmetry in named)
        return _Verdict(reason=f"its origin or axes are open ({settings}), and it lists no symmetry operators")
    return possible[0] if possible else verdicts[0]


def _fill(lattice: NDArray[np.float64], sites: Sites, symmetry: Symmetry, declared: DeclaredFormula) -> _Verdict:
    """Fill the cell and judge what is in it."""
    try:
        crystal, remarks = fill_cell(lattice, sites, symmetry)
    except SourceError as error:
        return _Verdict(reason=str(error))
    found: dict[int, float] = {}
    for z, occupancy in zip(crystal.atomic_numbers.tolist(), crystal.occupancies.tolist(), strict=True):
        found[z] = found.get(z, 0.0) + occupancy
    reason = declared.difference(found) or crystal.why_unusable()
    return _Verdict(reason=reason) if reason else _Verdict(crystal, remarks=remarks)


def _named_or_none(block: cif.Block, lattice: NDArray[np.float64], angles_deg: tuple[float, float]) -> list[Symmetry]:
    """What the names say where operators are listed, too: there an unreadable name says nothing."""
    try:
        return named_symmetries(block, lattice, angles_deg)
    except SourceError:
        return []


def _refuse_contradiction(
    lattice: NDArray[np.float64], sites: Sites, listed: Symmetry, named: list[Symmetry], n_atoms: int
) -> None:
    """Without a formula and its number in the cell, operators and name must at least give the same number of atoms.

    The formula alone does not tell: of rock salt, one site of each element is in the right ratio, too.
    """
    if not named or any(len(symmetry) == len(listed) for symmetry in named):
        return
    try:
        others = [len(fill_cell(lattice, sites, symmetry)[0].atomic_numbers) for symmetry in named]
    except SourceError:
        return
    if n_atoms not in others:
        msg = (
            f"its {len(listed)} symmetry operators give {n_atoms} atoms, its space group gives "
            f"{others[0]}, and no formula with its number in the cell (Z) says which is right"
        )
        raise SourceError(msg)


def _sites(
    block: cif.Block, lattice: NDArray[np.float64], angles_deg: NDArray[np.float64], declared: DeclaredFormula
) -> Sites:
    labels, types = column(block, _LABEL), column(block, _TYPE)
    n = max(len(labels), len(types))
    if n == 0:
        msg = "it has no atom sites"
        raise SourceError(msg)
    if n > READABLE_ATOMS:
        msg = f"it has {n:,} sites, more than the {READABLE_ATOMS:,} that can be read"
        raise SourceError(msg)
    labels, types = labels or types, types or [""] * n
    real = [flag != "dum" for flag in column(block, _STATUS) or [""] * n]
    kept = [i for i in range(n) if real[i]]
    coords = _coordinates(block, lattice, angles_deg, [labels[i] for i in kept], kept)
    texts = column(block, _OCCUPANCY) or [""] * n
    occupancies = np.array([_occupancy(texts[i], labels[i]) for i in kept])
    numbers = [
        atomic_number_of(types[i]) if types[i] else atomic_number_of_label(labels[i], declared.atomic_numbers)
        for i in kept
    ]
    _refuse_attached_hydrogen(block, numbers, declared)
    return Sites([labels[i] for i in kept], np.array(numbers, dtype=np.int64), coords, occupancies)


def _occupancy(text: str, label: str) -> float:
    return 1.0 if not text else number_of(text, f"the occupancy of {label}")


def _coordinates(
    block: cif.Block,
    lattice: NDArray[np.float64],
    angles_deg: NDArray[np.float64],
    labels: list[str],
    kept: list[int],
) -> NDArray[np.float64]:
    """Fractional coordinates of the sites ``kept``, ``(n, 3)``."""
    given = [column(block, tags) for tags in _FRACTIONAL]
    cartesian = not any(any(values) for values in given)
    if cartesian:
        given = [column(block, tags) for tags in _CARTESIAN]
    if not all(given):
        msg = "it has no coordinates of its sites"
        raise SourceError(msg)
    coords = np.array(
        [
            [number_of(values[i], f"a coordinate of {label}") for values in given]
            for i, label in zip(kept, labels, strict=True)
        ]
    ).reshape(-1, 3)
    return coords @ _from_cartesian(block, lattice, angles_deg) if cartesian else coords


def _from_cartesian(
    block: cif.Block, lattice: NDArray[np.float64], angles_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What turns Cartesian coordinates into fractional ones: as the block says, or plain where all angles are 90°."""
    given = [column(block, (tag,)) for tag in _TO_FRACTIONAL]
    if all(given):
        return np.array([number_of(values[0], "a transformation") for values in given]).reshape(3, 3).T
    if np.allclose(angles_deg, _RIGHT_ANGLE_DEG, atol=1e-3):
        return np.diag(1 / np.linalg.norm(lattice, axis=1))
    msg = "its coordinates are Cartesian, in a cell without right angles, and it does not say along which axes"
    raise SourceError(msg)


def _refuse_attached_hydrogen(block: cif.Block, numbers: list[int], declared: DeclaredFormula) -> None:
    """Hydrogen that is counted at other atoms, and has no site: another compound would come of it."""
    attached = [text for text in column(block, _ATTACHED) if text not in ("", "0")]
    if attached and not declared.amounts and 1 not in numbers:
        msg = f"{len(attached)} of its sites have hydrogen attached that has no coordinates"
        raise SourceError(msg)
