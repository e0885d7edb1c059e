"""What all tests share: a few well-known crystals, a small source of perovskites, the Materials Project snapshot."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from absence import absent
from deepxrd.chem import ATOMIC_NUMBERS, Crystal, lattice_from_parameters
from deepxrd.sources import FilesSource

pytest_plugins = ["task_table"]

# The same examples on every run, so that a red CI can be repeated; the fixtures used with @given hold no state.
settings.register_profile(
    "deepxrd",
    deadline=None,
    derandomize=True,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("deepxrd")

_REPOSITORY = Path(__file__).resolve().parents[1]
_SNAPSHOT = _REPOSITORY.parent / "shared" / "data" / "mp-ternary-2025.02.12.parquet"


def _crystal(cell: tuple[float, ...], sites: list[tuple[str, tuple[float, float, float]]]) -> Crystal:
    """A crystal of full sites from a, b, c (Å), alpha, beta, gamma (degrees) and fractional coordinates."""
    lattice = lattice_from_parameters(np.array([cell[:3]]), np.array([cell[3:]]))[0]
    return Crystal(
        lattice,
        np.array([ATOMIC_NUMBERS[symbol] for symbol, _ in sites]),
        np.array([xyz for _, xyz in sites], dtype=np.float64),
        np.ones(len(sites)),
    )


def _face_centred(symbol: str, x: float, y: float, z: float) -> list[tuple[str, tuple[float, float, float]]]:
    shifts = ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))
    return [(symbol, (x + u, y + v, z + w)) for u, v, w in shifts]


@pytest.fixture(scope="session")
def snapshot_path() -> Path:
    """The snapshot of the Materials Project; its absence fails on CI and skips elsewhere."""
    path = Path(os.environ.get("DEEPXRD_SNAPSHOT") or _SNAPSHOT)
    if not path.is_file():
        absent(f"no snapshot at {path}; set DEEPXRD_SNAPSHOT to where it is")
    return path


@pytest.fixture(scope="session")
def cscl() -> Crystal:
    """CsCl in the cell of pymatgen's own golden test, a = 4.209 Å."""
    return _crystal((4.209,) * 3 + (90.0,) * 3, [("Cs", (0, 0, 0)), ("Cl", (0.5, 0.5, 0.5))])


@pytest.fixture(scope="session")
def nacl() -> Crystal:
    """Rock salt, a = 5.6402 Å (Swanson & Fuyat 1953)."""
    return _crystal((5.6402,) * 3 + (90.0,) * 3, _face_centred("Na", 0, 0, 0) + _face_centred("Cl", 0.5, 0, 0))


@pytest.fixture(scope="session")
def silicon() -> Crystal:
    """Silicon, a = 5.4309 Å (NIST SRM 640)."""
    return _crystal((5.4309,) * 3 + (90.0,) * 3, _face_centred("Si", 0, 0, 0) + _face_centred("Si", 0.25, 0.25, 0.25))


@pytest.fixture(scope="session")
def wurtzite() -> Crystal:
    """ZnO, hexagonal, a = 3.2495 Å, c = 5.2069 Å."""
    u = 0.3821
    zinc = [("Zn", (1 / 3, 2 / 3, 0.0)), ("Zn", (2 / 3, 1 / 3, 0.5))]
    oxygen = [("O", (1 / 3, 2 / 3, u)), ("O", (2 / 3, 1 / 3, 0.5 + u))]
    return _crystal((3.2495, 3.2495, 5.2069, 90.0, 90.0, 120.0), zinc + oxygen)


@pytest.fixture(scope="session")
def triclinic() -> Crystal:
    """A made-up cell without symmetry: three elements, three angles of their own."""
    sites = [("Ca", (0.02, 0.07, 0.11)), ("Ti", (0.53, 0.44, 0.61)), ("O", (0.31, 0.79, 0.27)), ("O", (0.78, 0.2, 0.9))]
    return _crystal((4.1, 5.3, 6.2, 81.0, 97.0, 108.0), sites)


@pytest.fixture(params=["cscl", "nacl", "silicon", "wurtzite", "triclinic"])
def crystal(request: pytest.FixtureRequest) -> Crystal:
    """Each of the crystals above in turn."""
    return request.getfixturevalue(request.param)


def _write_perovskites(folder: Path) -> Path:
    """Write 36 cubic perovskites ABX3, each with its own lattice constant, as JSON Lines; return the file."""
    lines = []
    for i, a in enumerate(("Cd", "Sr", "Ba", "Eu")):  # none of their compounds is held out
        for j, b in enumerate(("Ti", "Zr", "Hf")):
            for k, x in enumerate(("O", "S", "F")):
                anions = [(x, (0.5, 0.5, 0.0)), (x, (0.5, 0.0, 0.5)), (x, (0.0, 0.5, 0.5))]
                edge = 3.8 + 0.07 * i + 0.11 * j + 0.53 * k
                crystal = _crystal((edge,) * 3 + (90.0,) * 3, [(a, (0, 0, 0)), (b, (0.5, 0.5, 0.5)), *anions])
                entry = {
                    "material_id": f"test-{len(lines)}",
                    "structure": crystal.to_pymatgen().as_dict(),
                    "formation_energy_per_atom": -1.0 - 0.01 * len(lines),
                }
                lines.append(json.dumps(entry))
    path = folder / "perovskites.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def write_perovskites() -> Callable[[Path], Path]:
    """A function that writes 36 perovskites ABX3 into a folder and returns the ``.jsonl`` file."""
    return _write_perovskites


@pytest.fixture(scope="session")
def perovskite_source(tmp_path_factory: pytest.TempPathFactory) -> FilesSource:
    """A source of 36 perovskites; read-only."""
    return FilesSource(_write_perovskites(tmp_path_factory.mktemp("perovskites")), citation="made up for tests")
