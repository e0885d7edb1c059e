"""A training that is stopped from outside, by Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl

from deepxrd.io.files import locked_or_refused
from deepxrd.io.stopping import end_with, if_stopped

_LOCK = ".lock"


class KeepSignals(pl.Callback):
    """Put the handler of SIGTERM back that Lightning lays its own over: that one asks all processes, and may wait."""

    def __init__(self) -> None:
        self._before = signal.getsignal(signal.SIGTERM)

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Before the first batch."""
        self._put_back()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """The same where nothing is tried out before."""
        self._put_back()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """The same for the test."""
        self._put_back()

    def _put_back(self) -> None:
        if callable(self._before) and signal.getsignal(signal.SIGTERM) is not self._before:
            signal.signal(signal.SIGTERM, self._before)


@contextmanager
def resumable(run_dir: Path, *, from_python: bool) -> Iterator[None]:
    """Say how to resume where the block is stopped; Lightning makes of a Ctrl-C an exit with code 1.

    Args:
        run_dir: of the run.
        from_python: whether it was begun there, with settings that no command line tells.
    """
    how = "deepxrd.fit_and_test with the same settings and" if from_python else "python -m deepxrd.train"
    with if_stopped(f"resume by {how} resume={os.path.relpath(run_dir)}"):
        try:
            yield
        except SystemExit as end:
            if isinstance(end.__context__, KeyboardInterrupt):
                raise end.__context__ from None
            raise


@contextmanager
def alone_in(run_dir: Path, *, main: bool) -> Iterator[None]:
    """Keep a second training out of a run's folder; the further processes of one training end with its first.

    Args:
        run_dir: the folder.
        main: whether this is the process that writes.

    Raises:
        BusyError: another training is at work there.
    """
    if not main:
        end_with(os.getppid())
        yield
        return
    with locked_or_refused(
        run_dir / _LOCK, f"another process trains in {run_dir}: wait for its end, or choose another folder"
    ):
        yield
