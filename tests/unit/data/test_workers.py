"""What builds a data set: settings that would be without effect are refused."""

from __future__ import annotations

import pytest

from deepxrd.data.workers import BuildOptions
from deepxrd.errors import ConfigError


def test_a_scheduler_that_nobody_would_ask_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"build\.scheduler=tcp://host:8786 is for build\.backend=dask"):
        BuildOptions(scheduler="tcp://host:8786")
    assert BuildOptions(scheduler="tcp://host:8786", backend="dask").scheduler == "tcp://host:8786"
