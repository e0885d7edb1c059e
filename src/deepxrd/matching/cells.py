"""From refined strains to the cell that a person reads, and to a structure in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.library.asymmetric import cell_parameters
from deepxrd.library.space_groups import crystal_family, space_group
from deepxrd.matching.model import STRAIN
from deepxrd.matching.phases import PhaseToTry
from deepxrd.matching.reflections import strain_basis

Floats = NDArray[np.float64]


def refined_crystal(phase: PhaseToTry, parameters: Floats) -> Crystal:
    """The primitive cell at its refined strains; sites stay where they are in units of the cell."""
    return replace(phase.crystal, lattice=phase.crystal.lattice @ _stretch(phase.setting, parameters))


def refined_cell(phase: PhaseToTry, parameters: Floats) -> Floats:
    """a, b, c in Å, alpha, beta, gamma in degrees of the conventional cell, ``(6,)``."""
    conventional = (
        np.linalg.inv(space_group(phase.setting).primitive_basis) @ refined_crystal(phase, parameters).lattice
    )
    return cell_parameters(conventional)


def _stretch(setting: int, parameters: Floats) -> Floats:
    """What the strains make of vectors, ``(3, 3)``.

    Of reciprocal vectors g the squared length is refined as ``g (1 - 2 e) g``, so vectors of the cell are stretched by
    the inverse square root of ``1 - 2 e``.
    """
    basis = strain_basis(crystal_family(setting))
    strain = np.einsum("p,pij->ij", parameters[STRAIN : STRAIN + len(basis)], basis)
    values, vectors = np.linalg.eigh(np.eye(3) - 2 * strain)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)
