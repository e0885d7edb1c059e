"""How much of a thing may be asked for, in one place: settings, options and formulas are held to the same bounds.

Beyond them a value is most likely a slip, such as a wavelength in nm, or needs more than a machine has. How large a
structure may be is a setting of its own, see `deepxrd.chem.limits`.
"""

from __future__ import annotations

WAVELENGTH_ANGSTROM = (0.05, 5.0)
"""What diffraction is done with."""

TWO_THETA_DEG = (0.0, 180.0)
"""From the direct beam to full backscattering."""

POINTS = (2, 1_000_000)
"""Of a pattern: from its two ends to a point every 0.0002°."""

FORMULA_CHARACTERS = 1_000
"""Of a formula, at most: far more than any has, and little enough that a cell of a broken table costs nothing."""

FORMULA_DIGITS = 12
"""Of one number in a formula, at most."""

FORMULA_ATOMS = 1_000_000
"""Of a reduced formula, at most."""
