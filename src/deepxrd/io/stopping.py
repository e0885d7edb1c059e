"""What stops a command from outside: SIGTERM as an exception, how to resume, children that end with their parent."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from deepxrd.errors import ConfigError

if TYPE_CHECKING:
    from joblib import Parallel

_LOOK_AGAIN_S = 0.1
_watched: set[int] = set()


class Terminated(KeyboardInterrupt):
    """SIGTERM, as Ctrl-C is `KeyboardInterrupt`: what cleans up after the one does so after the other."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into `Terminated` in the main thread while the block runs; no thread but that may set a handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def if_stopped(way_on: str) -> Iterator[None]:
    """Say how to resume where the block is stopped; what stands further out has the last word."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(way_on)
        raise


def check_jobs(n_jobs: int, *, option: str, most: float = math.inf) -> None:
    """Find out before anything is done whether there can be so many processes.

    Args:
        n_jobs: how many; -1 for one per core.
        option: how the number was given, such as ``--jobs`` and a blank.
        most: more are refused.

    Raises:
        ConfigError: there cannot.
    """
    if n_jobs == 0 or n_jobs < -1 or n_jobs > most:
        at_most = f", at most {most:g}" if most < math.inf else ""
        msg = f"{option}{n_jobs}: give a number of processes{at_most}, or -1 for one per core"
        raise ConfigError(msg)


def worker_pool(n_jobs: int, **settings: Any) -> Parallel:
    """Processes of joblib that end with this one, however that ends.

    Args:
        n_jobs: how many; 1 works in this process.
        settings: further arguments of :class:`joblib.Parallel`.
    """
    from joblib import Parallel

    if n_jobs == 1:  # joblib hands the initializer on to a backend that knows none
        return Parallel(n_jobs=1, **settings)
    return Parallel(n_jobs=n_jobs, initializer=end_with, initargs=(os.getpid(),), **settings)


def end_with(parent: int) -> None:
    """End this process within a second of another one's end; asked twice of one process, it watches once.

    A watch and not Linux's ``PR_SET_PDEATHSIG``: that goes by the thread that forked, and only by the next of kin.

    Args:
        parent: number of that process.
    """
    if parent == os.getpid() or parent in _watched:
        return
    _watched.add(parent)
    if not is_running(parent):
        os._exit(143)
    threading.Thread(target=_watch, args=(parent,), name=f"ends with process {parent}", daemon=True).start()


def is_running(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    if sys.platform == "win32":
        return _is_running_on_windows(process)
    if process == os.getppid():
        return True
    try:
        os.kill(process, 0)  # no signal: only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(process)


def _watch(parent: int) -> None:
    was_next_of_kin = os.getppid() == parent
    while is_running(parent) and (os.getppid() == parent or not was_next_of_kin):
        time.sleep(_LOOK_AGAIN_S)
    os._exit(143)  # nothing may be waited for: half-written files are temporary ones


def _is_zombie(process: int) -> bool:
    """Whether it has ended and nobody has asked how; known on Linux alone."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[:1] == ["Z"]


def _is_running_on_windows(process: int) -> bool:
    import ctypes

    synchronize, timeout = 0x100000, 0x102  # of winnt.h and WaitForSingleObject
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(synchronize, False, process)  # noqa: FBT003 - the system's signature
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == timeout)
    finally:
        kernel.CloseHandle(handle)


def _raise(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the system's signature
    raise Terminated
