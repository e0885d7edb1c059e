"""Numbers with what they count."""

from __future__ import annotations

import pytest

from deepxrd.io.words import counted


@pytest.mark.parametrize(("n", "said"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (12345, "12,345 entries")])
def test_one_is_one(n: int, said: str) -> None:
    assert counted(n, "entry", "entries") == said
    assert counted(n, "phase") == said.replace("entry", "phase").replace("entries", "phases")
