"""Structures kept compactly: found by formula, by elements, by prototype; memory-mapped."""

from pathlib import Path

from deepxrd.library.asymmetric import AsymmetricUnit
from deepxrd.library.cif import cif_text
from deepxrd.library.library import Library, Phase, SourceFacts
from deepxrd.library.prototype import Prototype
from deepxrd.library.several import Found, Libraries
from deepxrd.library.symmetry import find_asymmetric_unit

SHIPPED = Path(__file__).parent / "shipped" / "materials_project.dxl"
"""The library that comes with the package; see the card there."""

__all__ = [
    "SHIPPED",
    "AsymmetricUnit",
    "Found",
    "Libraries",
    "Library",
    "Phase",
    "Prototype",
    "SourceFacts",
    "cif_text",
    "find_asymmetric_unit",
]
