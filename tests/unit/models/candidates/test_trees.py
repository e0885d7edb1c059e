"""Boosted trees as arrays give what LightGBM gives; and arrays that are no trees are refused."""

from dataclasses import fields, replace
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepxrd.models.candidates.lightgbm_text import read_trees
from deepxrd.models.candidates.trees import Trees

AGREE = 1e-12  # sums of some dozen doubles in another order


def learned(seed: int, n_leaves: int, rounds: int = 20) -> tuple[lightgbm.Booster, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (400, 6)).astype(np.float32) * rng.choice([1e-36, 0.25, 1.0, 1e3], 6).astype(np.float32)
    y = np.tanh(x[:, 1]) + (x[:, 2] > 0.5) * x[:, 3] / 1e3 + 0.1 * rng.standard_normal(400)
    parameters = {"num_leaves": n_leaves, "min_data_in_leaf": 3, "verbosity": -1, "objective": "l1", "seed": seed}
    return lightgbm.train(parameters, lightgbm.Dataset(x, y), num_boost_round=rounds), x


@settings(max_examples=12)
@given(seed=st.integers(0, 999), n_leaves=st.sampled_from([2, 3, 17, 63, 64]))
def test_they_give_what_lightgbm_gives(seed: int, n_leaves: int) -> None:
    booster, x = learned(seed, n_leaves)
    trees = read_trees(booster.model_to_string())
    trees.check(6, largest=1e6)
    rng = np.random.default_rng(seed)
    other = rng.normal(0, 2, (150, 6)).astype(np.float32)
    rows, nodes = np.arange(100), rng.integers(0, len(trees.feature), 100)
    other[rows, trees.feature[nodes]] = trees.threshold[nodes]  # just at a threshold, or next to it
    for features in (x, other, x[:0], x[:1]):
        expected = booster.predict(features) if len(features) else np.zeros(0)
        np.testing.assert_allclose(trees.predict(features), expected, atol=AGREE, rtol=AGREE)


def test_a_row_gets_the_same_whatever_its_company() -> None:
    booster, x = learned(1, 31)
    trees = read_trees(booster.model_to_string())
    alone = np.concatenate([trees.predict(x[i : i + 1]) for i in range(80)])
    np.testing.assert_array_equal(trees.predict(x[:80]), alone)


def test_trees_of_one_leaf_are_constants() -> None:
    trees = Trees(
        np.array([1, 1], np.uint8), np.zeros(0, np.uint16), np.zeros(0), np.zeros(0, np.uint8), np.zeros(0, np.uint8),
        np.array([0.5, 0.25]),
    )  # fmt: skip
    trees.check(3, largest=1)
    assert trees.predict(np.zeros((2, 3), np.float32)).tolist() == [0.75, 0.75]


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_passes_the_check_is_evaluated(data: st.DataObject) -> None:
    """Arrays of any content: refused, or trees that give a finite value within what was allowed."""
    trees = read_trees(learned(2, 9, rounds=3)[0].model_to_string())
    name = data.draw(st.sampled_from([field.name for field in fields(Trees)]))
    values = getattr(trees, name).copy()
    place = data.draw(st.integers(0, len(values) - 1))
    values[place] = data.draw(st.integers(0, 255) if values.dtype.kind == "u" else st.floats(width=64))
    changed = replace(trees, **{name: values})
    try:
        changed.check(6, largest=100.0)
    except ValueError:
        return
    found = changed.predict(np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32))
    assert (np.abs(found) <= 100).all()


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("n_leaves", lambda x: x.astype(np.int64), "no list of uint8"),
        ("n_leaves", lambda x: x[:-1], "more or fewer nodes"),
        ("threshold", lambda x: x * np.nan, "not finite"),
        ("leaf_value", lambda x: x * 1e9, "may give more"),
        ("feature", lambda x: x + 6, "more than 6 features"),
        ("past", lambda x: x + 9, "out of range"),
    ],
)
def test_arrays_that_are_no_trees_are_refused(name: str, change: Any, expected: str) -> None:
    trees = read_trees(learned(3, 9, rounds=3)[0].model_to_string())
    with pytest.raises(ValueError, match=expected):
        replace(trees, **{name: change(getattr(trees, name))}).check(6, largest=100.0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tree\n", "wood\n"), ("left_child=", "left_child=0 "), ("left_child=1", "left_child=0"),
        ("num_leaves=9", "num_leaves=99"),
        ("threshold=", "threshold=x "), ("end of trees", ""), ("decision_type=2", "decision_type=1"),
        ("num_cat=0", "num_cat=1"),
        ("leaf_value=", "leaf="), ("split_feature=", "split_feature=-1 "),
    ],
)  # fmt: skip
def test_a_changed_text_is_refused(before: str, after: str) -> None:
    text = learned(4, 9, rounds=2)[0].model_to_string()
    assert before in text
    with pytest.raises(ValueError, match=r"tree|LightGBM"):
        read_trees(text.replace(before, after, 1))


def test_few_rows_get_what_many_get() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 4)).astype(np.float32)
    learned = lightgbm.train(
        {"num_leaves": 31, "verbosity": -1, "min_data_in_leaf": 2},
        lightgbm.Dataset(features, features[:, 0] * features[:, 1]),
        num_boost_round=20,
    )
    trees, fresh = (read_trees(learned.model_to_string()) for _ in range(2))
    many = trees.predict(features)  # by tables
    few = fresh.predict(features[:7])  # node by node
    assert "_tables" not in vars(fresh)
    np.testing.assert_array_equal(few, many[:7])
