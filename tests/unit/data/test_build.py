from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from deepxrd.chem import PAPER_ELEMENTS, Crystal, OneHotEncoding
from deepxrd.data import BuildOptions, PatternStore, Selection, build, ensure_store
from deepxrd.errors import ConfigError, SelectionError, SourceError, StoreError
from deepxrd.sources import FilesSource, ReadFailure, Source, StructureRecord
from deepxrd.xrd import XrdSettings, form_factors, simulate
from deepxrd.xrd.line_engine import line_engine

_XRD = XrdSettings(two_theta_min_deg=10, two_theta_max_deg=100, n_points=128, sigma_deg=0.8)
_ENGINE_TOL = 1e-3  # of 100
_FILES = {"manifest.json", "patterns.npy", "samples.parquet"}


def _ensure(source: Source, root: Path, *, n_jobs: int = 1, **changes: Any) -> PatternStore:
    inputs: dict[str, Any] = {"selection": Selection(), "xrd": _XRD, **changes}
    options = BuildOptions(n_jobs=n_jobs)
    return ensure_store(source, inputs["selection"], inputs["xrd"], root=root, options=options)


def _contents(store: PatternStore) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in store.path.iterdir()}


class _Listed(Source):
    """A source of records in memory."""

    made_up: ClassVar[bool] = True

    name = "listed"
    citation = ""

    def __init__(self, entries: list[StructureRecord | ReadFailure]) -> None:
        self.entries = entries

    def fingerprint(self) -> dict[str, str]:
        return {"source": "listed"}

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[StructureRecord | ReadFailure]:
        return iter(self.entries)


class _Unreadable(FilesSource):
    """Knows its fingerprint, but must not be read."""

    def __iter__(self) -> Iterator[StructureRecord | ReadFailure]:
        pytest.fail("the source was read again")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four samples to a part, so that a small build has nine."""
    monkeypatch.setattr(build, "PART_SIZE", 4)


@pytest.fixture(scope="module")
def undisturbed(perovskite_source: FilesSource, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a build in one go, in parts of four."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PART_SIZE", 4)
        store = _ensure(perovskite_source, tmp_path_factory.mktemp("stores"))
    assert len(store) == 36
    return _contents(store)


@pytest.mark.usefixtures("small_parts")
def test_two_processes_write_the_same_bytes_as_one(
    perovskite_source: FilesSource, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    store = _ensure(perovskite_source, tmp_path, n_jobs=2)
    assert _contents(store) == undisturbed
    assert set(undisturbed) == _FILES


def test_the_size_of_a_part_changes_no_pattern(
    perovskite_source: FilesSource, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    store = _ensure(perovskite_source, tmp_path)
    assert (store.path / "patterns.npy").read_bytes() == undisturbed["patterns.npy"]


_KILLED = """
import sys, time
from pathlib import Path
from deepxrd.data import BuildOptions, Selection, build, ensure_store
from deepxrd.sources import FilesSource
from deepxrd.xrd import XrdSettings, simulate

def stuck_at_the_second_part(crystals, xrd, done=[], **limits):
    done.append(crystals)
    if len(done) == 2:
        time.sleep(120)
    return simulate(crystals, xrd, **limits)

build.PART_SIZE = 4
build.simulate = stuck_at_the_second_part
source = FilesSource(sys.argv[1], citation="made up for tests")
xrd = XrdSettings(two_theta_min_deg=10, two_theta_max_deg=100, n_points=128, sigma_deg=0.8)
options = BuildOptions(n_jobs=1)
ensure_store(source, Selection(), xrd, root=Path(sys.argv[2]), options=options)
"""


@pytest.mark.usefixtures("small_parts")
def test_a_build_that_was_killed_goes_on_and_writes_the_same_bytes(
    perovskite_source: FilesSource, tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [sys.executable, "-c", _KILLED, str(perovskite_source.path), str(tmp_path)]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*.partial/part-*.parquet")):
            assert process.poll() is None, "the build ended before it could be killed"
            assert time.monotonic() < deadline, "the first part never came"
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    assert not list(tmp_path.glob("*/manifest.json")), "nothing that looks like a store is left"
    simulated: list[Crystal] = []
    monkeypatch.setattr(
        build,
        "simulate",
        lambda crystals, xrd, **limits: (simulated.extend(crystals), simulate(crystals, xrd, **limits))[1],
    )
    assert _contents(_ensure(perovskite_source, tmp_path)) == undisturbed
    assert len(simulated) == 32, "the four samples of the first part are not computed again"
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("step", ["simulate", "_assemble", "file_hash", "write_json"])
def test_a_build_that_is_interrupted_at_any_step_can_be_finished(
    step: str,
    perovskite_source: FilesSource,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real: Callable[..., Any] = getattr(build, step)
    calls: list[int] = []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == (3 if step == "simulate" else 1):
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(build, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        _ensure(perovskite_source, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.suffix != ".partial"]
    assert _contents(_ensure(perovskite_source, tmp_path)) == undisturbed


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (lambda _: [ReadFailure("gone.cif", "no such file")], r"not there any more \(gone\.cif: no such file\)"),
        (lambda records: records[1:], "does not give what iteration does"),
        (lambda _: [], "not there any more: if nothing has changed"),
    ],
)
def test_a_source_that_says_otherwise_the_second_time_is_refused(
    then: Callable[[Any], Any],
    told: str,
    records: list[StructureRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Listed, "at", lambda source, _: iter(then(source.entries)))
    with pytest.raises(SourceError, match=told):
        _ensure(_Listed(list(records)), tmp_path)
    assert not list(tmp_path.glob("*/manifest.json"))


@pytest.mark.usefixtures("small_parts")
def test_what_a_killed_worker_left_half_written_is_cleared_away(
    perovskite_source: FilesSource, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """The name of the store is that of the same build elsewhere; the leftovers are those of `atomic_path`."""
    name = _ensure(perovskite_source, tmp_path / "elsewhere").path.name
    partial = tmp_path / f"{name}.partial"
    partial.mkdir()
    for left in (".part-000003.parquet.k1x9.parquet", ".patterns.npy.a8d2.npy", ".samples.parquet.q2.parquet"):
        (partial / left).write_bytes(b"half")
    assert _contents(_ensure(perovskite_source, tmp_path)) == undisturbed


@pytest.mark.parametrize(
    "changes",
    [
        {"selection": Selection(stoichiometry="ABC3")},
        {"selection": Selection(box=OneHotEncoding())},
        {"selection": Selection(box=OneHotEncoding(n_counts=9))},
        {"xrd": replace(_XRD, sigma_deg=0.81)},
        {"xrd": replace(_XRD, radiation="MoKa")},
        {"xrd": replace(_XRD, n_points=129)},
    ],
)
def test_a_changed_setting_gives_another_store_beside_the_first(
    changes: dict[str, Any], write_perovskites: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write_perovskites(tmp_path)
    path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:2]), encoding="utf-8")
    source = FilesSource(path)
    first, second = _ensure(source, tmp_path), _ensure(source, tmp_path, **changes)
    assert first.path != second.path
    assert first.id != second.id
    assert PatternStore.open(first.path).id == first.id


def test_changed_structures_give_another_store(write_perovskites: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write_perovskites(tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for content in (lines[:2], lines[:3]):
        path.write_text("\n".join(content), encoding="utf-8")
        found.append(_ensure(FilesSource(path), tmp_path))
    assert found[0].path != found[1].path
    assert [len(store) for store in found] == [2, 3]


def test_an_unchanged_store_is_reused_without_reading_the_source(
    perovskite_source: FilesSource, tmp_path: Path
) -> None:
    first = _ensure(perovskite_source, tmp_path)
    before = {file.name: (file.stat().st_mtime_ns, file.stat().st_ino) for file in first.path.iterdir()}
    again = _ensure(_Unreadable(perovskite_source.path), tmp_path)
    assert again.path == first.path
    assert {file.name: (file.stat().st_mtime_ns, file.stat().st_ino) for file in again.path.iterdir()} == before


def test_a_damaged_store_is_reported_and_not_built_over(perovskite_source: FilesSource, tmp_path: Path) -> None:
    store = _ensure(perovskite_source, tmp_path)
    (store.path / "patterns.npy").write_bytes(b"damaged")
    with pytest.raises(StoreError, match=r"patterns\.npy"):
        _ensure(perovskite_source, tmp_path)
    assert (store.path / "patterns.npy").read_bytes() == b"damaged"


def _with(record: StructureRecord, name: str, number: int) -> StructureRecord:
    """The same structure with its first atom replaced."""
    numbers = record.crystal.atomic_numbers.copy()
    numbers[0] = number
    return replace(record, material_id=name, crystal=replace(record.crystal, atomic_numbers=numbers))


@pytest.fixture
def records(perovskite_source: FilesSource) -> list[StructureRecord]:
    return [record for record in perovskite_source if isinstance(record, StructureRecord)][:6]


_WITH_OGANESSON = OneHotEncoding(elements=(*PAPER_ELEMENTS, "Og", "Ts"))  # no table knows their form factors


@pytest.mark.usefixtures("small_parts")
def test_structures_that_cannot_be_simulated_are_counted_by_name_and_the_rest_is_kept(
    records: list[StructureRecord], tmp_path: Path
) -> None:
    odd = [_with(records[0], "odd-1", 118), _with(records[4], "odd-2", 117)]
    entries = [odd[0], *records[:3], odd[1], *records[3:]]
    store = _ensure(_Listed(entries), tmp_path, encoding=_WITH_OGANESSON)
    failed = store.manifest["counts"]["simulation_failed"]
    assert set(failed) == {"odd-1", "odd-2"}
    assert "Og" in failed["odd-1"]
    assert store.samples["material_id"].tolist() == [record.material_id for record in records]
    expected, _ = simulate([record.crystal for record in records], _XRD)
    np.testing.assert_allclose(store.patterns, expected, rtol=0, atol=_ENGINE_TOL)
    assert store.manifest["counts"]["samples"] == len(store.patterns) == 6
    assert store.manifest["counts"]["taken"] == 8


@pytest.mark.usefixtures("small_parts")
def test_a_whole_part_may_fail(records: list[StructureRecord], tmp_path: Path) -> None:
    odd = [_with(record, f"odd-{i}", 118) for i, record in enumerate(records[:4])]
    store = _ensure(_Listed([*odd, *records]), tmp_path, encoding=_WITH_OGANESSON)
    assert store.samples["material_id"].tolist() == [record.material_id for record in records]
    assert len(store.patterns) == 6


def test_failed_structures_that_share_a_name_leave_no_empty_pattern(
    records: list[StructureRecord], tmp_path: Path
) -> None:
    odd = [_with(records[0], "same", 118), _with(records[0], "same", 117)]
    store = _ensure(_Listed([*odd, *records]), tmp_path, encoding=_WITH_OGANESSON)
    assert len(store.patterns) == len(store) == 6
    assert store.patterns.max(axis=1).min() > 0
    assert list(store.manifest["counts"]["simulation_failed"]) == ["same", "same (2)"]


def test_a_pattern_without_a_reflection_is_a_failure(records: list[StructureRecord], tmp_path: Path) -> None:
    """The cubes of about 4 Å reflect from 20° on; twice the cell starts at half of that."""
    wide = replace(records[0], crystal=replace(records[0].crystal, lattice=2 * records[0].crystal.lattice))
    low = XrdSettings(two_theta_min_deg=5, two_theta_max_deg=15, n_points=64)
    store = _ensure(_Listed([wide, *records[1:]]), tmp_path, xrd=low)
    assert store.samples["material_id"].tolist() == [wide.material_id]
    assert set(store.manifest["counts"]["simulation_failed"].values()) == {"no reflection within the range"}


def test_a_missing_table_of_form_factors_ends_a_build_and_is_no_failure_of_the_structures(
    records: list[StructureRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _Listed([*records])
    line_engine.cache_clear()  # the factors that other tests have read
    with monkeypatch.context() as broken:
        broken.setattr(form_factors, "_PYMATGEN_TABLE", "nowhere.json")
        broken.setattr(form_factors, "_pymatgen_parameters", form_factors._pymatgen_parameters.__wrapped__)
        with pytest.raises(ConfigError, match=r"no file nowhere\.json"):
            _ensure(source, tmp_path)
    assert len(_ensure(source, tmp_path)) == len(records)  # the folder that is left holds nothing to repeat


def test_if_no_pattern_can_be_simulated_the_first_reasons_are_shown(
    records: list[StructureRecord], tmp_path: Path
) -> None:
    source = _Listed([_with(records[0], "odd", 118)])
    with pytest.raises(SelectionError, match=r"no pattern could be simulated.*odd.*Og"):
        _ensure(source, tmp_path, encoding=_WITH_OGANESSON)
    assert not [path for path in tmp_path.iterdir() if (path / "manifest.json").exists()]


def test_unreadable_entries_are_in_the_manifest_and_too_many_stop_the_build(
    records: list[StructureRecord], tmp_path: Path
) -> None:
    source = _Listed([ReadFailure("broken.cif", "no cell"), *records])
    with pytest.raises(SourceError, match=r"1 of 7 .*broken.cif: no cell"):
        _ensure(source, tmp_path)
    options = BuildOptions(n_jobs=1, max_failed_share=0.2)
    store = ensure_store(source, Selection(), _XRD, root=tmp_path, options=options)
    counts = json.loads((store.path / "manifest.json").read_text(encoding="utf-8"))["counts"]
    assert counts["unreadable_first"] == {"broken.cif": "no cell"}
    assert (counts["entries_in_source"], counts["unreadable"], counts["samples"]) == (7, 1, 6)


@pytest.mark.parametrize(
    ("device", "engine", "said"),
    [
        ("meta", "batched", "build.device=meta"),
        ("nonsense", "batched", "cpu always works"),
        ("cuda", "pymatgen", "xrd.engine=batched"),
    ],
)
def test_a_device_that_cannot_be_used_is_refused_before_a_build(
    perovskite_source: Source, tmp_path: Path, device: str, engine: str, said: str
) -> None:
    options, xrd = BuildOptions(n_jobs=1, device=device), XrdSettings(engine=engine)
    with pytest.raises(ConfigError, match=said):
        ensure_store(perovskite_source, Selection(3, "ABC3", OneHotEncoding()), xrd, root=tmp_path, options=options)
    assert not list(tmp_path.glob("*.partial"))
