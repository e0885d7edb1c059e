"""What a command imports: packages of seconds only where they are needed."""

import subprocess
import sys
from pathlib import Path

import pytest

_TRAINING = {"pytorch_lightning", "torchmetrics", "wandb"}


def imported(folder: Path, code: str, *arguments: str) -> tuple[set[str], str]:
    """The names of all modules after some code has run in a process of its own, and what it printed."""
    listing = "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    command = [sys.executable, "-c", listing + code, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    there = set(done.stderr.split())
    assert "deepxrd" in there
    return there, done.stdout


def test_help_imports_no_heavy_package(tmp_path: Path) -> None:
    there, printed = imported(tmp_path, "from deepxrd.cli.main import main; main(['--help'])")
    assert printed.startswith("usage: deepxrd")
    heavy = {"torch", "numpy", "pandas", "pyarrow", "pymatgen", "matplotlib", "pytorch_lightning", "hydra", "rich"}
    heavy |= {"joblib", "scipy", "sklearn"}
    assert not heavy & there


@pytest.mark.parametrize("shipped", [False, True])
def test_predicting_imports_no_package_of_training(trained: Path, tmp_path: Path, *, shipped: bool) -> None:
    arguments = ["predict", "SrTiO3"]
    unwanted = {"pytorch_lightning", "torchmetrics", "hydra", "wandb", "ase", "sklearn", "spglib", "lightgbm"}
    unwanted |= {"pandas", "pyarrow", "pymatgen", "sympy", "scipy.optimize", "scipy.spatial", "joblib"}
    if not shipped:
        arguments += ["--checkpoint", str(trained / "checkpoints/best.ckpt"), "--unseen"]
    there, _ = imported(tmp_path, "from deepxrd.cli.main import main; main(sys.argv[1:])", *arguments)
    assert not unwanted & there


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
    there, _ = imported(tmp_path, code)
    assert not unwanted & there
