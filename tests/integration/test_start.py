"""What a command imports before its work: packages of seconds only where they are needed."""

import subprocess
import sys
from pathlib import Path

import pytest

_TRAINING = {"pytorch_lightning", "torchmetrics", "wandb"}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("from deepxrd.cli.main import main; main(['library', 'find', '--formula', 'SrTiO3'])", {"torch", "pandas"}),
        ("import deepxrd.data.assemble, deepxrd.analysis.data_card_files", {"torch", *_TRAINING}),  # prepare's
        ("import deepxrd.evaluation.run, deepxrd.analysis.evaluation_tables", _TRAINING),
    ],
    ids=["library find", "prepare", "evaluate"],
)
def test_nothing_is_imported_that_is_not_needed(tmp_path: Path, code: str, unwanted: set[str]) -> None:
    listed = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", listed], cwd=tmp_path, capture_output=True, text=True, check=True)
    there = set(done.stderr.split())
    assert "deepxrd" in there
    assert not unwanted & there
