"""Runs command lines of deepxrd one by one, each in a child of its own that is bounded and watched.

The heavy packages are imported once, then each attempt is a fork: some 20 ms instead of 6 s. A line of JSON in on
standard input, a line of JSON out.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

MEMORY_BYTES, TIME_S = 1 << 30, 20
_WATCHED = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
)
_OURS = ("git", "uname")  # asked for the commit and the machine of a run
_IMPORTED_BEFORE = (
    "torch", "deepxrd.cli.main", "deepxrd.train", "deepxrd.evaluate", "deepxrd.training.run",
    "deepxrd.evaluation.run", "deepxrd.prediction.screening", "deepxrd.models.candidates.saved", "deepxrd.matching",
    "deepxrd.sources",
)  # fmt: skip


def serve() -> None:
    """Answer until standard input ends."""
    for name in _IMPORTED_BEFORE:
        importlib.import_module(name)
    gc.freeze()  # else the collector of each child would write to, and so copy, all that was imported
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what packages print must not get between the answers
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(attempt(json.loads(line))) + "\n")
        answers.flush()


def attempt(asked: dict[str, Any]) -> dict[str, Any]:
    """Run one command line in a child, and tell how it ended."""
    folder = Path(asked["folder"])
    files = {name: folder / f".attempt-{name}" for name in ("out", "err", "watch")}
    for file in files.values():
        file.unlink(missing_ok=True)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_child(asked, folder, files)
    status, usage, late = _wait(child, began + asked.get("time_s", TIME_S))
    read = {name: file.read_text(errors="replace") if file.exists() else "" for name, file in files.items()}
    for file in files.values():
        file.unlink(missing_ok=True)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "out": read["out"],
        "err": read["err"],
        "watched": read["watch"].splitlines(),
        "late": late,
        "seconds": round(time.monotonic() - began, 2),
        "peak_mb": usage.ru_maxrss // 1024,
    }


def _wait(child: int, until: float) -> tuple[int, resource.struct_rusage, bool]:
    while time.monotonic() < until:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return status, usage, False
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return status, usage, True


def _be_the_child(asked: dict[str, Any], folder: Path, files: dict[str, Path]) -> None:
    code = 1
    try:
        os.setpgid(0, 0)
        for place, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(files[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), place)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        os.environ.update(asked.get("environment", {}))
        sys.path[:0] = [str(folder)]  # where a stranger's module would lie
        _watch(files["watch"])
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.argv = ["deepxrd", *asked["arguments"]]
        from deepxrd.cli.main import main

        main(asked["arguments"])
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # noqa: BLE001 - a traceback is what is looked for
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _watch(log: Path) -> None:
    """Note each connection that is opened and each program that is started."""
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            program = arguments[0] if isinstance(arguments[0], str) else os.fsdecode(arguments[0] or b"")
            if Path(program).name in _OURS:
                return
        elif event not in _WATCHED:
            return
        os.write(stream, f"{event} {arguments!r}"[:300].replace("\n", " ").encode() + b"\n")

    sys.addaudithook(note)


if __name__ == "__main__":
    serve()
