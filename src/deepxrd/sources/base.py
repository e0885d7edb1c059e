"""What every source of structures yields, and what it must be able to say of itself."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from deepxrd.chem import Crystal


@dataclass(frozen=True, eq=False)
class StructureRecord:
    """One structure and where it came from.

    Attributes:
        material_id: the source's name for it, unique within the source.
        crystal: the structure.
        formation_energy_per_atom: eV per atom, or None where unknown.
        ground_state: whether the source marks it as the one structure of its composition; None if it does not say.
        provenance: further facts, such as the file it was read from.
        remarks: what had to be repaired or assumed to read it, in words that do not depend on it; mostly nothing.
        energy_above_hull: eV per atom, or None where unknown.
    """

    material_id: str
    crystal: Crystal
    formation_energy_per_atom: float | None = None
    ground_state: bool | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    energy_above_hull: float | None = None

    def __post_init__(self) -> None:
        for name in ("formation_energy_per_atom", "energy_above_hull"):
            energy = getattr(self, name)
            if energy is not None and not math.isfinite(energy):  # "nan" in a table means that nothing is known
                object.__setattr__(self, name, None)


@dataclass(frozen=True)
class ReadFailure:
    """One entry of a source that could not be read.

    Attributes:
        name: the file, row or id.
        reason: why, in words.
    """

    name: str
    reason: str


def reasons_by_name(failures: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Reasons by name, none lost where entries share one: the second ``line 4`` is called ``line 4 (2)``.

    Args:
        failures: name and reason of each entry.
    """
    found: dict[str, str] = {}
    times: Counter[str] = Counter()
    for name, reason in failures:
        own = name
        while own in found:
            times[name] += 1
            own = f"{name} ({times[name] + 1})"
        found[own] = reason
    return found


def why_no_dates(source: object) -> str | None:
    """Why a source cannot say when its entries were made, in words; None if it can, or does not know beforehand."""
    reason: str | None = getattr(source, "no_dates", None)
    return reason


class Source(ABC):
    """Where structures come from.

    Attributes:
        name: a short name for tables and manifests.
        made_up: whether its structures are invented by rules, and so hold nothing of what is known of a compound.
    """

    name: str
    made_up: ClassVar[bool] = False

    @property
    @abstractmethod
    def citation(self) -> str:
        """How to cite the data; empty if there is nothing to cite."""

    def check_place(self) -> None:  # noqa: B027 - a source that cannot tell needs none of its own
        """Find out in no time whether there is anything to read; a source that cannot tell does nothing.

        Raises:
            SourceError: there is nothing at the configured place, or nothing that can be read.
        """

    @abstractmethod
    def fingerprint(self) -> dict[str, str]:
        """What the records are made from, by content hash: equal fingerprints mean equal records.

        Raises:
            SourceError: there is nothing at the configured place.
        """

    @abstractmethod
    def __len__(self) -> int:
        """How many records and failures iteration will yield."""

    @abstractmethod
    def __iter__(self) -> Iterator[StructureRecord | ReadFailure]:
        """Yield the records, and a failure for each entry that cannot be read, in a fixed order."""

    def at(self, positions: Collection[int]) -> Iterator[StructureRecord | ReadFailure]:
        """Yield what iteration yields at some positions, counted from 0, in its order.

        A source that can pass over the others without making anything of them should do so.
        """
        wanted = frozenset(positions)
        return (record for position, record in enumerate(self) if position in wanted)
