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
_ELEMENT_ANGSTROM3 = 500.0


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


def check_facts(facts: Mapping[str, Any], *, needed_format: int) -> None:
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


def check_library(facts: Mapping[str, Any], identity: str) -> None:
    """Make sure that a library is that which the model was learned from.

    Raises:
        ValueError: it is not.
    """
    if facts["library"] != identity:
        msg = f"it was learned from the structures of another library, {str(facts['library'])[:80]!r}, not {identity!r}"
        raise ValueError(msg)


def check_arrays(arrays: Mapping[str, NDArray[Any]], *, n_points: int, n_compositions: int) -> None:
    """Make sure that what was learned fits the library and the grid; trees are checked apart.

    Args:
        arrays: by name.
        n_points: of the patterns.
        n_compositions: of the library.

    Raises:
        ValueError: it does not; the message says what.
    """
    bits = arrays["compositions"]
    if bits.dtype != np.dtype("u1") or bits.shape != ((n_compositions + 7) // 8,):
        msg = f"compositions must be {n_compositions} bits, not {bits.shape} of {bits.dtype}"
        raise ValueError(msg)
    for name, n, most in (("volume_angstrom3", 1 + len(SYMBOLS), _ELEMENT_ANGSTROM3), ("mean", n_points, 101)):
        values = arrays[name]
        if values.dtype.kind != "f" or values.shape != (n,) or not np.isfinite(values).all():
            msg = f"{name} must be {n} finite numbers"
            raise ValueError(msg)
        if values.min() < -1 or values.max() > most:
            msg = f"{name} must be from -1 to {most:g}"
            raise ValueError(msg)


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
