"""Phases that are known of a formula: from libraries of structures, with patterns for a laboratory's settings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.errors import ConfigError
from deepxrd.library import SHIPPED, AsymmetricUnit, Libraries, Phase
from deepxrd.models.predictions import Predictions
from deepxrd.xrd import XrdSettings, parse_radiation, simulate

if TYPE_CHECKING:
    from deepxrd.prediction.predictor import PatternPredictor  # imports torch, which takes a second

LABORATORY = XrdSettings(two_theta_min_deg=5.0, two_theta_max_deg=90.0, n_points=4251, sigma_deg=0.0425)
"""What a laboratory sees: Cu Kα, 5 to 90°, a point every 0.02°, lines of a full width of 0.1° at half maximum."""
PAPER = XrdSettings()
"""The paper's setting: Cu Kα, 0 to 180°, 1024 points, σ = 0.5°."""
_SAME_ENERGY = 0.002  # eV per atom
_STEPS_PER_WIDTH = 5  # grid points per full width at half maximum, so that a line keeps its shape
_NARROWEST_DEG, _WIDEST_DEG = 0.001, 20.0  # the narrowest has 425,000 points between 5 and 90°
_FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True, eq=False)
class KnownPhases:
    """The phases of one formula, the most stable first.

    Attributes:
        phases: what is known of each.
        units: their structures by symmetry.
        patterns: ``(n_phases, n_points)`` float32, largest = 100.
        failures: of each, None, or why its pattern is zero.
        xrd: settings of the patterns.
    """

    phases: list[Phase]
    units: list[AsymmetricUnit]
    patterns: NDArray[np.float32]
    failures: list[str | None]
    xrd: XrdSettings


def view(
    *,
    radiation: str | None = None,
    range_deg: tuple[float, float] | None = None,
    width_deg: float | None = None,
    paper: bool = False,
) -> XrdSettings:
    """Settings of patterns for a laboratory, or the paper's.

    Args:
        radiation: see `deepxrd.xrd.parse_radiation`; Cu Kα by default.
        range_deg: first and last 2θ, degrees.
        width_deg: full width of a line at half maximum, degrees 2θ.
        paper: whether to begin with the paper's setting instead of a laboratory's.

    Raises:
        ConfigError: a value makes no sense.
    """
    base = PAPER if paper else LABORATORY
    first, last = range_deg or (base.two_theta_min_deg, base.two_theta_max_deg)
    if not 0 <= first < last <= 180:  # noqa: PLR2004
        msg = f"a 2θ range of {first:g} to {last:g}°: give the lower angle first, both from 0 to 180°"
        raise ConfigError(msg)
    if width_deg is not None and not _NARROWEST_DEG <= width_deg <= _WIDEST_DEG:
        msg = f"lines of a width of {width_deg:g}°: give a width from {_NARROWEST_DEG:g} to {_WIDEST_DEG:g}° in 2θ"
        raise ConfigError(msg)
    if radiation is not None:
        base = replace(base, radiation=parse_radiation(radiation).mean_angstrom)
    if range_deg is None and width_deg is None:
        return base
    sigma = base.sigma_deg if width_deg is None else width_deg / _FWHM_PER_SIGMA
    step = base.step if width_deg is None else width_deg / _STEPS_PER_WIDTH
    n_points = 1024 if paper and width_deg is None else max(2, round((last - first) / step) + 1)
    return replace(base, two_theta_min_deg=first, two_theta_max_deg=last, n_points=n_points, sigma_deg=sigma)


def known_phases(libraries: Libraries, formula: Formula, xrd: XrdSettings, *, most: int | None = None) -> KnownPhases:
    """Phases of a formula in some libraries, the most stable first, with their patterns.

    Args:
        libraries: where phases are looked for.
        formula: of the phases.
        xrd: settings of the patterns.
        most: phases; None for all. Silica has hundreds, whose patterns take a second.
    """
    found = libraries.find_formula(formula)
    if most is not None and len(found) > most:
        found = found.take(sorted(by_stability(found.phases())[:most]))
    phases, units, crystals = found.phases(), found.asymmetric_units(), found.crystals()
    order = by_stability(phases)
    patterns, failures = simulate([crystals[i] for i in order], xrd)
    return KnownPhases([phases[i] for i in order], [units[i] for i in order], patterns, failures, xrd)


def by_stability(phases: Sequence[Phase]) -> list[int]:
    """Places of phases, the most stable first, those of unknown energy last.

    Energies within `_SAME_ENERGY` of the lowest that is left cannot be told apart from it; of such phases the most
    symmetric comes first, since it is the one that warmth favours, as with SrTiO3.
    """
    energy = [np.inf if each.energy_above_hull is None else each.energy_above_hull for each in phases]
    lowest, level = -np.inf, dict[int, float]()
    for place in sorted(range(len(phases)), key=energy.__getitem__):
        if energy[place] > lowest + _SAME_ENERGY:
            lowest = energy[place]
        level[place] = lowest
    return sorted(level, key=lambda place: (level[place], -phases[place].space_group))


class WithKnownPhases:
    """A predictor that also says, in columns, which phases of each formula are known.

    Args:
        predictor: what predicts.
        libraries: where phases are looked for.
    """

    def __init__(self, predictor: PatternPredictor, libraries: Libraries) -> None:
        self._predictor, self._libraries = predictor, libraries

    @property
    def xrd(self) -> XrdSettings:
        """Radiation, range and width of the patterns."""
        return self._predictor.xrd

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that its answers depend on."""
        made_from = [str(library.header.get("built_from")) for library in self._libraries.libraries]
        return hashlib.sha256("\n".join([self._predictor.fingerprint, *made_from]).encode()).hexdigest()

    def check(self, formula: str) -> Formula:
        """Parse a formula; FormulaError if it cannot be predicted."""
        return self._predictor.check(formula)

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        """What the predictor says; and ``known_phases``, with id, space group and energy of the most stable one."""
        said = self._predictor.predict(formulas)
        found = [self._libraries.find_formula(formula).phases() for formula in formulas]
        first = [phases[by_stability(phases)[0]] if phases else None for phases in found]
        energies = [None if phase is None else phase.energy_above_hull for phase in first]
        columns: dict[str, NDArray[np.generic]] = {
            "known_phases": np.array([len(phases) for phases in found], dtype=np.int32),
            "known_id": np.array([phase.material_id if phase else "" for phase in first], dtype=str),
            "known_space_group": np.array([phase.space_group if phase else 0 for phase in first], dtype=np.int32),
            "known_energy_above_hull": np.array(
                [np.nan if each is None else each for each in energies], dtype=np.float32
            ),
        }
        return replace(said, columns={**said.columns, **columns})


def open_libraries(paths: Sequence[Path] = ()) -> Libraries:
    """The libraries that a user names, and after them the one that comes with the package.

    Raises:
        LibraryError: one of them is missing or damaged.
    """
    return Libraries.open([*paths, SHIPPED])
