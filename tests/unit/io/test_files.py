from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.errors import ResultError
from deepxrd.io.files import (
    atomic_path,
    file_hash,
    locked,
    locked_or_refused,
    unique_name,
    value_hash,
    write_json,
    write_text,
)

_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def test_a_block_that_ends_well_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "a.txt"
    write_text(target, "old")
    with atomic_path(target) as temporary:
        temporary.write_text("new θ", encoding="utf-8")
        assert target.read_text(encoding="utf-8") == "old", "the old file stays until the new one is whole"
    assert target.read_text(encoding="utf-8") == "new θ"
    assert list(target.parent.iterdir()) == [target]


def test_names_that_differ_by_case_alone_are_one_name() -> None:
    taken: set[str] = set()
    assert [unique_name(name, taken) for name in ("A.xy", "a.xy", "A.xy", "a.xy-2", "b")] == [
        "A.xy", "a.xy-2", "A.xy-3", "a.xy-2-2", "b",
    ]  # fmt: skip


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old", encoding="utf-8")

    def half_done() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        half_done()
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_first_write_that_raises_leaves_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"not JSON": object()})
    assert not list(tmp_path.iterdir())


def test_the_temporary_file_keeps_the_suffix_that_writers_go_by(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.npy") as temporary:
        assert temporary.suffix == ".npy"
        assert temporary.parent == tmp_path


def test_a_written_file_can_be_read_by_everyone(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_json_keeps_the_order_of_keys_and_plain_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "2θ"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "2θ" in text
    assert list(json.loads(text)) == ["b", "a"]


def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2


@given(st.dictionaries(st.text(max_size=5), _PLAIN, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_the_hash_of_values_does_not_depend_on_the_order_of_keys(values: dict[str, object], random: object) -> None:
    keys = list(values)
    random.shuffle(keys)  # type: ignore[attr-defined]
    assert value_hash({key: values[key] for key in keys}) == value_hash(values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": "1"}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"c": 1}}),
        ({"a": 0.5}, {"a": 0.5000000000000001}),
    ],
)
def test_the_hash_of_values_changes_with_any_value(one: dict[str, object], other: dict[str, object]) -> None:
    assert value_hash(one) != value_hash(other)


def test_the_hash_of_values_is_the_same_in_every_process() -> None:
    code = "from deepxrd.io.files import value_hash; print(value_hash({'b': [1, 'θ'], 'a': None}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == value_hash({"a": None, "b": [1, "θ"]})


def test_a_lock_keeps_other_processes_out_until_it_is_given_back(tmp_path: Path) -> None:
    lock = tmp_path / "sub" / "a.lock"
    code = (
        "import sys, pathlib; from deepxrd.io.files import locked_or_refused; from deepxrd.errors import BusyError\n"
        "try:\n with locked_or_refused(pathlib.Path(sys.argv[1]), 'kept out'): print('got in')\n"
        "except BusyError as error: print(error)"
    )

    def other_process() -> str:
        done = subprocess.run([sys.executable, "-c", code, lock], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    for hold in (locked(lock), locked_or_refused(lock, "busy")):
        with hold:
            assert other_process() == "kept out"
        assert other_process() == "got in"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_json_never_holds_what_json_has_no_word_for(tmp_path: Path, bad: float) -> None:
    with pytest.raises(ResultError, match=r"a\.json was not written: test\.mse\[1\]=-?(nan|inf) is not"):
        write_json(tmp_path / "a.json", {"n": 1, "test": {"f1": 0.5, "mse": [1.0, bad]}})
    assert not list(tmp_path.iterdir())
