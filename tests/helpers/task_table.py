"""A pytest plugin: what a researcher can do, as the tests that do it tell it, in one table.

A test calls the fixture ``record`` with a task in the words of a researcher, and with what is shown. Only tests that
pass are counted. ``pytest … --task-table results/framework.md`` writes the table (`make framework`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

GROUPS = ("Own parts", "Lightning's own flags", "From Python", "Sweeps", "Out", "Start")
"""Parts of the table, in its order."""

Record = Callable[..., None]
Row = tuple[str, str, str, str]
_KEY = "task"
_MOST_SHOWN = 300  # characters


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--task-table", metavar="FILE", help="write what the tests' `record` was told, as a Markdown table"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Collector(), "task-table-collector")


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Notes what the test has shown: ``record("Own parts", "a loss, `loss=mine`", works="a printed line")``.

    With ``refused=`` in place of ``works=`` it is the sentence of an error that a user can fix.
    """

    def note(group: str, task: str, *, works: str | None = None, refused: str | None = None) -> None:
        assert group in GROUPS, f"{group!r}: the table has {GROUPS}"
        assert (works is None) != (refused is None), "either works= or refused="
        outcome, shown = ("works", works) if refused is None else ("refused", refused)
        row: Row = (group, _plain(task), outcome, _plain(str(shown)))
        request.node.user_properties.append((_KEY, row))

    return note


def _plain(text: str) -> str:
    """One line that is the same on every machine and in every run: without pytest's folders."""
    text = re.sub(r"/\S*?/pytest-\d+/(popen-\w+/)?[^/\s]+/?", "", text)
    text = re.sub(r"\s+", " ", text).strip().replace("|", "\\|")
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


class _Collector:
    """Takes the rows out of the reports, which a worker of xdist sends on, and writes the table at the end."""

    def __init__(self) -> None:
        self._rows: set[Row] = set()
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed
        if report.when == "call" and report.passed:
            self._rows |= {tuple(value) for key, value in report.user_properties if key == _KEY}  # type: ignore[misc]

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        file = config.getoption("--task-table")
        if not file:
            return
        if self._failed or not self._rows:
            terminalreporter.write_line(f"{file} is not written: a test failed, or none recorded anything")
            return
        Path(file).write_text("\n".join(table(self._rows)), encoding="utf-8")
        terminalreporter.write_line(f"{file}: {len(self._rows)} tasks")


def table(rows: set[Row]) -> Iterator[str]:
    """The lines of the page."""
    n_refused = sum(row[2] == "refused" for row in rows)
    yield "# What a researcher does, and what happens"
    yield ""
    yield f"Written by `make framework` from the tests that do it: {len(rows)} tasks, of which {n_refused} are refused"
    yield "by a sentence; none ends in a traceback. [Extending](../docs/extending.md) tells how each is done."
    for group in GROUPS:
        of_group = sorted(row for row in rows if row[0] == group)
        if of_group:
            yield from ["", f"## {group}", "", "| what a researcher does | works or refused | what is shown |"]
            yield "|---|---|---|"
            yield from (f"| {task} | {outcome} | {shown} |" for _, task, outcome, shown in of_group)
    yield ""
