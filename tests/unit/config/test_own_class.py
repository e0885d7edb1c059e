"""Settings of a class that another takes the place of, in a file or in the one it builds upon."""

from __future__ import annotations

import pytest

import deepxrd


@pytest.mark.parametrize("data", ["abc3", "ternary", "prototypes", "any"])
def test_an_encoding_of_ones_own_gets_nothing_of_the_one_hot(data: str) -> None:
    encoding = deepxrd.compose([f"data={data}", "data.encoding._target_=mylab.Encoding"]).data.encoding
    assert dict(encoding) == {"_target_": "mylab.Encoding"}


def test_what_was_typed_stays() -> None:
    cfg = deepxrd.compose(["data.encoding._target_=mylab.Encoding", "data.encoding.n_counts=10"])
    assert dict(cfg.data.encoding) == {"_target_": "mylab.Encoding", "n_counts": 10}
