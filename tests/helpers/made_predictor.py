"""A predictor that needs no network, for the tests of screening; other processes can import it from here."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepxrd.chem import Formula, parse_formula
from deepxrd.models.predictions import Predictions
from deepxrd.xrd import XrdSettings


class Fake:
    """Patterns drawn from a hash of the formula, and an expected F1 beside them."""

    def __init__(self, fingerprint: str = "a", *, fail_after: int | None = None) -> None:
        self.fingerprint, self.xrd = fingerprint, XrdSettings(n_points=64)
        self.asked: list[int] = []
        self._left = fail_after

    def check(self, formula: str) -> Formula:
        return parse_formula(formula)

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        if formulas and self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
        self.asked.append(len(formulas))
        patterns = np.stack([self.pattern(f) for f in formulas]) if formulas else np.empty((0, 64), np.float32)
        return Predictions(patterns, {"expected_f1": np.array([len(f.counts) / 9 for f in formulas], np.float32)})

    def pattern(self, formula: Formula) -> np.ndarray:
        seed = int(hashlib.sha256(str(formula).encode()).hexdigest()[:8], 16)
        return np.random.default_rng(seed).uniform(0, 100, 64).astype(np.float32)


FORMULAS = [f"Sr{a}Ti{b}O{c}" for a in (1, 2) for b in (1, 3) for c in (1, 2, 3, 5, 7)]


def write_csv(path: Path, formulas: list[str]) -> Path:
    path.write_text("name,formula\n" + "".join(f"n{i},{f}\n" for i, f in enumerate(formulas)), encoding="utf-8")
    return path


def contents(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


class Slow(Fake):
    """The same predictions, a fifth of a second for each part."""

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        time.sleep(0.2 if formulas else 0)
        return super().predict(formulas)


class Deadly(Fake):
    """Kills any process but one at the last formula, as a system that is out of memory would."""

    def __init__(self, spared: int) -> None:
        super().__init__("deadly")
        self._spared = spared

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        if FORMULAS[-1] in map(str, formulas) and os.getpid() != self._spared:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(formulas)


def other_elsewhere(here: int) -> Fake:
    """Other weights in all processes but one."""
    return Fake("ours" if os.getpid() == here else "theirs")
