"""Reports of matches: kept for a while, as JSON and as a page of HTML that needs nothing else."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from deepxrd.io.files import write_text
from deepxrd.serve.errors import NotFoundError
from deepxrd.serve.jobs import is_id, new_id

_WIDTH, _HEIGHT, _BELOW = 1000.0, 320.0, 90.0
_TICK, _GAP = 9.0, 6.0
COLOURS = ("#b3261e", "#00695c", "#6a1b9a", "#8a5a00")
"""Of the phases; all of them have a contrast of 4.5 and more against white."""


class Reports:
    """The folder of reports.

    Args:
        folder: where they are.
        most: that are kept; the oldest are deleted first.
        keep_days: after which they are deleted.
    """

    def __init__(self, folder: Path, *, most: int, keep_days: float) -> None:
        self._folder, self._most, self._keep_s = folder, most, keep_days * 86400
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Keep an answer; returns it with the ``id`` that it can be had by."""
        named = {"id": new_id(), **answer}
        self._clean()
        write_text(self._folder / f"{named['id']}.json", json.dumps(named, ensure_ascii=False, allow_nan=False))
        return named

    def get(self, report_id: str) -> dict[str, Any]:
        """An answer that was kept.

        Raises:
            NotFoundError: there is none, or no longer.
        """
        file = self._folder / f"{report_id}.json"
        if not is_id(report_id) or not file.is_file():
            msg = f"there is no report {report_id[:40]!r}: it may have been deleted; match the scan again"
            raise NotFoundError(msg)
        answer: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return answer

    def _clean(self) -> None:
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for place, file in enumerate(files):
            if place >= self._most - 1 or file.stat().st_mtime < time.time() - self._keep_s:
                file.unlink(missing_ok=True)


def report_html(answer: dict[str, Any]) -> str:
    """A report as a page; all texts of files and formulas are escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("deepxrd.serve", "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html").render(answer=answer, drawing=_drawing(answer["curves"]))


def _drawing(curves: dict[str, Any]) -> dict[str, Any]:
    """Paths of an SVG: measured, background, fit, residual, and a path of ticks for each phase."""
    angle = curves["two_theta_deg"]
    first, last = angle[0], angle[-1]
    there = [value for value in curves["measured"] if value is not None]
    top, bottom = max(there, default=1.0), min([*there, 0.0])
    reach = max((abs(value) for value in curves["residual"] if value is not None), default=0.0) or 1.0
    rows = len(curves["ticks"])
    ticks_from = _HEIGHT + _GAP
    below_from = ticks_from + rows * (_TICK + 2) + _GAP

    def x(value: float) -> float:
        return float(_WIDTH * (value - first) / (last - first))

    def above(name: str) -> str:
        height = (top - bottom) or 1.0
        return _path(
            [
                (x(a), None if y is None else _HEIGHT * (1 - (y - bottom) / height))
                for a, y in _points(angle, curves[name])
            ]
        )

    rest = [
        (x(a), None if y is None else below_from + _BELOW / 2 * (1 - y / reach))
        for a, y in _points(angle, curves["residual"])
    ]
    marks = [
        "".join(f"M{x(a):.1f} {ticks_from + row * (_TICK + 2):.1f}v{_TICK:g}" for a in places)
        for row, places in enumerate(curves["ticks"])
    ]
    return {
        "width": _WIDTH,
        "height": below_from + _BELOW,
        "measured": above("measured"),
        "background": above("background"),
        "fit": above("fit"),
        "residual": _path(rest),
        "ticks": list(zip(marks, COLOURS, strict=False)),
        "axis": [(f"{x(value):.1f}", value) for value in range(10 * (int(first) // 10 + 1), int(last) + 1, 10)],
    }


def _points(angle: list[float], values: list[float | None]) -> list[tuple[float, float | None]]:
    """No more points than a drawing of this width shows, with the highest of those that fall together."""
    step = max(1, len(angle) // 4000)
    out: list[tuple[float, float | None]] = []
    for start in range(0, len(angle), step):
        some = [value for value in values[start : start + step] if value is not None]
        out.append((angle[start], max(some, key=abs) if some else None))
    return out


def _path(points: list[tuple[float, float | None]]) -> str:
    """A path that is broken where there is no value."""
    parts: list[str] = []
    for (_, before), (a, y) in pairwise([(0.0, None), *points]):
        if y is not None:
            parts.append(f"{'M' if before is None else 'L'}{a:.1f} {y:.1f}")
    return "".join(parts)
