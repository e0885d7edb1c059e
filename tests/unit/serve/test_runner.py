"""What runs screenings outlives errors of the disk and of the table of jobs, and the server ends its workers."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from deepxrd.serve import app as app_module
from deepxrd.serve import runner as runner_module
from deepxrd.serve.app import create_app
from deepxrd.serve.jobs import JobStore
from deepxrd.serve.pool import Pool
from deepxrd.serve.runner import Runner
from deepxrd.serve.settings import Limits, ServeSettings

FULL, LOCKED = OSError(28, "No space left on device"), sqlite3.OperationalError("database is locked")


def failing_once(method: Callable[..., Any], error: Exception, state: str | None) -> Callable[..., Any]:
    errors = [error]

    def call(*arguments: Any, **named: Any) -> Any:
        if errors and named.get("state") == state:
            raise errors.pop()
        return method(*arguments, **named)

    return call


@pytest.mark.parametrize(
    "broken",
    [
        (Runner, "clean", FULL, None),
        (JobStore, "begin_again", LOCKED, None),
        (JobStore, "next_waiting", LOCKED, None),
        (JobStore, "update", LOCKED, "failed"),
    ],
)
def test_an_error_of_disk_or_table_does_not_end_all_jobs(
    broken: tuple[type, str, Exception, str | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner, name, error, state = broken
    monkeypatch.setattr(runner_module, "_AFTER_ERROR_S", 0.05)
    monkeypatch.setattr(owner, name, failing_once(getattr(owner, name), error, state))

    async def main() -> str:
        runner = Runner(tmp_path, Pool(1, print, (), most_waiting=1), Limits())
        (tmp_path / "table.csv").write_text("formula\nSrTiO3\n")

        async def lost(*_: Any, **__: Any) -> None:
            raise ValueError  # the job fails, which is an end

        monkeypatch.setattr(Pool, "call", lost)
        job = runner.submit(tmp_path / "table.csv", "table.csv")
        running = asyncio.create_task(runner.run_forever())
        await asyncio.sleep(0.5)
        assert not running.done()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return runner.store.get(job.id).state

    assert asyncio.run(main()) == "failed"
    assert str(error) in caplog.text


def test_rows_that_are_skipped_are_counted_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    runner = Runner(tmp_path, Pool(1, print, (), most_waiting=1), Limits())
    (tmp_path / "table.csv").write_text("formula\n")
    job = runner.submit(tmp_path / "table.csv", "table.csv")
    runner.store.update(job.id, state="running")
    runner.store.begin_again()  # as after a server that ended
    assert "resumed" in runner.store.get(job.id).message

    async def done(_: Pool, task: str, *arguments: Any, **__: Any) -> Any:
        if task == "read_table":
            return [(line, "SrTiO3") for line in range(runner_module.ROWS_PER_PART + 1)]
        if task == "screen_part":
            now = runner.store.get(job.id)
            seen.append((now.n_done, now.n_skipped))
            return 1
        (arguments[1] / runner_module.PARQUET).touch()
        return None

    monkeypatch.setattr(Pool, "call", done)
    asyncio.run(runner._step())
    assert seen == [(0, 0), (runner_module.ROWS_PER_PART, 1)]
    ended = runner.store.get(job.id)
    assert (ended.state, ended.n_skipped, ended.message) == ("done", 2, "")


def test_workers_are_ended_whatever_became_of_the_screenings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[bool] = []

    async def nothing(_: Pool) -> None:
        pass

    async def stop(_: Pool) -> None:
        stopped.append(True)

    async def broken(_: Runner) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Pool, "start", nothing)
    monkeypatch.setattr(Pool, "stop", stop)
    monkeypatch.setattr(Runner, "run_forever", broken)
    monkeypatch.setattr(app_module, "Libraries", type("NoLibraries", (), {"open": staticmethod(lambda _: None)}))

    async def main(app: FastAPI) -> None:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0)

    with pytest.raises(OSError, match="No space"):
        asyncio.run(main(create_app(ServeSettings(state=tmp_path, workers=1))))
    assert stopped == [True]
