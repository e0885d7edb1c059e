"""What a server may be started with."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from deepxrd.errors import ConfigError
from deepxrd.serve.settings import ServeSettings, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert ServeSettings(state=Path(), host=host).token == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "lab.example", "127.0.0.1.example", ""])  # noqa: S104
def test_other_machines_need_one(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match="token"):
        ServeSettings(state=Path(), host=host)
    assert ServeSettings(state=Path(), host=host, token="x" * 16).token


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"port": 0}, "--port 0"), ({"port": 70_000}, "70000"), ({"workers": 0}, "--workers 0"),
        ({"token": "short"}, "16"), ({"token": "x" * 20 + "\n"}, "printable"), ({"token": "é" * 20}, "ASCII"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ServeSettings(state=Path(), **given)


def test_the_address_is_one_that_a_browser_opens() -> None:
    assert ServeSettings(state=Path(), host="::1", port=80).address == "http://[::1]:80/"
    everywhere = ServeSettings(state=Path(), host="0.0.0.0", token="x" * 16)  # noqa: S104
    assert everywhere.address == f"http://{socket.gethostname()}:8000/"
