"""What a model is scored on: neither what it was learned from unsaid, nor what it cannot read."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepxrd.data.assemble import make_data
from deepxrd.errors import ConfigError, SelectionError
from deepxrd.evaluation.run import _weights
from deepxrd.evaluation.task import Task
from deepxrd.training.run import fit_and_test


@pytest.mark.parametrize("seed", [42, 1])
def test_compositions_that_the_shipped_weights_were_learned_from_are_counted(
    composed: Callable[..., dict[str, Any]], caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    task = Task(make_data(composed(f"data.split.seed={seed}")))
    with caplog.at_level(logging.WARNING):
        facts = _weights("shipped", task, device="cpu", trust=[]).facts
    if seed == 42:  # the split that they were made with
        assert "n_test_learned" not in facts
        assert not caplog.records
    else:
        assert facts["n_test_learned"] > 0
        assert f"{facts['n_test_learned']} of {len(task.formulas)} test compositions" in caplog.text


def test_a_network_is_scored_on_what_fits_its_one_hot_and_the_rest_is_counted(
    composed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    made = composed("data.selection.fits_one_hot=false", "trainer.max_epochs=1")
    formulas = make_data(made).store.formulas
    made["data"]["encoding"]["elements"] = sorted({symbol for each in formulas for symbol in each.elements} - {"Ba"})
    trained = fit_and_test(made, tmp_path / "run").metrics
    with_barium = sum("Ba" in formula.elements for formula in formulas)
    assert sum(trained["left_out"].values()) == with_barium > 0
    assert trained["n_train"] + trained["n_val"] + trained["n_test"] == len(formulas) - with_barium

    task = Task(make_data(made))
    best = str(tmp_path / "run/checkpoints/best.ckpt")
    model = _weights(best, task, device="cpu", trust=[])
    with pytest.raises(ConfigError, match="cannot compute on device 'nowhere'"):
        _weights(best, task, device="nowhere", trust=[])
    scored, n_left_out = task.only(model.takes)
    assert n_left_out == trained["left_out"]["test"]
    assert len(scored.targets) == trained["n_test"]
    assert all("Ba" not in formula.elements for formula in scored.formulas)
    assert len(model.predict(scored)[0]) == trained["n_test"]
    assert (scored.chosen is None) == (n_left_out == 0)
    with pytest.raises(SelectionError, match="none of the"):
        task.only(lambda _: False)
