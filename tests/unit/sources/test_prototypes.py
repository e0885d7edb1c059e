"""The built-in source against textbook lattice constants, pymatgen's oxidation states and spglib."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
import spglib
from pymatgen.core import Element

from deepxrd.chem import ATOMIC_NUMBERS, OneHotEncoding
from deepxrd.errors import ConfigError, SourceError
from deepxrd.sources import _prototype_cells as cells
from deepxrd.sources._perovskite_rules import Ion, choose_prototype, tolerance_factor
from deepxrd.sources.base import StructureRecord
from deepxrd.sources.prototypes import PrototypeSource

Records = dict[str, StructureRecord]


@pytest.fixture(scope="module")
def records() -> Records:
    found = list(PrototypeSource())
    return {record.material_id.removeprefix("proto-"): record for record in found}


def volume_per_formula(record: StructureRecord) -> float:
    return record.crystal.volume / (len(record.crystal.atomic_numbers) / 5)


def hexagonal_volume(a: float, c: float, formulas: int) -> float:
    return 3**0.5 / 2 * a * a * c / formulas


def space_group(record: StructureRecord) -> int:
    crystal = record.crystal
    dataset = spglib.get_symmetry_dataset((crystal.lattice, crystal.frac_coords, crystal.atomic_numbers), symprec=1e-3)
    assert dataset is not None
    return int(dataset.number)


def charges(record: StructureRecord) -> list[tuple[str, int]]:
    parts = [re.fullmatch(r"([A-Z][a-z]?)(\d)([+-])", ion) for ion in record.provenance["ions"].split()]
    return [(part[1], int(part[2]) * (1 if part[3] == "+" else -1)) for part in parts if part is not None]


def test_there_are_many_distinct_abc3_compositions_inside_the_one_hot_box(records: Records) -> None:
    formulas = [record.crystal.formula for record in records.values()]
    assert 1500 <= len(records) == len(PrototypeSource()) <= 2000
    assert len(set(formulas)) == len(formulas)
    assert {formula.anonymous for formula in formulas} == {"ABC3"}
    encoding = OneHotEncoding()
    assert [str(formula) for formula in formulas if encoding.why_not(formula) is not None] == []
    assert len({symbol for formula in formulas for symbol in formula.elements}) >= 80


def test_no_prototype_and_no_anion_is_forgotten(records: Records) -> None:
    prototypes = Counter(record.provenance["prototype"] for record in records.values())
    assert set(prototypes) == {
        "cubic perovskite", "GdFeO3", "PbTiO3", "BaNiO3", "ilmenite", "LiNbO3", "calcite", "KClO3",
    }  # fmt: skip
    anions = Counter(charges(record)[2][0] for record in records.values())
    assert set(anions) == {"O", "F", "Cl", "Br", "I", "S", "Se", "N", "H"}


def test_charges_cancel_and_are_states_that_the_elements_have(records: Records) -> None:
    octet = {"H": -1, "F": -1, "Cl": -1, "Br": -1, "I": -1, "O": -2, "S": -2, "Se": -2, "N": -3}
    for name, record in records.items():
        (a, charge_a), (b, charge_b), (x, charge_x) = charges(record)
        assert charge_a > 0 < charge_b, name
        assert charge_a + charge_b + 3 * octet[x] == 0, name
        assert name == f"{a}{b}{x}3"
        counts = Counter(record.crystal.atomic_numbers.tolist())
        assert counts[ATOMIC_NUMBERS[a]] == counts[ATOMIC_NUMBERS[b]] == counts[ATOMIC_NUMBERS[x]] / 3, name
        for symbol, charge in ((a, charge_a), (b, charge_b), (x, charge_x)):
            element = Element(symbol)
            assert charge in {*element.oxidation_states, *element.icsd_oxidation_states}, f"{symbol} in {name}"


def test_all_crystals_are_sound_and_no_bond_is_absurd(records: Records) -> None:
    for name, record in records.items():
        crystal = record.crystal
        assert crystal.why_unusable() is None, name
        assert ((crystal.frac_coords >= 0) & (crystal.frac_coords < 1)).all(), name
        distances = crystal.to_pymatgen().distance_matrix
        np.fill_diagonal(distances, np.inf)
        assert distances.min() > 1.2, name  # C–O is 1.28 Å
        anions = crystal.atomic_numbers == ATOMIC_NUMBERS[charges(record)[2][0]]
        between_cations = distances[np.ix_(~anions, ~anions)].min()
        assert between_cations > 2.2, name


@pytest.mark.parametrize(
    ("formula", "edge_angstrom"),
    [("SrTiO3", 3.905), ("LaAlO3", 3.79), ("BaZrO3", 4.193), ("KMgF3", 3.989), ("KMnF3", 4.19), ("CsCaF3", 4.523),
     ("CsPbI3", 6.29), ("CsPbBr3", 5.87), ("CsCaCl3", 5.396), ("TlMnCl3", 5.025), ("KMgH3", 4.023)],
)  # fmt: skip
def test_perovskites_have_the_pseudocubic_edge_of_experiment(
    records: Records, formula: str, edge_angstrom: float
) -> None:
    assert np.cbrt(volume_per_formula(records[formula])) == pytest.approx(edge_angstrom, rel=0.025)


@pytest.mark.parametrize(
    ("formula", "volume"),
    [("CaTiO3", 56.0), ("GdFeO3", 57.6), ("NaMgF3", 56.1), ("BaTiO3", 64.4),
     ("MgSiO3", hexagonal_volume(4.728, 13.559, 6)), ("FeTiO3", hexagonal_volume(5.088, 14.086, 6)),
     ("MgTiO3", hexagonal_volume(5.054, 13.898, 6)), ("LiNbO3", hexagonal_volume(5.148, 13.863, 6)),
     ("CaCO3", hexagonal_volume(4.99, 17.06, 6)), ("MgCO3", hexagonal_volume(4.633, 15.015, 6)),
     ("NaNO3", hexagonal_volume(5.07, 16.82, 6)), ("LuBO3", hexagonal_volume(4.915, 16.21, 6)),
     ("CsNiCl3", hexagonal_volume(7.17, 5.944, 2)), ("BaMnO3", hexagonal_volume(5.70, 4.805, 2)),
     ("KClO3", 85.25)],
)  # fmt: skip
def test_volumes_are_those_of_experiment_within_8_percent(records: Records, formula: str, volume: float) -> None:
    assert volume_per_formula(records[formula]) == pytest.approx(volume, rel=0.08)


@pytest.mark.parametrize(
    ("formula", "prototype", "number", "n_sites"),
    [("SrTiO3", "cubic perovskite", 221, 5), ("KMgF3", "cubic perovskite", 221, 5), ("GdFeO3", "GdFeO3", 62, 20),
     ("CaTiO3", "GdFeO3", 62, 20), ("PbTiO3", "PbTiO3", 99, 5), ("CsNiCl3", "BaNiO3", 194, 10),
     ("FeTiO3", "ilmenite", 148, 10), ("NaMgCl3", "ilmenite", 148, 10), ("LiNbO3", "LiNbO3", 161, 10),
     ("CaCO3", "calcite", 167, 10), ("KClO3", "KClO3", 11, 10), ("BaLiF3", "cubic perovskite", 221, 5)],
)  # fmt: skip
def test_known_compounds_get_their_structure_type(
    records: Records, formula: str, prototype: str, number: int, n_sites: int
) -> None:
    record = records[formula]
    assert record.provenance["prototype"] == prototype
    assert space_group(record) == number
    assert len(record.crystal.atomic_numbers) == n_sites


def test_no_structure_is_more_symmetric_than_its_prototype(records: Records) -> None:
    numbers = {"cubic perovskite": 221, "GdFeO3": 62, "PbTiO3": 99, "BaNiO3": 194,
               "ilmenite": 148, "LiNbO3": 161, "calcite": 167, "KClO3": 11}  # fmt: skip
    some = list(records.values())[::15]
    assert [r.material_id for r in some if space_group(r) != numbers[r.provenance["prototype"]]] == []


@pytest.mark.parametrize(
    ("formula", "cation", "bond_angstrom"),
    [("CaCO3", "Ca", 1.00 + 1.36), ("CaCO3", "C", -0.08 + 1.36), ("KClO3", "Cl", 0.12 + 1.36),
     ("CsNiCl3", "Ni", 0.69 + 1.81)],
)  # fmt: skip
def test_bonds_of_calcite_and_of_the_hexagonal_type_are_sums_of_shannons_radii(
    records: Records, formula: str, cation: str, bond_angstrom: float
) -> None:
    structure = records[formula].crystal.to_pymatgen()
    site = next(site for site in structure if site.specie.symbol == cation)
    anion = charges(records[formula])[2][0]
    bonds = [near.nn_distance for near in structure.get_neighbors(site, 3.0) if near.specie.symbol == anion]
    assert min(bonds) == pytest.approx(bond_angstrom, abs=1e-6)


def test_octahedra_turn_further_where_the_tolerance_factor_is_smaller(records: Records) -> None:
    def off_centre(formula: str) -> float:
        crystal = records[formula].crystal
        oxygen = crystal.frac_coords[crystal.atomic_numbers == 8]
        return float(np.abs(oxygen - np.round(4 * oxygen) / 4).max())

    assert off_centre("LaFeO3") < off_centre("GdFeO3") < off_centre("LuFeO3")
    assert off_centre("CaTiO3") == pytest.approx(0.0586, abs=1e-6)  # the prototype itself


def test_the_tolerance_factor_is_goldschmidts(records: Records) -> None:
    # Shannon's radii by hand: Sr2+ (XII) 1.44, Ti4+ (VI) 0.605, O2- (VI) 1.40 Å
    expected = (1.44 + 1.40) / (2**0.5 * (0.605 + 1.40))
    strontium, titanium, oxygen = Ion("Sr", 2), Ion("Ti", 4), Ion("O", -2)
    assert tolerance_factor(strontium, titanium, oxygen) == pytest.approx(expected)
    assert records["SrTiO3"].provenance["tolerance_factor"] == f"{expected:.4f}"
    assert records["SrTiO3"].provenance["octahedral_factor"] == f"{0.605 / 1.40:.4f}"


def test_ions_that_suit_no_structure_type_get_none() -> None:
    assert choose_prototype(Ion("Cs", 1), Ion("Nb", 5), Ion("O", -2)) == "BaNiO3"
    assert choose_prototype(Ion("Cs", 1), Ion("Nb", 5), Ion("S", -2)) is None  # Nb rattles: μ = 0.35
    assert choose_prototype(Ion("Be", 2), Ion("Ti", 4), Ion("O", -2)) is None  # Be is tetrahedral
    assert choose_prototype(Ion("Na", 1), Ion("Ba", 2), Ion("F", -1)) is None  # Ba is no octahedral ion
    with pytest.raises(SourceError, match=r"Cl5\+ in coordination VI"):
        Ion("Cl", 5).radius("VI")


def test_two_instances_yield_the_same_numbers_in_the_same_order() -> None:
    first, second = PrototypeSource(), PrototypeSource()
    assert first.fingerprint() == second.fingerprint()
    for one, other in zip(first, second, strict=True):
        assert (one.material_id, one.provenance) == (other.material_id, other.provenance)
        assert one.crystal.lattice.tobytes() == other.crystal.lattice.tobytes()
        assert one.crystal.frac_coords.tobytes() == other.crystal.frac_coords.tobytes()
        assert one.crystal.atomic_numbers.tobytes() == other.crystal.atomic_numbers.tobytes()


def test_a_smaller_source_is_the_beginning_of_a_larger_one(records: Records) -> None:
    small = [record.material_id.removeprefix("proto-") for record in PrototypeSource(max_structures=20)]
    assert small == list(records)[:20]


def test_the_fingerprint_tells_settings_and_library_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PrototypeSource().fingerprint()
    assert all(isinstance(value, str) for value in whole.values())
    assert PrototypeSource(max_structures=20).fingerprint() != whole
    assert PrototypeSource(anions=["O"]).fingerprint() != whole
    changed = cells.load_templates()
    changed["calcite"].lattice[0, 0] += 1e-9
    monkeypatch.setattr("deepxrd.sources.prototypes.load_templates", lambda: changed)
    assert PrototypeSource().fingerprint()["prototypes_sha256"] != whole["prototypes_sha256"]


def test_anions_and_elements_can_be_narrowed() -> None:
    fluorides = list(PrototypeSource(anions=["F"], elements=["F", "K", "Cs", "Mg", "Ni"]))
    assert {record.material_id for record in fluorides} == {
        "proto-KMgF3", "proto-KNiF3", "proto-CsMgF3", "proto-CsNiF3",
    }  # fmt: skip


def test_records_say_what_they_are(records: Records) -> None:
    record = records["SrTiO3"]
    assert record.material_id == "proto-SrTiO3"
    assert record.ground_state is True
    assert record.formation_energy_per_atom is None
    assert record.provenance["aflow_label"] == "AB3C_cP5_221_a_c_b"
    citation = PrototypeSource().citation
    for part in ("Mehl", "10.1016/j.commatsci.2017.01.017", "Shannon", "A32, 751 (1976)", "neither measured nor"):
        assert part in citation


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"anions": ["O", "Te"]}, "Te"), ({"elements": ["Xe", "O"]}, "Xe"), ({"max_structures": 0}, "0")],
)
def test_settings_that_cannot_be_are_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        PrototypeSource(**arguments)


def test_a_choice_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(SourceError, match="allow more"):
        len(PrototypeSource(anions=["O"], elements=["O", "Ti"]))


def test_a_missing_library_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "find_spec", lambda _: None)
    with pytest.raises(SourceError, match="source=files"):
        list(PrototypeSource())
