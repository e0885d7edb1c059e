from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.data import PatternStore, Split, indices
from deepxrd.errors import ConfigError, SelectionError

_compositions = st.lists(st.text("ABCFeOTi123", min_size=1, max_size=8), min_size=1, max_size=50)
_NAMES = [f"composition-{i}" for i in range(20_000)]


def _store(folder: Path, compositions: list[str]) -> PatternStore:
    """As much of a store as a split looks at."""
    pd.DataFrame({"composition": compositions}).to_parquet(folder / "samples.parquet")
    return PatternStore(folder, {})


@given(_compositions, _compositions, st.integers(0, 99))
def test_a_composition_keeps_its_part_when_the_data_grow(some: list[str], more: list[str], seed: int) -> None:
    split = Split(seed=seed)
    small = dict(zip(some, split.assign(some), strict=True))
    large = dict(zip(some + more, split.assign(some + more), strict=True))
    assert {name: large[name] for name in some} == small


@given(_compositions, st.integers(0, 99))
def test_structures_of_one_composition_never_straddle_a_border(compositions: list[str], seed: int) -> None:
    doubled = compositions + compositions[::-1]
    parts = Split(seed=seed).assign(doubled)
    assert len(set(zip(doubled, parts, strict=True))) == len(set(doubled))


@pytest.mark.parametrize("split", [Split(), Split(seed=7), Split(train=0.5, val=0.25), Split(train=0.05, val=0.9)])
def test_shares_are_kept_within_the_bounds_of_chance(split: Split) -> None:
    parts = split.assign(_NAMES)
    for part, share in (("train", split.train), ("val", split.val), ("test", 1 - split.train - split.val)):
        deviation = (np.mean(parts == part) - share) / np.sqrt(share * (1 - share) / len(_NAMES))
        assert abs(deviation) < 4, f"{part} is {deviation:.1f} standard deviations off"


def test_another_seed_is_another_split() -> None:
    one, other = Split(seed=1).assign(_NAMES), Split(seed=2).assign(_NAMES)
    chance = 0.7**2 + 0.1**2 + 0.2**2  # of two independent draws to agree
    assert np.mean(one == other) == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / len(_NAMES)))


def test_a_wider_training_share_takes_from_the_others_only() -> None:
    narrow, wide = Split(train=0.5).assign(_NAMES), Split(train=0.7).assign(_NAMES)
    assert set(wide[narrow == "train"]) == {"train"}


def test_the_draw_is_the_sha256_of_seed_and_name_for_ever() -> None:
    for name in ("SrTiO3", "CaSiO3", "V2O5"):
        drawn = int(hashlib.sha256(f"42:{name}".encode()).hexdigest()[:14], 16) / 16**14
        part = "train" if drawn < 0.7 else "val" if drawn < 0.8 else "test"
        assert Split().assign([name]).tolist() == [part]


@pytest.mark.parametrize(
    ("train", "val"), [(0.0, 0.1), (0.7, 0.0), (0.9, 0.1), (0.8, 0.3), (-0.1, 0.5), (float("nan"), 0.1)]
)
def test_shares_that_leave_a_part_empty_are_refused(train: float, val: float) -> None:
    with pytest.raises(ConfigError, match=f"{train:g} train and {val:g} val"):
        Split(train=train, val=val)


def test_every_sample_falls_to_exactly_one_part(tmp_path: Path) -> None:
    names = _NAMES[:200] + _NAMES[:40]  # some compositions have two structures
    rows = indices(_store(tmp_path, names), Split())
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(240))
    assert all(np.all(np.diff(part) > 0) for part in rows.values()), "rows stand in the store's order"
    held = [{names[i] for i in part} for part in rows.values()]
    assert not held[0] & held[1]
    assert not held[1] & held[2]
    assert not held[0] & held[2]
    assigned = Split().assign(names)
    assert all(set(assigned[part]) == {name} for name, part in rows.items())


def test_a_part_without_samples_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(SelectionError, match="with 1 samples and seed 42 no sample falls to") as caught:
        indices(_store(tmp_path / "one", ["SrTiO3"]), Split())
    missing = {"train", "val", "test"} - set(Split().assign(["SrTiO3"]))
    assert all(part in str(caught.value) for part in missing)


def test_the_assignment_is_written_once_and_read_from_then_on(tmp_path: Path) -> None:
    store = _store(tmp_path, _NAMES[:100])
    first = indices(store, Split())
    (file,) = (tmp_path / "splits").iterdir()
    table = pd.read_parquet(file)
    assert table["composition"].tolist() == _NAMES[:100]
    table["part"] = table["part"].replace({"val": "test", "test": "val"})
    table.to_parquet(file)
    again = indices(store, Split())
    np.testing.assert_array_equal(again["test"], first["val"])
    np.testing.assert_array_equal(again["train"], first["train"])


def test_splits_of_other_seeds_or_shares_have_their_own_files(tmp_path: Path) -> None:
    store = _store(tmp_path, _NAMES[:100])
    for split in (Split(), Split(seed=1), Split(train=0.6), Split(val=0.15)):
        indices(store, split)
    assert len(list((tmp_path / "splits").iterdir())) == 4
