"""Structures with their reflections, ready to be tried on a scan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from deepxrd.chem.symmetry import SAID_TOLERANCES
from deepxrd.library.space_groups import crystal_family
from deepxrd.library.symmetry import find_asymmetric_unit, quiet_moyo
from deepxrd.matching.observed import Observed
from deepxrd.matching.phases import PhaseToTry
from deepxrd.matching.reflections import Reflections, reflections, strain_basis

_NEARLY_ANGSTROM = SAID_TOLERANCES[0][0]
_REACH = 1.06  # of the scan's largest 1/d: a cell may turn out larger


@dataclass(frozen=True, eq=False)
class Candidate:
    """A structure with its reflections, ready to be tried.

    Attributes:
        phase: the structure.
        reflections: in the range of the scan.
    """

    phase: PhaseToTry
    reflections: Reflections


def candidates_for(observed: Observed, phases: Iterable[PhaseToTry]) -> list[Candidate]:
    """Structures with their reflections in the range of a scan; those that have none there are left out."""
    nearest = float(observed.x[0]) / _REACH / max(ratio for ratio, _ in observed.lines)
    made = (Candidate(each, _reflections_of(each, _reach(observed), observed.wavelength_angstrom)) for each in phases)
    return [each for each in made if (each.reflections.q > nearest**2).any()]


@lru_cache(maxsize=1024)
def _reflections_of(phase: PhaseToTry, d_inverse_max: float, wavelength_angstrom: float) -> Reflections:
    """Kept for the next scan of a series, which mostly has the same range; some 50 MB at most."""
    return reflections(
        phase.crystal, phase.setting, d_inverse_max=d_inverse_max, wavelength_angstrom=wavelength_angstrom
    )


def symmetrised(observed: Observed, candidate: Candidate) -> list[Candidate]:
    """A known structure with the symmetry that it has within 0.1 Å, where its cell then has fewer free strains.

    What a calculation has distorted by less, such as spinels whose charges it orders, is mostly met undistorted.

    Returns:
        One structure, or none.
    """
    if not candidate.phase.is_known:
        return []
    return list(_symmetrised(candidate.phase, _reach(observed), observed.wavelength_angstrom))


@lru_cache(maxsize=1024)
def _symmetrised(phase: PhaseToTry, reach: float, wavelength_angstrom: float) -> tuple[Candidate, ...]:
    """Kept as `_reflections_of` are, and so that it is the same one wherever it is asked for."""
    with quiet_moyo():
        unit = find_asymmetric_unit(phase.crystal, symprec_angstrom=_NEARLY_ANGSTROM)
    if unit is None or _n_strains(unit.space_group) >= _n_strains(phase.setting):
        return ()
    number = unit.space_group
    higher = replace(
        phase, crystal=unit.to_crystal(), setting=number, space_group=number, moved_angstrom=_NEARLY_ANGSTROM
    )
    made = reflections(higher.crystal, number, d_inverse_max=reach, wavelength_angstrom=wavelength_angstrom)
    return (Candidate(higher, made),)


def _n_strains(number: int) -> int:
    """Strains that the symmetry of a space group leaves free."""
    return len(strain_basis(crystal_family(number)))


def _reach(observed: Observed) -> float:
    """The largest 1/d, 1/Å, of a reflection that may be in the range of a scan."""
    return _REACH * float(observed.x[-1]) / min(ratio for ratio, _ in observed.lines)
