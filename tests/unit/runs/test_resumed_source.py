"""A run whose data were moved resumes with ``source.path=`` alone, as its message says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deepxrd.train import _with_source_of_run


@pytest.mark.parametrize("quoted", ["{}", "'{}'", '"{}"'])
def test_the_runs_own_source_stands_before_a_path_that_is_typed(tmp_path: Path, quoted: str) -> None:
    (tmp_path / "overrides.yaml").write_text(yaml.safe_dump(["source=files", "source.path=a.parquet", "seed=3"]))
    resume = "resume=" + quoted.format(tmp_path)
    assert _with_source_of_run([resume, "source.path=b.parquet"]) == ["source=files", resume, "source.path=b.parquet"]
    for words in ([resume], ["source.path=b.parquet"], [resume, "source=mp", "source.path=b"]):
        assert _with_source_of_run(words) == words


def test_a_source_that_is_not_ours_has_to_be_typed(tmp_path: Path) -> None:
    (tmp_path / "overrides.yaml").write_text(yaml.safe_dump(["source=mine"]))
    words = [f"resume={tmp_path}", "source.path=b.parquet"]
    assert _with_source_of_run(words) == words
