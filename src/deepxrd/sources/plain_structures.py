"""Structures as plain JSON values, in the forms of pymatgen, JARVIS and OPTIMADE: arrays are read, nothing is called.

The keys ``@module`` and ``@class`` of pymatgen's form are never looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal, lattice_from_parameters
from deepxrd.chem.crystal import READABLE_ATOMS
from deepxrd.chem.species import atomic_number_of
from deepxrd.errors import SourceError

_NOT_WHOLE = {
    "implicit_atoms": "it has atoms whose positions are not given",
    "site_attachments": "it has atoms attached to sites, whose positions are not given",
    "assemblies": "its sites are occupied in groups (assemblies), which one cell cannot tell",
    "unknown_positions": "the positions of some sites are unknown",
}
_OVERFULL = 1.0 + 1e-3
_CELL = ("a", "b", "c", "alpha", "beta", "gamma")


def crystal_from_json(entry: dict[str, Any]) -> Crystal:
    """The crystal of one JSON object, whichever of the three forms it has.

    Args:
        entry: a pymatgen ``Structure``, alone or under ``structure``; JARVIS's ``atoms``; an entry of OPTIMADE, with
            or without ``attributes``.

    Raises:
        SourceError: it has none of these forms, or lacks something; the message says what.
    """
    for key, read in (("structure", _from_pymatgen_or_nested), ("atoms", crystal_from_jarvis)):
        if isinstance(entry.get(key), dict):
            return read(entry[key])
    if isinstance(entry.get("structure"), str):  # as tables keep it
        try:
            nested = json.loads(entry["structure"])
        except (ValueError, RecursionError):
            nested = None
        if isinstance(nested, dict):
            return _from_pymatgen_or_nested(nested)
    attributes = entry.get("attributes")
    if isinstance(attributes, dict) and "lattice_vectors" in attributes:
        return crystal_from_optimade(attributes)
    return _from_pymatgen_or_nested(entry)


def _from_pymatgen_or_nested(entry: dict[str, Any]) -> Crystal:
    forms: tuple[tuple[str, Callable[[dict[str, Any]], Crystal]], ...] = (
        ("sites", crystal_from_pymatgen_dict),
        ("lattice_mat", crystal_from_jarvis),
        ("lattice_vectors", crystal_from_optimade),
    )
    for key, read in forms:
        if key in entry:
            return read(entry)
    keys = ", ".join(list(map(str, entry))[:8]) or "none"
    msg = f"it is no structure of pymatgen, JARVIS or OPTIMADE: its keys are {keys}"
    raise SourceError(msg)


def crystal_from_pymatgen_dict(structure: dict[str, Any]) -> Crystal:
    """The arrays of ``Structure.as_dict()`` of pymatgen, without building the structure; deuterium counts as H.

    Raises:
        SourceError: something is missing or of another kind; the message says what.
    """
    lattice = _pymatgen_lattice(_of_kind(structure, "lattice", dict))
    sites = _of_kind(structure, "sites", list)
    _refuse_many(len(sites))
    rows: list[tuple[int, Any, Any]] = []
    cartesian = []
    for site in sites:
        site = site if isinstance(site, dict) else {}  # noqa: PLW2901 - the next line then names what is missing
        place = _of_kind(site, "abc" if "abc" in site else "xyz", list)
        for species in _of_kind(site, "species", list):
            species = species if isinstance(species, dict) else {}  # noqa: PLW2901
            rows.append((atomic_number_of(_of_kind(species, "element", str)), place, species.get("occu", 1.0)))
            cartesian.append("abc" not in site)
    coords = _numbers([place for _, place, _ in rows], "coordinates", (len(rows), 3))
    if any(cartesian):
        turned = np.array(cartesian)
        coords[turned] = coords[turned] @ _inverse(lattice)
    return _crystal(lattice, [z for z, _, _ in rows], coords, [occupancy for _, _, occupancy in rows])


def crystal_from_jarvis(atoms: dict[str, Any]) -> Crystal:
    """The arrays of JARVIS's ``atoms``: ``lattice_mat``, ``coords``, ``elements``, ``cartesian``.

    Raises:
        SourceError: something is missing or of another kind; the message says what.
    """
    elements = _of_kind(atoms, "elements", list)
    _refuse_many(len(elements))
    lattice = _numbers(_of_kind(atoms, "lattice_mat", list), "lattice_mat", (3, 3))
    coords = _numbers(_of_kind(atoms, "coords", list), "coords", (len(elements), 3))
    cartesian = atoms.get("cartesian", False)
    if cartesian in (True, "True", "true"):
        coords = coords @ _inverse(lattice)
    elif cartesian not in (False, "False", "false"):
        msg = f"cartesian={cartesian!r}: it must be true or false"
        raise SourceError(msg)
    return _crystal(lattice, [atomic_number_of(str(symbol)) for symbol in elements], coords, [1.0] * len(elements))


def crystal_from_optimade(attributes: dict[str, Any]) -> Crystal:
    """The arrays of a structure in OPTIMADE's terms; vacancies lower the occupancy of their site.

    Where there is no list of species, their names must be elements.

    Raises:
        SourceError: it is not periodic in three directions, or does not give all atoms; the message says which.
    """
    for feature in attributes.get("structure_features") or []:
        if feature in _NOT_WHOLE:
            raise SourceError(_NOT_WHOLE[feature])
    dimensions = attributes.get("dimension_types")
    if dimensions is not None and list(dimensions) != [1, 1, 1]:
        msg = f"it is periodic in {sum(dimensions)} directions, not in 3"
        raise SourceError(msg)
    names = _of_kind(attributes, "species_at_sites", list)
    _refuse_many(len(names))
    lattice = _numbers(_of_kind(attributes, "lattice_vectors", list), "lattice_vectors", (3, 3))
    places = _of_kind(attributes, "cartesian_site_positions", list)
    if len(names) != len(places):
        msg = f"{len(names)} species but {len(places)} positions"
        raise SourceError(msg)
    positions = _numbers(places, "cartesian_site_positions", (len(names), 3))
    listed = attributes.get("species")
    species = {entry["name"]: _occupants(entry) for entry in listed} if listed else {}
    unknown = [name for name in dict.fromkeys(names) if name not in species]
    species |= {name: [(atomic_number_of(str(name)), 1.0)] for name in unknown if not listed}
    if listed and unknown:
        msg = f"species {unknown[0]!r} is at a site, but not in the list of species"
        raise SourceError(msg)
    rows = [(z, site, occupancy) for site, name in enumerate(names) for z, occupancy in species[name]]
    coords = (positions @ _inverse(lattice))[[site for _, site, _ in rows]].reshape(-1, 3)
    return _crystal(lattice, [z for z, _, _ in rows], coords, [occupancy for _, _, occupancy in rows])


def _occupants(species: dict[str, Any]) -> list[tuple[int, float]]:
    """Atomic numbers and occupancies of one OPTIMADE species."""
    if species.get("attached"):
        raise SourceError(_NOT_WHOLE["site_attachments"])
    symbols = _of_kind(species, "chemical_symbols", list)
    shares = species.get("concentration") or [1.0] * len(symbols)
    if len(shares) != len(symbols) or sum(shares) > _OVERFULL:
        msg = f"species {species.get('name')!r} has occupancies {shares} for {symbols}"
        raise SourceError(msg)
    if "X" in symbols:
        msg = f"species {species.get('name')!r} is an unknown element"
        raise SourceError(msg)
    return [(atomic_number_of(s), float(x)) for s, x in zip(symbols, shares, strict=True) if s != "vacancy" and x > 0]


def _pymatgen_lattice(lattice: dict[str, Any]) -> NDArray[np.float64]:
    if "matrix" in lattice:
        return _numbers(lattice["matrix"], "lattice.matrix", (3, 3))
    if all(key in lattice for key in _CELL):
        cell = _numbers([lattice[key] for key in _CELL], "lattice", (6,))
        return np.asarray(lattice_from_parameters(cell[None, :3], cell[None, 3:])[0])
    msg = "its lattice has neither a matrix nor a, b, c, alpha, beta, gamma"
    raise SourceError(msg)


def _crystal(
    lattice: NDArray[np.float64], numbers: list[int], coords: NDArray[np.float64], occupancies: list[Any]
) -> Crystal:
    filled = _numbers(occupancies, "occupancies", (len(numbers),))
    return Crystal(lattice, np.array(numbers, dtype=np.int64), coords, filled)


def _of_kind(values: dict[str, Any], key: str, kind: type) -> Any:
    value = values.get(key)
    if isinstance(value, kind):
        return value
    what = "lacks" if value is None else f"has no {kind.__name__} under"
    msg = f"it {what} {key!r}"
    raise SourceError(msg)


def _numbers(values: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        array = np.array(values, dtype=np.float64)
        if array.size == math.prod(shape):
            return array.reshape(shape)
    except (TypeError, ValueError, OverflowError):
        pass
    msg = f"its {name} are not {' x '.join(map(str, shape))} numbers"
    raise SourceError(msg)


def _inverse(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return np.asarray(np.linalg.inv(lattice))
    except np.linalg.LinAlgError as error:
        msg = "its lattice has no volume"
        raise SourceError(msg) from error


def _refuse_many(n_sites: int) -> None:
    if n_sites > READABLE_ATOMS:
        msg = f"it has {n_sites:,} sites, more than the {READABLE_ATOMS:,} that can be read"
        raise SourceError(msg)
