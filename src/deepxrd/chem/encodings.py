"""Encodings by their plain values, and what they give checked: one of them may be a researcher's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.elements import ATOMIC_NUMBERS
from deepxrd.chem.encoding import ONE_HOT, PAPER_ELEMENTS, Encoding, OneHotEncoding, is_one_hot
from deepxrd.chem.formula import Formula
from deepxrd.config.instantiate import build
from deepxrd.errors import ConfigError


def make_encoding(node: Mapping[str, Any]) -> Encoding:
    """The encoding of a configuration; ``elements: null`` stands for the paper's 84.

    Args:
        node: as :meth:`Encoding.to_dict` gives it; without a ``_target_`` the one-hot's.

    Raises:
        ConfigError: an element is unknown, or the class it names is no encoding.
    """
    if not is_one_hot(node):
        made = build(node, Encoding)  # type: ignore[type-abstract]
        made.to_dict()  # whether it can tell its settings is found out here
        return made
    given = {"elements": None, "n_counts": OneHotEncoding.n_counts, **node, "_target_": ONE_HOT}
    if unknown := sorted(map(str, given.keys() - {"elements", "n_counts", "_target_"})):
        msg = f"there is no setting data.encoding.{unknown[0]}: those of the one-hot are elements, n_counts"
        raise ConfigError(msg)
    elements = PAPER_ELEMENTS if given["elements"] is None else tuple(given["elements"])
    if not elements:
        msg = "data.encoding.elements=[] leaves no element: name some, or null for the paper's 84"
        raise ConfigError(msg)
    unknown = [symbol for symbol in elements if not isinstance(symbol, str) or symbol not in ATOMIC_NUMBERS]
    if unknown:
        msg = f"data.encoding.elements names unknown elements: {', '.join(map(str, unknown))}"
        raise ConfigError(msg)
    return OneHotEncoding(elements, int(given["n_counts"]))


def encoded(encoding: Encoding, formulas: Sequence[Formula]) -> NDArray[Any]:
    """Arrays of formulas, checked.

    Args:
        encoding: of which those that are ours give bytes, others float32.
        formulas: that it can encode.

    Returns:
        ``(len(formulas), *sample_shape)``.

    Raises:
        ConfigError: it gives arrays of another shape, or values that are not finite numbers.
        FormulaError: a formula cannot be encoded.
    """
    out, name = np.asarray(encoding.encode(formulas)), type(encoding).__name__
    wanted = (len(formulas), *encoding.sample_shape)
    if out.shape != wanted:
        msg = f"{name} gives an array {out.shape} for {len(formulas)} formulas: its shape says {wanted}"
        raise ConfigError(msg)
    if out.dtype == np.uint8:
        return out
    try:
        out = out.astype(np.float32)
    except (TypeError, ValueError) as error:
        msg = f"{name} gives no numbers: {error}"
        raise ConfigError(msg) from error
    wrong = np.flatnonzero(~np.isfinite(out.reshape(len(out), -1)).all(axis=1))
    if wrong.size:
        msg = f"{name} gives values that are no finite numbers for {formulas[wrong[0]]}: let its why_not leave it out"
        raise ConfigError(msg)
    return out
