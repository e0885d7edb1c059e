"""Each kind of attempt ends with exit code 2 and a sentence: nothing runs, no connection is opened, nothing hangs."""

from pathlib import Path

import pytest
from attempts import load_kinds
from trying import Server, try_kind

KINDS = load_kinds()


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_survived(name: str, running: Server, shared: Path, tmp_path: Path) -> None:
    tried = list(try_kind(KINDS[name], tmp_path / "tried", shared, running, thinned=True))
    assert tried
    assert not [f"{each.attempt.name}: {each.wrong}" for each in tried if each.wrong]


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_all_of_a_kind_is_survived(name: str, running: Server, shared: Path, tmp_path: Path) -> None:
    tried = try_kind(KINDS[name], tmp_path / "tried", shared, running)
    assert not [f"{each.attempt.name}: {each.wrong}" for each in tried if each.wrong]
