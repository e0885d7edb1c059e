"""Workers for the tests of the pool, which start in a moment."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection


def echo(pipe: Connection) -> None:
    """Give back what comes, refuse, hang, or end, as it is told."""
    pipe.send(("ready", None))
    while True:
        try:
            task, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        if task == "hang":
            time.sleep(600)
        if task == "end":
            os._exit(3)
        if task == "wait":
            time.sleep(arguments[0])
        outcome = {"refuse": "refused", "fail": "failed"}.get(task, "done")
        pipe.send((outcome, arguments[0] if arguments else os.getpid()))


def cannot_start(pipe: Connection) -> None:
    """Say that something is missing."""
    pipe.send(("refused", "no model in the folder"))


def ends_at_once(pipe: Connection) -> None:
    """End without a word."""
    pipe.close()
