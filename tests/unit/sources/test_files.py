from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from deepxrd.chem import Crystal, parse_formula
from deepxrd.errors import SourceError
from deepxrd.sources import FilesSource, ReadFailure, Source, StructureRecord

_TOL = 1e-5  # CIF and POSCAR files round
_WAY_OUT = "source.path=PATH"

_BROKEN_CIF = "data_broken\n_cell_length_a 4.0\nloop_\n_atom_site_label\nX\n"

Writer = Callable[[Path, dict[str, Crystal]], Path]


def _parquet_row(crystal: Crystal) -> dict[str, Any]:
    lattice = crystal.to_pymatgen().lattice
    return {
        **dict(zip("abc", lattice.abc, strict=True)),
        **dict(zip(("alpha", "beta", "gamma"), lattice.angles, strict=True)),
        "atomic_numbers": crystal.atomic_numbers.astype(np.uint8).tolist(),
        "frac_coords": crystal.frac_coords.ravel().tolist(),
    }


def _write_parquet(folder: Path, crystals: dict[str, Crystal]) -> Path:
    rows = [{"material_id": name, **_parquet_row(crystal)} for name, crystal in crystals.items()]
    pq.write_table(pa.Table.from_pylist(rows), folder / "table.parquet")
    return folder / "table.parquet"


def _write_cifs(folder: Path, crystals: dict[str, Crystal]) -> Path:
    for name, crystal in crystals.items():
        (folder / "cifs" / "deep").mkdir(parents=True, exist_ok=True)
        crystal.to_pymatgen().to(str(folder / "cifs" / "deep" / f"{name}.cif"))
    (folder / "cifs" / "notes.txt").write_text("no structure", encoding="utf-8")
    return folder / "cifs"


def _write_poscars(folder: Path, crystals: dict[str, Crystal]) -> Path:
    for i, (name, crystal) in enumerate(crystals.items()):
        file = folder / "poscars" / (name if i else "") / ("POSCAR" if i % 2 else f"{name}.vasp")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(crystal.to_pymatgen().to(fmt="poscar"), encoding="utf-8")
    return folder / "poscars"


def _write_csv(folder: Path, crystals: dict[str, Crystal]) -> Path:
    rows = [{"material_id": name, "cif": crystal.to_pymatgen().to(fmt="cif")} for name, crystal in crystals.items()]
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def _write_jsonl(folder: Path, crystals: dict[str, Crystal]) -> Path:
    lines = [
        json.dumps({"material_id": name, "structure": crystal.to_pymatgen().as_dict()})
        for name, crystal in crystals.items()
    ]
    (folder / "lines.jsonl").write_text("\n\n".join(lines), encoding="utf-8")
    return folder / "lines.jsonl"


def _write_bare_jsonl(folder: Path, crystals: dict[str, Crystal]) -> Path:
    lines = [json.dumps(crystal.to_pymatgen().as_dict()) for crystal in crystals.values()]
    (folder / "lines.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "lines.ndjson"


_WRITERS: list[Writer] = [
    _write_parquet,
    _write_cifs,
    _write_poscars,
    _write_csv,
    _write_jsonl,
    _write_bare_jsonl,
]
_each_format = pytest.mark.parametrize("write", _WRITERS, ids=lambda w: w.__name__.removeprefix("_write_"))


def _reciprocal_metric(crystal: Crystal) -> np.ndarray:
    return np.linalg.inv(crystal.lattice @ crystal.lattice.T)


def _assert_same(found: Crystal, expected: Crystal) -> None:
    """The same crystal, whatever the cell's orientation and the order of its sites."""
    assert np.allclose(_reciprocal_metric(found), _reciprocal_metric(expected), rtol=0, atol=_TOL)
    order, wanted = np.argsort(found.atomic_numbers, kind="stable"), np.argsort(expected.atomic_numbers, kind="stable")
    np.testing.assert_array_equal(found.atomic_numbers[order], expected.atomic_numbers[wanted])
    shift = found.frac_coords[order] - expected.frac_coords[wanted]
    np.testing.assert_allclose(shift - np.round(shift), 0, atol=_TOL)
    np.testing.assert_array_equal(found.occupancies, np.ones(len(order)))


@_each_format
def test_each_format_yields_the_same_crystals(
    write: Writer, tmp_path: Path, cscl: Crystal, triclinic: Crystal, wurtzite: Crystal
) -> None:
    crystals = {"a-1": cscl, "b-2": triclinic, "c-3": wurtzite}
    source = FilesSource(write(tmp_path, crystals))
    records = list(source)
    assert isinstance(source, Source)
    assert len(source) == len(records) == 3
    by_formula = {record.crystal.formula.reduced: record for record in records}
    for name, crystal in crystals.items():
        record = by_formula[crystal.formula.reduced]
        _assert_same(record.crystal, crystal)
        if write in (_write_parquet, _write_csv, _write_jsonl):
            assert record.material_id == name
    assert len({record.material_id for record in records}) == 3


@_each_format
def test_a_source_can_be_read_again_in_the_same_order(
    write: Writer, tmp_path: Path, cscl: Crystal, wurtzite: Crystal
) -> None:
    source = FilesSource(write(tmp_path, {"z": cscl, "a": wurtzite}))
    assert [record.material_id for record in source] == [record.material_id for record in source]


@_each_format
@given(positions=st.sets(st.integers(0, 6)))
def test_some_records_are_those_at_their_positions(
    write: Writer, positions: set[int], tmp_path_factory: pytest.TempPathFactory, cscl: Crystal, triclinic: Crystal
) -> None:
    folder = tmp_path_factory.mktemp("some")
    source = FilesSource(write(folder, {f"{i}": (cscl, triclinic)[i % 3 == 0] for i in range(6)}))
    expected = [record for position, record in enumerate(source) if position in positions]
    found = list(source.at(positions))
    assert [record.material_id for record in found] == [record.material_id for record in expected]
    for record, other in zip(found, expected, strict=True):
        _assert_same(record.crystal, other.crystal)


def test_some_rows_are_found_across_row_groups_and_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cscl: Crystal
) -> None:
    monkeypatch.setattr("deepxrd.sources.parquet._ROWS_AT_ONCE", 4)
    path = _write_parquet(tmp_path, {f"{i}": cscl for i in range(11)})
    pq.write_table(pq.read_table(path), path, row_group_size=3)
    assert [record.material_id for record in FilesSource(path).at({10, 4, 3, 8})] == ["3", "4", "8", "10"]


def test_ids_energies_and_ground_states_come_with_the_structures(tmp_path: Path, cscl: Crystal) -> None:
    rows = [
        {"formation_energy_per_atom": -1.25, "ground_state": True, "icsd": True, "e_above_hull": 0.0},
        {"formation_energy_per_atom": None, "ground_state": None, "icsd": None, "e_above_hull": None},
        {"formation_energy_per_atom": 0.0, "ground_state": False, "icsd": False, "e_above_hull": 0.25},
    ]
    table = [{"material_id": f"mp-{i}", **_parquet_row(cscl), **row} for i, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "t.parquet")
    records = list(FilesSource(tmp_path / "t.parquet"))
    assert [record.material_id for record in records] == ["mp-0", "mp-1", "mp-2"]
    assert [record.formation_energy_per_atom for record in records] == [-1.25, None, 0.0]
    assert [record.ground_state for record in records] == [True, None, False]
    assert [record.provenance.get("icsd") for record in records] == ["True", None, "False"]
    assert [record.energy_above_hull for record in records] == [0.0, None, 0.25]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"id": 7, "e_form": "-0.5"}, ("7", -0.5)),
        ({"material_id": "mp-1", "id": "x", "formation_energy_per_atom": 0, "e_form": 9}, ("mp-1", 0.0)),
        ({"name": "mine"}, ("mine", None)),
        ({"material_id": ""}, ("line 1", None)),
    ],
)
def test_ids_and_energies_of_json_lines_are_found_under_their_usual_names(
    facts: dict[str, Any], expected: tuple[str, float | None], tmp_path: Path, cscl: Crystal
) -> None:
    line = json.dumps({**facts, "structure": cscl.to_pymatgen().as_dict()})
    (tmp_path / "lines.jsonl").write_text(line, encoding="utf-8")
    (record,) = FilesSource(tmp_path / "lines.jsonl")
    assert (record.material_id, record.formation_energy_per_atom) == expected


def _with_broken_cif(folder: Path, crystal: Crystal) -> Path:
    path = _write_cifs(folder, {"good": crystal})
    (path / "a-broken.cif").write_text(_BROKEN_CIF, encoding="utf-8")
    (path / "b-binary.cif").write_bytes(b"\xff\xfe\x00")
    (path / "POSCAR_c-empty").write_text("", encoding="utf-8")
    return path


def _with_broken_csv(folder: Path, crystal: Crystal) -> Path:
    cif = crystal.to_pymatgen().to(fmt="cif")
    names = ["a-broken", "b-binary", "c-empty", "good"]
    frame = pd.DataFrame({"material_id": names, "cif": [_BROKEN_CIF, "\x01", "", cif]})
    frame.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def _with_broken_jsonl(folder: Path, crystal: Crystal) -> Path:
    good = {"material_id": "good", "structure": crystal.to_pymatgen().as_dict()}
    lines = ["{not JSON", "[1, 2]", '{"structure": {}}', json.dumps(good)]
    (folder / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder / "t.jsonl"


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (_with_broken_cif, ["POSCAR_c-empty", "a-broken.cif", "b-binary.cif"]),
        (_with_broken_csv, ["a-broken", "b-binary", "c-empty"]),
        (_with_broken_jsonl, ["line 1", "line 2", "line 3"]),
    ],
)
def test_broken_entries_are_reported_by_name_and_reason_and_the_rest_is_kept(
    write: Callable[[Path, Crystal], Path], named: list[str], tmp_path: Path, cscl: Crystal
) -> None:
    source = FilesSource(write(tmp_path, cscl))
    entries = list(source)
    failures = [entry for entry in entries if isinstance(entry, ReadFailure)]
    records = [entry for entry in entries if isinstance(entry, StructureRecord)]
    assert len(source) == len(entries) == 4
    assert [failure.name for failure in failures] == named
    sentence = r"is no CIF|holds no structure|no JSON|a JSON list|a POSCAR has|is no structure|is missing"
    assert all(re.search(sentence, failure.reason) for failure in failures)
    assert [record.crystal.formula.reduced for record in records] == ["CsCl"]


@pytest.mark.parametrize("write", [_write_csv, _write_jsonl])
def test_a_structure_that_can_be_read_but_not_used_is_a_failure_too(
    write: Writer, tmp_path: Path, cscl: Crystal, nacl: Crystal
) -> None:
    collided = replace(cscl, frac_coords=np.array([[0, 0, 0], [0.02, 0, 0]]))
    good, bad = FilesSource(write(tmp_path, {"good": nacl, "bad": collided}))
    assert isinstance(good, StructureRecord)
    assert isinstance(bad, ReadFailure)
    assert "closer than 0.3 Å" in bad.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"a": None}, "not finite"),
        ({"alpha": 30.0, "beta": 30.0, "gamma": 120.0}, "not finite"),
        ({"frac_coords": [0.0] * 5}, "2 atoms but 5 coordinates"),
        ({"frac_coords": None}, "2 atoms but 0 coordinates"),
        ({"atomic_numbers": [], "frac_coords": []}, "no sites"),
        ({"atomic_numbers": [55, 0]}, "unknown species"),
        ({"frac_coords": [0.0] * 6}, "closer than"),
        ({"c": 0.001}, "too small"),
    ],
)
def test_broken_rows_of_a_table_are_reported_by_id_and_reason(
    changes: dict[str, Any], reason: str, tmp_path: Path, cscl: Crystal
) -> None:
    good = _parquet_row(cscl)
    rows = [
        {"material_id": "first", **good},
        {"material_id": "broken", **(good | changes)},
        {"material_id": "last", **good},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    first, broken, last = FilesSource(tmp_path / "t.parquet")
    assert isinstance(broken, ReadFailure)
    assert broken.name == "broken"
    assert reason in broken.reason
    for record in (first, last):
        _assert_same(record.crystal, cscl)


def test_rows_are_read_right_across_row_groups_and_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cscl: Crystal, triclinic: Crystal
) -> None:
    monkeypatch.setattr("deepxrd.sources.parquet._ROWS_AT_ONCE", 4)
    crystals = {f"{i}": (cscl, triclinic)[i % 3 == 0] for i in range(11)}
    path = _write_parquet(tmp_path, crystals)
    pq.write_table(pq.read_table(path), path, row_group_size=3)
    records = list(FilesSource(path))
    assert [record.material_id for record in records] == list(crystals)
    for record in records:
        _assert_same(record.crystal, crystals[record.material_id])


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda _: None, "needs to know where the files are"),
        (lambda _: "", "needs to know where the files are"),
        (lambda folder: folder / "absent.csv", "no such file or folder: .*absent.csv"),
        (lambda folder: folder, "no CIF, POSCAR or CSV file in"),
        (lambda folder: _written(folder / "t.xlsx", b"x"), r"'\.xlsx'"),
        (lambda folder: _written(folder / "table", b"x"), "its ending ''"),
    ],
)
def test_a_place_without_structures_is_refused_with_the_way_out(
    make: Callable[[Path], Any], named: str, tmp_path: Path
) -> None:
    source = FilesSource(make(tmp_path))
    for ask in (source.fingerprint, lambda: list(source), lambda: len(source)):
        with pytest.raises(SourceError, match=named) as caught:
            ask()
        assert _WAY_OUT in str(caught.value)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_missing_columns_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"material_id": ["a"], "a": [4.0], "b": [4.0]}), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"lacks the columns c, alpha, .*frac_coords; needed are material_id, a, b"):
        list(FilesSource(tmp_path / "t.parquet"))
    (tmp_path / "t.csv").write_text("material_id,structure\n1,2\n", encoding="utf-8")
    with pytest.raises(SourceError, match="no column 'cif'; its columns are material_id, structure"):
        list(FilesSource(tmp_path / "t.csv"))
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    with pytest.raises(SourceError, match="its columns are none"):
        list(FilesSource(tmp_path / "empty.csv"))


@pytest.mark.parametrize(
    ("column", "kind", "said"),
    [
        ("a", pa.string(), "'a' of .* holds string; it must hold numbers"),
        ("atomic_numbers", pa.string(), "must hold lists of whole numbers"),
        ("frac_coords", pa.list_(pa.list_(pa.float64())), "must hold lists of numbers"),
        ("ground_state", pa.string(), "must hold true or false"),
        ("formation_energy_per_atom", pa.string(), "must hold numbers"),
    ],
)
def test_columns_of_another_kind_are_named(
    column: str, kind: pa.DataType, said: str, tmp_path: Path, cscl: Crystal
) -> None:
    row = {"material_id": "a", **_parquet_row(cscl)} | {column: None}
    table = pa.Table.from_pylist([row])
    place = table.schema.names.index(column)
    pq.write_table(table.set_column(place, column, pa.array([None], kind)), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=said):
        list(FilesSource(tmp_path / "t.parquet"))


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.large_list(pa.int8()), pa.list_(pa.uint8(), 2)])
def test_capitals_and_other_kinds_of_lists_do_not_matter(kind: pa.DataType, tmp_path: Path, cscl: Crystal) -> None:
    rows = [{"material_id": str(i), **_parquet_row(cscl)} for i in range(3)]
    table = pa.Table.from_pylist(rows)
    place = table.schema.names.index("atomic_numbers")
    table = table.set_column(place, "atomic_numbers", table["atomic_numbers"].cast(kind))
    table = table.rename_columns([f" {name.upper()} " for name in table.schema.names])
    pq.write_table(table, tmp_path / "t.parquet")
    for record in FilesSource(tmp_path / "t.parquet"):
        _assert_same(record.crystal, cscl)


def test_a_table_that_is_no_parquet_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*t.parquet as Parquet"):
        list(FilesSource(_written(tmp_path / "t.parquet", b"nonsense")))


@_each_format
def test_the_fingerprint_stays_when_the_files_move(write: Writer, tmp_path: Path, cscl: Crystal, nacl: Crystal) -> None:
    path = write(tmp_path, {"a": cscl, "b": nacl})
    before = FilesSource(path).fingerprint()
    moved = tmp_path / "elsewhere" / path.name
    moved.parent.mkdir()
    shutil.move(path, moved)
    assert FilesSource(moved).fingerprint() == before


@_each_format
def test_the_fingerprint_changes_with_the_content(write: Writer, tmp_path: Path, cscl: Crystal, nacl: Crystal) -> None:
    contents = [{"a": cscl, "b": nacl}, {"a": nacl, "b": cscl}, {"a": cscl}]
    found = []
    for i, crystals in enumerate(contents):
        (tmp_path / str(i)).mkdir()
        found.append(FilesSource(write(tmp_path / str(i), crystals)).fingerprint()["sha256"])
    assert len(set(found)) == 3


def test_the_fingerprint_changes_when_ids_do(tmp_path: Path, cscl: Crystal) -> None:
    """The id of a file is its path in the folder, so another path means another record."""
    path = _write_cifs(tmp_path, {"a": cscl})
    before, ids_before = FilesSource(path).fingerprint(), [record.material_id for record in FilesSource(path)]
    (path / "deep").rename(path / "renamed")
    assert [record.material_id for record in FilesSource(path)] != ids_before
    assert FilesSource(path).fingerprint() != before


@pytest.mark.parametrize("value", ["nan", "NaN", "inf"])
def test_an_energy_that_is_no_number_is_unknown_or_a_failure(value: str, tmp_path: Path, cscl: Crystal) -> None:
    """As a float it would be sorted at random among the structures of its composition."""
    line = {"material_id": "a", "e_form": value, "structure": cscl.to_pymatgen().as_dict()}
    (tmp_path / "t.jsonl").write_text(json.dumps(line), encoding="utf-8")
    (entry,) = FilesSource(tmp_path / "t.jsonl")
    assert isinstance(entry, ReadFailure) or entry.formation_energy_per_atom is None


def test_a_csv_as_spreadsheets_save_it_can_be_read(tmp_path: Path, cscl: Crystal) -> None:
    """With a byte-order mark before the first column's name."""
    path = _write_csv(tmp_path, {"mine": cscl})
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    (record,) = FilesSource(path)
    assert record.material_id == "mine"


@pytest.mark.snapshot
def test_random_rows_of_the_snapshot_are_the_structures_that_pymatgen_builds(
    snapshot_path: Path, tmp_path: Path
) -> None:
    table = pq.read_table(snapshot_path)
    rows = np.sort(np.random.default_rng(0).choice(table.num_rows, 200, replace=False))
    pq.write_table(table.take(rows), tmp_path / "rows.parquet", row_group_size=70)
    raw = table.take(rows).to_pylist()
    records = list(FilesSource(tmp_path / "rows.parquet"))
    assert len(records) == 200
    for row, record in zip(raw, records, strict=True):
        lattice = Lattice.from_parameters(*(row[x] for x in ("a", "b", "c", "alpha", "beta", "gamma")))
        structure = Structure(lattice, row["atomic_numbers"], np.reshape(row["frac_coords"], (-1, 3)))
        np.testing.assert_allclose(record.crystal.lattice, structure.lattice.matrix, rtol=0, atol=1e-8)
        np.testing.assert_allclose(record.crystal.frac_coords, structure.frac_coords, rtol=0, atol=1e-12)
        assert record.crystal.atomic_numbers.tolist() == list(structure.atomic_numbers)
        assert record.crystal.formula == parse_formula(row["formula"])
        assert record.crystal.formula.anonymous == row["formula_anonymous"]
        assert record.material_id == row["material_id"]
        assert record.formation_energy_per_atom == row["formation_energy_per_atom"]
        assert record.ground_state == row["ground_state"]


@pytest.mark.snapshot
def test_every_row_of_the_snapshot_can_be_read_and_each_composition_has_one_ground_state(snapshot_path: Path) -> None:
    source = FilesSource(snapshot_path)
    records = list(source)
    assert len(source) == len(records) == 63_591
    assert not [record for record in records if isinstance(record, ReadFailure)]
    taken = [record.crystal.formula.reduced for record in records if record.ground_state]
    assert len(taken) == len(set(taken)) == 45_279
    assert len({record.material_id for record in records}) == 63_591


@pytest.mark.parametrize(
    ("column", "kind", "said"),
    [
        ("a", pa.string(), r"'a' of .* holds string; it must hold numbers"),
        ("gamma", pa.bool_(), r"'gamma' of .* holds bool; it must hold numbers"),
        ("atomic_numbers", pa.string(), "must hold lists of whole numbers"),
        ("atomic_numbers", pa.list_(pa.float64()), "must hold lists of whole numbers"),
        ("frac_coords", pa.list_(pa.string()), "must hold lists of numbers"),
        ("material_id", pa.list_(pa.string()), "must hold text"),
    ],
)
def test_a_parquet_column_of_another_type_is_refused_by_name(
    tmp_path: Path, cscl: Crystal, column: str, kind: pa.DataType, said: str
) -> None:
    table = pq.read_table(_write_parquet(tmp_path, {"one": cscl}))
    empty = pa.nulls(1, kind)
    pq.write_table(table.set_column(table.schema.names.index(column), column, empty), tmp_path / "table.parquet")
    with pytest.raises(SourceError, match=said):
        list(FilesSource(tmp_path / "table.parquet"))


def test_a_parquet_column_that_is_there_twice_is_refused(tmp_path: Path, cscl: Crystal) -> None:
    table = pq.read_table(_write_parquet(tmp_path, {"one": cscl}))
    pq.write_table(table.append_column("a", table.column("a")), tmp_path / "table.parquet")
    with pytest.raises(SourceError, match="2 columns are called 'a'"):
        list(FilesSource(tmp_path / "table.parquet"))
