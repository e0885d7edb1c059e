from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import OneHotEncoding, parse_formula
from deepxrd.data import BuildOptions, Selection, Split, indices
from deepxrd.data.datamodule import BatchPositions, PatternDataModule
from deepxrd.data.parts import DataParts
from deepxrd.errors import SelectionError
from deepxrd.sources import FilesSource
from deepxrd.xrd import XrdSettings


@pytest.fixture(scope="module")
def datamodule(perovskite_source: FilesSource, tmp_path_factory: pytest.TempPathFactory) -> PatternDataModule:
    parts = DataParts(
        source=perovskite_source,
        selection=Selection(stoichiometry="ABC3"),
        encoding=OneHotEncoding(),
        xrd=XrdSettings(two_theta_max_deg=120, n_points=100),
        split=Split(seed=3),
        stores_dir=tmp_path_factory.mktemp("stores"),
        build=BuildOptions(n_jobs=1),
    )
    module = PatternDataModule(parts, batch_size=5, eval_batch_size=3, seed=11)
    module.prepare_data()
    module.setup()
    return module


def test_a_batch_has_the_shapes_and_the_precision_of_the_network(datamodule: PatternDataModule) -> None:
    inputs, targets = next(iter(datamodule.train_dataloader()))
    assert inputs.shape == (5, 1, 84, 10)
    assert targets.shape == (5, 100)
    assert inputs.dtype == targets.dtype == torch.float32
    targets += 1  # a batch is a copy, not the mapped file


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_sample_is_the_one_hot_of_its_composition_and_its_pattern(datamodule: PatternDataModule, part: str) -> None:
    dataset, store = datamodule.dataset(part), datamodule.data.store
    positions = np.arange(len(dataset))[::-1].copy()
    inputs, targets = dataset[positions]
    for position, one_hot, pattern in zip(positions, inputs, targets, strict=True):
        row = indices(store, datamodule.data.split)[part][position]
        formula = parse_formula(store.samples["composition"][row])
        np.testing.assert_array_equal(one_hot, OneHotEncoding().encode([formula])[0])
        np.testing.assert_array_equal(pattern, store.patterns[row])


@pytest.mark.parametrize("part", ["val", "test"])
def test_what_is_only_scored_comes_in_the_stores_order(datamodule: PatternDataModule, part: str) -> None:
    loader = getattr(datamodule, f"{part}_dataloader")()
    batches = [targets for _, targets in loader]
    rows = indices(datamodule.data.store, datamodule.data.split)[part]
    np.testing.assert_array_equal(torch.cat(batches), datamodule.data.store.patterns[rows])
    assert all(len(batch) == 3 for batch in batches[:-1])


def test_an_epoch_of_training_holds_each_sample_once(datamodule: PatternDataModule) -> None:
    rows = indices(datamodule.data.store, datamodule.data.split)["train"]
    drawn = torch.cat([targets for _, targets in datamodule.train_dataloader()]).numpy()
    expected = datamodule.data.store.patterns[rows]
    assert not np.array_equal(drawn, expected), "the order is shuffled"
    np.testing.assert_array_equal(drawn[np.lexsort(drawn.T)], expected[np.lexsort(expected.T)])
    assert len(datamodule.train_dataloader()) == int(np.ceil(len(rows) / 5))


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 99) | st.none(), st.integers(0, 9))
def test_the_positions_of_an_epoch_are_all_there_once(n: int, size: int, seed: int | None, epoch: int) -> None:
    positions = BatchPositions(n, size, seed=seed)
    positions.set_epoch(epoch)
    batches = list(positions)
    assert len(positions) == len(batches)
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    drawn = np.concatenate(batches)
    assert sorted(drawn.tolist()) == list(range(n))
    if seed is None:
        assert drawn.tolist() == list(range(n))


def _order(seed: int, epoch: int) -> list[int]:
    positions = BatchPositions(50, 7, seed=seed)
    positions.set_epoch(epoch)
    return np.concatenate(list(positions)).tolist()


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    positions = BatchPositions(50, 7, seed=5)
    in_turn = []
    for epoch in range(4):
        np.random.default_rng().random()
        torch.manual_seed(epoch)
        positions.set_epoch(epoch)
        in_turn.append(np.concatenate(list(positions)).tolist())
        assert np.concatenate(list(positions)).tolist() == in_turn[-1], "drawn twice, the same"
    assert in_turn == [_order(5, epoch) for epoch in range(4)], "as in a run resumed at that epoch"
    assert len({tuple(order) for order in [*in_turn, _order(6, 0), _order(6, 1)]}) == 6


def test_the_loader_for_training_carries_the_seed_to_its_sampler(datamodule: PatternDataModule) -> None:
    sampler = datamodule.train_dataloader().sampler
    expected = BatchPositions(len(datamodule.dataset("train")), 5, seed=11)
    for epoch in (0, 3):
        sampler.set_epoch(epoch)
        expected.set_epoch(epoch)
        assert [batch.tolist() for batch in sampler] == [batch.tolist() for batch in expected]


def test_the_store_is_built_on_first_use_only(datamodule: PatternDataModule) -> None:
    before = {file: file.stat().st_mtime_ns for file in Path(datamodule.data.store.path).rglob("*")}
    datamodule.prepare_data()
    datamodule.setup()
    assert {file: file.stat().st_mtime_ns for file in Path(datamodule.data.store.path).rglob("*")} == before


def test_a_part_that_was_moved_to_a_device_gives_the_same_batches(datamodule: PatternDataModule) -> None:
    from deepxrd.data.datamodule import PatternDataset

    rows = datamodule.dataset("train").rows
    mapped, moved = (PatternDataset(datamodule.data.store, rows, OneHotEncoding()) for _ in range(2))
    moved.to(torch.device("cpu"))
    positions = np.array([4, 0, 2])
    assert all(torch.equal(a, b) for a, b in zip(mapped[positions], moved[positions], strict=True))


def _with_another_box(datamodule: PatternDataModule, encoding: OneHotEncoding) -> PatternDataModule:
    return PatternDataModule(replace(datamodule.data, encoding=encoding), batch_size=5, eval_batch_size=3)


def test_what_does_not_fit_the_one_hot_is_in_the_store_and_left_out_by_the_network_alone(
    datamodule: PatternDataModule,
) -> None:
    store = datamodule.data.store
    symbols = sorted({symbol for formula in store.formulas for symbol in formula.elements} - {"Ba"})
    smaller = OneHotEncoding(tuple(symbols), 10)
    narrow = _with_another_box(datamodule, smaller)
    assert narrow.data.store.id == store.id, "the one-hot has no say in the store"
    for part, rows in datamodule.data.rows.items():
        with_barium = [row for row in rows if "Ba" in store.formulas[row].elements]
        assert narrow.rows(part).tolist() == [row for row in rows if row not in with_barium]
        assert narrow.left_out()[part] == len(with_barium)
        inputs, patterns = narrow.dataset(part)[np.arange(len(narrow.dataset(part)))]
        assert inputs.shape[2:] == smaller.shape
        np.testing.assert_array_equal(patterns, store.patterns[narrow.rows(part)])
    assert sum(narrow.left_out().values()) > 0, "else nothing was shown"
    assert not any(datamodule.left_out().values())


def test_a_one_hot_that_nothing_fits_into_is_refused_with_a_way_out(datamodule: PatternDataModule) -> None:
    with pytest.raises(SelectionError, match=r"no composition of train, val, test fits .*1 elements.*model=candidates"):
        _with_another_box(datamodule, OneHotEncoding(("He",), 10)).setup()
