"""A crystal's cell as balls, drawn by ASE's matplotlib plotter (Larsen et al. 2017, doi 10.1088/1361-648X/aa680e)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Wedge
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Crystal
from deepxrd.chem.symmetry import SAID_TOLERANCES, quiet_spglib

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

_BALL = 0.5  # of the covalent radius: small enough to look through the cell
_ON_THE_FACE = 0.01  # in cell vectors: sites this near to a face are drawn on the opposite one, too
_TILT_DEG, _TURN_DEG = 14.0, -22.0  # from the front view, so that the cell's depth is seen
_MARGIN = 0.25  # left and right of the cell, in its width
_LEAST_CONTRAST = 0.25  # distance of two colours, as RGB within 0 to 1, that can be told apart side by side
# Taken where two elements of a crystal have nearly the same colour, as Sb and Bi have (Tol, "bright").
_SPARE_COLOURS = ("#CCBB44", "#66CCEE", "#228833", "#EE6677", "#4477AA", "#AA3377", "#BBBBBB")


def draw_structure(axis: Axes, crystal: Crystal) -> None:
    """Draw a crystal's conventional cell into an axis, with a legend of its elements, space group and edges.

    The longest cell vector lies across the picture. Atoms on faces, edges and corners stand on all of them. A site
    that elements share is a pie of them; what is left empty of it is white.
    """
    from ase.visualize.plot import plot_atoms

    cell, kind = _conventional(crystal)
    colours = element_colours(tuple(dict.fromkeys(str(s) for site in cell for s in site.species.elements)))
    atoms = _atoms(cell)
    plot_atoms(
        atoms,
        axis,
        radii=_BALL,
        colors=[colours[symbol] for symbol in atoms.symbols],
        rotation=_view(np.asarray(cell.lattice.matrix)),
        show_unit_cell=2,
    )
    _recolour_pies(axis, colours)
    # the axis keeps its whole width whatever the shape of the cell, with room for the legend beside the longest
    width, height = axis.get_xlim()[1], axis.get_ylim()[1]
    axis.set_xlim(-_MARGIN * width, (1 + _MARGIN) * width, auto=True)  # auto: may be widened to keep circles round
    axis.set_ylim(0, height, auto=True)
    axis.set_adjustable("datalim")
    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=11, color=colour, markeredgecolor="black", label=symbol)
        for symbol, colour in colours.items()
    ]
    a, b, c = cell.lattice.abc
    axis.legend(
        handles=handles,
        title=f"{kind}\na = {a:.2f} Å\nb = {b:.2f} Å\nc = {c:.2f} Å",
        loc="upper right",
        frameon=False,
        fontsize=11,
        alignment="left",
    )


def element_colours(symbols: tuple[str, ...]) -> dict[str, tuple[float, float, float]]:
    """RGB of each element: the usual colours of Jmol, but another one where an earlier element has nearly the same."""
    from ase.data.colors import jmol_colors
    from matplotlib.colors import to_rgb

    colours: dict[str, tuple[float, float, float]] = {}
    for symbol in symbols:
        usual = tuple(jmol_colors[min(ATOMIC_NUMBERS[symbol], len(jmol_colors) - 1)])
        candidates = [usual, *(to_rgb(spare) for spare in _SPARE_COLOURS)]
        apart = [
            c for c in candidates if all(np.linalg.norm(np.subtract(c, d)) > _LEAST_CONTRAST for d in colours.values())
        ]
        red, green, blue = (apart or candidates)[0]
        colours[symbol] = (float(red), float(green), float(blue))
    return colours


def _conventional(crystal: Crystal) -> tuple[Structure, str]:
    """The conventional cell and what to call it; the cell as it is where spglib finds no symmetry."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError
    from pymatgen.util.string import latexify_spacegroup
    from spglib import SpglibError

    structure = crystal.to_pymatgen()
    try:
        with quiet_spglib():
            found = SpacegroupAnalyzer(structure, *SAID_TOLERANCES[0])
            symbol = latexify_spacegroup(found.get_space_group_symbol())
            return found.get_conventional_standard_structure(), f"conventional cell\n{symbol}"
    except (SymmetryUndeterminedError, SpglibError):
        return structure, "cell"


def _atoms(structure: Structure) -> Atoms:
    """The sites and their images on opposite faces as ASE's atoms, each site with its occupancies."""
    from ase import Atoms

    symbols, places, tags = [], [], []
    occupancies = {}
    for tag, site in enumerate(structure):
        shares = {str(element): float(share) for element, share in site.species.items()}
        occupancies[str(tag)] = shares
        images = _images(np.asarray(site.frac_coords))
        places.append(images)
        tags += [tag] * len(images)
        symbols += [max(shares, key=lambda symbol: shares[symbol])] * len(images)
    atoms = Atoms(symbols, scaled_positions=np.concatenate(places), cell=structure.lattice.matrix, tags=tags)
    atoms.info["occupancy"] = occupancies
    return atoms


def _images(frac_coords: NDArray[np.float64]) -> NDArray[np.float64]:
    """A site within the cell, and again on each opposite face if it lies on a face: ``(1, 2, 4 or 8; 3)``."""
    inside = frac_coords % 1.0
    inside = np.where(inside > 1 - _ON_THE_FACE, inside - 1, inside)
    choices = [(x, x + 1) if abs(x) < _ON_THE_FACE else (x,) for x in inside.tolist()]
    return np.array(np.meshgrid(*choices)).reshape(3, -1).T


def _view(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation, to be multiplied from the right: longest cell vector to the right, the next one up, then tilted."""
    longest = np.argsort(-np.linalg.norm(lattice, axis=1), kind="stable")
    right = lattice[longest[0]] / np.linalg.norm(lattice[longest[0]])
    up = lattice[longest[1]] - (lattice[longest[1]] @ right) * right
    up /= np.linalg.norm(up)
    front = np.stack([right, up, np.cross(right, up)], axis=1)
    (sin_x, sin_y), (cos_x, cos_y) = (f(np.radians([_TILT_DEG, _TURN_DEG])) for f in (np.sin, np.cos))
    turn = np.array([[cos_y, 0, -sin_y], [0, 1, 0], [sin_y, 0, cos_y]])
    tilt = np.array([[1, 0, 0], [0, cos_x, sin_x], [0, -sin_x, cos_x]])
    return np.asarray(front @ turn @ tilt)


def _recolour_pies(axis: Axes, colours: dict[str, tuple[float, float, float]]) -> None:
    """Give shared sites our colours: ASE draws their slices in those of Jmol, whatever colours it is given."""
    from ase.data.colors import jmol_colors

    for slice_ in (patch for patch in axis.patches if isinstance(patch, Wedge)):
        drawn = slice_.get_facecolor()[:3]
        nearest = min(colours, key=lambda s: float(np.abs(jmol_colors[ATOMIC_NUMBERS[s]] - drawn).sum()))
        slice_.set_facecolor(colours[nearest])
