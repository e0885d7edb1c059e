"""What candidates say together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition
from scipy.stats import norm

from deepxrd.chem import parse_formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system, crystal_system_places
from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.answers import answers
from deepxrd.models.candidates.symmetry import mixture_quantiles, symmetry_columns

FORMULAS = [parse_formula(text) for text in ("RaTiO3", "SrHfS3", "CsCl", "La0.5Sr0.5TiO3")]


def test_crystal_systems_are_those_of_the_international_tables() -> None:
    from pymatgen.symmetry.groups import SpaceGroup

    groups = np.arange(1, 231)
    assert [CRYSTAL_SYSTEMS[place] for place in crystal_system_places(groups)] == [
        SpaceGroup.from_int_number(number).crystal_system for number in groups.tolist()
    ]
    assert crystal_system(0) == "unknown"


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.floats(-5, 5), st.floats(0.001, 3))
def test_one_normal_distribution_has_its_own_quantiles(seed: int, mean: float, deviation: float) -> None:
    weight = np.random.default_rng(seed).uniform(0.1, 1, (1, 3))
    found = mixture_quantiles(np.full((1, 3), mean), np.full((1, 3), deviation), weight)
    np.testing.assert_allclose(found[0], norm.ppf([0.05, 0.5, 0.95], mean, deviation), atol=1e-6)


def test_quantiles_of_a_mixture_are_those_of_a_sample() -> None:
    mean, deviation, weight = np.array([[0.0, 4.0]]), np.array([[1.0, 0.5]]), np.array([[0.7, 0.3]])
    rng = np.random.default_rng(0)
    drawn = np.where(rng.uniform(size=400_000) < 0.7, rng.normal(0, 1, 400_000), rng.normal(4, 0.5, 400_000))
    found = mixture_quantiles(mean, deviation, weight)[0]
    np.testing.assert_allclose(found, np.quantile(drawn, [0.05, 0.5, 0.95]), atol=0.02)
    assert np.isnan(mixture_quantiles(mean, deviation, np.zeros((1, 2)))).all()


def test_probabilities_are_sums_over_the_candidates_and_density_is_mass_over_volume(model: CandidateModel) -> None:
    said = model.predict(FORMULAS)
    found = model.symmetry(said, FORMULAS)
    parts = said.candidates[0]
    for row, mine in enumerate(answers(model.maker, said.candidates)):
        order = [rank for rank in parts.order[row] if parts.place[row, rank] >= 0]
        assert parts.space_group_part is not None
        each = parts.space_group_part[row, order]
        groups = np.array([one.space_group for one in mine])
        best = int(found.space_groups[row, 0])
        assert found.space_group_probability[row, 0] == pytest.approx(each[groups == best].sum())
        assert found.space_group_probability[row, 0] == pytest.approx(max(each[groups == g].sum() for g in groups))
        system = int(crystal_system_places(np.array([best]))[0])
        assert found.crystal_systems[row, system] >= found.space_group_probability[row, 0]
        assert found.crystal_system(row) in CRYSTAL_SYSTEMS
        composition = Composition(str(FORMULAS[row]))
        mass = float(composition.weight) / composition.num_atoms
        density = mass * 1.66053906660 / found.volume_per_atom[row, 1]
        assert found.density[row, 1] == pytest.approx(density, rel=1e-4)
    assert (np.diff(found.cell, axis=2) >= 0).all()
    assert (np.diff(found.density, axis=1) > 0).all()
    assert (found.crystal_systems.sum(axis=1) <= 1 + 1e-9).all()
    cubic = found.space_groups[:, 0] == 221
    np.testing.assert_allclose(found.cell[cubic, 3:], 90.0)
    columns = symmetry_columns(found)
    assert all(len(values) == len(FORMULAS) for values in columns.values())
    assert columns["a_angstrom"].tolist() == found.cell[:, 0, 1].astype(np.float32).tolist()
