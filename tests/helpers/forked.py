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
import time
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
    with tempfile.TemporaryDirectory() as folder:
        printed = [Path(folder, name) for name in ("stdout", "stderr")]
        to = [str(path) for path in printed]
        asked = {"module": module, "arguments": arguments, "cwd": str(cwd), "env": dict(env), "to": to}
        code = _ask({**asked, "timeout_s": timeout})
        command = [sys.executable, "-m", f"deepxrd.{module}", *arguments]
        if code is None:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, code, *(file.read_text(encoding="utf-8") for file in printed))


def _ask(request: dict[str, Any]) -> int | None:
    """The exit code; None where the time was over."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, "the server of commands has ended"
    except BaseException:  # a later request must not get this one's answer
        server.kill()
        _server.cache_clear()
        raise
    return json.loads(answer)  # type: ignore[no-any-return]


@functools.cache
def _server() -> subprocess.Popen[str]:
    """One for each process of the tests; it ends with it, when its standard input does.

    What libraries read when they are imported is set here, and cannot be set for a single command.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True, env=environment)


def _serve() -> dict[str, Any] | None:
    """Fork for each request and tell how the child ended; in the child, return the request."""
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # else a child's collector would write to, and so copy, all that was imported
    while line := sys.stdin.readline():
        request: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return request
        sys.stdout.write(json.dumps(_exit_code(pid, time.monotonic() + request["timeout_s"])) + "\n")
        sys.stdout.flush()
    return None


def _exit_code(pid: int, until: float) -> int | None:
    """Of a child; None if it had to be killed."""
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


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
