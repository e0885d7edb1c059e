"""One absurd entry is counted by name, and the rest of the build goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from deepxrd.chem import Crystal, StructureLimits
from deepxrd.chem.crystal import close_pairs
from deepxrd.data import BuildOptions, Selection, ensure_store
from deepxrd.data.selection import select
from deepxrd.errors import ConfigError, SelectionError
from deepxrd.sources import FilesSource, Source, StructureRecord
from deepxrd.xrd import XrdSettings, simulate
from deepxrd.xrd.engines import n_reflections

_XRD = XrdSettings(two_theta_min_deg=10, two_theta_max_deg=100, n_points=128, sigma_deg=0.8)


def _cube(edge: float, n: int = 1) -> Crystal:
    """n caesium atoms far from each other."""
    per_axis = int(np.ceil(n ** (1 / 3)))
    places = np.stack(np.meshgrid(*[np.arange(per_axis) / per_axis] * 3), axis=-1).reshape(-1, 3)[:n]
    return Crystal(np.eye(3) * edge, np.full(n, 55), places, np.ones(n))


class _Source(Source):
    """The records that it is given."""

    name, citation, made_up = "given", "", True

    def __init__(self, records: list[StructureRecord]) -> None:
        self._records = records

    def fingerprint(self) -> dict[str, str]:
        return {"source": "given", "records": ",".join(record.material_id for record in self._records)}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[StructureRecord]:
        return iter(self._records)


def test_absurd_cells_do_not_take_the_build(tmp_path: Path, cscl: Crystal) -> None:
    absurd = {
        "cube-1000": _cube(1e3),
        "cube-1e4": _cube(1e4),
        "many": _cube(150, 30_000),
        "long": _cube(1e7),
    }
    records = [StructureRecord(name, crystal) for name, crystal in absurd.items()]
    good = [StructureRecord(f"good-{i}", cscl, -float(i)) for i in range(100)]
    started = time.monotonic()
    options = BuildOptions(n_jobs=1)
    store = ensure_store(_Source([*records, *good]), Selection(None), _XRD, root=tmp_path, options=options)
    assert time.monotonic() - started < 20
    counts = store.manifest["counts"]
    assert counts["samples"] == 1
    assert counts["unreadable"] == 4
    first = counts["unreadable_first"]
    assert "30,000 atoms" in first["many"]
    assert all("build.max_cell_volume_angstrom3" in first[name] for name in ("cube-1000", "cube-1e4", "long"))
    assert store.manifest["inputs"]["limits"] == StructureLimits().to_dict()


def test_a_pattern_of_too_many_reflections_is_not_begun(cscl: Crystal) -> None:
    short = XrdSettings(radiation=0.05)
    started = time.monotonic()
    patterns, failures = simulate([cscl, cscl], short, max_reflections=1e6)
    assert time.monotonic() - started < 1
    assert not patterns.any()
    assert all("build.max_reflections" in str(failure) for failure in failures)
    narrow = XrdSettings(radiation=0.05, two_theta_min_deg=0.5, two_theta_max_deg=4, sigma_deg=0.02)
    assert simulate([cscl], narrow, max_reflections=1e6)[1] == [None]


def test_only_the_crystal_with_too_many_fails(cscl: Crystal, silicon: Crystal) -> None:
    most = n_reflections(silicon, _XRD) - 1
    patterns, failures = simulate([cscl, silicon, cscl], _XRD, max_reflections=most)
    assert [failure is None for failure in failures] == [True, False, True]
    np.testing.assert_array_equal(patterns[[0, 2]], simulate([cscl, cscl], _XRD)[0])


@pytest.mark.parametrize("radiation", [1e-3, 0.049, 5.1, 154.0])
def test_wavelengths_that_no_one_diffracts_with_are_refused(radiation: float) -> None:
    with pytest.raises(ConfigError, match=r"0\.05–5 Å"):
        XrdSettings(radiation=radiation)


@pytest.mark.parametrize("name", ["max_atoms", "max_cell_volume_angstrom3", "max_reflections"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "many", True, None])
def test_limits_that_make_no_sense_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"build\.{name}="):
        BuildOptions(**{name: value})  # type: ignore[arg-type]


def test_a_limit_is_part_of_what_a_store_is_made_from(tmp_path: Path, perovskite_source: FilesSource) -> None:
    with pytest.raises(SelectionError):
        ensure_store(
            perovskite_source,
            Selection(),
            _XRD,
            root=tmp_path,
            options=BuildOptions(n_jobs=1, max_atoms=4, max_failed_share=1.0),
        )


def test_remarks_are_counted(cscl: Crystal, silicon: Crystal) -> None:
    records = [StructureRecord("a", cscl, remarks=("x",)), StructureRecord("b", silicon, remarks=("x", "y"))]
    assert select(records, Selection(None)).counts()["remarks"] == {"x": 2, "y": 1}


def test_close_pairs_are_those_of_all_distances(triclinic: Crystal) -> None:
    """Against the table of all distances, images in all neighbouring cells included."""
    coords = np.random.default_rng(0).uniform(-1, 2, (80, 3))
    coords[40:] = coords[:40] + np.random.default_rng(1).normal(0, 0.04, (40, 3)) + 3
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3)
    delta = (coords % 1)[:, None] - (coords % 1)[None]
    distance = np.linalg.norm((delta[:, :, None] + shifts) @ triclinic.lattice, axis=-1).min(axis=-1)
    first, second = np.nonzero(np.triu(distance < 0.3, 1))
    assert len(first) > 5
    np.testing.assert_array_equal(close_pairs(triclinic.lattice, coords, 0.3), np.stack([first, second], axis=1))


@pytest.mark.snapshot
def test_all_of_the_materials_project_is_within_the_limits(snapshot_path: Path) -> None:
    table = pq.read_table(
        snapshot_path.with_name("mp-2025.02.12.parquet"), columns=["nsites", "a", "b", "c", "alpha", "beta", "gamma"]
    ).to_pandas()
    cosines = np.cos(np.radians(table[["alpha", "beta", "gamma"]].to_numpy()))
    edges = table[["a", "b", "c"]].to_numpy().prod(axis=1)
    volume = edges * np.sqrt(1 - (cosines**2).sum(axis=1) + 2 * cosines.prod(axis=1))
    limits, widest = StructureLimits(), XrdSettings(radiation="AgKa")
    assert table["nsites"].max() <= limits.max_atoms
    assert volume.max() <= limits.max_cell_volume_angstrom3
    cube = Crystal(np.eye(3) * volume.max() ** (1 / 3), np.array([55]), np.zeros((1, 3)), np.ones(1))
    assert n_reflections(cube, widest) <= limits.max_reflections
