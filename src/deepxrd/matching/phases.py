"""What a scan is compared with: known structures and predicted ones, as one kind of value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepxrd.chem import Crystal, Formula
from deepxrd.library import Libraries, SourceFacts
from deepxrd.library.tables import Index

COMPUTED_STRAIN, COMPUTED_DOUBT = -0.008, 0.012
"""Measured cells against computed ones: mean of the relative difference of lengths, and how far it strays."""
UNKNOWN_HULL, MOST_HULL = 0.15, 0.3
"""Energy above the hull where it is unknown, and above which it tells no more; eV per atom."""
_NAMED_HULL = 0.03
"""The same of a solid solution, which only a person names: what was made is more stable than what is unknown."""
PREDICTED = "predicted"
_GASES = frozenset({"H", "He", "N", "O", "F", "Ne", "Cl", "Ar", "Kr", "Xe", "Rn"})
_MOST_GASES = 2  # elements of a compound of gases that is none at room temperature: NH4Cl has three


@dataclass(frozen=True, eq=False)
class PhaseToTry:
    """A structure that a scan may hold.

    Attributes:
        formula: what it is.
        crystal: its primitive cell, in the orientation of `deepxrd.chem.lattice_from_parameters`.
        setting: the space group whose standard setting the cell is in; its operations leave the crystal as it is.
        space_group: number that a user is told; of a library's entries that found at 0.01 Å.
        material_id: the source's name for it, or `PREDICTED` with its place among the candidates of the formula.
        source: where the structure comes from; None for a predicted one.
        energy_above_hull: eV per atom, None where unknown.
        probability: that the formula has this structure, for a predicted one; 1 for a known one.
        strain: expected relative difference of the measured lengths from the cell's.
        doubt: standard deviation of that.
        held_out: whether it may be shown to users and used for nothing else.
        typed: as a person wrote the formula; empty where nobody did.
        moved_angstrom: within which sites were moved to where a higher symmetry has them; 0 where none were.
    """

    formula: Formula
    crystal: Crystal
    setting: int
    space_group: int
    material_id: str
    source: SourceFacts | None = None
    energy_above_hull: float | None = None
    probability: float = 1.0
    strain: float = COMPUTED_STRAIN
    doubt: float = COMPUTED_DOUBT
    held_out: bool = False
    typed: str = ""
    moved_angstrom: float = 0.0

    @property
    def entry(self) -> tuple[object, ...]:
        """What tells an entry from all others: with its slight distortion and without it, it is one."""
        return self.formula, self.material_id, self.source

    @property
    def is_known(self) -> bool:
        """Whether somebody has published the structure."""
        return self.source is not None

    @property
    def is_gas(self) -> bool:
        """Whether it is a gas or a liquid at room temperature by its elements: oxygen, water, ammonia, CO2."""
        elements = set(self.formula.elements)
        return (elements <= _GASES and len(elements) <= _MOST_GASES) or str(self.formula) in {"CO", "CO2", "SO2"}

    @property
    def hull(self) -> float:
        """Energy above the hull as it counts, eV per atom."""
        unknown = _NAMED_HULL if self.formula.is_mixed else UNKNOWN_HULL
        energy = unknown if self.energy_above_hull is None else self.energy_above_hull
        return float(min(max(energy, 0.0), MOST_HULL))


def known_phases_of_elements(libraries: Libraries, elements: Sequence[str]) -> list[PhaseToTry]:
    """All phases of some elements and of fewer of them, gases and liquids at room temperature left out.

    Raises:
        LibraryError: a symbol is no element.
    """
    found = libraries.find_elements(elements)
    return [phase for phase in _to_try(libraries, found.part, found.rows) if not phase.is_gas]


def known_phases_of_formulas(libraries: Libraries, formulas: Sequence[tuple[str, Formula]]) -> list[PhaseToTry]:
    """All phases of some formulas, each with what was typed."""
    out: list[PhaseToTry] = []
    for typed, formula in formulas:
        found = libraries.find_formula(formula)
        out += [replace(phase, typed=typed) for phase in _to_try(libraries, found.part, found.rows)]
    return out


def _to_try(libraries: Libraries, part: Index, rows: Index) -> list[PhaseToTry]:
    out = []
    for number, library in enumerate(libraries.libraries):
        some = rows[part == number]
        formulas, groups = library.formulas(some), library.space_groups(some).tolist()
        columns = zip(
            formulas,
            library.crystals(some),
            library.settings(some).tolist(),
            groups,
            library.ids(some),
            library.sources_of(some),
            known_energies(formulas, groups, library.energies_above_hull(some).tolist()),
            library.held_out(some).tolist(),
            strict=True,
        )
        out += [
            PhaseToTry(
                formula,
                crystal,
                setting,
                space_group,
                material_id,
                source,
                energy,
                held_out=held_out,
            )
            for formula, crystal, setting, space_group, material_id, source, energy, held_out in columns
        ]
    return out


def known_energies(
    formulas: Sequence[Formula], space_groups: Sequence[int], energies: Sequence[float]
) -> list[float | None]:
    """Energies above the hull; where one is unknown, the least of the same formula and space group; else None.

    Energies were joined to structures by these two alone, and where several structures have both alike, which of them
    has the energy is chance.

    Args:
        formulas: of structures, ``(n,)``.
        space_groups: ``(n,)``.
        energies: eV per atom, not a number where unknown, ``(n,)``.
    """
    keys = list(zip(formulas, space_groups, strict=True))
    least: dict[tuple[Formula, int], float] = {}
    for key, energy in zip(keys, energies, strict=True):
        if not np.isnan(energy):
            least[key] = min(energy, least.get(key, np.inf))
    return [least.get(key) if np.isnan(own) else own for key, own in zip(keys, energies, strict=True)]
