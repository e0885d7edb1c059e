"""The batched engine: powder patterns of many crystals at once, in torch.

Per reflection it does what pymatgen's ``XRDCalculator`` does: ``I = |F|^2 (1 + cos^2 2θ) / (sin^2 θ cos θ)`` over all
reciprocal lattice points of the limiting sphere, with real form factors. It is fast because

- phases are products of a factor per row (h, k) and a factor per l, so structure factors are matrix products;
- no reflection is ever listed, sorted or merged: each goes at once into the bins of a fine grid (`fine_grid`);
- form factors are read from a table on that same grid;
- all else is a short list of plain operations on arrays that fit the processor's cache.

A pattern does not depend on what else is in the call, on ``max_bytes``, or on how a set is dealt out to workers: on the
CPU it is the same to the last bit (a panel has its own matrix products, and all other operations act on one value).
On a GPU sums are formed in any order, so the last digits of float32 may vary. To use several cores, deal crystals out
to processes: the work is done on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem.crystal import Crystal
from deepxrd.xrd.fine_grid import N_MOMENTS
from deepxrd.xrd.line_engine import line_engine
from deepxrd.xrd.packing import consecutive_groups, pack_crystals
from deepxrd.xrd.settings import XrdSettings

_BYTES_PER_POINT = 192  # about what all arrays of a batch take per entry of its table of reflections
_BYTES_PER_ROW = 400
_BYTES_PER_SITE = 200
_CPU_POINTS = 1 << 16  # more does not fit the second-level cache
_GPU_POINTS = 1 << 23


def simulate_patterns(
    crystals: Sequence[Crystal], settings: XrdSettings, *, device: str = "cpu", max_bytes: int = 1 << 29
) -> NDArray[np.float32]:
    """Simulate the powder patterns of many crystals.

    Args:
        crystals: what to simulate; some hundreds at once are ten times as fast as one by one.
        settings: radiation, range, grid and width.
        device: where torch computes: ``cpu``, ``cuda``, ``cuda:1`` …
        max_bytes: about how much memory to work in, beside that of the result; it does not change the result.

    Returns:
        ``(n, n_points)`` float32, the largest value of each pattern 100; zeros where no reflection is in range.

    Raises:
        PatternError: if the table of form factors lacks an element.
    """
    patterns = np.zeros((len(crystals), settings.n_points), dtype=np.float32)
    if not crystals:
        return patterns
    with _one_thread():
        return _simulate_groups(crystals, settings, patterns, device, max_bytes)


def _simulate_groups(
    crystals: Sequence[Crystal],
    settings: XrdSettings,
    patterns: NDArray[np.float32],
    device: str,
    max_bytes: int,
) -> NDArray[np.float32]:
    """Fill ``patterns``, some thousand crystals at a time."""
    lines = [(line_engine(settings, wavelength, device), share) for wavelength, share in settings.lines]
    max_points = min(max_bytes // (2 * _BYTES_PER_POINT), _CPU_POINTS if device == "cpu" else _GPU_POINTS)
    bytes_each = _bytes_each(crystals, lines[0][0].grid.n_bins, min(wavelength for wavelength, _ in settings.lines))
    for start, stop in consecutive_groups(bytes_each, limit=max_bytes // 2):
        packed = pack_crystals(crystals[start:stop])
        total = sum(share * engine.patterns(packed, max_points=max_points) for engine, share in lines)
        patterns[start:stop] = _scale(torch.as_tensor(total)).cpu().numpy()
    return patterns


def _bytes_each(crystals: Sequence[Crystal], n_bins: int, wavelength_angstrom: float) -> NDArray[np.float64]:
    """About what each crystal takes of memory while its group is at work: bins, rows of reflections and sites."""
    volumes = np.abs(np.linalg.det(np.stack([crystal.lattice for crystal in crystals])))
    n_rows = np.pi / 2 * (volumes * (2 / wavelength_angstrom) ** 3) ** (2 / 3)  # exact in a large cube, else too many
    n_sites = np.array([len(crystal.atomic_numbers) for crystal in crystals])
    return np.asarray(4 * N_MOMENTS * n_bins + _BYTES_PER_ROW * n_rows + _BYTES_PER_SITE * n_sites)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch work on one thread for a while.

    The pieces are too small to share: a second thread gains nothing, and where cores are taken it waits for its turn
    at every operation, which was measured to make the whole 40 times slower. Deal crystals out to processes instead.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _scale(patterns: torch.Tensor) -> torch.Tensor:
    """Scale the largest value of each pattern to 100; patterns without a reflection stay zero."""
    largest = patterns.amax(dim=1, keepdim=True)
    return torch.where(largest > 0, patterns * (100 / largest), torch.zeros_like(patterns))
