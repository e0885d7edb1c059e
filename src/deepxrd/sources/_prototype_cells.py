"""The cells of the built-in source: ions put into the prototypes of pymatgen's AFLOW library.

Each prototype has its own way from radii to a cell, because what sets the size differs:

* perovskites: the pseudocubic edge, the cube root of the volume per formula, lies between what the two bonds ask for,
  ``a = 2/3 · 2 (r_B + r_X) + 1/3 · √2 (r_A + r_X)`` with sixfold radii. That a is linear in both sums is the finding
  of R. Ubic, J. Am. Ceram. Soc. 90, 3326 (2007); the weights here are round numbers of our own, which leave about 1 %
  for oxides, fluorides and heavy halides alike, where B–X bonds alone come out 8 % too long in CsPbI3.
* GdFeO3 type: on top of that the octahedra turn. For rigid ones 1 − t grows with the square of the angle, so the
  displacements of X in CaTiO3 are multiplied by ``s = √((1 − t) / (1 − t(CaTiO3)))``. Those of A and the strains follow
  the product of two tilts, hence s². Coordinates of GdFeO3 come out within 0.02 of the measured ones.
* ilmenite and LiNbO3 types: scaled so that the mean of the A–X and B–X bonds is the mean of the sums of radii.
* calcite: B–O is the sum of radii and AO6 a regular octahedron; this settles a, c and the position of oxygen.
* KClO3: scaled by the distance from A to the middle of the oxyanion, whose bonds are the sum of radii.
* BaNiO3: not in the library. It is built as hexagonal close packing of AX3 layers (P6_3/mmc, Z = 2), with a halfway
  between what A–X and B–X ask for, and c = 2.5 (r_B + r_X): in a regular chain of octahedra that share faces it would
  be 4/√3 = 2.31, but neighbouring B repel (BaNiO3, BaMnO3 and CsNiF3 have 2.5 to 2.6, CsNiCl3 and CsMgBr3 2.4).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Crystal
from deepxrd.errors import SourceError
from deepxrd.sources import _perovskite_rules as rules
from deepxrd.sources._perovskite_rules import Compound, Ion

Array = NDArray[np.float64]

# (AFLOW label, A, B) of the entry; the label alone is shared by calcite and a form of LiNbO3
_ENTRIES: dict[str, tuple[str, str, str]] = {
    rules.CUBIC: ("AB3C_cP5_221_a_c_b", "Ca", "Ti"),
    rules.ORTHORHOMBIC: ("AB3C_oP20_62_c_cd_a", "Ca", "Ti"),
    rules.TETRAGONAL: ("A3BC_tP5_99_bc_a_b", "Pb", "Zr"),
    rules.ILMENITE: ("AB3C_hR10_148_c_f_c", "Fe", "Ti"),
    rules.LITHIUM_NIOBATE: ("ABC3_hR10_161_a_a_b", "Li", "Nb"),
    rules.CALCITE: ("ABC3_hR10_167_a_b_e", "Ca", "C"),
    rules.CHLORATE: ("ABC3_mP10_11_e_e_ef", "K", "Cl"),
}
_A, _B, _X = 0, 1, 2
_MAX_TILT = 2.2  # times that of CaTiO3, or 25–30°; beyond it A and X would collide
_CHAIN_PERIOD = 2.5  # c over the B–X bond in the BaNiO3 type
_IMAGES = np.array(list(product((-1, 0, 1), repeat=3)), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Template:
    """A primitive cell of the library.

    Attributes:
        label: AFLOW's label of the prototype.
        lattice: rows are the cell vectors, ``(3, 3)``, Å.
        roles: 0, 1 or 2 for the sites of A, B and X, ``(n_sites,)``.
        frac_coords: ``(n_sites, 3)``.
    """

    label: str
    lattice: Array
    roles: NDArray[np.int64]
    frac_coords: Array

    def neighbours(self, role: int) -> Array:
        """Vectors from each site of A or B to every X around it, nearest first, ``(n_role, n_neighbours, 3)``, Å."""
        gaps = self.frac_coords[self.roles == _X][None] - self.frac_coords[self.roles == role][:, None]
        vectors = ((gaps[:, :, None] + _IMAGES) @ self.lattice).reshape(len(gaps), -1, 3)
        order = np.argsort(np.linalg.norm(vectors, axis=-1), axis=1, kind="stable")
        return np.take_along_axis(vectors, order[..., None], axis=1)

    def mean_bond_angstrom(self, role: int) -> float:
        """Mean of the six shortest distances from A or B to X, Å."""
        return float(np.linalg.norm(self.neighbours(role)[:, :6], axis=-1).mean())


def load_templates() -> dict[str, Template]:
    """The prototypes of pymatgen's AFLOW library that the rules name.

    The file is read here, since importing ``pymatgen.analysis.prototypes`` decodes all 288 entries and takes 3 s.

    Raises:
        SourceError: this pymatgen has no such library, or an entry is missing from it.
    """
    spec = find_spec("pymatgen.analysis.prototypes")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    file = next((path for folder in folders if (path := Path(folder, "aflow_prototypes.json.gz")).is_file()), None)
    if file is None:
        msg = (
            f"pymatgen's aflow_prototypes.json.gz is not in {folders or 'pymatgen.analysis.prototypes'};"
            " install pymatgen>=2026.3, or take another source, such as source=files"
        )
        raise SourceError(msg)
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        entries: list[dict[str, Any]] = json.load(stream)
    return {name: _template(entries, *entry, file) for name, entry in _ENTRIES.items()}


def build_crystal(compound: Compound, templates: dict[str, Template]) -> Crystal:
    """The cell of a compound by the rules at the head of this module."""
    if compound.prototype == rules.HEXAGONAL:
        lattice, roles, frac_coords = _hexagonal(compound)
    else:
        template = templates[compound.prototype]
        roles = template.roles
        lattice, frac_coords = _SHAPES[compound.prototype](template, compound)
    numbers = np.array([ATOMIC_NUMBERS[ion.symbol] for ion in (compound.a, compound.b, compound.x)], dtype=np.int64)
    return Crystal(lattice, numbers[roles], frac_coords % 1.0, np.ones(len(roles)))


def pseudocubic_edge_angstrom(compound: Compound) -> float:
    """Cube root of the volume per formula of a perovskite, Å; see the head of this module."""
    r_x = compound.x.radius()
    return (4 * (compound.b.radius() + r_x) + sqrt(2) * (compound.a.radius() + r_x)) / 3


def _template(entries: list[dict[str, Any]], label: str, a: str, b: str, file: Path) -> Template:
    for entry in entries:
        sites = entry["snl"]["sites"]
        symbols = [site["species"][0]["element"] for site in sites]
        if entry["tags"]["aflow"] == label and {a, b} < set(symbols):
            return Template(
                label,
                np.array(entry["snl"]["lattice"]["matrix"], dtype=np.float64),
                np.array([{a: _A, b: _B}.get(symbol, _X) for symbol in symbols], dtype=np.int64),
                np.array([site["abc"] for site in sites], dtype=np.float64),
            )
    msg = f"no prototype {label} of {a} and {b} in {file}; install the pymatgen that constraints.txt names"
    raise SourceError(msg)


def _perovskite(template: Template, compound: Compound) -> tuple[Array, Array]:
    """The prototype with the volume of the pseudocubic edge."""
    volume = (template.roles == _B).sum() * pseudocubic_edge_angstrom(compound) ** 3
    return _with_volume(template.lattice, float(volume)), template.frac_coords


def _tilted_perovskite(template: Template, compound: Compound) -> tuple[Array, Array]:
    """The GdFeO3 type, octahedra turned as far as the tolerance factor asks."""
    parent = 1 - rules.tolerance_factor(Ion("Ca", 2), Ion("Ti", 4), Ion("O", -2))
    tilt = min(sqrt(max(0.0, 1 - compound.tolerance_factor) / parent), _MAX_TILT)
    untilted = np.round(4 * template.frac_coords) / 4
    gain = np.where(template.roles == _A, tilt**2, tilt)[:, None]
    frac_coords = untilted + gain * (template.frac_coords - untilted)
    strain = np.linalg.norm(template.lattice, axis=1) / np.array([sqrt(2), sqrt(2), 2.0])
    strain /= np.cbrt(strain.prod())
    lattice = template.lattice / strain[:, None] * (strain ** (tilt**2))[:, None]
    volume = (template.roles == _B).sum() * pseudocubic_edge_angstrom(compound) ** 3
    return _with_volume(lattice, float(volume)), frac_coords


def _close_packed(template: Template, compound: Compound) -> tuple[Array, Array]:
    """Ilmenite and LiNbO3 types: both cations in octahedra, each X bonded to four cations."""
    r_x = compound.x.radius("IV")
    wanted = compound.a.radius() + compound.b.radius() + 2 * r_x
    found = template.mean_bond_angstrom(_A) + template.mean_bond_angstrom(_B)
    return template.lattice * (wanted / found), template.frac_coords


def _calcite(template: Template, compound: Compound) -> tuple[Array, Array]:
    """Calcite from the two bonds.

    With A–O = d and AO6 regular, the layers of A and B are c/12 = d/√3 apart and oxygen lies √(2/3) d off the axis of
    A. B lies a/√3 off that axis and 30° off the direction of its oxygen at the distance e, so that
    ``a²/3 − a e + e² = 2/3 d²``.
    """
    group_bond = _group_bond_angstrom(compound)
    bond = compound.a.radius() + compound.x.radius("III")
    edge = 1.5 * (group_bond + sqrt(group_bond**2 + 4 / 3 * (2 / 3 * bond**2 - group_bond**2)))
    height = 12 / sqrt(3) * bond
    # the first two vectors of the library's cell span the layer: |a1| = |a2| = a, 60° apart, three layers to c
    layer_normal = np.cross(template.lattice[0], template.lattice[1])
    layer_normal /= np.linalg.norm(layer_normal)
    old_edge = float(np.linalg.norm(template.lattice[0]))
    old_height = 3 * float(abs(template.lattice[2] @ layer_normal))
    along = np.outer(layer_normal, layer_normal)
    lattice = template.lattice @ (edge / old_edge * (np.eye(3) - along) + height / old_height * along)
    return lattice, _rigid_groups(template, lattice, group_bond)


def _chlorate(template: Template, compound: Compound) -> tuple[Array, Array]:
    """The KClO3 type, scaled by the distance from A to the middle of the oxyanion."""
    r_x = compound.x.radius("III")
    parent = Compound(Ion("K", 1), Ion("Cl", 5), compound.x, rules.CHLORATE)
    group_bond = _group_bond_angstrom(compound)
    wanted = compound.a.radius() + r_x + group_bond
    lattice = template.lattice * (wanted / (parent.a.radius() + r_x + _group_bond_angstrom(parent)))
    return lattice, _rigid_groups(template, lattice, group_bond)


def _hexagonal(compound: Compound) -> tuple[Array, NDArray[np.int64], Array]:
    """The BaNiO3 type: A in 2d, B in 2a and X in 6h of P6_3/mmc, with the B–X bond the sum of radii."""
    bond = compound.b.radius() + compound.x.radius()
    a_bond = compound.a.radius("XII") + compound.x.radius()
    edge = (2 * a_bond + 2 * sqrt(2) * bond) / 2
    height = _CHAIN_PERIOD * bond
    x = sqrt(bond**2 - (height / 4) ** 2) / (sqrt(3) * edge)
    lattice = np.array([[edge, 0, 0], [-edge / 2, sqrt(3) / 2 * edge, 0], [0, 0, height]])
    above = [(x, 2 * x, 0.25), (-2 * x, -x, 0.25), (x, -x, 0.25)]
    below = [(-u, -v, -w) for u, v, w in above]
    sites = [(1 / 3, 2 / 3, 0.75), (2 / 3, 1 / 3, 0.25), (0.0, 0.0, 0.0), (0.0, 0.0, 0.5), *above, *below]
    return lattice, np.array([_A] * 2 + [_B] * 2 + [_X] * 6), np.array(sites)


def _group_bond_angstrom(compound: Compound) -> float:
    """Bond within the oxyanion, Å; its oxygen touches the middle and about two A."""
    return compound.b.radius(rules.group_coordination(compound.b.symbol)) + compound.x.radius("III")


def _rigid_groups(template: Template, lattice: Array, group_bond: float) -> Array:
    """Coordinates with every X at the given distance from its B, in the direction it had before."""
    frac_coords = template.frac_coords.copy()
    b_sites = np.flatnonzero(template.roles == _B)
    for site in np.flatnonzero(template.roles == _X):
        gaps = (frac_coords[site] - template.frac_coords[b_sites])[:, None] + _IMAGES
        lengths = np.linalg.norm(gaps @ template.lattice, axis=-1)
        nearest, image = np.unravel_index(int(lengths.argmin()), lengths.shape)
        gap = gaps[nearest, image]
        frac_coords[site] += gap * (group_bond / np.linalg.norm(gap @ lattice) - 1.0)
    return frac_coords


def _with_volume(lattice: Array, volume: float) -> Array:
    scaled: Array = lattice * float(np.cbrt(volume / abs(np.linalg.det(lattice))))
    return scaled


_SHAPES: dict[str, Callable[[Template, Compound], tuple[Array, Array]]] = {
    rules.CUBIC: _perovskite,
    rules.ORTHORHOMBIC: _tilted_perovskite,
    rules.TETRAGONAL: _perovskite,
    rules.ILMENITE: _close_packed,
    rules.LITHIUM_NIOBATE: _close_packed,
    rules.CALCITE: _calcite,
    rules.CHLORATE: _chlorate,
}
