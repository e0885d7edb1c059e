"""Whatever a reader is given, it returns, or raises an error that one can fix, soon."""

import warnings
from pathlib import Path

import pytest
from fuzzing import NAMES, survives, targets
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_survives(name: str, shared: Path, tmp_path: Path) -> None:
    target = targets(shared)[name]

    @settings(max_examples=80 if target.quick else 15)
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            survives(target, target.write(data.draw, tmp_path))

    tried()


def test_all_readers_are_named(shared: Path) -> None:
    assert tuple(targets(shared)) == NAMES
