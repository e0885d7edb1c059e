"""Try attempts in the server, and judge how they ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attempts import DONE, HERE, Attempt, Make

_ALWAYS = 12
CANARY = "canary.txt"
"""What a stranger's code would write, were it run."""


@dataclass(frozen=True)
class Tried:
    """An attempt and what is wrong with how it ended; nothing is wrong if it survived."""

    attempt: Attempt
    wrong: str
    seconds: float
    peak_mb: int


class Server:
    """A process that runs attempts; see ``server.py``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, folder: Path, arguments: list[str], environment: dict[str, str], **more: Any) -> dict[str, Any]:
        """Run one command line of deepxrd in a folder."""
        assert self._process.stdin
        assert self._process.stdout
        asked = {"folder": str(folder), "arguments": arguments, "environment": environment, **more}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def attempt(self, attempt: Attempt, folder: Path) -> Tried:
        """Run an attempt and judge it."""
        (folder / CANARY).unlink(missing_ok=True)
        environment = {"COLUMNS": "300", "WANDB_MODE": "offline", **attempt.environment}
        answer = self.run(folder, attempt.arguments, environment)
        return Tried(attempt, _wrong(attempt, answer, folder), answer["seconds"], answer["peak_mb"])


@contextmanager
def server() -> Iterator[Server]:
    """A running server."""
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1",
    }  # fmt: skip
    command = [sys.executable, str(HERE / "server.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n", "the server did not start"
        yield Server(process)
        assert process.stdin
        process.stdin.close()


def try_kind(make: Make, folder: Path, shared: Path, running: Server, *, thinned: bool = False) -> Iterator[Tried]:
    """Make the attempts of a kind and try each; thinned, of those after the first dozen each third."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, attempt in enumerate(make(folder, shared)):
        if not thinned or number < _ALWAYS or number % 3 == 0:
            yield running.attempt(attempt, folder)


def _wrong(attempt: Attempt, answer: dict[str, Any], folder: Path) -> str:
    """What is wrong with how an attempt ended, in words; empty if nothing is."""
    said = answer["err"]
    checks = [
        (answer["late"], f"it was not done after {answer['seconds']} s"),
        ((folder / CANARY).exists(), "code of the stranger's was run"),
        (bool(answer["watched"]), f"it did {answer['watched'][:3]}"),
        (answer["code"] != attempt.code, f"exit code {answer['code']}, not {attempt.code}"),
        ("Traceback" in said, "a traceback"),
        (attempt.code != DONE and not _is_a_sentence(said), "no sentence says what is wrong"),
        (attempt.says not in said, f"{attempt.says!r} is not in what it says"),
    ]
    found = [what for is_so, what in checks if is_so]
    if attempt.check and (what := attempt.check(folder)):
        found.append(what)
    return f"{'; '.join(found)}: {said[-600:]}" if found else ""


def _is_a_sentence(said: str) -> bool:
    """Whether the last thing said is an error in a few words, and not a page."""
    message = said.rpartition("error: ")[2]
    return "error: " in said and 10 < len(message) < 2500
