"""A crystal as plain arrays: what sources yield and the XRD engines read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.elements import SYMBOLS
from deepxrd.chem.formula import Formula, formula_from_atomic_numbers
from deepxrd.errors import FormulaError

if TYPE_CHECKING:
    from pymatgen.core import Structure

READABLE_ATOMS = 100_000
"""Sites of a cell that a reader makes arrays of; a cell with more is refused before anything is made of it."""
MAX_VOLUME_PER_ATOM_ANGSTROM3 = 150.0
"""Above this a cell read from a person's file lacks atoms: caesium, the loosest solid element, takes 117 Å^3."""
_FEW_SITES = 48  # up to here a table of all distances is quicker than a tree
_NOT_MANY_SITES = 128  # likewise, where many crystals are looked at in one go
_MIN_VOLUME_PER_ATOM = 0.5  # Å^3; the densest known solids hold about 5 Å^3 an atom
_MIN_DISTANCE = 0.3  # Å; H2, the shortest bond there is, has 0.74
_SURELY = 1 + 1e-6  # of a bound, so that rounding does not matter
_PAIRS_AT_ONCE = 200_000  # of sites; 5 MB an array


@dataclass(frozen=True, eq=False)
class Crystal:
    """Lattice, sites and occupancies. A site shared by several elements stands once for each of them.

    Attributes:
        lattice: rows are the cell vectors, ``(3, 3)`` float64, Å.
        atomic_numbers: ``(n_sites,)`` int64.
        frac_coords: ``(n_sites, 3)`` float64, in units of the cell vectors.
        occupancies: ``(n_sites,)`` float64 in (0, 1].
        rotations: the point group, where it is known: all W in units of the cell vectors for which x to W x + t, with
            some t, leaves the crystal as it is, ``(n_operations, 3, 3)`` int8. Simulation then takes less time.
    """

    lattice: NDArray[np.float64]
    atomic_numbers: NDArray[np.int64]
    frac_coords: NDArray[np.float64]
    occupancies: NDArray[np.float64]
    rotations: NDArray[np.int8] | None = None

    @property
    def volume(self) -> float:
        """Volume of the cell, Å^3."""
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def formula(self) -> Formula:
        """The reduced formula of the sites."""
        numbers = self.atomic_numbers.tolist()
        if np.all(self.occupancies == 1.0):
            return formula_from_atomic_numbers(numbers)
        return formula_from_atomic_numbers(numbers, self.occupancies.tolist())

    def why_unusable(self, *, max_volume_per_atom_angstrom3: float = math.inf) -> str | None:
        """Why no pattern can come from this crystal, in words; None if it is sound.

        Args:
            max_volume_per_atom_angstrom3: the emptiest cell that is taken.
        """
        n_sites = len(self.atomic_numbers)
        numbers, occupancies = self.atomic_numbers, self.occupancies
        if n_sites == 0:
            return "it has no sites"
        if n_sites > READABLE_ATOMS:
            return f"it has {n_sites:,} sites, more than the {READABLE_ATOMS:,} that can be read"
        if not all(np.isfinite(values).all() for values in (self.lattice, self.frac_coords, occupancies)):
            return "its lattice, coordinates or occupancies hold values that are not finite"
        if numbers.min() < 1 or numbers.max() > len(SYMBOLS):
            return "it holds an unknown species"
        if occupancies.min() <= 0 or occupancies.max() > 1.0 + 1e-6:
            return "an occupancy is not within 0 to 1"
        if not np.all(occupancies == 1.0):
            try:
                _ = self.formula
            except FormulaError as error:
                return str(error)
        return self._why_not_solid(max_volume_per_atom_angstrom3)

    def _why_not_solid(self, max_volume_per_atom_angstrom3: float) -> str | None:
        n_sites = len(self.atomic_numbers)
        if self.volume < _MIN_VOLUME_PER_ATOM * float(self.occupancies.sum()):
            return f"its cell of {self.volume:.3g} Å^3 is too small for {n_sites} sites"
        per_atom = self.volume / float(self.occupancies.sum())
        if per_atom > max_volume_per_atom_angstrom3:
            most = f"{max_volume_per_atom_angstrom3:g}"
            return f"its cell has {per_atom:.4g} Å^3 per atom, more than {most}: atoms are missing"
        if self._has_overlap():
            return f"two full sites are closer than {_MIN_DISTANCE} Å"
        return None

    def to_pymatgen(self) -> Structure:
        """The same crystal as a pymatgen ``Structure``; coinciding sites are merged into one shared site."""
        from pymatgen.core import Lattice, Structure

        shared: dict[tuple[float, ...], dict[str, float]] = {}
        sites = zip(self.atomic_numbers.tolist(), self.frac_coords.tolist(), self.occupancies.tolist(), strict=True)
        for number, coords, occupancy in sites:
            species = shared.setdefault(tuple(coords), {})
            symbol = SYMBOLS[number - 1]
            species[symbol] = min(1.0, species.get(symbol, 0.0) + occupancy)
        return Structure(Lattice(self.lattice), list(shared.values()), [list(coords) for coords in shared])

    @classmethod
    def from_pymatgen(cls, structure: Structure) -> Crystal:
        """The arrays of a pymatgen ``Structure``; oxidation states and site properties are dropped."""
        rows = [
            (specie.Z, site.frac_coords, occupancy) for site in structure for specie, occupancy in site.species.items()
        ]
        return cls(
            lattice=np.array(structure.lattice.matrix, dtype=np.float64),
            atomic_numbers=np.array([z for z, _, _ in rows], dtype=np.int64),
            frac_coords=np.array([xyz for _, xyz, _ in rows], dtype=np.float64).reshape(-1, 3),
            occupancies=np.array([occupancy for _, _, occupancy in rows], dtype=np.float64),
        )

    def _has_overlap(self) -> bool:
        """Whether two sites that are filled more than once in all lie closer than the least distance."""
        if np.linalg.norm(self.lattice, axis=1).min() < _MIN_DISTANCE:
            return True  # a site would overlap with its own image
        pairs = close_pairs(self.lattice, self.frac_coords, _MIN_DISTANCE)
        return bool((self.occupancies[pairs].sum(axis=1) > 1.0 + 1e-3).any())


def are_surely_sound(
    lattices: NDArray[np.float64],
    atomic_numbers: Sequence[NDArray[np.int64]],
    frac_coords: Sequence[NDArray[np.float64]],
) -> NDArray[np.bool_]:
    """Which of many crystals of full sites are sound, told much sooner than by `Crystal.why_unusable` one by one.

    None that it refuses is among them. Large cells, and those near one of its bounds, are left to it.

    Args:
        lattices: ``(n, 3, 3)``, Å.
        atomic_numbers: of each crystal, ``(n_sites,)``.
        frac_coords: of each crystal, ``(n_sites, 3)``.

    Returns:
        ``(n,)``.
    """
    n_sites = np.array([len(numbers) for numbers in atomic_numbers], dtype=np.int64)
    sound = np.zeros(len(lattices), dtype=bool)
    with np.errstate(all="ignore"):  # what is not finite is in no order, and so not sound
        edges = np.linalg.norm(lattices, axis=2).min(axis=1, initial=np.inf)
        volumes = np.abs(np.linalg.det(lattices))
        fits = (edges > _SURELY * _MIN_DISTANCE) & (volumes > _SURELY * _MIN_VOLUME_PER_ATOM * n_sites)
        for n in np.unique(n_sites[fits & (n_sites > 0) & (n_sites <= _NOT_MANY_SITES)]).tolist():
            first, second = np.triu_indices(n, 1)
            alike = np.flatnonzero(fits & (n_sites == n))
            for rows in np.array_split(alike, 1 + alike.size * first.size // _PAIRS_AT_ONCE):
                numbers = np.stack([atomic_numbers[row] for row in rows])
                coords = np.stack([frac_coords[row] for row in rows])
                delta = coords[:, first] - coords[:, second]
                delta -= np.rint(delta)
                apart = np.linalg.norm(delta @ lattices[rows], axis=2) > _SURELY * _MIN_DISTANCE
                known = (numbers >= 1) & (numbers <= len(SYMBOLS))
                sound[rows] = apart.all(axis=1) & known.all(axis=1) & np.isfinite(coords).all(axis=(1, 2))
    return np.asarray(sound & np.isfinite(lattices).all(axis=(1, 2)), dtype=bool)


def close_pairs(
    lattice: NDArray[np.float64], frac_coords: NDArray[np.float64], distance_angstrom: float
) -> NDArray[np.int64]:
    """Pairs of sites closer than a small distance, images in neighbouring cells included.

    Memory grows with the number of sites and of pairs, not with its square.

    Args:
        lattice: rows are the cell vectors, ``(3, 3)``, Å.
        frac_coords: ``(n_sites, 3)``.
        distance_angstrom: less than the cell is high.

    Returns:
        ``(n_pairs, 2)``, the smaller index first; no site is paired with its own image.
    """
    if len(frac_coords) <= _FEW_SITES:
        delta = frac_coords[:, None] - frac_coords[None]
        distance = np.linalg.norm((delta - np.rint(delta)) @ lattice, axis=-1)
        return np.argwhere(np.triu(distance < distance_angstrom, 1))
    from scipy.spatial import cKDTree  # a tenth of a second to import, for large cells only

    inside = frac_coords - np.floor(frac_coords)
    margin = distance_angstrom * np.linalg.norm(np.linalg.inv(lattice), axis=0)  # 1 / height of the cell, per axis
    site = np.arange(len(inside))
    for axis in range(3):  # what lies near the lower face of the cell stands once more behind the upper face
        low = inside[:, axis] < margin[axis]
        shifted = inside[low]
        shifted[:, axis] += 1
        inside, site = np.concatenate([inside, shifted]), np.concatenate([site, site[low]])
    pairs = site[cKDTree(inside @ lattice).query_pairs(distance_angstrom, output_type="ndarray")]
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.asarray(np.unique(pairs, axis=0), dtype=np.int64)


def lattice_from_parameters(
    lengths_angstrom: NDArray[np.float64], angles_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cell vectors from lengths and angles, for many cells at once.

    The convention is that of pymatgen: c along z, a in the xz plane.

    Args:
        lengths_angstrom: a, b, c, ``(n, 3)``.
        angles_deg: alpha, beta, gamma, ``(n, 3)``.

    Returns:
        ``(n, 3, 3)`` float64, rows are the cell vectors in Å; not a number where no such cell exists.
    """
    a, b, c = lengths_angstrom.T
    alpha, beta, gamma = np.radians(angles_deg).T
    with np.errstate(invalid="ignore", divide="ignore"):
        cos_gamma_star = (np.cos(alpha) * np.cos(beta) - np.cos(gamma)) / (np.sin(alpha) * np.sin(beta))
        gamma_star = np.arccos(np.where(np.abs(cos_gamma_star) <= 1 + 1e-12, np.clip(cos_gamma_star, -1, 1), np.nan))
    zero = np.zeros_like(a)
    vector_a = np.stack([a * np.sin(beta), zero, a * np.cos(beta)], axis=1)
    b_sin_alpha = b * np.sin(alpha)
    vector_b = np.stack(
        [-b_sin_alpha * np.cos(gamma_star), b_sin_alpha * np.sin(gamma_star), b * np.cos(alpha)], axis=1
    )
    vector_c = np.stack([zero, zero, c], axis=1)
    return np.stack([vector_a, vector_b, vector_c], axis=1)
