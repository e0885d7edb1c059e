"""One line that tells how far a sweep is, whatever computes its runs: it watches their folders."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deepxrd.errors import DeepXRDError
from deepxrd.runs.sweep_folder import FAILED, SweepFolder

_EVERY_S = 0.5
_SHOWN = 5


class SweepError(DeepXRDError):
    """Some runs of a sweep failed; the others were done."""


class SweepWatch(threading.Thread):
    """Shows the line on standard error while the sweep runs: rewritten on a terminal, else a line per change.

    Args:
        sweep: what to watch.
    """

    def __init__(self, sweep: SweepFolder) -> None:
        super().__init__(name="sweep watch", daemon=True)
        self.sweep = sweep
        self._over = threading.Event()
        self._began = time.monotonic()
        self._shown: Any = None

    def run(self) -> None:
        """Look and show until `finish` is called."""
        while not self._over.wait(_EVERY_S):
            self._show()

    def finish(self) -> None:
        """Show the last state and stop."""
        self._over.set()
        self.join()
        self._show(last=True)

    def _show(self, *, last: bool = False) -> None:
        settled = self.sweep.settled()
        records = [run.record for run in settled]
        terminal = sys.stderr.isatty()
        text = progress_text(records, len(self.sweep.planned), time.monotonic() - self._began)
        seen = text if terminal else len(records)  # without a terminal the time left alone is no news
        if seen != self._shown or last:
            line = f"{self.sweep.path.name}: {text}"
            end = "\r\x1b[K" + line + ("\n" if last else "") if terminal else line + "\n"
            if terminal or seen != self._shown:
                sys.stderr.write(end)
                sys.stderr.flush()
        self._shown = seen


def progress_text(records: list[dict[str, Any]], n_runs: int, elapsed_s: float) -> str:
    """How far a sweep is.

    Args:
        records: ``sweep_run.json`` of each sweep run that is done with in this session.
        n_runs: of the sweep; 0 where a sweeper such as Optuna's makes them up as it goes.
        elapsed_s: since its start, seconds.
    """
    n_failed = sum(record["state"] == FAILED for record in records)
    n_before = sum(record["reused"] for record in records)
    parts = [f"{len(records) - n_failed}{f' of {n_runs}' if n_runs else ''} sweep runs done"]
    if n_before:
        parts[0] += f" ({n_before} before)"
    if n_failed:
        parts.append(f"{n_failed} failed")
    n_run, n_left = len(records) - n_before, n_runs - len(records)
    if n_left > 0 and n_run:
        parts.append(f"{_duration(elapsed_s / n_run * n_left)} left")
    return ", ".join(parts)


@contextmanager
def watched() -> Iterator[None]:
    """End the watch of a sweep that the block has started, if it has, and say how the sweep went.

    Raises:
        SweepError: sweep runs failed.
    """
    watch: SweepWatch | None = None
    try:
        yield
    except KeyboardInterrupt as stop:
        if _running_watch() is not None:
            stop.add_note("the same command resumes the sweep; runs that are done are kept")
        raise
    finally:  # whatever ended it, the line must end too
        watch = _running_watch()
        if watch is not None:
            watch.finish()
    if watch is not None:
        _conclude(watch)


def _running_watch() -> SweepWatch | None:
    return next((thread for thread in threading.enumerate() if isinstance(thread, SweepWatch)), None)


def _conclude(watch: SweepWatch) -> None:
    failed = [run for run in watch.sweep.settled() if run.record["state"] == FAILED]
    if failed:
        shown = "\n".join(f"  {run.path.name}: {run.error}" for run in failed[:_SHOWN])
        more = f"\n  and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
        msg = (
            f"{len(failed)} of {len(watch.sweep.planned or watch.sweep.settled())} sweep runs failed:\n{shown}{more}\n"
            f"see error.txt in their folders under {watch.sweep.path}; the same command tries them again"
        )
        raise SweepError(msg)
    where = os.path.relpath(watch.sweep.path)
    print(f"results: {where}\ntables: python -m deepxrd.report sweeps={where}")  # noqa: T201 - what the user asks for


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return "less than a minute"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 - two hours
