"""Training of the network."""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepxrd.chem import Formula
from deepxrd.io.progress import progress_bar
from deepxrd.metrics.peaks import TOLERANCES_DEG, match_count
from deepxrd.models.baselines import Reference
from deepxrd.models.candidates.candidates import N_CANDIDATES, TemplateLibrary
from deepxrd.models.candidates.network import RetrievalNet, losses
from deepxrd.models.candidates.volumes import TemplateVolumes
from deepxrd.xrd import Peaks, find_peaks

_AT_ONCE = 256  # compositions whose candidates are simulated at a time
_LEARNING_RATE = 2e-3
_HELD_OUT = 0.02  # share of compositions whose loss is shown and not learned from
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Data:
    """All that is learned from, by composition: as in `RetrievalNet.forward` and `losses`."""

    features: NDArray[np.float32]
    elements: NDArray[np.int64]
    mask: NDArray[np.bool_]
    candidates: NDArray[np.float16]
    quality: NDArray[np.float32]
    patterns: NDArray[np.float32]
    peaks: NDArray[np.bool_]

    def losses(self, net: RetrievalNet, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        simulated = torch.from_numpy(np.array(self.candidates[rows], dtype=np.float32))
        features, elements, mask, patterns, quality = (
            torch.from_numpy(each[rows])
            for each in (self.features, self.elements, self.mask, self.patterns, self.quality)
        )
        out = net(features, elements, mask, simulated)
        return losses(out, patterns, torch.from_numpy(self.peaks[rows]).float(), quality, mask)


def fit_networks(
    reference: Reference,
    library: TemplateLibrary,
    volumes: TemplateVolumes,
    *,
    seed: int,
    epochs: int,
    batch: int,
    members: int,
) -> tuple[RetrievalNet, ...]:
    """Train networks on all training compositions that have candidates; they differ by their seed only.

    Patterns of candidates are kept in a temporary file, 32 kB a composition, and not in memory.
    """
    known = np.flatnonzero(library.known(reference.formulas))
    seeds = [seed + 1000 * member for member in range(members)]
    with tempfile.TemporaryDirectory(prefix="deepxrd-retrieval-") as folder, torch.random.fork_rng(devices=[]):
        data = _prepare(reference, known, library, volumes, Path(folder)) if len(known) else None
        n_features = library.candidates([], volumes).features.shape[-1]
        nets = []
        for each in seeds:
            torch.manual_seed(each)
            net = RetrievalNet(n_features, library.width, reference.xrd.two_theta_deg)
            # without data there is nothing to learn from, and nothing that the network will be asked
            nets.append(net.eval() if data is None else _fit(net, data, seed=each, epochs=epochs, batch=batch))
        return tuple(nets)


def _fit(net: RetrievalNet, data: _Data, *, seed: int, epochs: int, batch: int) -> RetrievalNet:
    seen = torch.from_numpy(data.features[data.mask])
    if len(seen):
        net.centre.copy_(seen.mean(0))
        net.spread.copy_(seen.std(0, correction=0) + 1e-6)
    usable = np.flatnonzero(data.mask.any(axis=1))
    return _train(net, data, usable, seed=seed, epochs=epochs, batch=batch) if len(usable) else net.eval()


def _prepare(
    reference: Reference, known: NDArray[np.int64], library: TemplateLibrary, volumes: TemplateVolumes, folder: Path
) -> _Data:
    """Candidates of all compositions, simulated and compared with the truth."""
    parts: list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float32]]] = []
    patterns = np.array(reference.patterns[known]) / np.float32(100)
    shape = len(known), N_CANDIDATES, reference.xrd.n_points
    candidates = np.lib.format.open_memmap(folder / "candidates.npy", "w+", np.float16, shape)
    with progress_bar() as bar:
        task = bar.add_task("Simulating candidates", total=len(known))
        for start in range(0, len(known), _AT_ONCE):
            rows = known[start : start + _AT_ONCE]
            formulas: Sequence[Formula] = [reference.formulas[row] for row in rows]
            found = library.candidates(formulas, volumes)
            simulated = library.patterns(found, reference.xrd)
            candidates[start : start + len(rows)] = simulated
            mask = np.asarray(simulated.any(axis=2))
            quality = _quality(simulated, patterns[start : start + len(rows)], reference.xrd.two_theta_deg)
            parts.append((found.features, np.concatenate([found.old, found.new], axis=2), mask, quality))
            bar.advance(task, len(rows))
    features, elements, mask, quality = (np.concatenate(each) for each in zip(*parts, strict=True))
    return _Data(features, elements, mask, candidates, quality, patterns, _peak_map(patterns, reference))


def _quality(
    simulated: NDArray[np.float32], true: NDArray[np.float32], two_theta_deg: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Mean F1 of each candidate over the tolerances, ``(n, k)``."""
    n, k, n_points = simulated.shape
    ours = find_peaks(100 * simulated.reshape(n * k, n_points), two_theta_deg)
    once = find_peaks(100 * true, two_theta_deg)
    theirs = Peaks(
        np.repeat(once.two_theta_deg, k, axis=0), np.repeat(once.intensity, k, axis=0), np.repeat(once.count, k)
    )
    total = np.maximum(ours.count + theirs.count, 1)
    each = [2 * match_count(theirs, ours, tolerance_deg=tolerance) / total for tolerance in TOLERANCES_DEG]
    return np.asarray(np.mean(each, axis=0).reshape(n, k), dtype=np.float32)


def _peak_map(patterns: NDArray[np.float32], reference: Reference) -> NDArray[np.bool_]:
    """Where the merged peaks of true patterns are, ``(n, n_points)``."""
    peaks, out = find_peaks(100 * patterns, reference.xrd.two_theta_deg), np.zeros(patterns.shape, dtype=bool)
    first = reference.xrd.two_theta_deg[0]
    points = np.rint((peaks.two_theta_deg[peaks.valid] - first) / reference.xrd.step).astype(np.int64)
    out[np.nonzero(peaks.valid)[0], points] = True
    return out


def _train(
    net: RetrievalNet, data: _Data, usable: NDArray[np.int64], *, seed: int, epochs: int, batch: int
) -> RetrievalNet:
    """Train with AdamW and a one-cycle schedule; gives the running mean of the weights, in evaluation mode."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(usable)
    n_held = int(_HELD_OUT * len(order))
    held, learned = order[:n_held], order[n_held:]
    batch = min(batch, len(learned))
    per_epoch = len(learned) // batch
    net = net.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    mean = copy.deepcopy(net).eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=_LEARNING_RATE, weight_decay=0.02)
    # never so few steps that the schedule has no room to rise and fall
    steps = max(per_epoch * epochs, 10)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, steps, pct_start=0.15)
    done = 0
    with progress_bar() as bar:
        task = bar.add_task("Training", total=per_epoch * epochs)
        for epoch in range(epochs):
            shuffled, total = rng.permutation(learned), 0.0
            for start in range(0, per_epoch * batch, batch):
                rows = shuffled[start : start + batch]
                loss, pearson = data.losses(net, rows)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                done, total = done + 1, total + float(pearson.detach())
                _follow(mean, net, min(0.998, done / (done + 20)))
                bar.advance(task)
            told = f"epoch {epoch + 1}/{epochs}: Pearson {total / per_epoch:.4f}"
            told += f", held out {_held_out(mean, data, held):.4f}" if len(held) else ""
            bar.update(task, description=f"Training, {told}")
            bar.console.print(told)
    return mean


@torch.no_grad()
def _follow(mean: RetrievalNet, net: RetrievalNet, keep: float) -> None:
    for old, new in zip(mean.parameters(), net.parameters(), strict=True):
        old.lerp_(new, 1 - keep)


@torch.no_grad()
def _held_out(net: RetrievalNet, data: _Data, held: NDArray[np.int64]) -> float:
    total = 0.0
    for start in range(0, len(held), _AT_ONCE):
        rows = held[start : start + _AT_ONCE]
        total += float(data.losses(net, rows)[1]) * len(rows)
    return total / len(held)
