"""Weights that were learned from what they are scored on."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from deepxrd.evaluation.run import _weights
from deepxrd.evaluation.task import Task
from deepxrd.training.assemble import make_data


@pytest.mark.parametrize("seed", [42, 7])
def test_compositions_that_the_shipped_weights_were_learned_from_are_counted(
    composed: Callable[..., dict[str, Any]], caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    task = Task(make_data(composed(f"data.split.seed={seed}")))
    with caplog.at_level(logging.WARNING):
        facts = _weights("shipped", task, trust=[]).facts
    if seed == 42:  # the split that they were made with
        assert "n_test_learned" not in facts
        assert not caplog.records
    else:
        assert facts["n_test_learned"] > 0
        assert f"{facts['n_test_learned']} of {len(task.formulas)} test compositions" in caplog.text
