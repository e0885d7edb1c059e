"""One worker process per core with the model preloaded: requests wait for a free one, and none runs over its time.

Processes, since torch's threads and spglib's flags belong to a process; and a process that hangs can be ended.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from deepxrd.errors import DeepXRDError
from deepxrd.serve.errors import CrowdedError, RefusedError, TooLongError, WorkerLostError

_LOG = logging.getLogger("deepxrd.serve")
_START_S = 300.0  # to load torch and the model, on a machine that is busy
_END_S = 5.0
_LOOK_S = 0.05
_MOST_PATIENCE_S = 3.0
_MOST_WAIT_S = 300.0  # for a free worker: as long as a new one may need to start
_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0  # between attempts to replace a worker

Main = Callable[..., None]


@dataclass(eq=False)
class _Worker:
    """A process and the pipe to it."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection

    def end(self) -> None:
        """End it, whatever it is at."""
        self.pipe.close()
        self.process.kill()
        self.process.join(_END_S)


class Pool:
    """Worker processes.

    Args:
        n_workers: how many.
        main: what each runs, with a pipe before its arguments; it sends ``("ready", None)`` once and then answers
            ``(task, arguments)`` with ``(outcome, value)``.
        arguments: of ``main``.
        most_waiting: requests that may wait for a free worker.
    """

    def __init__(self, n_workers: int, main: Main, arguments: tuple[Any, ...], *, most_waiting: int) -> None:
        self._n, self._main, self._arguments, self._most_waiting = n_workers, main, arguments, most_waiting
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._all: set[_Worker] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._n_starting = 0
        self.n_waiting = 0

    async def start(self) -> None:
        """Start all workers, and wait until they are ready.

        Raises:
            RefusedError: one of them cannot load what it needs; the others are ended.
        """
        started = await asyncio.gather(*(self._add() for _ in range(self._n)), return_exceptions=True)
        failed = [each for each in started if isinstance(each, BaseException)]
        if failed:
            await self.stop()
            raise failed[0]

    async def stop(self) -> None:
        """End all workers."""
        self._stopping = True
        for worker in list(self._all):
            self._all.discard(worker)
            await asyncio.to_thread(worker.end)

    async def call(self, task: str, *arguments: Any, limit_s: float, patient: bool = False) -> Any:
        """Have a worker do a task.

        Args:
            task: its name.
            arguments: plain values.
            limit_s: seconds that it may take, once begun.
            patient: let others go first and wait for a worker however long that takes, as a long job does.

        Raises:
            CrowdedError: too many wait already, or no worker was free for minutes.
            RefusedError: the input cannot be used.
            TooLongError: it took too long; its worker was ended and replaced.
            WorkerLostError: its worker ended, or there is none.
        """
        if patient:
            await self._let_others_go_first()
        elif self.n_waiting >= self._most_waiting:
            msg = f"{self.n_waiting} requests are waiting already: try again in a minute"
            raise CrowdedError(msg)
        worker = await (self._idle.get() if patient else self._free_worker())
        try:
            outcome, value = await asyncio.to_thread(_ask, worker.pipe, (task, arguments), limit_s)
        except BaseException as error:
            self._replace(worker)
            if isinstance(error, TimeoutError):
                msg = f"it took longer than {limit_s:g} s and was stopped: ask for less at a time"
                raise TooLongError(msg) from None
            if isinstance(error, (EOFError, OSError)):
                msg = "the process that worked on it was lost, perhaps for want of memory: ask for less at a time"
                raise WorkerLostError(msg) from None
            raise
        self._idle.put_nowait(worker)
        if outcome == "refused":
            raise RefusedError(value)
        if outcome != "done":
            msg = f"this should not have happened: {value}; the server's log says where"
            raise WorkerLostError(msg)
        return value

    async def _free_worker(self) -> _Worker:
        """The next free worker, for somebody who waits."""
        if not self._all and not self._n_starting:
            msg = (
                "no worker process is left, and none could be started: try again in a minute; the server's log says why"
            )
            raise WorkerLostError(msg)
        self.n_waiting += 1
        try:
            async with asyncio.timeout(_MOST_WAIT_S):
                return await self._idle.get()
        except TimeoutError:
            msg = f"no worker process was free for {_MOST_WAIT_S:g} s: try again in a minute"
            raise CrowdedError(msg) from None
        finally:
            self.n_waiting -= 1

    async def _let_others_go_first(self) -> None:
        waited = 0.0
        while self.n_waiting and waited < _MOST_PATIENCE_S:
            await asyncio.sleep(_LOOK_S)
            waited += _LOOK_S

    def _replace(self, worker: _Worker) -> None:
        """End a worker and start another in its place, in the background."""

        async def replace() -> None:
            pause = _PAUSE_S
            while True:
                try:
                    await asyncio.to_thread(worker.end)
                    if not self._stopping:
                        await self._add()
                    break
                except (DeepXRDError, OSError, RuntimeError, MemoryError) as error:
                    _LOG.error("a lost worker could not be replaced; again in %g s: %s", pause, error)
                self._n_starting -= 1
                await asyncio.sleep(pause)
                self._n_starting += 1
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            self._n_starting -= 1

        self._all.discard(worker)
        self._n_starting += 1  # from now on, so that a request that comes before it begins waits for it
        task = asyncio.get_running_loop().create_task(replace())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _add(self) -> None:
        worker = await asyncio.to_thread(self._start)
        if self._stopping:  # `stop` did not know of it
            await asyncio.to_thread(worker.end)
            return
        self._all.add(worker)
        self._idle.put_nowait(worker)

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        ours, theirs = context.Pipe()
        process = context.Process(target=self._main, args=(theirs, *self._arguments), daemon=True)
        try:
            process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        worker = _Worker(process, ours)
        try:
            outcome, value = _receive(ours, _START_S)
        except (TimeoutError, EOFError, OSError):
            outcome, value = "refused", "a worker process did not start: the lines above say why"
        if outcome != "ready":
            worker.end()
            raise RefusedError(value)
        return worker


def _ask(pipe: Connection, message: tuple[str, tuple[Any, ...]], limit_s: float) -> tuple[str, Any]:
    pipe.send(message)
    return _receive(pipe, limit_s)


def _receive(pipe: Connection, limit_s: float) -> tuple[str, Any]:
    if not pipe.poll(limit_s):
        raise TimeoutError
    answer: tuple[str, Any] = pipe.recv()
    return answer
