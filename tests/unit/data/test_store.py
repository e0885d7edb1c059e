from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepxrd.data import BuildOptions, PatternStore, Selection, ensure_store
from deepxrd.data import store as store_module
from deepxrd.data.content import pattern_values
from deepxrd.data.store import content_values
from deepxrd.errors import StoreError
from deepxrd.io.files import file_hash, value_hash
from deepxrd.sources import FilesSource, StructureRecord
from deepxrd.xrd import XrdSettings, simulate_pattern

_XRD = XrdSettings(two_theta_min_deg=10, two_theta_max_deg=100, n_points=128, sigma_deg=0.8)
_ENGINE_TOL = 0.01  # of 100; neighbours in the source differ by far more
_SELECTION = Selection(stoichiometry="ABC3")


@pytest.fixture(scope="module")
def built(perovskite_source: FilesSource, tmp_path_factory: pytest.TempPathFactory) -> PatternStore:
    """A store of 36 perovskites; read-only."""
    root = tmp_path_factory.mktemp("stores")
    return ensure_store(perovskite_source, _SELECTION, _XRD, root=root, options=BuildOptions(n_jobs=1))


@pytest.fixture
def copy(built: PatternStore, tmp_path: Path) -> Path:
    """A copy of the store that may be damaged."""
    return Path(shutil.copytree(built.path, tmp_path / built.path.name))


def test_samples_stand_in_the_order_of_their_patterns(built: PatternStore, perovskite_source: FilesSource) -> None:
    records = {r.material_id: r for r in perovskite_source if isinstance(r, StructureRecord)}
    assert len(built) == len(built.patterns) == 36
    assert built.samples["composition"].is_unique
    for row, sample in built.samples.iterrows():
        record = records[sample["material_id"]]
        assert sample["composition"] == record.crystal.formula.reduced
        assert sample["stoichiometry"] == "ABC3"
        assert sample["n_sites"] == 5
        assert sample["formation_energy_per_atom"] == record.formation_energy_per_atom
        by_reference = simulate_pattern(record.crystal, _XRD)
        np.testing.assert_allclose(built.patterns[row], by_reference, rtol=0, atol=_ENGINE_TOL)


def test_patterns_are_mapped_from_the_disk_and_cannot_be_written(built: PatternStore) -> None:
    assert isinstance(built.patterns, np.memmap)
    assert built.patterns.shape == (36, 128)
    assert built.patterns.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        built.patterns[0, 0] = 1
    np.testing.assert_allclose(built.patterns.max(axis=1), 100, rtol=1e-6)


def test_the_crystals_behind_the_patterns_come_back_unchanged(
    built: PatternStore, perovskite_source: FilesSource
) -> None:
    records = {r.material_id: r.crystal for r in perovskite_source if isinstance(r, StructureRecord)}
    for material_id, crystal in zip(built.samples["material_id"], built.crystals(), strict=True):
        for field in ("lattice", "atomic_numbers", "frac_coords", "occupancies"):
            np.testing.assert_array_equal(getattr(crystal, field), getattr(records[material_id], field))
        assert crystal.why_unusable() is None
        assert crystal.atomic_numbers.dtype == np.int64


def test_the_manifest_says_what_the_store_was_made_from(built: PatternStore, perovskite_source: FilesSource) -> None:
    assert built.xrd == _XRD
    assert built.box is None
    assert built.manifest["inputs"]["source"] == perovskite_source.fingerprint()
    assert built.manifest["inputs"]["selection"] == _SELECTION.to_dict()
    assert built.manifest["citation"] == "made up for tests"
    assert built.manifest["counts"]["samples"] == built.manifest["counts"]["taken"] == 36
    assert built.path.name.endswith(built.id)


def test_an_open_store_equals_the_built_one(built: PatternStore, copy: Path) -> None:
    again = PatternStore.open(copy)
    assert (again.id, again.content_hash) == (built.id, built.content_hash)
    np.testing.assert_array_equal(again.patterns, built.patterns)


def _rewritten(path: Path, **how: object) -> None:
    """Write the samples anew as another library, or another version, would, and the hashes of their bytes."""
    file = path / "samples.parquet"
    table = pq.read_table(file)
    pq.write_table(table.select(table.column_names[::-1]), file, **how)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["samples.parquet"] = file_hash(file)
    manifest.pop("values", None)
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_the_data_hash_is_of_values_and_not_of_how_parquet_writes_them(built: PatternStore, copy: Path) -> None:
    _rewritten(copy, compression="zstd", row_group_size=7, use_dictionary=False)
    again = PatternStore.open(copy)
    assert again.manifest["files"] != built.manifest["files"]
    assert again.content_hash == built.content_hash
    older = value_hash(built.manifest["files"])[:16]  # what runs noted before
    assert built.holds(older)
    assert not again.holds(older)
    assert built.holds(built.content_hash)
    assert not built.holds(None)


@pytest.mark.parametrize(
    ("column", "value"),
    [("composition", "SrTiO4"), ("created_at", "2018-01-01"), ("n_sites", 6), ("formation_energy_per_atom", None),
     ("occupancies", [0.5, 1.0, 1.0, 1.0, 1.0]), ("lattice", [4.0] * 9), ("frac_coords", None)],
)  # fmt: skip
def test_another_value_is_another_data_hash(built: PatternStore, copy: Path, column: str, value: object) -> None:
    file = copy / "samples.parquet"
    table = pq.read_table(file)
    values = table.column(column).to_pylist()
    values[3] = value
    changed = pa.array(values, table.schema.field(column).type)
    pq.write_table(table.set_column(table.column_names.index(column), column, changed), file)
    assert content_values(copy)["samples.parquet"] != content_values(built.path)["samples.parquet"]
    assert content_values(copy)["patterns.npy"] == built.manifest["values"]["patterns.npy"]


def test_another_pattern_is_another_data_hash(built: PatternStore) -> None:
    patterns = np.array(built.patterns)
    patterns[5, 7] = np.nextafter(patterns[5, 7], np.float32(101))
    assert pattern_values(patterns) != pattern_values(built.patterns)
    assert pattern_values(patterns.reshape(72, 64)) != pattern_values(patterns)


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("name", ["patterns.npy", "samples.parquet"])
@pytest.mark.parametrize("damage", [_flip, _cut, Path.unlink, lambda file: file.write_bytes(b"")])
def test_a_damaged_file_is_named_with_the_way_out(copy: Path, name: str, damage: Callable[[Path], object]) -> None:
    damage(copy / name)
    with pytest.raises(StoreError, match=name) as caught:
        PatternStore.open(copy)
    assert f"delete {copy} and run the same command" in str(caught.value)


def _change_manifest(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        change(manifest)
        path.write_text(json.dumps(manifest), encoding="utf-8")

    return damage


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_change_manifest(lambda m: m["inputs"]["xrd"].update(sigma_deg=9)), "was changed"),
        (_change_manifest(lambda m: m["inputs"]["selection"].update(n_elements=2)), "was changed"),
        (_change_manifest(lambda m: m.update(id="0" * 16)), "was changed"),
        (_change_manifest(lambda m: m["files"].update({"patterns.npy": "0"})), "patterns.npy does not match"),
        (_change_manifest(lambda m: m["files"].pop("samples.parquet")), "samples.parquet does not match"),
        (_change_manifest(lambda m: m.pop("inputs")), "no pattern store"),
        (_cut, "no pattern store"),
        (Path.unlink, "no pattern store"),
        (lambda path: path.write_bytes(b"\xff\x00"), "no pattern store"),
        (lambda path: path.write_text("[]", encoding="utf-8"), "no pattern store"),
    ],
)
def test_a_manifest_that_was_changed_is_refused(copy: Path, damage: Callable[[Path], object], named: str) -> None:
    manifest = copy / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").rstrip(), encoding="utf-8")
    damage(manifest)
    with pytest.raises(StoreError, match=named) as caught:
        PatternStore.open(copy)
    assert str(copy) in str(caught.value)


def test_a_folder_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="absent is no pattern store"):
        PatternStore.open(tmp_path / "absent")


def test_a_store_is_hashed_once_by_a_process_and_again_when_it_was_written_to(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []
    monkeypatch.setattr(store_module, "file_hash", lambda file: (hashed.append(file), file_hash(file))[1])
    PatternStore.open(copy)
    PatternStore.open(copy)
    assert len(hashed) == 2, "two files, once each"
    patterns = copy / "patterns.npy"
    content = bytearray(patterns.read_bytes())
    content[-1] ^= 1
    patterns.write_bytes(content)
    with pytest.raises(StoreError, match=r"patterns\.npy does not match"):
        PatternStore.open(copy)
    with pytest.raises(StoreError, match=r"patterns\.npy does not match"):
        PatternStore.open(copy)
