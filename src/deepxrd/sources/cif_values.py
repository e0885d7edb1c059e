"""Values of a CIF block as text and numbers; ``?`` and ``.`` are no values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from deepxrd.chem import lattice_from_parameters
from deepxrd.errors import SourceError

_LENGTHS = tuple((f"_cell_length_{axis}", f"_cell.length_{axis}") for axis in "abc")
_ANGLES = tuple((f"_cell_angle_{name}", f"_cell.angle_{name}") for name in ("alpha", "beta", "gamma"))


def text_of(block: cif.Block, tags: Sequence[str]) -> str:
    """The value of the first of the tags that has one; empty if none has."""
    for tag in tags:
        value = block.find_value(tag)
        if value is not None and not cif.is_null(value):
            return " ".join(cif.as_string(value).split())
        for each in block.find_loop(tag):  # a single value may stand in a loop
            if not cif.is_null(each):
                return " ".join(cif.as_string(each).split())
    return ""


def column(block: cif.Block, tags: Sequence[str]) -> list[str]:
    """The values of the first of the tags that is there; missing values are empty."""
    for tag in tags:
        values = block.find_values(tag)
        if len(values):
            return ["" if cif.is_null(value) else cif.as_string(value).strip() for value in values]
    return []


def number_of(text: str, name: str) -> float:
    """A number, its standard uncertainty in brackets left out.

    Raises:
        SourceError: it is none.
    """
    value = float(cif.as_number(text)) if text else math.nan
    if not math.isfinite(value):
        msg = f"{name} is {text!r}, which is no number" if text else f"{name} is missing"
        raise SourceError(msg)
    return value


def cell_of(block: cif.Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell vectors ``(3, 3)`` in Å, and the angles alpha, beta, gamma in degrees.

    Raises:
        SourceError: a length or an angle is missing, or there is no such cell.
    """
    lengths = np.array([number_of(text_of(block, tags), tags[0]) for tags in _LENGTHS])
    angles = np.array([number_of(text_of(block, tags) or "", tags[0]) for tags in _ANGLES])
    if lengths.min() <= 0 or angles.min() <= 0 or angles.max() >= 180:  # noqa: PLR2004 - degrees
        msg = f"no cell has the lengths {lengths.tolist()} Å and the angles {angles.tolist()}°"
        raise SourceError(msg)
    lattice = lattice_from_parameters(lengths[None], angles[None])[0]
    if not np.isfinite(lattice).all():
        msg = f"no cell has the angles {angles.tolist()}°"
        raise SourceError(msg)
    return lattice, angles


def has_structure(block: cif.Block) -> bool:
    """Whether a block means to hold a structure: it gives a cell, or atoms."""
    tags = (*_LENGTHS[0], "_atom_site_label", "_atom_site_type_symbol", "_atom_site_fract_x", "_atom_site_Cartn_x")
    return any(len(block.find_values(tag)) for tag in tags)
