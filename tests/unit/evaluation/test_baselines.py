from collections.abc import Callable
from typing import Any

import pytest

from deepxrd.data.assemble import make_data
from deepxrd.evaluation import baselines
from deepxrd.evaluation.task import Task


def test_kept_scores_are_those_of_the_same_code_and_data(
    composed: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task(make_data(composed()))
    first = baselines.baseline_summary("comb", task, n_resamples=10)
    folder = task.store.path / "baselines"
    monkeypatch.setattr(baselines, "score", lambda *_, **__: pytest.fail("computed twice"))
    assert baselines.baseline_summary("comb", task, n_resamples=10) == first
    assert len(list(folder.iterdir())) == 1
    monkeypatch.undo()
    monkeypatch.setattr(baselines, "code_hash", lambda *_: "other code")
    baselines.baseline_summary("comb", task, n_resamples=10)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b'{"n_samples": 3', b"[]", b'{"other": 1}', b"\xff"])
def test_kept_scores_that_are_damaged_are_computed_again(
    composed: Callable[..., dict[str, Any]], content: bytes
) -> None:
    task = Task(make_data(composed()))
    first = baselines.baseline_summary("comb", task, n_resamples=10)
    (file,) = (task.store.path / "baselines").iterdir()
    whole = file.read_bytes()
    file.write_bytes(content)
    assert baselines.baseline_summary("comb", task, n_resamples=10) == first
    assert file.read_bytes() == whole
