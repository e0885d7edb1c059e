"""The weights that come with the package are those that their card tells of."""

import numpy as np
import pytest

from deepxrd.chem import parse_formula
from deepxrd.chem.crystal_system import crystal_system_places
from deepxrd.data import Split
from deepxrd.io.files import file_hash
from deepxrd.library import SHIPPED as SHIPPED_LIBRARY
from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.answers import answers, weighed
from deepxrd.models.candidates.saved import FACTS, SHIPPED, load


@pytest.fixture(scope="module")
def shipped() -> CandidateModel:
    return load(SHIPPED, structures="all")


def test_the_card_gives_their_hash_and_what_is_in_them(shipped: CandidateModel) -> None:
    card = " ".join((SHIPPED / "README.md").read_text(encoding="utf-8").split())
    assert f"`{file_hash(SHIPPED / FACTS)}`" in card
    for model in (shipped, load(SHIPPED)):
        templates = model.maker.templates
        assert f"{len(templates):,} structures of {templates.has_composition.sum():,} compositions" in card


def test_weights_and_library_are_small_enough_to_ship() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) + SHIPPED_LIBRARY.stat().st_size < 45e6


def test_nothing_but_the_training_part_was_learned_from(shipped: CandidateModel) -> None:
    """Trees and networks come from compositions of the training part; held-out ones have no part in anything."""
    templates = shipped.maker.templates
    library, learned_from = templates.library, shipped.maker.learned_from
    formulas = library.formulas(library.tables.composition_start[:-1][learned_from])
    names = [formula.reduced for formula in formulas]
    assert set(Split().assign(names)) == {"train"}
    assert not set(names) & library.held_out_formulas()
    assert not library.held_out(templates.row).any()
    assert len(names) > 60_000
    held_out = [parse_formula(name) for name in sorted(library.held_out_formulas())[:500]]
    assert not shipped.maker.learned(held_out).any()


def test_the_card_cites_the_data() -> None:
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in card
    assert "10.1063/1.4812323" in card


def test_candidates_are_made_from_all_structures_but_those_held_out_and_the_compositions_own(
    shipped: CandidateModel,
) -> None:
    templates, few = shipped.maker.templates, load(SHIPPED).maker.templates
    library = templates.library
    held_out = library.held_out(library.tables.composition_start[:-1])
    assert not templates.has_composition[held_out].any()
    assert templates.has_composition[~held_out].all()
    assert few.has_composition.sum() < 0.71 * templates.has_composition.sum()
    unlearned = np.flatnonzero(templates.has_composition & ~few.has_composition)[::600]
    formulas = library.formulas(library.tables.composition_start[unlearned])
    found = shipped.maker.candidates(formulas)
    member = found.found.member
    own = unlearned[found.targets.owner[found.found.target]]
    assert not ((templates.composition[member] == own[:, None]) & (member >= 0)).any()
    assert not shipped.maker.learned(formulas).any()


@pytest.mark.parametrize(
    "text", ["NaCl", "LiFePO4", "La0.7Sr0.3MnO3", "YBa2Cu3O7", "CuSO4*5H2O", "Li0.5CoO2", "Fe0.95O"]
)
def test_formulas_of_every_kind_get_candidates_of_their_own(shipped: CandidateModel, text: str) -> None:
    said = shipped.predict([parse_formula(text)])
    assert said.columns["known"].all()
    assert 0 < weighed(said.candidates[0])[1].max() < 1
    assert 0 < said.columns["expected_f1"][0] <= 1


@pytest.mark.parametrize(
    ("alloy", "prototype"),
    [
        ("Fe0.9Ni0.1", "229:a"),  # iron of the library is kept in 69:a, since it is not quite cubic
        ("Ti0.9Al0.06V0.04", "194:c"),  # its ω phase is the ground state
        ("Si0.8Ge0.2", "227:a"),  # one of more structure types of silicon than are kept
        ("Bi0.9Sb0.1", "166:c"),
        ("Cu0.7Zn0.3", "225:a"),
    ],
)
def test_an_alloy_is_first_like_its_metal_at_room_temperature(
    shipped: CandidateModel, alloy: str, prototype: str
) -> None:
    first = answers(shipped.maker, shipped.predict([parse_formula(alloy)]).candidates)[0][0]
    assert first.shared
    assert first.prototype == prototype


def test_a_solid_solution_is_like_the_compound_of_its_main_elements(shipped: CandidateModel) -> None:
    """The perovskite that Ba0.6Sr0.4TiO3 is was not among its candidates, nor in a match."""
    formulas = [parse_formula(text) for text in ("Ba0.6Sr0.4TiO3", "Ba3Sr2Ti5O15", "Bi0.5Sb1.5Te3", "BiSb3Te6")]
    said = shipped.predict(formulas)
    told, groups = answers(shipped.maker, said.candidates), shipped.symmetry(said, formulas)
    shared = [sum(each.shared for each in some) for some in told]
    assert shared[1] == shared[3] == 0
    assert min(shared[0], shared[2]) >= 8
    assert [len(some) for some in told] == [16, 13, 16, 16]
    assert told[0][0].shared
    assert str(told[0][0].template_formula) == "BaTiO3"
    assert (told[2][0].space_group, groups.space_groups[2, 0]) == (166, 166)
    assert told[3][0].space_group != 166
    for row, some in enumerate(told):
        assert 0 < sum(each.probability for each in some) < 1
        assert 0 < groups.space_group_probability[row].sum() <= 1


def test_of_elements_that_nothing_was_learned_of_no_symmetry_is_told(shipped: CandidateModel) -> None:
    formulas = [parse_formula(text) for text in ("OgO2", "NaCl")]
    said = shipped.symmetry(shipped.predict(formulas), formulas)
    assert said.crystal_system(0) == ""
    assert said.space_groups[0].tolist() == [0] * 5
    assert np.isnan(said.cell[0]).all()
    assert np.isnan(said.density[0]).all()
    assert np.isfinite(said.cell[1]).all()


def test_no_candidate_is_likelier_than_its_space_group_nor_this_than_its_system(shipped: CandidateModel) -> None:
    formulas = [parse_formula(text) for text in ("CeO2", "GaN", "LaAlO3", "Cu70Zn30", "Fe2O3", "Ba0.6Sr0.4TiO3")]
    said = shipped.predict(formulas)
    told = shipped.symmetry(said, formulas)
    for row, mine in enumerate(answers(shipped.maker, said.candidates)):
        likely = dict(zip(told.space_groups[row].tolist(), told.space_group_probability[row].tolist(), strict=True))
        for number, probability in likely.items():
            assert sum(each.probability for each in mine if each.space_group == number) <= probability + 1e-9
            system = crystal_system_places(np.array([number]))[0]
            assert probability <= told.crystal_systems[row, system] + 1e-9
