"""Scans as a diffractometer would measure them, from structures: for choosing settings without a look at real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepxrd.matching.model import (
    LORENTZ,
    N_PARAMETERS,
    SHIFT,
    STRAIN,
    TEXTURE,
    THERMAL,
    WIDTH,
    calculated,
)
from deepxrd.matching.phases import COMPUTED_STRAIN, PhaseToTry
from deepxrd.matching.profile import Grid, Stack
from deepxrd.matching.reflections import reflections
from deepxrd.matching.texture import texture_axes, texture_cosines
from deepxrd.scans.scan import Scan, ScanRange
from deepxrd.xrd.radiation import tube

FIRST_DEG, LAST_DEG, STEP_DEG = 5.0, 90.0, 0.01
_FINE = 1e-4  # 1/Å
_REACH = 1.06


def simulated_scan(phase: PhaseToTry, rng: np.random.Generator, *, grains: float = 0.0) -> Scan:
    """A scan with Cu Kα of one phase: its cell is off as computed ones are, it is displaced, textured and noisy.

    Args:
        phase: what is measured.
        rng: of all that is drawn.
        grains: standard deviation of the logarithm of each reflection's intensity, as few large grains scatter it.
    """
    waves = tube("CuKa")
    length, second = waves.kalpha1_angstrom, waves.kalpha2_angstrom
    first, last = (2 * np.sin(np.radians(edge / 2)) / length for edge in (FIRST_DEG, LAST_DEG))
    x = np.arange(first, last, _FINE)
    grid = Grid(float(x[0]), _FINE, len(x), ((1.0, 2 / 3), (float(second or length) / length, 1 / 3)), length)
    found = reflections(phase.crystal, phase.setting, d_inverse_max=_REACH * last, wavelength_angstrom=length)
    if grains:
        found = replace(found, intensity=found.intensity * np.exp(rng.normal(0, grains, len(found.q))))
    axes = texture_axes(phase.setting)
    axis = axes[int(rng.integers(len(axes)))]
    stack = Stack.of([found], [texture_cosines(phase.crystal, phase.setting, found.hkl, axis)])
    made = calculated(grid, stack, _drawn(len(found.slopes), rng)[None], _FINE)[0]
    angle = np.arange(FIRST_DEG, LAST_DEG, STEP_DEG)
    counts = np.maximum(np.interp(2 * np.sin(np.radians(angle / 2)) / length, x, made), 0.0)
    counts *= 10 ** rng.uniform(3.0, 4.3) / counts.max()
    background = 10 ** rng.uniform(1.5, 2.5) * (1 + 2 * np.exp((FIRST_DEG - angle) / 12))
    noisy = rng.poisson(counts + background).astype(np.float64)
    ranges = (ScanRange(0, len(angle), STEP_DEG),)
    return Scan(angle, noisy, None, ranges=ranges, wavelengths=waves)


def _drawn(n_free: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Parameters as they scatter from sample to sample, ``(N_PARAMETERS,)``."""
    out = np.zeros(N_PARAMETERS)
    out[SHIFT], out[WIDTH] = rng.normal(0, 0.03), np.log(0.0014) + rng.normal(0, 0.35)
    out[LORENTZ], out[THERMAL] = np.clip(rng.normal(0.6, 0.2), 0, 1), np.clip(rng.normal(0.8, 0.4), 0.1, 3)
    out[TEXTURE] = rng.normal(0, 0.3) if rng.random() < 0.6 else 0.0
    along = min(n_free, 3)
    out[STRAIN : STRAIN + along] = COMPUTED_STRAIN + rng.normal(0, 0.009) + rng.normal(0, 0.006, along)
    out[STRAIN + along : STRAIN + n_free] = rng.normal(0, 0.006, n_free - along)
    return out
