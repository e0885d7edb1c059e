"""What the tests of the sources that download have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults import FaultyApp

from deepxrd.sources import ReadFailure, Source, StructureRecord
from deepxrd.sources.materials_project import MaterialsProjectSource
from deepxrd.sources.optimade import OptimadeSource

_QUICK = {"page_size": 10, "timeout_s": 1.5, "attempts": 4, "backoff_s": 0.01, "backoff_cap_s": 0.02}


@dataclass
class Server:
    """A running server: its address, and the application in it."""

    url: str
    app: FaultyApp


def mp_source(server: Server, folder: Path, stoichiometry: str | None = None, **changes: Any) -> MaterialsProjectSource:
    """The Materials Project with small pages and short waits."""
    return MaterialsProjectSource(stoichiometry, cache_dir=folder, endpoint=server.url, **{**_QUICK, **changes})


def optimade_source(server: Server, folder: Path, **changes: Any) -> OptimadeSource:
    """An OPTIMADE database with small pages and short waits."""
    return OptimadeSource(server.url, cache_dir=folder, **{**_QUICK, **changes})


def records(made: Source) -> list[StructureRecord]:
    """All records; a failure is an error here."""
    found = list(made)
    failures = [entry for entry in found if isinstance(entry, ReadFailure)]
    assert not failures, failures
    return [entry for entry in found if isinstance(entry, StructureRecord)]
