import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from making import make_shared
from trying import Server, server


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    """The process that runs attempts."""
    with server() as process:
        yield process


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, running: Server) -> Path:
    """A run, a store and a weight folder that are sound, to be made unsound."""
    return make_shared(tmp_path_factory.mktemp("hostile"), running)
