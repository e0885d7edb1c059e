"""The fenced blocks of README and of the pages, and what the mark before each says of how it is run.

A block of commands has a mark of its own, a comment that readers do not see::

    <!-- run: quick -->                       run by `make test`
    <!-- run: slow -->                        run by `make test-slow`
    <!-- run: snapshot -->                    the same, with the variable SNAPSHOT
    <!-- run: make -->                        targets of make: only what they would do is looked at
    <!-- run: composes, why -->               a command of Hydra: its settings are put together, nothing is computed
    <!-- run: no, why -->                     not run
    <!-- run: file, mylab/nets.py -->         no command: a file of that name, which a reader has when the commands run
    <!-- run: slow, small: key=value … -->    each command of deepxrd gets these settings too

``<!-- output -->`` before a block of text says that it is what the block before it prints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
KINDS = ("quick", "slow", "snapshot", "make", "composes", "no", "file")
NEED_MORE = ("no", "composes", "file")
"""Kinds after which a comma and something more must follow."""
COMMANDS = ("sh", "python")
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: its file.
        line: where it begins in the page.
        language: of the fence, such as ``sh``.
        mark: the comment before it, or an empty text.
        text: what it holds.
        output: what it prints, where the page says so.
    """

    page: Path
    line: int
    language: str
    mark: str
    text: str
    output: str | None = None

    @property
    def kind(self) -> str:
        """How it is run: one of ``KINDS``, or whatever else its mark says."""
        return re.split(r"[,;]", self.mark.removeprefix("run: "))[0].strip()

    @property
    def small(self) -> str:
        """Settings that make its commands small."""
        return self.mark.partition("small:")[2].strip()

    @property
    def lines(self) -> list[str]:
        """Its commands, one per line of a shell, comments left out."""
        joined = self.text.replace("\\\n", " ")
        return [line.split("  #")[0].strip() for line in joined.splitlines() if line.strip()]

    @property
    def file(self) -> str:
        """Name of the file that it is."""
        return self.mark.partition(",")[2].strip()

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """All blocks of a page in order; a block of output is joined to the one before it."""
    text, found = page.read_text(encoding="utf-8"), []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("text"))
        block = Block(page, line, match["language"], match["mark"] or "", match["text"])
        if block.mark == "output":
            before = found.pop()
            block = Block(before.page, before.line, before.language, before.mark, before.text, block.text)
        found.append(block)
    return found


def write_files(page: Path, folder: Path) -> None:
    """Write the files that a page shows."""
    for block in blocks(page):
        if block.kind == "file":
            file = folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
