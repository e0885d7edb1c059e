"""What a stranger, or bad luck, may hand to deepxrd: kinds of attempts, each made of files and a command line.

To add a kind, write a function in a module ``kinds_*.py`` of this folder::

    @kind("tables of formulas that are no tables")
    def tables(folder: Path, shared: Path) -> Iterator[Attempt]:
        (folder / "x.csv").write_bytes(b"\\0" * 99)
        yield Attempt("zeros", ["predict", "--file", "x.csv"])

It gets an empty folder, in which the command lines are then run one by one, and the folder of `making.make_shared`,
with what takes long to make.
``tests/hostile/test_kinds.py`` tries all kinds, and ``make reliability`` writes their table.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
REFUSED, DONE = 2, 0


@dataclass(frozen=True)
class Attempt:
    """One command line that is tried.

    Attributes:
        name: what is tried, unique in its kind.
        arguments: of ``deepxrd``.
        says: what the message must hold, such as the name of the file.
        code: the exit code it must end with; by default that of an error one can fix.
        environment: variables set for it.
        check: looks at the folder afterwards, and says what is wrong; empty if nothing is.
    """

    name: str
    arguments: list[str]
    says: str = ""
    code: int = REFUSED
    environment: dict[str, str] = field(default_factory=dict)
    check: Callable[[Path], str] | None = None


Make = Callable[[Path, Path], Iterator[Attempt]]
KINDS: dict[str, Make] = {}
"""What makes the attempts of each kind, by the kind's name in the table."""


def kind(name: str) -> Callable[[Make], Make]:
    """Enter a kind of attempts into the table."""

    def enter(make: Make) -> Make:
        if name in KINDS and KINDS[name].__qualname__ != make.__qualname__:
            raise ValueError(name)
        KINDS[name] = make
        return make

    return enter


def load_kinds() -> dict[str, Make]:
    """All kinds of this folder."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    for file in sorted(HERE.glob("kinds_*.py")):
        importlib.import_module(file.stem)
    return KINDS
