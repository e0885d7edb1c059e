"""What a CIF says is what is read, or the reason is told; nothing becomes another compound."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from deepxrd.chem import Crystal
from deepxrd.errors import SourceError
from deepxrd.sources import FilesSource, ReadFailure, StructureRecord
from deepxrd.sources.cif import cif_blocks, count_blocks
from deepxrd.xrd import XrdSettings, simulate

Cif = Callable[..., str]
_HEXAGONAL = (3.142, 3.142, 4.766, 90, 90, 120)
_HYDROXIDE = "Ni1 Ni 0 0 0 1\nO1 O {0} {1} 0.22 1\nH1 H {0} {1} 0.43 1"


def read(text: str) -> tuple[Crystal, tuple[str, ...]]:
    ((_, reader),) = cif_blocks(text)
    return reader()


def refused(text: str) -> str:
    with pytest.raises(SourceError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize("number", [*range(1, 231, 7), 227, 167, 166, 148, 230])
def test_a_general_position_gets_all_its_images(number: int, cif: Cif) -> None:
    """Held against gemmi's own operators, by the set of places, for every crystal system."""
    group = gemmi.find_spacegroup_by_number(number)
    system = group.crystal_system_str()
    cell = {
        "triclinic": (27.1, 28.3, 29.7, 81, 97, 103),
        "monoclinic": (27.1, 28.3, 29.7, 90, 97, 90),
        "orthorhombic": (27.1, 28.3, 29.7, 90, 90, 90),
        "tetragonal": (27.1, 27.1, 29.7, 90, 90, 90),
        "trigonal": (27.1, 27.1, 29.7, 90, 90, 120),
        "hexagonal": (27.1, 27.1, 29.7, 90, 90, 120),
        "cubic": (27, 27, 27, 90, 90, 90),
    }[system]
    place = np.array([0.137, 0.293, 0.0911])
    operators = list(group.operations())
    text = cif("Si1 Si 0.137 0.293 0.0911 1", cell=cell, group=None, operators=tuple(o.triplet() for o in operators))
    by_list, _ = read(text)
    expected = np.sort(np.array([o.apply_to_xyz(place.tolist()) for o in operators]) % 1.0, axis=0)
    np.testing.assert_allclose(np.sort(by_list.frac_coords, axis=0), expected, atol=1e-9)
    by_name, _ = read(cif("Si1 Si 0.137 0.293 0.0911 1", cell=cell, group=group.xhm()))
    order_a, order_b = (np.lexsort(c.frac_coords.round(6).T) for c in (by_list, by_name))
    np.testing.assert_allclose(by_name.frac_coords[order_b], by_list.frac_coords[order_a], atol=1e-9)


@pytest.mark.parametrize("number", [62, 136, 166, 194, 221, 225])
def test_symmetrised_structures_come_back_as_pymatgen_made_them(number: int) -> None:
    cells = {
        62: Lattice.orthorhombic(5.6, 7.9, 5.5),
        136: Lattice.tetragonal(4.6, 3.0),
        221: Lattice.cubic(3.9),
        166: Lattice.hexagonal(3.2, 14.0),
        194: Lattice.hexagonal(3.3, 5.2),
        225: Lattice.cubic(5.6),
    }
    symbols = {225: "Fm-3m", 221: "Pm-3m", 194: "P6_3/mmc", 166: "R-3m", 136: "P4_2/mnm", 62: "Pnma"}
    usual = [[0, 0, 0], [0, 0, 0.5]]
    places = {194: [[0, 0, 0], [1 / 3, 2 / 3, 0.25]], 62: [[0.05, 0.25, 0.99], [0.28, 0.04, 0.72]]}.get(number, usual)
    structure = Structure.from_spacegroup(symbols[number], cells[number], ["Ti", "O"], places)
    crystal, _ = read(structure.to(fmt="cif", symprec=0.01))
    settings_ = XrdSettings(n_points=512)
    patterns, failures = simulate([crystal, Crystal.from_pymatgen(structure)], settings_)
    assert failures == [None, None]
    np.testing.assert_allclose(patterns[0], patterns[1], atol=0.01)


@pytest.mark.parametrize(("x", "y"), [("0.333", "0.667"), ("0.3333", "0.6667"), ("0.33", "0.67"), ("1/3", "2/3")])
def test_thirds_of_few_digits_are_special_positions(x: str, y: str, cif: Cif) -> None:
    text = cif(_HYDROXIDE.format(x, y), cell=_HEXAGONAL, group="P -3 m 1")
    if "/" in x:
        assert "'1/3', which is no number" in refused(text)
        return
    crystal, _ = read(text)
    assert crystal.formula.reduced == "NiH2O2"
    assert len(crystal.atomic_numbers) == 5
    assert np.isclose(crystal.frac_coords[crystal.atomic_numbers == 8][0, :2] % (1 / 3), 0, atol=1e-9).all()


def test_a_split_site_near_a_mirror_stays_split(cif: Cif) -> None:
    """Half an atom on each side of a mirror, 0.16 Å apart: no snapping where both fit beside each other."""
    crystal, _ = read(cif("Sr1 Sr 0.02 0 0 0.5", group=None, operators=("x,y,z", "-x,y,z")))
    assert len(crystal.atomic_numbers) == 2
    full, _ = read(cif("Sr1 Sr 0.02 0 0 1", group=None, operators=("x,y,z", "-x,y,z")))
    assert len(full.atomic_numbers) == 1


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("Sr Ti O3", None),
        ("O3 Sr1 Ti1", None),
        ("Sr2 Ti2 O6", None),
        ("Sr1.0 Ti1 O3", None),
        ("Sr Ti O3 H", "no site for H"),
        ("Sr Ti O4", "the amounts differ"),
        ("Sr O3", "it has no Ti"),
        ("Sr Ti O2.9", "the amounts differ"),
        ("Sr Ti O3 Li0.02", "no site for Li"),
    ],
)
def test_sites_are_held_against_the_formula(formula: str, said: str | None, cif: Cif) -> None:
    text = cif(formula=formula)
    if said is None:
        assert read(text)[0].formula.reduced == "SrTiO3"
    else:
        reason = refused(text)
        assert said in reason
        assert f"its sites are O3 Sr1 Ti1, but its formula is {formula!r}" in reason


def test_one_missing_atom_in_a_large_ordered_cell_is_noticed(cif: Cif) -> None:
    sites = "\n".join(f"C{i} C 0.0{i:02d} 0.{i:02d} 0.5 1" for i in range(10, 69)) + "\nN1 N 0.5 0.5 0.1 1"
    big = (80.0, 80.0, 80.0, 90, 90, 90)
    assert "amounts differ" in refused(cif(sites, cell=big, group="P 1", formula="C60 N"))
    assert len(read(cif(sites, cell=big, group="P 1", formula="C59 N"))[0].atomic_numbers) == 60


@pytest.mark.parametrize(("units", "fits"), [("1", True), ("2", False), ("4", False), ("?", True)])
def test_sites_in_the_right_ratio_may_still_be_too_few(units: str, fits: bool, cif: Cif) -> None:  # noqa: FBT001
    text = cif(formula="Sr Ti O3", extra=f"_cell_formula_units_Z {units}")
    if fits:
        read(text)
    else:
        assert f"_cell_formula_units_Z is {units}" in refused(text)


def test_the_structural_formula_serves_where_there_is_no_sum(cif: Cif) -> None:
    assert "no site for H" in refused(cif(extra="_chemical_formula_structural 'Sr Ti O3 (H2 O)'"))
    crystal, remarks = read(cif(formula="see text"))
    assert crystal.formula.reduced == "SrTiO3"
    assert any("cannot be read" in remark for remark in remarks)


def test_disordered_sites_may_differ_from_their_formula_by_rounding(cif: Cif) -> None:
    sites = "A1 Sr 0 0 0 0.667\nA2 La 0 0 0 0.333\nB1 Ti 0.5 0.5 0.5 1\nX1 O 0.5 0.5 0 1"
    read(cif(sites, formula="La0.33 O3 Sr0.67 Ti"))
    assert "amounts differ" in refused(cif(sites, formula="La0.5 O3 Sr0.5 Ti"))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("", "no readable symmetry"),
        ("_symmetry_Int_Tables_number 62", "origin or axes are open"),
        ("_symmetry_Int_Tables_number ?", "no readable symmetry"),
    ],
)
def test_without_readable_symmetry_nothing_is_guessed(extra: str, said: str, cif: Cif) -> None:
    sites = "La1 La 0.05 0.25 0.99 1\nCr1 Cr 0 0 0.5 1\nO1 O 0.48 0.25 0.08 1\nO2 O 0.28 0.04 0.72 1"
    assert said in refused(cif(sites, cell=(5.57, 7.85, 5.53, 90, 90, 90), group=None, extra=extra))


@pytest.mark.parametrize("group", ["Pm-3m", "P m 3 m", "P m -3 m S", "p m -3 m", "P m -3 m Z"])
def test_names_of_a_group_as_programs_write_them(group: str, cif: Cif) -> None:
    assert read(cif(group=group))[0].formula.reduced == "SrTiO3"


@pytest.mark.parametrize("group", ["P63/mmc", "P 63/m m c", "P6(3)/mmc", "P_63/mmc", "P6_3/mmc"])
def test_screw_axes_as_programs_write_them(group: str, cif: Cif) -> None:
    crystal, _ = read(cif("Mg1 Mg 0.33333 0.66667 0.25 1", cell=(3.2, 3.2, 5.2, 90, 90, 120), group=group))
    assert len(crystal.atomic_numbers) == 2


@pytest.mark.parametrize("group", ["R-3cH (No. 167)", "Fd-3m something", "nonsense", "P m -3 m (221)"])
def test_a_name_that_cannot_be_read_is_shown(group: str, cif: Cif) -> None:
    assert f"{group!r} cannot be read" in refused(cif(group=group))


def test_name_and_number_of_different_groups_are_refused(cif: Cif) -> None:
    assert "has the number 221, but 225 is given" in refused(cif(extra="_symmetry_Int_Tables_number 225"))


def test_operators_that_do_not_fit_the_cell_are_refused(cif: Cif) -> None:
    assert "symmetry" in refused(cif(cell=(3.9, 4.2, 3.9, 90, 90, 90)))
    assert "do not fit" in refused(cif(cell=(3.9, 4.2, 3.9, 90, 90, 90), operators=("x,y,z", "y,x,z")))


def test_a_list_of_operators_that_was_cut_short_is_refused(cif: Cif) -> None:
    whole = [o.triplet() for o in gemmi.find_spacegroup_by_name("P m -3 m").operations()]
    assert read(cif(operators=tuple(whole)))[0].formula.reduced == "SrTiO3"
    assert "is no group" in refused(cif(operators=tuple(whole[:-1])))


def test_operators_and_name_that_disagree_need_a_formula(cif: Cif) -> None:
    """The sites of an asymmetric unit under the operators of P 1, as some programs leave them."""
    assert "no formula with its number in the cell (Z) says which is right" in refused(cif(operators=("x,y,z",)))
    assert "amounts differ" in refused(cif(operators=("x,y,z",), formula="Sr Ti O3"))
    all_sites = "A1 Sr 0 0 0 1\nB1 Ti 0.5 0.5 0.5 1\nX1 O 0.5 0.5 0 1\nX2 O 0.5 0 0.5 1\nX3 O 0 0.5 0.5 1"
    assert len(read(cif(all_sites, operators=("x,y,z",), formula="Sr Ti O3"))[0].atomic_numbers) == 5


def test_a_formula_that_fits_too_few_sites_does_not_settle_how_many_there_are(cif: Cif) -> None:
    """Two atoms in the cell of rock salt were read in silence, as if it were primitive."""
    sites, cell = "Na1 Na 0 0 0 1\nCl1 Cl 0.5 0.5 0.5 1", (5.64, 5.64, 5.64, 90, 90, 90)

    def text(extra: str = "") -> str:
        return cif(sites, cell=cell, group="F m -3 m", operators=("x,y,z",), formula="Cl Na", extra=extra)

    assert "1 symmetry operators give 2 atoms, its space group gives 8" in refused(text())
    assert "holds 1 units of 'Cl Na', but _cell_formula_units_Z is 4" in refused(text("_cell_formula_units_Z 4"))
    assert len(read(text("_cell_formula_units_Z 1"))[0].atomic_numbers) == 2


def test_a_list_of_unknown_operators_is_none(cif: Cif) -> None:
    assert len(read(cif(extra="loop_\n_symmetry_equiv_pos_as_xyz\n?"))[0].atomic_numbers) == 5


def test_an_open_origin_is_settled_by_the_formula_or_refused(cif: Cif) -> None:
    spinel = "Zn1 Zn 0.125 0.125 0.125 1\nFe1 Fe 0.5 0.5 0.5 1\nO1 O 0.2604 0.2604 0.2604 1"
    cell = (8.44, 8.44, 8.44, 90, 90, 90)
    assert "origin or axes are open" in refused(cif(spinel, cell=cell, group="F d -3 m"))
    crystal, _ = read(cif(spinel, cell=cell, group="F d -3 m", formula="Fe2 O4 Zn"))
    marked, _ = read(cif(spinel, cell=cell, group="F d -3 m Z"))
    assert crystal.formula == marked.formula
    assert len(marked.atomic_numbers) == 56
    assert read(cif(spinel, cell=cell, group="Fd-3m:2"))[0].formula == marked.formula


@pytest.mark.parametrize(
    ("occupancies", "outcome"),
    [
        ((0.51, 0.5), 1.0),
        ((0.5, 0.5), 1.0),
        ((0.52, 0.53), 1.0),
        ((0.8, 0.5), "sum to 1.3"),
        ((1.0, 100), "is 100"),
        ((1.0, -0.5), "is -0.5"),
        ((1.0, 0.0), 1.0),
    ],
)
def test_occupancies_a_little_over_1_are_scaled_and_others_named(
    occupancies: tuple[float, float], outcome: float | str, cif: Cif
) -> None:
    ca, sr = occupancies
    text = cif(f"A1 Ca 0 0 0 {ca}\nA2 Sr 0 0 0 {sr}\nB1 Mn 0.5 0.5 0.5 1\nX1 O 0.5 0.5 0 1")
    if isinstance(outcome, str):
        assert outcome in refused(text)
        return
    crystal, remarks = read(text)
    on_a = np.all(crystal.frac_coords == 0, axis=1)
    assert crystal.occupancies[on_a].sum() == pytest.approx(outcome)
    assert bool(remarks) == (ca + sr > 1)
    assert crystal.why_unusable() is None


def test_atoms_listed_twice_count_once(cif: Cif) -> None:
    """All atoms of the cell under the operators of the group."""
    sites = "A1 Sr 0 0 0 1\nB1 Ti 0.5 0.5 0.5 1\nX1 O 0.5 0.5 0 1\nX2 O 0.5 0 0.5 1\nX3 O 0 0.5 0.5 1"
    crystal, remarks = read(cif(sites))
    assert crystal.formula.reduced == "SrTiO3"
    assert len(crystal.atomic_numbers) == 5
    assert remarks == ("atoms that are listed twice counted once",)


def test_cartesian_coordinates_are_read_where_axes_are_plain(cif: Cif) -> None:
    columns = "label type_symbol Cartn_x Cartn_y Cartn_z"
    sites = "A1 Sr 0 0 0\nB1 Ti 1.9525 1.9525 1.9525\nX1 O 1.9525 1.9525 0"
    assert read(cif(sites, columns=columns))[0].formula.reduced == "SrTiO3"
    oblique = cif("Ni1 Ni 0 0 0", columns=columns, cell=_HEXAGONAL, group="P 1")
    assert "along which axes" in refused(oblique)


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        ("Sr1 Vac 0 0 0 1", "unknown species 'Vac'"),
        ("M1 X 0 0 0 1", "unknown species 'X'"),
        ("Sr1 Sr ? 0 0 1", "is missing"),
        ("Sr1 Sr abc 0 0 1", "'abc', which is no number"),
        ("OH ? 0 0 0 1", "label 'OH'"),
        ("Sr1 Sr 0 0 0 x", "no number"),
    ],
)
def test_sites_that_cannot_be_read_are_named(sites: str, said: str, cif: Cif) -> None:
    assert said in refused(cif(sites))


def test_hydrogen_that_is_only_counted_is_not_forgotten(cif: Cif) -> None:
    columns = "label type_symbol fract_x fract_y fract_z attached_hydrogens"
    sites = "Mg1 Mg 0 0 0 0\nO1 O2- 0.33333 0.66667 0.22 1"
    text = cif(sites, columns=columns, cell=_HEXAGONAL, group="P -3 m 1")
    assert "hydrogen attached" in refused(text)


def test_blocks_are_entries_and_those_without_a_structure_are_none(cif: Cif, tmp_path: Path) -> None:
    names = ["SrTiO3", "", "SrTiO3", "broken"]
    text = "data_global\n_publ_section_title 'A paper'\n" + "".join(cif(name=name) for name in names[:3])
    text += "data_broken\n_cell_length_a 3\n_cell_length_a P m -3 m\n"
    (tmp_path / "many.cif").write_text(text, encoding="utf-8")
    source = FilesSource(tmp_path)
    entries = list(source)
    assert len(source) == len(entries) == 4
    found = [entry.material_id for entry in entries if isinstance(entry, StructureRecord)]
    assert found[0] == "many.cif#SrTiO3"
    assert len(set(found)) == 3
    assert isinstance(entries[3], ReadFailure)
    assert entries[3].name == "many.cif#broken"
    assert "is no CIF" in entries[3].reason


def test_data_within_a_text_does_not_begin_a_block(cif: Cif) -> None:
    text = cif(extra="_refine_special_details\n;\ndata_reduction was done\n;")
    broken = text + "data_next\n_cell_length_a P m\n"
    assert [name for name, _ in cif_blocks(broken)] == ["x", "next"]
    assert cif_blocks(broken)[0][1]()[0].formula.reduced == "SrTiO3"
    open_text = cif(name="a", extra="_x\n;\nno end") + cif(name="b")
    assert [name for name, _ in cif_blocks(open_text)] == ["a", "b"]


_MUELLER = "_publ_author_name 'Müller, J.'"


@pytest.mark.parametrize(
    ("encoding", "ending"),
    [
        ("utf-8", "\n"),
        ("utf-8-sig", "\n"),
        ("latin-1", "\n"),
        ("utf-16", "\n"),
        ("utf-16-le", "\r\n"),
        ("utf-8", "\r\n"),
        ("utf-8", "\r"),
    ],
)
def test_encodings_and_line_ends(encoding: str, ending: str, cif: Cif, tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_bytes(cif(extra=_MUELLER).replace("\n", ending).encode(encoding))
    (record,) = FilesSource(tmp_path)
    assert isinstance(record, StructureRecord), record
    assert record.crystal.formula.reduced == "SrTiO3"


def test_packed_files_are_read_and_others_named(cif: Cif, tmp_path: Path) -> None:
    text = cif().encode()
    for name, content in (
        ("a.cif.gz", gzip.compress(text)),
        ("b.cif.bz2", bz2.compress(text)),
        ("c.CIF.xz", lzma.compress(text)),
        ("d.cif.txt", text),
        ("e.cif.zip", b"PK"),
        ("f.cif.gz", b"no gzip"),
        ("g.cif.gz", gzip.compress(text)[:-9]),
        ("notes.txt", b"no structure"),
        ("h.mcif", text),
    ):
        (tmp_path / name).write_bytes(content)
    entries = list(FilesSource(tmp_path))
    failed = {entry.name: entry.reason for entry in entries if isinstance(entry, ReadFailure)}
    assert {entry.material_id for entry in entries if isinstance(entry, StructureRecord)} == {
        "a.cif.gz",
        "b.cif.bz2",
        "c.CIF.xz",
        "d.cif.txt",
        "h.mcif",
    }
    assert "unpack it" in failed["e.cif.zip"]
    assert set(failed) == {"e.cif.zip", "f.cif.gz", "g.cif.gz"}


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepxrd.io.text.MAX_BYTES", 1 << 20)
    (tmp_path / "bomb.cif.gz").write_bytes(gzip.compress(b"\n" * (8 << 20)))
    (failure,) = FilesSource(tmp_path)
    assert isinstance(failure, ReadFailure)
    assert "more than 1 MB" in failure.reason


def test_one_file_alone_is_a_source(cif: Cif, tmp_path: Path) -> None:
    (tmp_path / "one.cif").write_text(cif(), encoding="utf-8")
    (record,) = FilesSource(tmp_path / "one.cif")
    assert isinstance(record, StructureRecord)
    assert record.material_id == "one.cif"


def test_too_many_atoms_are_refused_before_any_is_made(cif: Cif) -> None:
    sites = "\n".join(f"C{i} C 0.{i:05d} 0.1 0.2 1" for i in range(20_000))
    assert "more atoms than can be read" in refused(cif(sites, cell=(90, 90, 90, 90, 90, 90), group="F m -3 m"))


def test_an_emptier_cell_than_any_solid_lacks_atoms(cif: Cif, tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(cif("C1 C 0 0 0 1", cell=(6, 6, 6, 90, 90, 90), group="P 1"), encoding="utf-8")
    (failure,) = FilesSource(tmp_path)
    assert isinstance(failure, ReadFailure)
    assert "216 Å^3 per atom, more than 150" in failure.reason
    (record,) = FilesSource(tmp_path, max_volume_per_atom_angstrom3=300)
    assert isinstance(record, StructureRecord)


_LINES = st.sampled_from(
    [
        "data_a",
        "data_",
        "loop_",
        "_cell_length_a 4",
        "_cell_length_b ?",
        "_atom_site_label",
        "_atom_site_fract_x",
        "Sr1 0 0",
        ";",
        "'",
        "_symmetry_equiv_pos_as_xyz",
        "'x,y'",
        "x,y,z",
        "-x,-y,1e9",
        "#",
        "nan",
        "1e999",
        "_chemical_formula_sum",
        "\x00",
    ]
)


@settings(max_examples=150)
@given(
    text=st.one_of(st.text(max_size=80), st.lists(_LINES, max_size=14).map("\n".join)),
    at=st.integers(0, 400),
    inside=st.booleans(),
)
def test_any_text_is_read_or_refused(text: str, at: int, inside: bool, cif: Cif) -> None:  # noqa: FBT001
    whole = cif()
    text = whole[:at] + text + whole[at:] if inside else text
    blocks = cif_blocks(text)
    assert len(blocks) == count_blocks(text) >= 1
    for _, reader in blocks:
        try:
            crystal, _ = reader()
        except SourceError:
            continue
        crystal.why_unusable()
