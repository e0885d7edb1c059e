"""What is made sure of before a weight folder, which may be a stranger's, is put together to a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS
from deepxrd.io.bounded import check_regular, read_json
from deepxrd.io.files import file_hash
from deepxrd.io.tensors import MOST_BYTES

MOST_MEMBERS = 64
_PLAIN_NAME = re.compile(r"[\w-][\w.-]*")
_LONGEST_ANGSTROM, _LARGEST_ANGSTROM3 = 1000.0, 200_000.0  # of a template's cell; 71 Å and 9,600 Å^3 are shipped
_VOLUME_PER_ATOM_ANGSTROM3 = (0.5, 10_000.0)
_ELEMENT_ANGSTROM3 = 500.0
_KINDS = {
    "n_sites": "i4", "slot": "u1", "geometry": "i4", "elements": "u1", "kind": "i4", "space_group": "u1",
    "n_primitive": "i4",
}  # fmt: skip
_REALS = {"frac_coords": 2, "occupancies": 1, "lattice": 3, "volume_angstrom3": 1, "mean": 1, "lonely": 2}


def read_facts(file: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    """The facts of a weight folder, once each file that they list is found to lie there and to have the listed hash.

    Args:
        file: with the facts.
        needed: files that must be listed.

    Raises:
        ValueError: it holds no facts, or a file is not listed, lies elsewhere, is too large or was changed.
        OSError: a file cannot be read.
    """
    _check_inside(file, most_bytes=1 << 24)
    facts = read_json(file)
    listed = facts.get("files") if isinstance(facts, dict) else None
    listed = listed if isinstance(listed, dict) else {}
    for name in needed:
        if name not in listed:
            msg = f"{name} is not listed in {file.name} with its hash"
            raise ValueError(msg)
    for name, expected in listed.items():
        if not _PLAIN_NAME.fullmatch(name) or name == file.name:
            msg = f"{file.name} lists {name[:80]!r}, which is no file of the folder"
            raise ValueError(msg)
        _check_inside(file.parent / name, most_bytes=MOST_BYTES)
        if file_hash(file.parent / name) != expected:
            msg = f"{name} does not match the hash in {file.name}: get the folder anew"
            raise ValueError(msg)
    return dict(facts)


def _check_inside(file: Path, *, most_bytes: int) -> None:
    if file.resolve().parent != file.parent.resolve():
        msg = f"{file.name} is a link that leads out of the folder"
        raise ValueError(msg)
    try:
        check_regular(file, most_bytes=most_bytes)
    except ValueError as error:
        msg = f"{file.name}: {error}"
        raise ValueError(msg) from error


def check_texts(facts: Mapping[str, Any], *, needed_format: int) -> None:
    """Make sure that facts are of the kinds that they must be.

    Raises:
        ValueError: one is not.
    """
    if facts["format"] != needed_format:
        msg = f"it is of format {str(facts['format'])[:80]!r}, not {needed_format}: fit it anew"
        raise ValueError(msg)
    members = facts["members"]
    if isinstance(members, bool) or not isinstance(members, int) or not 1 <= members <= MOST_MEMBERS:
        msg = f"members must be a number from 1 to {MOST_MEMBERS}, not {str(members)[:80]!r}"
        raise ValueError(msg)
    lonely = facts["lonely"]
    if not isinstance(lonely, list) or not all(
        isinstance(text, str) for text in (*lonely, facts["formulas"], facts["kinds"])
    ):
        msg = "formulas and kinds must be text, and lonely a list of formulas"
        raise ValueError(msg)


def check_library(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], *, n_points: int) -> None:
    """Make sure that the arrays of a library fit each other and its facts, and describe cells that can be.

    Args:
        arrays: of the library, by name.
        facts: of the folder.
        n_points: of its patterns.

    Raises:
        ValueError: they do not; the message says what.
    """
    for name, kind in _KINDS.items():
        if arrays[name].dtype != np.dtype(kind):
            msg = f"{name} of its library must be of {np.dtype(kind)}, not {arrays[name].dtype}"
            raise ValueError(msg)
    for name, ndim in _REALS.items():
        if arrays[name].ndim != ndim or arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
            msg = f"{name} of its library must be finite numbers in {ndim} dimensions"
            raise ValueError(msg)
    n, sites, labels = len(arrays["geometry"]), len(arrays["slot"]), len(facts["kinds"].split(" "))
    n_formulas, n_lonely = len(facts["formulas"].split(" ")), len(facts["lonely"])
    shapes = {
        "n_sites": (len(arrays["n_sites"]),), "slot": (sites,), "frac_coords": (sites, 3), "occupancies": (sites,),
        "geometry": (n_formulas,), "lattice": (n, 3, 3), "elements": (n, arrays["elements"].shape[-1]), "kind": (n,),
        "space_group": (n,), "n_primitive": (n,), "volume_angstrom3": (1 + len(SYMBOLS),), "mean": (n_points,),
        "lonely": (1 + n_lonely, n_points),
    }  # fmt: skip
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            msg = f"{name} of its library has the shape {arrays[name].shape}, but {shape} is needed"
            raise ValueError(msg)
    _check_ranges(arrays, labels)
    _check_cells(arrays)


def _check_ranges(arrays: Mapping[str, NDArray[Any]], n_labels: int) -> None:
    n_sites, slot, geometry, elements = (arrays[name] for name in ("n_sites", "slot", "geometry", "elements"))
    ranges = [
        ("n_sites", n_sites, 1, max(1, len(slot))),
        ("geometry", geometry, 0, len(n_sites) - 1),
        ("kind", arrays["kind"], 0, n_labels - 1),
        ("elements", elements, 0, len(SYMBOLS)),
        ("space_group", arrays["space_group"], 0, 230),
        ("occupancies", arrays["occupancies"], 0, 1 + 1e-6),
        ("frac_coords", arrays["frac_coords"], -100, 100),
        ("volume_angstrom3", arrays["volume_angstrom3"], 0, _ELEMENT_ANGSTROM3),
        ("mean", arrays["mean"], -1, 101),
        ("lonely", arrays["lonely"], -1, 101),
    ]
    for name, values, low, high in ranges:
        if not values.size or values.min() < low or values.max() > high:
            msg = f"{name} of its library must be from {low} to {high}"
            raise ValueError(msg)
    if int(n_sites.sum(dtype=np.int64)) != len(slot):
        msg = "its library has more or fewer sites than its arrangements"
        raise ValueError(msg)
    most = np.maximum.reduceat(slot, np.cumsum(n_sites, dtype=np.int64) - n_sites)
    if (most[geometry] >= (elements > 0).cumprod(axis=1).sum(axis=1)).any():
        msg = "its library has sites without an element"
        raise ValueError(msg)


def _check_cells(arrays: Mapping[str, NDArray[Any]]) -> None:
    lattice = arrays["lattice"].astype(np.float64)
    volume, per_atom = np.abs(np.linalg.det(lattice)), _VOLUME_PER_ATOM_ANGSTROM3
    each = volume / arrays["n_sites"][arrays["geometry"]]
    longest, largest = np.linalg.norm(lattice, axis=2).max(), volume.max()
    allowed = per_atom[0] <= each.min() and each.max() <= per_atom[1]
    if longest > _LONGEST_ANGSTROM or largest > _LARGEST_ANGSTROM3 or not allowed:
        msg = (
            f"its library has cells that cannot be: sides up to {_LONGEST_ANGSTROM:g} Å, {_LARGEST_ANGSTROM3:g} Å^3 "
            f"and {per_atom[0]:g} to {per_atom[1]:g} Å^3 an atom are allowed"
        )
        raise ValueError(msg)


def checked_hashes(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint64]:
    """The hashes of the compositions that were learned from, ``(n,)``.

    Raises:
        ValueError: they are none.
    """
    hashes = arrays["hashes"]
    if hashes.dtype != np.uint64 or hashes.ndim != 1:
        msg = f"the hashes of what was learned from must be a list of uint64, not {hashes.dtype} {hashes.shape}"
        raise ValueError(msg)
    return hashes


def check_network(weights: Mapping[str, NDArray[Any]], n_features: int) -> None:
    """Make sure that the weights of a network are finite, and for as many features as there are.

    Raises:
        ValueError: they are not.
    """
    for name, values in weights.items():
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            msg = f"the weights {name} of its networks are no finite numbers"
            raise ValueError(msg)
    if weights["centre"].shape != (n_features,):
        msg = f"its networks are for {weights['centre'].shape} features, but {n_features} are needed"
        raise ValueError(msg)
