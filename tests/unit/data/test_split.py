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

_composition = st.lists(st.sampled_from(["Fe", "O2", "Ti", "Sr3", "Ba"]), min_size=1, max_size=4).map("".join)
_compositions = st.lists(_composition, min_size=1, max_size=50)
_NAMES = [f"composition-{i}" for i in range(20_000)]


def _store(folder: Path, compositions: list[str]) -> PatternStore:
    """As much of a store as a split looks at."""
    pd.DataFrame({"composition": compositions}).to_parquet(folder / "samples.parquet")
    return PatternStore(folder, {})


@pytest.mark.parametrize("by", ["composition", "chemical_system"])
@given(some=_compositions, more=_compositions, seed=st.integers(0, 99))
def test_a_composition_keeps_its_part_when_the_data_grow(by: str, some: list[str], more: list[str], seed: int) -> None:
    split = Split(seed=seed, by=by)
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
    with pytest.raises(SelectionError, match=r"with 1 samples and Split.* no sample falls to") as caught:
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


def test_all_compositions_of_a_chemical_system_are_in_one_part() -> None:
    split = Split(by="chemical_system")
    for system in ("Sr{}Ti{}O{}", "La{}Fe{}O{}", "Ba{}Ni{}S{}"):
        compositions = [system.format(a, b, c) for a in (1, 2) for b in (1, 3) for c in (4, 5, 7)]
        assert len(set(split.assign(compositions))) == 1


def test_systems_are_dealt_out_in_the_shares_asked_for() -> None:
    from itertools import combinations

    systems = ["".join(each) for each in combinations(["H", "Li", "O", "Na", "S", "K", "Fe", "Ni", "Se", "Rb"], 3)]
    parts = Split(by="chemical_system").assign(systems)
    assert np.mean(parts == "train") == pytest.approx(0.7, abs=4 * np.sqrt(0.7 * 0.3 / len(systems)))


def test_by_time_the_test_is_what_came_later() -> None:
    days = ["2011-05-13", "2017-12-31", "2018-01-01", "2023-04-05", None]
    names = [f"Sr{i + 1}TiO3" for i in range(5)]
    parts = Split(by="time").assign(names, days)
    assert set(parts[:2]) <= {"train", "val"}
    assert parts[2:].tolist() == ["test", "test", "none"]
    early = Split(by="time").assign(_NAMES, ["2011-05-13"] * len(_NAMES))
    assert np.mean(early == "train") == pytest.approx(7 / 8, abs=0.01)
    assert set(Split(by="time", before="2011-01-01").assign(names, days)) == {"test", "none"}


def test_samples_without_a_date_are_in_no_part(tmp_path: Path) -> None:
    store = _store(tmp_path, _NAMES[:300])
    days = ["2012-01-01"] * 200 + ["2020-01-01"] * 50 + [None] * 50
    pd.DataFrame({"composition": _NAMES[:300], "created_at": days}).to_parquet(tmp_path / "samples.parquet")
    rows = indices(store, Split(by="time"))
    assert rows["test"].tolist() == list(range(200, 250))
    assert sorted([*rows["train"], *rows["val"]]) == list(range(200))


def test_a_source_without_dates_cannot_be_split_by_time(tmp_path: Path) -> None:
    frame = pd.DataFrame({"composition": _NAMES[:30], "created_at": [None] * 30})
    frame.to_parquet(tmp_path / "samples.parquet")
    with pytest.raises(SelectionError, match="30 of them have no date"):
        indices(PatternStore(tmp_path, {}), Split(by="time"))


@pytest.mark.parametrize(("setting", "value"), [("by", "stoichiometry"), ("before", "last year"), ("before", 2018)])
def test_what_is_no_split_is_refused(setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"data.split.{setting}={value!r}"):
        Split(**{setting: value})  # type: ignore[arg-type]
