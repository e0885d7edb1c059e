"""Scores of crystal systems, space groups and cells, of a model and of baselines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, r2_score

from deepxrd.chem import Crystal, parse_formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system_places
from deepxrd.data.assemble import make_data
from deepxrd.errors import ConfigError
from deepxrd.evaluation.run import _baseline, _symmetry_of, _weights
from deepxrd.evaluation.symmetry import LATTICE, PAGE, TABLE, _structures, write_symmetry
from deepxrd.evaluation.symmetry_baselines import majority, nearest
from deepxrd.evaluation.symmetry_scores import Truth, confusion, lattice_table, r_squared, sample_table, summary
from deepxrd.evaluation.task import Task
from deepxrd.metrics.calibration import calibration_error

FORMULAS = [parse_formula(text) for text in ("NaCl", "CaO", "TiO2", "SrTiO3")]
TRUTH = Truth(
    np.array([225, 225, 136, 62]),
    np.array(
        [[5.6] * 3 + [90.0] * 3, [4.8] * 3 + [90.0] * 3, [4.6, 4.6, 3.0, 90, 90, 90], [5.5, 7.7, 5.4, 90, 90, 90]]
    ),
    np.array([22.0, 14.0, 10.4, 11.4]),
)


def test_the_truth_is_right_and_the_nearest_has_what_the_nearest_has() -> None:
    own = nearest(np.arange(4)[:, None], TRUTH, majority(TRUTH, 4))
    table = sample_table(own, TRUTH, FORMULAS)
    found = summary(table, n_resamples=50)
    assert [found[name] for name in ("system_right", "group_first", "group_among_five")] == [1.0, 1.0, 1.0]
    assert [found[name] for name in ("a_covered", "c_covered", "volume_covered")] == [1.0, 1.0, 1.0]
    assert found["system_calibration_error"] == found["group_calibration_error"] == found["median_volume_error"] == 0.0
    assert table.loc[3, "a"] == 5.4  # an orthorhombic cell has its edges in ascending order

    rows = np.array([[1, 2, -1], [0, 3, 2], [-1, -1, -1], [2, 1, 0]])
    said = nearest(rows, TRUTH, majority(TRUTH, 4), scale=np.full(4, 8.0))
    assert said.space_groups[:, :3].tolist() == [[225, 136, 0], [225, 62, 136], [225, 62, 136], [136, 225, 0]]
    np.testing.assert_allclose(said.cell[3, :, 1], [9.2, 9.2, 6.0, 90, 90, 90])
    table = sample_table(said, TRUTH, FORMULAS)
    assert table["group_first"].tolist() == [True, True, False, False]
    assert table["group_among_five"].tolist() == [True, True, True, False]
    np.testing.assert_array_equal(
        confusion(table),
        confusion_matrix(table["system"], table["said_system"], labels=range(len(CRYSTAL_SYSTEMS))),
    )
    cubic = lattice_table(table).set_index("crystal_system").loc["cubic"]
    assert cubic["r2"] == pytest.approx(r2_score([5.6, 4.8], [9.6, 11.2]))


def test_the_majority_is_counted_and_what_is_not_known_is_left_out() -> None:
    truth = Truth(np.append(TRUTH.space_group, 0), np.vstack([TRUTH.cell, np.full(6, np.nan)]), np.ones(5))
    said = majority(truth, 5)
    cubic = crystal_system_places(np.array([225]))[0]
    assert said.crystal_systems[0, cubic] == said.space_group_probability[0, 0] == 0.5
    assert said.space_groups[0].tolist() == [225, 62, 136, 0, 0]
    assert len(sample_table(said, truth, [*FORMULAS, parse_formula("Fe")])) == 4


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_calibration_is_the_distance_of_promise_and_outcome(seed: int) -> None:
    rng = np.random.default_rng(seed)
    promised = rng.uniform(0, 1, 400)
    shift = promised * 0.5
    assert calibration_error(promised, promised) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(promised, promised - shift) == pytest.approx(shift.mean())
    assert np.isnan(calibration_error(promised[:0], promised[:0]))
    values = rng.normal(size=400)
    assert r_squared(values, promised) == pytest.approx(r2_score(promised, values))


def test_an_evaluation_writes_the_tables_of_a_candidate_model_and_refuses_others(
    composed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    made = composed("data.split.seed=42")
    task = Task(make_data(made))
    label = "shipped"
    says = _symmetry_of(_weights(label, task, device="cpu", trust=[]))
    table = write_symmetry(task, says, tmp_path, label=label, n_resamples=20)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / TABLE)[["model", "n"]], table[["model", "n"]])
    everything = table[table["elements"] == "all"].set_index("model")
    assert list(everything.index) == [label, "majority", "nearest composition", "substitution"]
    # all of them are cubic perovskites
    assert everything.loc["nearest composition", "system_right"] == 1.0
    assert everything.loc[label, "system_right"] >= 0.5
    assert (pd.read_csv(tmp_path / LATTICE)["n"].sum()) == 3 * len(task.formulas)
    assert "MLatticeABC" in (tmp_path / PAGE).read_text()
    assert len(list((tmp_path / "figures").glob("symmetry_*.png"))) == 2
    with pytest.raises(ConfigError, match=r"evaluate\.symmetry=true needs a candidate model, and mean"):
        _symmetry_of(
            _baseline({"model": {"_target_": "deepxrd.models.baselines.MeanPattern"}, "seed": 1}, task, choice="mean")
        )


def test_the_majority_has_the_volume_of_the_training_part() -> None:
    """It was 1 Å^3 where more crystals were learned from than were looked at."""
    crystals = [Crystal(4.0 * np.eye(3), np.array([11]), np.zeros((1, 3)), np.ones(1))] * 3
    found = _structures(crystals, [0])
    assert found.space_group.tolist() == [221, 0, 0]
    np.testing.assert_allclose(found.volume_per_atom, 64)
