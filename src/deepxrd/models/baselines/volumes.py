"""Volumes as sums over atoms: by what factor a cell grows when its elements are exchanged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from deepxrd.chem import ATOMIC_NUMBERS, Crystal, Formula
from deepxrd.chem.element_distance import element_distances


class AdditiveVolumes:
    """A volume per element, Å^3, such that sums over a formula's atoms come near to true volumes.

    The volumes v ≥ 0 minimise Σ_i (Σ_e n_ie v_e / V_i − 1)² over the compositions i, n_ie the atoms of element e in the
    reduced formula and V_i the volume of one formula unit (non-negative least squares, Lawson & Hanson). The errors are
    relative, since it is ratios of volumes that are wanted; and since a few cells of the Materials Project hold mostly
    vacuum (1,385 Å^3 an atom): with absolute errors they alone decide, and scaled structures are far worse than those
    left as they are.

    An element that does not occur takes the volume of the nearest that does, by :func:`element_distances`.

    Args:
        formulas: compositions.
        crystals: their structures.
    """

    def __init__(self, formulas: Sequence[Formula], crystals: Sequence[Crystal]) -> None:
        atoms = _atoms(formulas)
        volumes = [formula_unit_volume(crystal, formula) for crystal, formula in zip(crystals, formulas, strict=True)]
        occurring = np.flatnonzero(atoms.any(axis=0))
        solution, _ = nnls(atoms[:, occurring] / np.array(volumes)[:, None], np.ones(len(volumes)))
        stands_in = element_distances()[:, occurring].argmin(axis=1)
        self.volume_angstrom3: NDArray[np.float64] = solution[stands_in]
        """By atomic number, ``(1 + 118,)``."""

    def of(self, formulas: Sequence[Formula]) -> NDArray[np.float64]:
        """Sum over the atoms of each reduced formula, ``(n,)``, Å^3."""
        return np.asarray(_atoms(formulas) @ self.volume_angstrom3)

    def ratio(self, new: Sequence[Formula], old: Sequence[Formula]) -> NDArray[np.float64]:
        """How much larger a formula unit of each new composition is, ``(n,)``; 1 where a sum is zero."""
        above, below = self.of(new), self.of(old)
        known = (above > 0) & (below > 0)
        return np.where(known, above / np.where(known, below, 1.0), 1.0)


def formula_unit_volume(crystal: Crystal, formula: Formula) -> float:
    """Volume of the cell, Å^3, per reduced formula."""
    atoms = sum(count for _, count in formula.counts)
    return crystal.volume * atoms / float(crystal.occupancies.sum())


def _atoms(formulas: Sequence[Formula]) -> NDArray[np.float64]:
    """Atoms of each element in each reduced formula, ``(n, 1 + 118)``, column = atomic number."""
    atoms = np.zeros((len(formulas), 1 + len(ATOMIC_NUMBERS)))
    for row, formula in enumerate(formulas):
        for symbol, count in formula.counts:
            atoms[row, ATOMIC_NUMBERS[symbol]] = count
    return atoms
