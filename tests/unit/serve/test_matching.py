"""What the page is told of scans: in words that hold for its fields."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deepxrd
from deepxrd.chem import Formula
from deepxrd.errors import DeepXRDError
from deepxrd.library import SHIPPED, Libraries
from deepxrd.scans import AXIS_NAMES
from deepxrd.serve.matching import MatchQuestion, ScanOptions, match_upload, understand_scan
from deepxrd.serve.worker import Loaded
from made_scans import made_scan, perovskite, simulated

PACKAGE = Path(deepxrd.__file__).parent
NOT_OF_THE_PAGE = {"matching/many.py", "serve/settings.py", "serve/run.py", "serve/app.py"}
"""What only who matches many files, or starts the server, is told."""


class Mute:
    """A model that predicts no structure of any formula."""

    def predict(self, formulas: Sequence[Formula]) -> Sequence[Formula]:
        """The formulas."""
        return formulas

    def candidates(self, predicted: Sequence[Formula], *, most: int) -> list[list[object]]:  # noqa: ARG002
        """None of each."""
        return [[] for _ in predicted]


LOADED = Loaded(Mute(), Libraries.open([SHIPPED]))  # type: ignore[arg-type] # it stands for a network


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of SrTiO3 that states no radiation."""
    scan = made_scan(simulated([perovskite(3.905)]), [1.0])
    path = tmp_path_factory.mktemp("scans") / "measured.xy"
    np.savetxt(path, np.column_stack([scan.two_theta_deg, scan.counts]), "%.3f")
    return path


def answer(path: Path, options: ScanOptions, question: MatchQuestion | None) -> dict[str, Any] | str:
    """What the page shows: the answer, or why there is none."""
    try:
        if question is None:
            return understand_scan(LOADED, path, "shown.xy", options)
        return match_upload(LOADED, path, "shown.xy", options, question)
    except DeepXRDError as error:
        return str(error)


@pytest.mark.parametrize(
    ("options", "question", "told"),
    [
        (ScanOptions(), None, "give the radiation, such as CuKa"),
        (ScanOptions(), MatchQuestion(formulas=("SrTiO3",)), "give the radiation if it was another"),
        (ScanOptions(), MatchQuestion(), "elements such as Ca,W,O"),
        (ScanOptions(), MatchQuestion(formulas=("Ca9W7O5",)), "give elements, other formulas"),
        (ScanOptions(), MatchQuestion(formulas=("SrTiO3",), unseen=True), "leave known structures in"),
        (ScanOptions(axis="theta"), None, "θ in degrees (as given)"),
        (ScanOptions(axis="d"), None, "giving a radiation sets others"),
        (ScanOptions(radiation="AgKa", axis="q"), MatchQuestion(formulas=("SrTiO3",)), "check the radiation"),
        (ScanOptions(scan=3), None, "there is no scan 3"),
    ],
)
def test_no_answer_names_an_option_of_the_command_line(
    measured: Path, options: ScanOptions, question: MatchQuestion | None, told: str
) -> None:
    said = json.dumps(answer(measured, options, question), ensure_ascii=False)
    assert told in said
    assert " --" not in said


def test_no_message_that_may_reach_the_page_names_an_option_of_the_command_line() -> None:
    files = [file for part in ("scans", "matching", "serve") for file in sorted((PACKAGE / part).glob("*.py"))]
    named = [
        f"{name}: {node.value}"
        for file in files
        if (name := file.relative_to(PACKAGE).as_posix()) not in NOT_OF_THE_PAGE
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and re.search(r"(?<!\w)--[a-z]", str(node.value))
    ]
    assert not named


def test_the_page_offers_each_axis_by_its_name() -> None:
    page = (PACKAGE / "serve/static/index.html").read_text(encoding="utf-8")
    offered = re.search(r'<select id="match-axis">(.*?)</select>', page, re.DOTALL)
    assert offered is not None
    assert re.findall(r'value="(\w+)"', offered[1]) == list(AXIS_NAMES)
