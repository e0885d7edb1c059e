"""The notebooks in examples/ are run cell by cell, and print what they show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from blocks import REPOSITORY
from test_commands import assert_output

from task_table import Record

NOTEBOOKS = sorted((REPOSITORY / "examples").glob("*.ipynb"))
BETWEEN = "----- next cell -----"


def cells(notebook: Path) -> list[dict[str, Any]]:
    """Its cells of code."""
    return [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def shown(cell: dict[str, Any]) -> str:
    """What a cell shows on standard output."""
    return "".join("".join(each["text"]) for each in cell["outputs"] if each.get("name") == "stdout")


def run_cells(notebook: Path, folder: Path) -> list[str]:
    """What each cell prints, run in a row in one process, as a kernel would."""
    sources = ["".join(cell["source"]) for cell in cells(notebook)]
    (folder / "cells.py").write_text(f"\nprint({BETWEEN!r})\n".join(sources), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "cells.py"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(f"{BETWEEN}\n")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_shows(notebook: Path, tmp_path: Path, record: Record) -> None:
    printed = run_cells(notebook, tmp_path)
    assert_output("".join(printed), "".join(shown(cell) for cell in cells(notebook)), notebook.name)
    record("From Python", f"a notebook, `examples/{notebook.name}`", works=printed[-1])


if __name__ == "__main__":  # writes what the cells print into the notebooks, in a folder that is given
    for path in NOTEBOOKS:
        content = json.loads(path.read_text(encoding="utf-8"))
        texts = iter(run_cells(path, Path(sys.argv[1])))
        number = 0
        for each in content["cells"]:
            if each["cell_type"] == "code":
                number += 1
                lines = next(texts).splitlines(keepends=True)
                each["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
                each["execution_count"] = number
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
