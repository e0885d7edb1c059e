"""How large a cell may be: one absurd entry must not take the memory or the time of a whole build."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from deepxrd.chem.crystal import Crystal
from deepxrd.errors import ConfigError


@dataclass(frozen=True)
class StructureLimits:
    """The largest structure that a build takes; larger ones are counted by name and the rest is built.

    The Materials Project (2025.02.12) has at most 688 atoms and 18,369 Å^3 in a cell, and 170,000 reflections of one
    with Cu Kα: all of it passes.

    Attributes:
        max_atoms: atoms in the cell; time and memory of a pattern grow with them.
        max_cell_volume_angstrom3: volume of the cell, Å^3; a larger one is a cell with a wrong length or a vacuum.
        max_reflections: lattice points within the range of a pattern, for one structure at one wavelength.
    """

    max_atoms: int = 2_000
    max_cell_volume_angstrom3: float = 50_000.0
    max_reflections: int = 10_000_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                msg = f"build.{field.name}={value!r}: give a positive number, such as {field.default}"
                raise ConfigError(msg)

    def to_dict(self) -> dict[str, float]:
        """Plain values, as hashed and written into manifests."""
        return asdict(self)

    def why_not(self, crystal: Crystal) -> str | None:
        """Why a structure is too large, in words; None if it is taken."""
        n_atoms = len(crystal.atomic_numbers)
        if n_atoms > self.max_atoms:
            return f"{n_atoms:,} atoms in its cell are more than the {self.max_atoms:,} of build.max_atoms"
        volume = crystal.volume
        if not volume <= self.max_cell_volume_angstrom3:
            largest = f"{self.max_cell_volume_angstrom3:,.0f} Å^3 of build.max_cell_volume_angstrom3"
            return f"its cell of {volume:.3g} Å^3 is larger than the {largest}"
        return None
