"""Which structures a data set holds: numbers of elements, a stoichiometry, one structure per composition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from deepxrd.chem import Formula, OneHotEncoding, StructureLimits, numbers_of_elements, parse_stoichiometry
from deepxrd.data import held_out
from deepxrd.errors import SelectionError, SourceError
from deepxrd.sources import ReadFailure, StructureRecord
from deepxrd.sources.base import reasons_by_name

POLYMORPHS = "another structure of the composition is taken"
"""Why the other structures of a composition are left out."""
_MAX_FAILURES_LISTED = 100
_MAX_REMARKS_LISTED = 50  # a library's warnings may name what they are about


@dataclass(frozen=True)
class Selection:
    """What is taken from a source.

    Attributes:
        n_elements: how many elements a composition must have, one number or several; None for any number.
        stoichiometry: such as ``ABC3``, see :func:`deepxrd.chem.parse_stoichiometry`; None for all.
        box: a one-hot that compositions must fit in, as in the paper's two data sets; None for any elements and counts.
    """

    n_elements: int | tuple[int, ...] | None = 3
    stoichiometry: str | None = None
    box: OneHotEncoding | None = None

    def __post_init__(self) -> None:
        numbers = numbers_of_elements(self.n_elements)
        object.__setattr__(self, "n_elements", numbers[0] if numbers and len(numbers) == 1 else numbers)
        if self.stoichiometry is not None:
            parsed = parse_stoichiometry(self.stoichiometry)
            parsed.check_elements(self.n_elements)
            object.__setattr__(self, "stoichiometry", parsed.name)

    def why_not(self, formula: Formula) -> str | None:
        """Why a composition is left out, in words that do not depend on it; None if it is taken."""
        numbers = numbers_of_elements(self.n_elements)
        if numbers is not None and len(formula.counts) not in numbers:
            return f"not {_joined(numbers)} elements"
        if self.stoichiometry is not None and formula.anonymous != self.stoichiometry:
            return f"stoichiometry is not {self.stoichiometry}"
        return None if self.box is None else self.box.why_outside(formula)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as hashed and written into manifests; the box stands beside them there."""
        n_elements = list(self.n_elements) if isinstance(self.n_elements, tuple) else self.n_elements
        return {"n_elements": n_elements, "stoichiometry": self.stoichiometry}


@dataclass
class Selected:
    """What a selection took, and what it left out.

    Attributes:
        positions: places of the taken records in the source's order, by composition; in the order of compositions.
        excluded: how many records were left out, by reason.
        failures: entries that could not be read.
        remarks: how many records were repaired or read with an assumption, by what it was.
        n_read: entries of the source.
    """

    positions: dict[str, int] = field(default_factory=dict)
    excluded: Counter[str] = field(default_factory=Counter)
    failures: list[ReadFailure] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)
    n_read: int = 0

    def counts(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return {
            "entries_in_source": self.n_read,
            "taken": len(self.positions),
            "excluded": dict(sorted(self.excluded.items())),
            "unreadable": len(self.failures),
            "unreadable_first": reasons_by_name((f.name, f.reason) for f in self.failures[:_MAX_FAILURES_LISTED]),
            "remarks": dict(self.remarks.most_common(_MAX_REMARKS_LISTED)),
        }


def select(
    records: Iterable[StructureRecord | ReadFailure],
    selection: Selection,
    *,
    refused: frozenset[str] = frozenset(),
    max_failed_share: float = 0.05,
    limits: StructureLimits | None = None,
) -> Selected:
    """Choose one structure per composition.

    Of several structures of a composition, the one that the source marks as ground state is taken; where none is
    marked, the lowest known formation energy; where none is known, the first id in alphabetical order.

    Args:
        records: what a source yields.
        selection: which compositions.
        refused: reduced formulas that are not taken, see `deepxrd.data.held_out`.
        max_failed_share: the run stops if more than this share of the entries cannot be read.
        limits: structures beyond them count as entries that cannot be read; None for the usual ones.

    Raises:
        SourceError: the source is empty, or too much of it cannot be read.
        SelectionError: nothing is left; the message says what there is.
    """
    result, limits = Selected(), limits or StructureLimits()
    best: dict[str, tuple[tuple[bool, bool, float, str], int]] = {}
    seen: Counter[str] = Counter()
    for position, record in enumerate(records):
        result.n_read += 1
        if isinstance(record, ReadFailure):
            result.failures.append(record)
            continue
        if (reason := limits.why_not(record.crystal)) is not None:
            result.failures.append(ReadFailure(record.material_id, reason))
            continue
        result.remarks.update(record.remarks)
        formula = record.crystal.formula
        seen[formula.anonymous] += 1
        reason = selection.why_not(formula) or (held_out.REASON if formula.reduced in refused else None)
        if reason is not None:
            result.excluded[reason] += 1
            continue
        rank = _rank(record)
        known = best.get(formula.reduced)
        if known is not None:
            result.excluded[POLYMORPHS] += 1
        if known is None or rank < known[0]:
            best[formula.reduced] = (rank, position)
    _refuse_broken_source(result, max_failed_share)
    if not best:
        raise SelectionError(_nothing_left(selection, seen, n_refused=result.excluded[held_out.REASON]))
    result.positions = {composition: best[composition][1] for composition in sorted(best)}
    return result


def _rank(record: StructureRecord) -> tuple[bool, bool, float, str]:
    """Sort key of the structures of one composition, best first."""
    energy = record.formation_energy_per_atom
    return (not record.ground_state, energy is None, 0.0 if energy is None else energy, record.material_id)


def _joined(numbers: tuple[int, ...] | None) -> str:
    return "any number of" if numbers is None else " or ".join(map(str, numbers))


def _refuse_broken_source(result: Selected, max_failed_share: float) -> None:
    if result.n_read == 0:
        msg = "the source holds no entries"
        raise SourceError(msg)
    failed = len(result.failures)
    if failed > max_failed_share * result.n_read:
        first = "; ".join(f"{f.name}: {f.reason}" for f in result.failures[:5])
        msg = (
            f"{failed} of {result.n_read} entries cannot be read, more than the share of {max_failed_share:g} that "
            f"build.max_failed_share allows. First: {first}"
        )
        raise SourceError(msg)


def _nothing_left(selection: Selection, seen: Counter[str], *, n_refused: int) -> str:
    there = ", ".join(f"{name} ({n})" for name, n in seen.most_common(8)) or "nothing readable"
    wanted = selection.stoichiometry or f"{_joined(numbers_of_elements(selection.n_elements))} elements"
    box = "" if selection.box is None else " within the encoding"
    if n_refused:
        return f"all {n_refused} samples of {wanted}{box} are {held_out.REASON}; most frequent there: {there}"
    return f"the source has no sample of {wanted}{box}; most frequent there: {there}"
