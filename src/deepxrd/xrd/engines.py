"""One way to patterns, whichever engine computes them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Crystal
from deepxrd.errors import ConfigError, PatternError
from deepxrd.io.devices import working_device
from deepxrd.xrd.form_factors import table_version
from deepxrd.xrd.reference import simulate_pattern
from deepxrd.xrd.settings import XrdSettings

if TYPE_CHECKING:
    from pymatgen.core import Structure

Patterns = NDArray[np.float32]

BATCHED_REVISION = 1
"""Raised whenever the batched engine would give other numbers: built data sets are named by it."""


def engine_identity(settings: XrdSettings) -> dict[str, str | int]:
    """What made a pattern, as hashed into a data set's name: both engines read pymatgen's form factors, or another's.

    Raises:
        ConfigError: the package that holds the form factors is not installed.
    """
    from importlib.metadata import version

    identity: dict[str, str | int] = {"engine": settings.engine, "pymatgen": version("pymatgen-core")}
    identity |= table_version(settings.form_factors)
    return {**identity, "revision": BATCHED_REVISION} if settings.engine == "batched" else identity


def simulate(
    crystals: Sequence[Crystal | Structure],
    settings: XrdSettings,
    *,
    max_reflections: float = math.inf,
    device: str = "cpu",
) -> tuple[Patterns, list[str | None]]:
    """Simulate a list of crystals with the engine that the settings name.

    A crystal that cannot be simulated does not stop the others.

    Args:
        crystals: what to simulate; pymatgen's structures are taken too.
        settings: engine, radiation, range, grid and width.
        max_reflections: a crystal with more lattice points in range is not simulated: it would take all memory.
        device: where the batched engine computes, see :func:`check_device`; the reference engine does so on the CPU.

    Returns:
        Patterns ``(n, n_points)`` float32, largest = 100; and for each crystal None, or why its pattern is zero.

    Raises:
        PatternError: something that was given is no crystal.
        ConfigError: nothing can be simulated here, as where the table of form factors is not installed.
    """
    crystals = as_crystals(crystals)
    engine = partial(_batched, device=device) if settings.engine == "batched" else _reference
    failures: list[str | None] = [_why_too_many(crystal, settings, max_reflections) for crystal in crystals]
    rows = [row for row, failure in enumerate(failures) if failure is None]
    patterns = np.zeros((len(crystals), settings.n_points), dtype=np.float32)
    if rows:
        some = [crystals[row] for row in rows]
        try:
            patterns[rows] = engine(some, settings)
        except ConfigError:
            raise  # no structure's fault: every other one would fail alike
        except Exception:  # noqa: BLE001 - one odd structure must not end a long build: find it, and count it by name
            patterns[rows], found = _one_by_one(engine, some, settings)
            for row, failure in zip(rows, found, strict=True):
                failures[row] = failure
    for row, pattern in enumerate(patterns):
        if failures[row] is None and not pattern.any():
            failures[row] = "no reflection within the range"
    return patterns, failures


def as_crystals(structures: Sequence[Crystal | Structure]) -> list[Crystal]:
    """The same structures in our own form.

    Raises:
        PatternError: one of them is no crystal, or something else was given in place of a list.
    """
    # a structure of pymatgen's can only be there if pymatgen is; to import it takes a second
    core = sys.modules.get("pymatgen.core")
    foreign: tuple[type, ...] = (core.IStructure,) if core else ()
    if isinstance(structures, (Crystal, str, *foreign)) or not isinstance(structures, Iterable):
        msg = f"needed is a list of structures, not one {type(structures).__name__}: give [structure]"
        raise PatternError(msg)
    crystals: list[Crystal] = []
    for place, each in enumerate(structures):
        if isinstance(each, Crystal):
            crystals.append(each)
        elif isinstance(each, foreign):
            crystals.append(Crystal.from_pymatgen(each))
        else:
            msg = f"structure {place} is a {type(each).__name__}: give a deepxrd.chem.Crystal or a pymatgen Structure"
            raise PatternError(msg)
    return crystals


def check_device(device: str, settings: XrdSettings) -> None:
    """Find out before a long build whether patterns can be simulated on a device of this machine.

    Args:
        device: as torch names it: ``cpu``, ``cuda``, ``cuda:1`` …
        settings: of the patterns.

    Raises:
        ConfigError: there is no such device, or the engine cannot use it.
    """
    if device == "cpu":
        return
    if settings.engine != "batched":
        msg = f"build.device={device}: the engine {settings.engine} computes on the CPU; set xrd.engine=batched"
        raise ConfigError(msg)
    try:
        working_device(device)
    except ConfigError as error:
        msg = f"build.device={device}: {error}"
        raise ConfigError(msg) from error


def n_reflections(crystal: Crystal, settings: XrdSettings) -> float:
    """About how many reciprocal lattice points lie within the range, at the shortest wavelength.

    The limiting sphere of radius ``2 sin(theta_max) / wavelength`` holds one point per reciprocal cell.
    """
    shortest = min(wavelength for wavelength, _ in settings.lines)
    radius = 2 * np.sin(np.radians(settings.two_theta_max_deg / 2)) / shortest
    return float(4 / 3 * np.pi * radius**3 * crystal.volume)


def _why_too_many(crystal: Crystal, settings: XrdSettings, max_reflections: float) -> str | None:
    n = n_reflections(crystal, settings)
    if n <= max_reflections:
        return None
    return f"about {n:.2g} reflections in range are more than the {max_reflections:,.0f} of build.max_reflections"


def _batched(crystals: Sequence[Crystal], settings: XrdSettings, *, device: str) -> Patterns:
    from deepxrd.xrd.batched import simulate_patterns

    return simulate_patterns(crystals, settings, device=device)


def _reference(crystals: Sequence[Crystal], settings: XrdSettings) -> Patterns:
    return np.stack([simulate_pattern(crystal, settings) for crystal in crystals])


def _one_by_one(
    engine: Callable[[Sequence[Crystal], XrdSettings], Patterns], crystals: Sequence[Crystal], settings: XrdSettings
) -> tuple[Patterns, list[str | None]]:
    patterns = np.zeros((len(crystals), settings.n_points), dtype=np.float32)
    failures: list[str | None] = []
    for row, crystal in enumerate(crystals):
        try:
            patterns[row] = engine([crystal], settings)[0]
            failures.append(None)
        except Exception as error:  # noqa: BLE001 - as above
            failures.append(f"{type(error).__name__}: {error}")
    return patterns, failures
