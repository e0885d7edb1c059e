from collections.abc import Iterator

import pytest

from live_server import LiveServer, live_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests of this folder."""
    with live_server(tmp_path_factory.mktemp("serve")) as running:
        yield running
