"""Reports of matches: what they hold, that nothing in them is markup, and that old ones go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from deepxrd.serve.errors import NotFoundError
from deepxrd.serve.reports import Reports, report_html

MARKUP = "<script>alert(1)</script>&\"'"


def answer(text: str = "quartz") -> dict[str, Any]:
    cell = dict.fromkeys(("a_angstrom", "b_angstrom", "c_angstrom", "alpha_deg", "beta_deg", "gamma_deg"), 90.0)
    phase = {"label": text, "probability": 0.9, "weight_fraction": None, "cell": cell, "origin": text}
    curves = {
        "two_theta_deg": [10.0, 20.0, 30.0, 40.0],
        "measured": [5.0, None, 100.0, 4.0],
        "background": [4.0, None, 4.0, 4.0],
        "fit": [5.0, None, 90.0, 4.0],
        "residual": [0.0, None, 10.0, 0.0],
        "ticks": [[29.0, 31.0]],
    }
    return {
        "name": text, "verdict": text, "confident": True, "similarity": 0.9,
        "unexplained_share_of_intensity": 0.1, "structures_tried": 3,
        "phases": [phase], "others": [{"label": text, "probability": 0.1, "similarity": 0.5}], "curves": curves,
        "wavelength_angstrom": 1.54, "wavelength_is_assumed": True, "scan": {"text": [text]}, "deepxrd": "1",
        "asked": {"elements": [text], "formulas": [], "unseen": False},
    }  # fmt: skip


def test_a_report_holds_what_was_found() -> None:
    page = report_html(answer())
    assert page.count("quartz") >= 6
    assert "90 %" in page
    measured = page.split('<path d="')[1].split('"')[0]
    assert measured.count("M") == 2  # broken where nothing was measured


def test_no_text_of_a_file_is_markup() -> None:
    page = report_html(answer(MARKUP))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 6


def test_flat_and_empty_curves_are_drawn() -> None:
    flat = answer()
    flat["curves"] |= {"measured": [None] * 4, "fit": [None] * 4, "residual": [None] * 4, "ticks": []}
    assert "<svg" in report_html({**flat, "phases": [], "others": []})


def test_reports_are_kept_by_names_of_ours_and_the_oldest_goes(tmp_path: Path) -> None:
    reports = Reports(tmp_path, most=2, keep_days=1)
    ids = []
    for place in range(3):
        ids.append(reports.keep(answer(str(place)))["id"])
        os.utime(tmp_path / f"{ids[-1]}.json", (1e9 + place + 9e8, 1e9 + place + 9e8))
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert reports.get(ids[-1])["name"] == "2"
    for gone in (ids[0], "../jobs", "", "x" * 32):
        with pytest.raises(NotFoundError):
            reports.get(gone)


def test_reports_that_are_too_old_go(tmp_path: Path) -> None:
    reports = Reports(tmp_path, most=9, keep_days=1)
    old = reports.keep(answer())["id"]
    os.utime(tmp_path / f"{old}.json", (1, 1))
    reports.keep(answer())
    with pytest.raises(NotFoundError):
        reports.get(old)
