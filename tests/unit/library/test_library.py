"""Search equals brute force; what is kept comes back; several libraries are searched as one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import ATOMIC_NUMBERS
from deepxrd.errors import FormulaError, LibraryError
from deepxrd.library import Libraries, Library, Prototype, find_asymmetric_unit
from deepxrd.library.encode import Entry, split_id
from deepxrd.library.merge import merge
from deepxrd.library.symmetry import COORDINATE_STEPS
from deepxrd.library.tables import Tables
from deepxrd.xrd import XrdSettings, simulate
from made_libraries import (
    cosines,
    make_arrays,
    make_entry,
    make_library,
    make_unit,
    shared_site_crystal,
)

SYMBOLS = ("H", "O", "Na", "Cs", "Gd", "Tb", "U")  # Gd and Tb: either side of the 64th bit
GROUPS = {225: "abcd", 221: "abcd", 62: "abcd", 2: "abi", 1: "a", 194: "acf"}
HALF_A_STEP = 0.5 / COORDINATE_STEPS + 1e-9


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    out = []
    for i in range(draw(st.integers(1, 12))):
        number = draw(st.sampled_from(sorted(GROUPS)))
        sites = draw(
            st.lists(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(GROUPS[number])), min_size=1, max_size=4)
        )
        free = [draw(st.integers(0, COORDINATE_STEPS - 1)) / COORDINATE_STEPS for _ in range(3)]
        unit = make_unit(number, [(symbol, letter, free) for symbol, letter in sites])
        energy = draw(st.one_of(st.none(), st.integers(0, 3).map(lambda n: n / 4)))
        name = draw(st.sampled_from(["mp-{}", "{}", "x{}.cif", "Ω-{}"])).format(i)
        out.append(make_entry(unit, name, energy=energy, held_out=draw(st.booleans())))
    return out


@given(entries(), st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=5, unique=True))
def test_search_by_elements_and_formula_is_brute_force(made: list[Entry], elements: list[str]) -> None:
    library = make_library(made)
    found = library.ids(library.find_elements(elements))
    assert sorted(found) == sorted(e.material_id for e in made if set(e.formula.elements) <= set(elements))
    found = library.ids(library.find_elements(elements, subsets=False))
    assert sorted(found) == sorted(e.material_id for e in made if set(e.formula.elements) == set(elements))
    for entry in made:
        rows = library.find_formula(entry.formula)
        alike = [e for e in made if e.formula == entry.formula]
        assert sorted(library.ids(rows)) == sorted(e.material_id for e in alike)
        energies = library.energies_above_hull(rows)
        known = energies[~np.isnan(energies)]
        assert (np.diff(known) >= 0).all()
        assert np.isnan(energies[len(known) :]).all()
        assert library.ids(library.find_id(entry.material_id)) == [entry.material_id]


@given(entries())
def test_every_entry_comes_back_as_it_was(made: list[Entry]) -> None:
    library = make_library(made)
    by_id = {entry.material_id: entry for entry in made}
    rows = np.arange(len(library))
    crystals = library.crystals(rows)
    for row, phase, crystal in zip(rows.tolist(), library.phases(rows), crystals, strict=True):
        entry = by_id[phase.material_id]
        unit = library.asymmetric_unit(row)
        assert unit.letters == entry.unit.letters
        assert unit.space_group == phase.space_group == entry.unit.space_group
        np.testing.assert_array_equal(unit.atomic_numbers, entry.unit.atomic_numbers)
        gap = unit.frac_coords - entry.unit.frac_coords
        assert np.abs(gap - np.round(gap)).max() < HALF_A_STEP
        np.testing.assert_allclose(unit.cell, entry.unit.cell, atol=1e-6)
        np.testing.assert_array_equal(crystal.atomic_numbers, unit.to_crystal().atomic_numbers)
        np.testing.assert_allclose(crystal.frac_coords, unit.to_crystal().frac_coords, atol=1e-12)
        assert phase.formula == entry.formula
        assert phase.energy_above_hull == entry.energy_above_hull
        assert phase.held_out == bool(entry.facts & 1)


@given(entries(), st.integers(1, 5))
def test_the_arrays_do_not_depend_on_how_entries_were_dealt_out(made: list[Entry], n_parts: int) -> None:
    whole = make_arrays(made)
    dealt = [made[i::n_parts] for i in range(n_parts) if made[i::n_parts]]
    parts = [Tables(make_arrays(part), n_sources=1, name="part") for part in reversed(dealt)]
    for name, values in merge(parts).items():
        np.testing.assert_array_equal(values, whole[name], err_msg=name)
        assert values.dtype == whole[name].dtype


@given(entries())
def test_search_by_prototype_is_brute_force(made: list[Entry]) -> None:
    library = make_library(made)
    rows = np.arange(len(library))
    labels = np.array([library.prototype(row).label for row in rows.tolist()])
    for row in rows.tolist():
        found = library.find_prototype(library.prototype(row))
        np.testing.assert_array_equal(found, np.flatnonzero(labels == labels[row]))


@pytest.mark.parametrize(
    ("sites", "elements", "expected"),
    [
        ("a b c", "Sr Ti O", ["my own.cif"]),
        ("b a d", "Sr Ti O", ["my own.cif"]),  # the same with the origin at Ti
        ("c b a", "O Ti Sr", ["my own.cif"]),
        ("a b c", "Ti Sr O", []),  # an antiperovskite is another structure
        ("a b", "Cl Na", ["mp-3"]),  # CsCl: a change of origin exchanges the two
        ("a b", "Na Cl", ["mp-3"]),
    ],
)
def test_prototypes_are_found_element_by_element(
    small_library: Library, sites: str, elements: str, expected: list[str]
) -> None:
    found = small_library.find_prototype(Prototype.of(221, sites.split()), elements=elements.split())
    assert small_library.ids(found) == expected


@pytest.mark.parametrize(
    ("search", "hint"),
    [
        (lambda _: Prototype.of(231, ["a"]), "1 to 230"),
        (lambda _: Prototype.of(221, ["q"]), "it has a, b, c"),
        (lambda _: Prototype.of(221, []), "Wyckoff letters"),
        (lambda _: Prototype.from_label("cubic"), "221:a|b|c"),
        (lambda library: library.find_elements(["Ca", "Xx"]), "'Xx' is no element"),
        (lambda _: Libraries([]), "at least one"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_with_a_hint(small_library: Library, search: object, hint: str) -> None:
    with pytest.raises(LibraryError, match=hint.replace("|", r"\|")):
        search(small_library)  # type: ignore[operator]


def test_a_text_that_is_no_formula_is_refused(small_library: Library) -> None:
    with pytest.raises(FormulaError):
        small_library.find_formula("not a formula")


def test_nothing_is_found_where_there_is_nothing(small_library: Library) -> None:
    assert len(small_library.find_formula("Na2Cl")) == 0
    assert len(small_library.find_elements(["U"])) == 0
    once = small_library.find_elements(each for each in ("Sr", "Ti", "O"))  # which was gone through before it was used
    assert len(once) == len(small_library.find_elements(["Sr", "Ti", "O"])) > 0
    assert small_library.crystals(small_library.find_id("mp-4")) == []
    assert small_library.phases(small_library.find_prototype(Prototype.of(227, ["a"]))) == []


def test_held_out_compositions_are_named(small_library: Library) -> None:
    assert small_library.held_out_formulas() == {"SrTiO3"}
    phases = small_library.phases(small_library.find_formula("SrTiO3"))
    assert [phase.held_out for phase in phases] == [True]
    assert phases[0].source.licence == "CC0"


def test_several_libraries_are_searched_as_one(small_library: Library) -> None:
    own = make_library([make_entry(make_unit(225, [("Na", "a", ()), ("Cl", "b", ())]), "mine-1", energy=0.0)], "mine")
    both = Libraries([own, small_library])
    found = both.find_formula("NaCl")
    assert [(p.library, p.material_id) for p in found.phases()] == [
        ("mine", "mine-1"),
        ("made up", "mp-7"),
        ("made up", "mp-3"),
    ]
    assert [len(c.atomic_numbers) for c in found.crystals()] == [2, 2, 2]
    assert [len(c.atomic_numbers) for c in found.crystals(primitive=False)] == [8, 8, 2]
    assert [unit.space_group for unit in found.asymmetric_units()] == [225, 225, 221]
    assert len(both.find_elements(["Na", "Cl", "Sr", "Ti", "O"])) == 4
    assert both.held_out_formulas() == {"SrTiO3"}
    assert len(both) == 5


def test_shared_and_partly_filled_sites_come_back() -> None:
    crystal = shared_site_crystal()
    unit = find_asymmetric_unit(crystal)
    assert unit is not None
    full = make_unit(225, [("Na", "a", ()), ("Cl", "b", ())])
    made = [
        make_entry(full, "a-1"),
        Entry("b-1", crystal.formula, unit, None, 0, 0),
        make_entry(make_unit(225, [("Zr", "a", ()), ("U", "b", ())]), "c-1"),
    ]
    library = make_library(made)
    row = library.find_formula(crystal.formula)
    rebuilt = library.crystals(np.arange(3))
    assert [bool((each.occupancies == 1).all()) for each in rebuilt] == [i != int(row[0]) for i in range(3)]
    np.testing.assert_allclose(library.asymmetric_unit(int(row[0])).occupancies, unit.occupancies, atol=1e-7)
    xrd = XrdSettings(n_points=256)
    patterns = simulate([crystal, rebuilt[int(row[0])]], xrd)[0]
    assert cosines(patterns[1:], patterns[:1])[0] > 1 - 1e-6


@given(st.text(max_size=12), st.integers(0, 10**11))
def test_ids_of_any_kind_are_taken_apart_without_loss(text: str, number: int) -> None:
    for whole in (text, f"{text}{number}"):
        prefix, n = split_id(whole)
        assert whole == (prefix if n == 0xFFFFFFFF else f"{prefix}{n}")


def test_all_elements_have_a_bit() -> None:
    symbols: Sequence[str] = tuple(ATOMIC_NUMBERS)
    made = [make_entry(make_unit(221, [(symbol, "a", ())]), f"e-{z}") for symbol, z in ATOMIC_NUMBERS.items()]
    library = make_library(made)
    for symbol in symbols:
        assert library.ids(library.find_elements([symbol])) == [f"e-{ATOMIC_NUMBERS[symbol]}"]
