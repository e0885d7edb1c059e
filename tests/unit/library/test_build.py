"""Builds: the same bytes however they are made, resumed after a kill, each structure held against its own pattern."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from deepxrd.chem import Crystal
from deepxrd.errors import LibraryError, SourceError
from deepxrd.library import Libraries, Library
from deepxrd.library import build as build_module
from deepxrd.library.build import LibraryInput, build_library
from deepxrd.library.parts import COMPARED, ROUND_TRIP
from deepxrd.sources import FilesSource, ReadFailure, StructureRecord
from deepxrd.xrd import simulate
from made_libraries import ListSource, cosines, make_unit, shared_site_crystal


def slightly_off() -> Crystal:
    """CsCl whose cell is tetragonal by less than the tolerance, but by more than narrow lines at 90° bear."""
    lattice = np.diag([4.12, 4.12, 4.129])
    return Crystal(lattice, np.array([55, 17]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), np.ones(2))


@pytest.fixture
def records() -> list[StructureRecord | ReadFailure]:
    salts = [
        StructureRecord(
            f"mp-{i}",
            make_unit(225, [("Na", "a", ()), (x, "b", ())], scale=0.8 + 0.01 * i).to_crystal(),
            ground_state=i == 0,
            provenance={"icsd": str(i % 2 == 0)},
            energy_above_hull=0.01 * i,
        )
        for i, x in enumerate(["Cl", "Br", "Cl", "F", "I", "Cl", "Br"])
    ]
    odd = StructureRecord("off-1", slightly_off())
    shared = StructureRecord("shared.cif", shared_site_crystal())
    return [*salts[:4], odd, ReadFailure("broken.cif", "it is broken"), *salts[4:], shared]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "PART_SIZE", 3)


def built(records: Sequence[StructureRecord | ReadFailure], path: Path, *, n_jobs: int = 1, **more: object) -> Library:
    source = ListSource(records)
    return build_library(
        [LibraryInput(source, "CC0")],
        path,
        name="small",
        n_jobs=n_jobs,
        max_failed_share=0.2,
        **more,  # type: ignore[arg-type]
    )


def test_what_is_built_holds_all_and_says_so(records: list[StructureRecord | ReadFailure], tmp_path: Path) -> None:
    library = built(records, tmp_path / "library.dxl")
    assert library.header["counts"]["entries"] == len(library) == 9
    assert library.header["failed"] == {"broken.cif": "it is broken"}
    phases = library.phases(library.find_formula("NaCl"))
    facts = [(p.material_id, p.known_from_experiment, p.ground_state, p.symbol) for p in phases]
    assert facts == [
        ("mp-0", True, True, "F m -3 m"),
        ("mp-2", True, False, "F m -3 m"),
        ("mp-5", False, False, "F m -3 m"),
    ]
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "CC0" in card
    assert "nobody" in card
    assert sorted(p.name for p in tmp_path.iterdir()) == [".library.dxl.lock", "README.md", "library.dxl"]


def test_every_pattern_is_kept_and_odd_ones_are_named(
    records: list[StructureRecord | ReadFailure], tmp_path: Path
) -> None:
    library = built(records, tmp_path / "library.dxl")
    known = {r.material_id: r.crystal for r in records if isinstance(r, StructureRecord)}
    rows = np.arange(len(library))
    originals = simulate([known[each] for each in library.ids(rows)], ROUND_TRIP)[0]
    rebuilt = simulate(library.crystals(rows), ROUND_TRIP)[0]
    assert cosines(originals[:, COMPARED], rebuilt[:, COMPARED]).min() >= 0.9999
    odd = library.tables.arrays["exception_entry"]
    assert library.ids(odd) == ["off-1"]
    assert library.tables.arrays["exception_cosine"][0] < 0.9999
    assert library.space_groups(odd).tolist() == [221]  # what is found at the one tolerance used everywhere
    assert library.asymmetric_unit(int(odd[0])).space_group == 123  # what its pattern needs


def test_bytes_do_not_depend_on_the_number_of_processes(
    records: list[StructureRecord | ReadFailure], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(records, tmp_path / "one" / "a.dxl")
    built(records, tmp_path / "two" / "a.dxl", n_jobs=2)
    monkeypatch.setattr(build_module, "PART_SIZE", 100)
    built(records, tmp_path / "whole" / "a.dxl")
    first, second, third = ((tmp_path / name / "a.dxl").read_bytes() for name in ("one", "two", "whole"))
    assert first == second == third


def test_a_build_that_was_killed_goes_on_where_it_stopped(
    records: list[StructureRecord | ReadFailure], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(records, tmp_path / "whole" / "a.dxl")
    path = tmp_path / "killed" / "a.dxl"

    def kill(place: int) -> None:
        if place == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_library([LibraryInput(ListSource(records, kill), "CC0")], path, name="small", n_jobs=1)
    parts = sorted(path.parent.rglob("*.lib"))
    assert 1 <= len(parts) <= 2
    before = {part.name: part.stat().st_mtime_ns for part in parts}
    (parts[0].parent / ".half-written.lib").write_bytes(b"half")
    encoded = []
    original = build_module.encode_part
    monkeypatch.setattr(
        build_module, "encode_part", lambda *a, **k: encoded.append(k["path"].name) or original(*a, **k)
    )
    built(records, path)
    assert not set(encoded) & set(before)
    assert path.read_bytes() == (tmp_path / "whole" / "a.dxl").read_bytes()


def test_the_same_library_is_not_built_twice_and_another_is_not_replaced(
    records: list[StructureRecord | ReadFailure], tmp_path: Path
) -> None:
    path = tmp_path / "a.dxl"
    built(records, path)
    written = path.stat().st_mtime_ns
    built(records, path)
    assert path.stat().st_mtime_ns == written
    (tmp_path / "README.md").write_text("my own notes\n")
    with pytest.raises(LibraryError, match=r"README\.md is no card of a library"):
        built(records[:4], tmp_path / "library.dxl")
    assert (tmp_path / "README.md").read_text() == "my own notes\n"
    with pytest.raises(LibraryError, match="other structures"):
        built(records[:4], path)
    assert len(built(records[:4], path, overwrite=True)) == 4


def test_a_source_that_cannot_be_read_ends_the_build(tmp_path: Path) -> None:
    failures = [ReadFailure(f"{i}.cif", "no cell") for i in range(4)]
    with pytest.raises(SourceError, match=r"4 of 4 .* 0.cif: no cell"):
        built(failures, tmp_path / "a.dxl")


def test_failures_of_one_name_are_all_counted(records: list[StructureRecord | ReadFailure], tmp_path: Path) -> None:
    salts = [record for record in records[:3] if isinstance(record, StructureRecord)]
    broken = [ReadFailure("line 4", "no cell"), ReadFailure("line 5", "no atoms"), ReadFailure("line 5", "odd")]
    inputs = [LibraryInput(ListSource([*salts, *broken]), name=name) for name in ("a", "b")]
    library = build_library(inputs, tmp_path / "a.dxl", name="small", n_jobs=1, max_failed_share=0.5)
    assert library.header["counts"]["failed"] == 6
    assert library.header["failed"] == {
        f"{name}: {entry}": reason
        for name in ("a", "b")
        for entry, reason in (("line 4", "no cell"), ("line 5", "no atoms"), ("line 5 (2)", "odd"))
    }
    with pytest.raises(SourceError, match=r"6 of 12 .* a: line 4: no cell; a: line 5: no atoms; a: line 5 \(2\): odd"):
        build_library(inputs, tmp_path / "b.dxl", name="small", n_jobs=1, max_failed_share=0.49)


def test_unreadable_and_unkeepable_entries_of_one_name_are_both_counted(tmp_path: Path) -> None:
    crystal = make_unit(225, [("Na", "a", ()), ("Cl", "b", ())]).to_crystal()
    alien = Crystal(
        crystal.lattice, np.full(len(crystal.atomic_numbers), 118), crystal.frac_coords, crystal.occupancies
    )
    entries = [StructureRecord("good", crystal), StructureRecord("same", alien), ReadFailure("same", "it is broken")]
    source = LibraryInput(ListSource(entries))
    library = build_library([source], tmp_path / "a.dxl", name="small", n_jobs=1, max_failed_share=0.7)
    assert library.header["counts"]["failed"] == 2


def test_held_out_sources_are_marked(records: list[StructureRecord | ReadFailure], tmp_path: Path) -> None:
    inputs = [
        LibraryInput(ListSource(records[:2]), "CC0"),
        LibraryInput(ListSource(records[2:4], mark="2"), "CC0", held_out=True),
    ]
    library = build_library(inputs, tmp_path / "a.dxl", name="two", n_jobs=1)
    assert library.held_out_formulas() == {"NaCl", "NaF"}
    rows = library.find_elements(["Na", "Cl", "Br", "F"])
    marked = dict(zip(library.ids(rows), library.held_out(rows).tolist(), strict=True))
    assert marked == {"mp-0": False, "mp-1": False, "mp-2": True, "mp-3": True}


def test_files_of_a_user_are_searched_beside_another_library(
    perovskite_source: FilesSource, records: list[StructureRecord | ReadFailure], tmp_path: Path
) -> None:
    own = build_library([LibraryInput(perovskite_source)], tmp_path / "own.dxl", name="own", n_jobs=1)
    both = Libraries([own, built(records, tmp_path / "other.dxl")])
    phases = both.find_elements(["Sr", "Ti", "O", "Na", "Cl"]).phases()
    assert [p.library for p in phases] == ["own", "small", "small", "small"]
    assert phases[0].prototype == "221:a|b|c"


@pytest.mark.snapshot
def test_structures_of_the_snapshot_keep_their_patterns(snapshot_path: Path, tmp_path: Path) -> None:
    records = []
    for i, record in enumerate(FilesSource(snapshot_path)):
        if i % 40 == 0:
            records.append(record)
        if len(records) == 400:
            break
    build_module.PART_SIZE = 400  # put back by the fixture
    library = build_library([LibraryInput(ListSource(records))], tmp_path / "a.dxl", name="some", n_jobs=1)
    known = {r.material_id: r.crystal for r in records if isinstance(r, StructureRecord)}
    rows = np.arange(len(library))
    rebuilt = simulate(library.crystals(rows), ROUND_TRIP)[0]
    originals = simulate([known[each] for each in library.ids(rows)], ROUND_TRIP)[0]
    assert len(library) == 400
    assert cosines(originals[:, COMPARED], rebuilt[:, COMPARED]).min() >= 0.9999
    assert [f.reduced for f in library.formulas(rows)] == [known[i].formula.reduced for i in library.ids(rows)]
