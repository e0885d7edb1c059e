"""README is short, links lead somewhere, and no text holds a path of one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from blocks import PAGES, REPOSITORY

MOST_LINES, MOST_FIGURE_BYTES = 150, 150_000
MACHINE_PATH = re.compile(r"(/work|/tmp|/root|/home)/")
TEXT = {".csv", ".json", ".md", ".py", ".svg", ".tex", ".txt", ".yaml", ".yml", ""}
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(#[^)\s]*)?\)")


def texts() -> list[Path]:
    """README, the other pages of the top folder, and all text under docs and results."""
    under = [path for folder in ("docs", "results") for path in (REPOSITORY / folder).rglob("*") if path.is_file()]
    return [*REPOSITORY.glob("*.md"), *(path for path in under if path.suffix in TEXT)]


def test_no_path_of_one_machine_is_left() -> None:
    found = {
        str(path.relative_to(REPOSITORY)): line.strip()[:120]
        for path in texts()
        for line in path.read_text(encoding="utf-8").splitlines()
        if MACHINE_PATH.search(line)
    }
    assert not found, f"benchmarks/relative_paths.py makes such paths relative: {found}"


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    targets = [link[0] for link in _LINK.findall(page.read_text(encoding="utf-8"))]
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_readme_is_short_and_has_one_figure() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    [figure] = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert (REPOSITORY / figure).stat().st_size < MOST_FIGURE_BYTES


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r": (\S+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (REPOSITORY / "docs").glob("*.md"))
