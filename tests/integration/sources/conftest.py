"""Servers for the tests of the sources that download; one of each per worker, on its own port."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import mp_server
import optimade_server
from faults import serving
from fetching import Server


@pytest.fixture(scope="session")
def _mp() -> Iterator[Server]:
    app = mp_server.build_app(mp_server.build_documents())
    with serving(app) as url:
        yield Server(url, app)


@pytest.fixture
def mp(_mp: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The Materials Project's server with 23 ternary entries, sound, and a key for it in the environment."""
    _mp.app.faults, _mp.app.log = [], []
    monkeypatch.setenv("MP_API_KEY", mp_server.GOOD_KEY)
    yield _mp
    _mp.app.faults = []


@pytest.fixture(scope="session")
def _optimade() -> Iterator[Server]:
    app = optimade_server.build_app(optimade_server.build_entries())
    with serving(app) as url:
        yield Server(url, app)


@pytest.fixture
def optimade(_optimade: Server) -> Iterator[Server]:
    """The OPTIMADE reference server with 25 ternary entries, sound."""
    _optimade.app.faults, _optimade.app.log = [], []
    yield _optimade
    _optimade.app.faults = []
