"""What ``deepxrd serve`` cannot do is said in a sentence, with exit code 2, before anything is loaded."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deepxrd.cli.main import main

Said = Callable[[list[str]], str]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Said:
    """The one line that a command ends with."""

    def run(arguments: list[str]) -> str:
        command = ["deepxrd", "serve", "--no-browser", "--state", str(tmp_path / "state"), *arguments]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        [line] = capsys.readouterr().err.splitlines()
        assert not (tmp_path / "state").exists()
        return line

    return run


@pytest.mark.parametrize(
    ("arguments", "token", "says"),
    [
        (["--port", "0"], "", "--port 0: give a number from 1 to 65535"),
        (["--workers", "0"], "", "--workers 0: give a number from 1 to 256"),
        ([], "short", "has 5"),
        ([], "a word with a\ttab in it", "printable"),
        (["--host", "no-such-host.invalid"], "", "no-such-host.invalid"),
        (["--host", "203.0.113.7"], "", "cannot listen at 203.0.113.7"),  # RFC 5737: nobody's
    ],
)
def test_a_wrong_setting_is_named(
    said: Said, arguments: list[str], token: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPXRD_TOKEN", token)
    assert says in said(arguments)


def test_a_port_that_is_taken_is_named(said: Said) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = said(["--port", str(port)])
    assert f"port {port}" in line
    assert "choose another --port" in line


@pytest.mark.parametrize("package", ["fastapi", "python_multipart", "uvicorn"])
def test_a_missing_package_is_named_with_the_extra(said: Said, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert said([]) == f"error: the page needs {package}: pip install 'deepxrd[serve]'"
