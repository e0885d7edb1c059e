"""Atomic form factors f(s) of the neutral elements, from two published tables.

``pymatgen`` is for parity with the paper; its tin is up to 7 % of Z off. ``waasmaier_kirfel`` is for physics.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem.elements import SYMBOLS
from deepxrd.errors import ConfigError

_NOT_INSTALLED = "the form factors 'waasmaier_kirfel' come with the package periodictable: pip install periodictable"
_PYMATGEN_TABLE = "analysis/diffraction/atomic_scattering_params.json"
_MOTT_BETHE = 41.78214  # 8π² m e² / h² in Å^-2: from electron to X-ray scattering factors


def form_factors(
    table: str, s_squared: NDArray[np.float64], *, debye_waller_b_angstrom2: float = 0.0
) -> NDArray[np.float64]:
    """Form factors of all elements, in electrons.

    Args:
        table: ``pymatgen`` or ``waasmaier_kirfel``.
        s_squared: ``(sin(theta) / wavelength)^2`` in Å^-2, ``(n,)``.
        debye_waller_b_angstrom2: isotropic displacement factor B; f is multiplied by ``exp(-B s^2)``.

    Returns:
        ``(118, n)`` float64, row Z - 1 for the element Z; not a number where the table lacks the element.

    Raises:
        ConfigError: if the table is unknown, or the package that holds it is not installed.
    """
    if table not in _TABLES:
        msg = f"unknown table of form factors {table!r}: it is one of {', '.join(_TABLES)}"
        raise ConfigError(msg)
    factors = np.full((len(SYMBOLS), len(s_squared)), np.nan)
    _TABLES[table](factors, s_squared)
    return factors * np.exp(-debye_waller_b_angstrom2 * s_squared)


def table_version(table: str) -> dict[str, str]:
    """The package that a table comes from and its version; nothing for pymatgen's, which every pattern depends on.

    Raises:
        ConfigError: the package is not installed.
    """
    if table != "waasmaier_kirfel":
        return {}
    try:
        return {"periodictable": version("periodictable")}
    except PackageNotFoundError as error:
        raise ConfigError(_NOT_INSTALLED) from error


def _fill_pymatgen(factors: NDArray[np.float64], s_squared: NDArray[np.float64]) -> None:
    """``f = Z - 41.78214 s^2 sum_i a_i exp(-b_i s^2)``: De Graef & McHenry, Structure of Materials, chapter 12."""
    parameters = _pymatgen_parameters()
    for row, symbol in enumerate(SYMBOLS):
        if symbol in parameters:
            a, b = np.array(parameters[symbol], dtype=np.float64).T
            factors[row] = row + 1 - _MOTT_BETHE * s_squared * (a @ np.exp(-b[:, None] * s_squared))


@functools.cache
def _pymatgen_parameters() -> dict[str, list[list[float]]]:
    """Pymatgen's table, read without importing pymatgen, which takes half a second and spglib with it.

    Raises:
        ConfigError: pymatgen is not installed, or keeps its table elsewhere.
    """
    found = importlib.util.find_spec("pymatgen")
    for place in found.submodule_search_locations or () if found else ():
        file = Path(place) / _PYMATGEN_TABLE
        if file.is_file():
            parameters: dict[str, list[list[float]]] = json.loads(file.read_text(encoding="utf-8"))
            return parameters
    msg = f"pymatgen has no file {_PYMATGEN_TABLE}: install the version that constraints.txt names"
    raise ConfigError(msg)


def _fill_waasmaier_kirfel(factors: NDArray[np.float64], s_squared: NDArray[np.float64]) -> None:
    """``f = c + sum_i a_i exp(-b_i s^2)``, five terms: Waasmaier & Kirfel, Acta Cryst. A51 (1995) 416."""
    try:
        from periodictable.cromermann import getCMformula
    except ImportError as error:
        raise ConfigError(_NOT_INSTALLED) from error

    for row, symbol in enumerate(SYMBOLS):
        try:
            formula = getCMformula(symbol)
        except KeyError:
            continue
        exponentials = np.exp(-np.asarray(formula.b)[:, None] * s_squared)
        factors[row] = formula.c + np.asarray(formula.a) @ exponentials


_TABLES: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], None]] = {
    "pymatgen": _fill_pymatgen,
    "waasmaier_kirfel": _fill_waasmaier_kirfel,
}
