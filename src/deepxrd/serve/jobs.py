"""Screenings as rows of a small SQLite file, so that they survive the server."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deepxrd.serve.errors import CrowdedError, NotFoundError

State = Literal["waiting", "running", "done", "failed", "cancelled"]
OPEN: tuple[State, ...] = ("waiting", "running")
_COLUMNS = "id, name, state, created, updated, n_rows, n_done, n_skipped, message"
_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL,
  n_rows INTEGER NOT NULL, n_done INTEGER NOT NULL, n_skipped INTEGER NOT NULL, message TEXT NOT NULL
)"""


@dataclass(frozen=True)
class Job:
    """One screening.

    Attributes:
        id: made here, 32 hexadecimal digits; also the name of its folder.
        name: of the file that was uploaded, for people to tell jobs apart; never a path.
        state: see `State`.
        created, updated: seconds since 1970.
        n_rows: of the table; 0 before it was read.
        n_done: rows behind it.
        n_skipped: rows that could not be predicted.
        message: why it failed, or was begun anew; empty in most cases.
    """

    id: str
    name: str
    state: State
    created: float
    updated: float
    n_rows: int = 0
    n_done: int = 0
    n_skipped: int = 0
    message: str = ""


def new_id() -> str:
    """A name for a job or a report that nobody guesses."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Whether a text can be such a name, and so part of a path."""
    return len(text) == 32 and all(c in "0123456789abcdef" for c in text)  # noqa: PLR2004 - as `new_id` makes them


class JobStore:
    """The table of jobs; every call is a transaction of its own.

    Args:
        file: of SQLite; made if it is not there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute(_TABLE)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._file, timeout=10)
        try:
            with database:  # commits, or rolls back after an error
                yield database
        finally:
            database.close()

    def add(self, name: str, *, most_open: int, job_id: str) -> Job:
        """Enter a job that waits.

        Raises:
            CrowdedError: as many wait or run as may.
        """
        now = time.time()
        with self._open() as database:
            [(n_open,)] = database.execute("SELECT COUNT(*) FROM jobs WHERE state IN (?, ?)", OPEN)
            if n_open >= most_open:
                msg = f"{n_open} screenings wait or run already: try again when one is done, or cancel one"
                raise CrowdedError(msg)
            job = Job(job_id, name, "waiting", now, now)
            database.execute(
                f"INSERT INTO jobs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, 0, 0, '')",  # noqa: S608 - names of ours
                (job.id, job.name, job.state, now, now),
            )
        return job

    def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            NotFoundError: there is none of this name.
        """
        with self._open() as database:
            row = database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (job_id,)).fetchone()  # noqa: S608
        if row is None:
            msg = f"there is no job {job_id[:40]!r}: it may have been deleted"
            raise NotFoundError(msg)
        return Job(*row)

    def all(self) -> list[Job]:
        """All jobs, the newest first."""
        with self._open() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY created DESC, rowid DESC")  # noqa: S608
            return [Job(*row) for row in rows]

    def next_waiting(self) -> Job | None:
        """The oldest that waits; None if none does."""
        waiting = [job for job in self.all() if job.state == "waiting"]
        return waiting[-1] if waiting else None

    def update(self, job_id: str, **values: str | int) -> None:
        """Change some columns of a job that still waits or runs; of another nothing, so that a cancelled one stays so.

        Args:
            job_id: which.
            values: by the names of `Job`'s attributes.
        """
        names = ", ".join(f"{name} = ?" for name in ("updated", *values))
        with self._open() as database:
            database.execute(
                f"UPDATE jobs SET {names} WHERE id = ? AND state IN (?, ?)",  # noqa: S608 - names of ours
                (time.time(), *values.values(), job_id, *OPEN),
            )

    def delete(self, job_id: str) -> None:
        """Take a job out of the table."""
        with self._open() as database:
            database.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def begin_again(self) -> int:
        """Let jobs wait that ran when the server ended or could not go on; returns how many."""
        with self._open() as database:
            return database.execute(
                "UPDATE jobs SET state = 'waiting', message = ? WHERE state = 'running'",
                ("the server ended or could not go on while it ran; what was done was kept, and it was resumed",),
            ).rowcount

    def older_than(self, seconds: float) -> list[Job]:
        """Jobs that have ended and were not touched for so long."""
        return [job for job in self.all() if job.state not in OPEN and job.updated < time.time() - seconds]
