"""Formulas, their one-hot encoding, and crystals as plain arrays."""

from deepxrd.chem.crystal import Crystal, lattice_from_parameters
from deepxrd.chem.elements import ATOMIC_NUMBERS, ELECTRONEGATIVITY, SYMBOLS
from deepxrd.chem.encoding import PAPER_ELEMENTS, Encoding, OneHotEncoding
from deepxrd.chem.formula import (
    Formula,
    chemical_systems,
    formula_from_amounts,
    formula_from_atomic_numbers,
    parse_formula,
)
from deepxrd.chem.limits import StructureLimits
from deepxrd.chem.stoichiometry import Stoichiometry, numbers_of_elements, parse_stoichiometry
from deepxrd.chem.typed_formula import parse_typed_formula

__all__ = [
    "ATOMIC_NUMBERS",
    "ELECTRONEGATIVITY",
    "PAPER_ELEMENTS",
    "SYMBOLS",
    "Crystal",
    "Encoding",
    "Formula",
    "OneHotEncoding",
    "Stoichiometry",
    "StructureLimits",
    "chemical_systems",
    "formula_from_amounts",
    "formula_from_atomic_numbers",
    "lattice_from_parameters",
    "numbers_of_elements",
    "parse_formula",
    "parse_stoichiometry",
    "parse_typed_formula",
]
