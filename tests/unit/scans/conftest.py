"""The writers of files, and one pattern that all of them write."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from deepxrd.scans import Scan, read_scans

Read = Callable[..., Scan]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes bytes or text to a file and reads its only scan."""

    def write_and_read(content: bytes | str, name: str = "file.dat", **options: str) -> Scan:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        scans = read_scans(tmp_path / name, **options)
        assert len(scans) == 1, [scan.facts for scan in scans]
        return scans[0]

    return write_and_read


@pytest.fixture(scope="session")
def counts() -> list[int]:
    """Counts of 400 points, each the square of a whole number over a hundred, as the packing of Philips allows."""
    angle = 10 + 0.02 * np.arange(400)
    pattern = 40 + 2500 * np.exp(-0.5 * ((angle - 13) / 0.1) ** 2) + 700 * np.exp(-0.5 * ((angle - 16) / 0.1) ** 2)
    noisy = np.random.default_rng(0).poisson(pattern)
    return [int(value) for value in (np.round(np.sqrt(noisy)) ** 2).astype(int)]
