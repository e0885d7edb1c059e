"""From a configuration to the objects of a run: what would fail only hours later is refused at once."""

from __future__ import annotations

import pytest

from deepxrd.errors import ConfigError
from deepxrd.training.assemble import make_metrics


@pytest.mark.parametrize("name", ["composition", "n_sites"])
def test_a_score_has_no_name_of_another_column(name: str) -> None:
    with pytest.raises(ConfigError, match=f"metrics.{name}: the scores of a run have a column of this name"):
        make_metrics({"metrics": {name: {"_target_": "mylab.Metric"}}})
