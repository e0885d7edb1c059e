"""Worker processes: one task at a time each, none over its time, and a new one for each that is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pool_workers
from deepxrd.serve import pool as pool_module
from deepxrd.serve.errors import CrowdedError, RefusedError, ServeError, TooLongError, WorkerLostError
from deepxrd.serve.pool import Pool


def run(what: Callable[[Pool], Awaitable[Any]], *, n: int = 1, most_waiting: int = 8) -> Any:
    async def main() -> Any:
        pool = Pool(n, pool_workers.echo, (), most_waiting=most_waiting)
        await pool.start()
        try:
            return await what(pool)
        finally:
            await pool.stop()

    return asyncio.run(main())


def test_tasks_are_answered_by_all_workers() -> None:
    async def ask(pool: Pool) -> list[int]:
        return await asyncio.gather(
            *(pool.call("wait", 0.05, limit_s=10) for _ in range(6)), pool.call("x", limit_s=10)
        )

    *waited, process = run(ask, n=2)
    assert waited == [0.05] * 6
    assert process > 0


def test_what_is_refused_is_said_and_the_worker_goes_on() -> None:
    async def ask(pool: Pool) -> str:
        with pytest.raises(RefusedError, match="too many sites"):
            await pool.call("refuse", "too many sites", limit_s=10)
        with pytest.raises(WorkerLostError, match="should not have happened"):
            await pool.call("fail", "KeyError in x", limit_s=10)
        return await pool.call("echo", "fine", limit_s=10)

    assert run(ask) == "fine"


@pytest.mark.parametrize(("task", "error"), [("hang", TooLongError), ("end", WorkerLostError)])
def test_a_lost_worker_is_replaced(task: str, error: type[ServeError]) -> None:
    async def ask(pool: Pool) -> tuple[int, int]:
        first = await pool.call("who", limit_s=10)
        with pytest.raises(error):
            await pool.call(task, limit_s=0.2)
        return first, await pool.call("who", limit_s=10)

    first, second = run(ask)
    assert first != second


def test_more_than_may_wait_are_refused() -> None:
    async def ask(pool: Pool) -> list[Any]:
        many = [pool.call("wait", 0.3, limit_s=10) for _ in range(5)]
        return await asyncio.gather(*many, return_exceptions=True)

    answers = run(ask, most_waiting=2)
    assert any(isinstance(each, CrowdedError) for each in answers)
    assert any(each == 0.3 for each in answers)


def test_a_patient_task_lets_others_go_first() -> None:
    async def ask(pool: Pool) -> list[str]:
        order: list[str] = []

        async def one(name: str, *, patient: bool) -> None:
            await pool.call("wait", 0.1, limit_s=10, patient=patient)
            order.append(name)

        first = asyncio.create_task(one("first", patient=False))
        await asyncio.sleep(0.02)
        others = [asyncio.create_task(one(f"person {i}", patient=False)) for i in range(2)]
        await asyncio.sleep(0)
        job = asyncio.create_task(one("job", patient=True))
        await asyncio.gather(first, *others, job)
        return order

    assert run(ask)[-1] == "job"


@pytest.mark.parametrize("main", [pool_workers.cannot_start, pool_workers.ends_at_once])
def test_a_worker_that_cannot_start_is_told(main: Callable[..., None]) -> None:
    async def start() -> None:
        await Pool(1, main, (), most_waiting=1).start()

    with pytest.raises(RefusedError, match=r"no model|did not start"):
        asyncio.run(start())


def test_a_worker_that_cannot_be_replaced_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_module, "_PAUSE_S", 0.3)
    failures = [OSError("no memory"), RefusedError("a worker process did not start")]
    start = Pool._start

    def start_later(pool: Pool) -> Any:
        if failures:
            raise failures.pop()
        return start(pool)

    async def ask(pool: Pool) -> str:
        monkeypatch.setattr(Pool, "_start", start_later)
        with pytest.raises(WorkerLostError):
            await pool.call("end", limit_s=10)
        await asyncio.sleep(0.15)  # the first attempt fails at once, the next follows 0.3 s later
        with pytest.raises(WorkerLostError, match="none could be started"):
            await pool.call("echo", "at once", limit_s=10)
        return await pool.call("echo", "job", limit_s=10, patient=True)

    assert run(ask) == "job"
    assert "did not start" in caplog.text
    assert "no memory" in caplog.text


def test_the_wait_for_a_free_worker_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_MOST_WAIT_S", 0.1)

    async def ask(pool: Pool) -> str:
        first = asyncio.create_task(pool.call("wait", 0.4, limit_s=10))
        await asyncio.sleep(0)
        with pytest.raises(CrowdedError, match="no worker process was free"):
            await pool.call("echo", "late", limit_s=10)
        await first
        assert pool.n_waiting == 0
        return await pool.call("echo", "fine", limit_s=10)

    assert run(ask) == "fine"
