"""Commands as processes that find torch and its like already imported.

To import these takes a command three seconds, and the tests run hundreds of commands. So a server imports what others
wrote, and forks for each command; deepxrd itself is imported anew. What a start imports is tested with processes from
nothing (``tests/integration/test_start.py``), and so are the commands of the pages. That of ``tests/hostile`` does
the like for a stranger's files, with bounds, and watches what is opened.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_IMPORTED = (
    "hydra", "matplotlib.figure", "pandas", "pyarrow.parquet", "pytorch_lightning", "rich.progress", "scipy.optimize",
    "torch._dynamo",
)  # fmt: skip


def run(
    module: str, *arguments: str, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """What :func:`subprocess.run` gives for ``python -m deepxrd.MODULE ARGUMENTS``, its output captured.

    Raises:
        TimeoutExpired: it took longer than ``timeout`` seconds, and was killed.
    """
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        printed = [Path(folder, name) for name in ("stdout", "stderr")]
        to = [str(path) for path in printed]
        request = {"module": module, "arguments": arguments, "cwd": str(cwd), "env": dict(env), "to": to}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        pid = int(server.stdout.readline())
        killer = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
        killer.start()
        code = int(server.stdout.readline())
        killer.cancel()
        command = [sys.executable, "-m", f"deepxrd.{module}", *arguments]
        if killer.finished.is_set() and code == -signal.SIGKILL:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, code, *(file.read_text(encoding="utf-8") for file in printed))


@functools.cache
def _server() -> subprocess.Popen[str]:
    """One for each process of the tests; it ends with it, when its standard input does."""
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve() -> dict[str, Any] | None:
    """Fork for each request, tell the child's id and then its exit code; in the child, return the request."""
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # else a child's collector would write to, and so copy, all that was imported
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            return json.loads(line)  # type: ignore[no-any-return]
        _tell(pid)
        _tell(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return None


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _become(request: dict[str, Any]) -> None:
    """Be what ``python -m`` would have started."""
    for fd, path in enumerate((os.devnull, *request["to"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), fd)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[0] = request["cwd"]
    sys.argv[1:] = request["arguments"]
    runpy.run_module(f"deepxrd.{request['module']}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    wanted = _serve()
    if wanted is not None:
        _become(wanted)
