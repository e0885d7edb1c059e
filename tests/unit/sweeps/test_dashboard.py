import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deepxrd.analysis.tables import COLUMNS
from deepxrd.sweeps import dashboard

if not os.environ.get("CI"):  # there its absence must not be hidden
    pytest.importorskip("wandb_workspaces", reason="the extra dashboard is not installed")


@pytest.fixture(scope="module")
def view() -> dict[str, Any]:
    made = dashboard.workspace("me", "deepxrd", "table4")
    view: dict[str, Any] = json.loads(made._to_model().model_dump_json(by_alias=True, exclude_none=True))
    return view


def test_the_workspace_shows_only_the_runs_of_the_sweep(view: dict[str, Any]) -> None:
    [runs] = view["spec"]["section"]["runSets"]
    [shown] = runs["filters"]["filters"]
    assert (shown["key"], shown["op"], shown["value"]) == ({"section": "run", "name": "group"}, "=", "table4")


def test_it_has_parallel_coordinates_of_settings_and_every_score_by_loss(view: dict[str, Any]) -> None:
    sections = {s["name"]: s["panels"] for s in view["spec"]["section"]["panelBankConfig"]["sections"]}
    first = sections["Settings and scores"][0]
    assert first["viewType"] == "Parallel Coordinates Plot"
    accessors = [column["accessor"] for column in first["config"]["columns"]]
    assert {"config:model.value.depth", "config:optimizer.value.lr", "summary:test/peak_f1_2deg"} <= set(accessors)
    bars = sections["Loss × score"]
    assert [panel["config"]["metrics"] for panel in bars] == [[f"test/{score}"] for score in COLUMNS]
    assert {panel["config"]["groupBy"] for panel in bars} == {"loss.value._target_"}


def test_without_a_login_it_says_how(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deepxrd.cli", "dashboard", "--sweep", "table4"],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "wandb login" in done.stderr
    assert "Traceback" not in done.stderr
