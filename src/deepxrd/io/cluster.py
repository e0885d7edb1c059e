"""Workers of a Dask cluster: whether they are like this process, and work that outlives those that are killed.

What is sent to them is pickled, and so is what they answer: a scheduler is trusted as this process is.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepxrd.errors import ClusterError, ConfigError, DeepXRDError
from deepxrd.io.code_hash import PACKAGE
from deepxrd.io.provenance import versions
from deepxrd.io.quiet import loggers_from

if TYPE_CHECKING:
    from distributed import Client, Future

Work = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
"""A function with its arguments, as :func:`joblib.delayed` gives it."""
_ANSWERS_S = 20
_WITHOUT_WORKERS_S = 30.0
"""How long no worker need be there: one that was killed is started again by its nanny within seconds."""
_LOOK_AGAIN_S = 1.0
_PACKAGES = ("deepxrd", "torch", "numpy", "pyarrow")  # what the bytes of results depend on


@contextmanager
def connected(scheduler: str, *, option: str) -> Iterator[Client]:
    """A client of a Dask scheduler that at least one worker has reported to, and no worker unlike this process.

    Args:
        scheduler: its address, such as ``tcp://host:8786``.
        option: what stands before the address where the user typed it, such as ``build.scheduler=``.

    Raises:
        ConfigError: Dask is not installed, the scheduler cannot be reached, or it has no worker.
        ClusterError: a worker has another version of deepxrd, or of a package that its results depend on.
    """
    try:
        from distributed import Client
    except ImportError as error:
        msg = f"{option}{scheduler} needs Dask: pip install 'deepxrd[dask]'"
        raise ConfigError(msg) from error
    try:
        client = Client(scheduler, timeout=_ANSWERS_S)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        msg = f"no Dask scheduler answers at {option}{scheduler}: {error}"
        raise ConfigError(msg) from error
    # what its client logs as tracebacks is said in a sentence here; and what its loop does, where Ctrl-C comes while a
    # call is being made (distributed.utils.sync then cancels a future that is not there yet)
    with loggers_from(logging.CRITICAL, "distributed.client", "tornado.application"), client:
        try:
            client.wait_for_workers(1, timeout=_ANSWERS_S)
        except TimeoutError as error:
            msg = f"the scheduler at {option}{scheduler} has no worker: dask worker {scheduler} --nthreads 1 starts one"
            raise ConfigError(msg) from error
        refuse_others(client.run(identity, on_error="return"))
        yield client


def identity() -> dict[str, str]:
    """What two processes must share to write the same bytes: versions, and the code of this package."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode() + path.read_bytes())
    found = versions(_PACKAGES)
    return {**{name: found[name] for name in _PACKAGES}, "the code of deepxrd": digest.hexdigest()[:16]}


def refuse_others(answers: dict[str, dict[str, str] | Exception]) -> None:
    """Refuse workers that are not like this process.

    Args:
        answers: of each worker, by address, its `identity`, or why it could give none.

    Raises:
        ClusterError: one differs; the message names it, and what differs.
    """
    ours = identity()
    for address, theirs in answers.items():
        if isinstance(theirs, Exception):
            msg = f"the worker at {address} cannot run this deepxrd ({theirs}): install {_named(ours)} there"
            raise ClusterError(msg)
        differ = [name for name in ours if theirs.get(name) != ours[name]]
        if differ:
            there = ", ".join(f"{name} {theirs.get(name)}" for name in differ)
            here = ", ".join(f"{name} {ours[name]}" for name in differ)
            msg = f"the worker at {address} has {there}, and this process {here}: install the same on all workers"
            raise ClusterError(msg)


def done_by_workers(client: Client, work: Iterable[Work]) -> Iterator[Any]:
    """Have work done, a few pieces ahead of those that are done, and give results as they come.

    A worker that is killed costs the piece that it worked at, which another is asked for. A piece that has ended
    several workers is left out, the rest is done, and then an error says which it was.

    Args:
        client: see `connected`.
        work: functions with their arguments; a `Path` among these names the piece in an error.

    Raises:
        ClusterError: pieces ended their workers; no worker is left; the scheduler is gone; or a worker could not do a
            piece for a reason that the user can mend.
    """
    from cloudpickle import dumps
    from distributed import KilledWorker

    left, asked, killers, seen = iter(work), dict[Any, str](), list[str](), time.monotonic()
    ahead = next(left, None)  # known before there is a worker: where nothing is left, none is waited for
    while asked or ahead is not None:
        n_threads = _n_threads(client)
        seen = _last_seen(n_threads, seen)
        while ahead is not None and len(asked) < 2 * n_threads:
            function, arguments, named = ahead
            name = next((each.name for each in arguments if isinstance(each, Path)), function.__name__)
            asked[client.submit(do, dumps((function, arguments, named)), pure=False)] = name
            ahead = next(left, None)
        for future in _some_done(client, asked):
            try:
                is_there, result = _result(client, future, asked[future])
            except KilledWorker:
                killers.append(asked.pop(future))
            else:
                if is_there:
                    del asked[future]
                    yield result
    if killers:
        msg = (
            f"{', '.join(sorted(killers))}: every worker that took it was killed, perhaps for want of memory; all else "
            "is done and kept, and the same command tries again"
        )
        raise ClusterError(msg)


def do(pickled: bytes) -> Any:
    """Do one piece of work, which only the worker unpickles: a scheduler would import all that it names."""
    function, arguments, named = pickle.loads(pickled)  # noqa: S301 - of the scheduler that the user trusts
    return function(*arguments, **named)


def _some_done(client: Client, asked: Collection[Future[Any]]) -> set[Any]:
    """Those that are done, as soon as one is; none if that takes long."""
    from distributed import wait

    if not asked:  # there was no worker to ask
        time.sleep(_LOOK_AGAIN_S)
        return set()
    try:
        done = wait(list(asked), timeout=_LOOK_AGAIN_S, return_when="FIRST_COMPLETED").done  # type: ignore[no-untyped-call]
        return set(done)
    except TimeoutError:
        return set()
    except (OSError, CancelledError) as error:
        raise _gone(client) from error


def _result(client: Client, future: Future[Any], name: str) -> tuple[bool, Any]:
    """Whether a result is there, and which: it is not where its worker has gone since, and another does it again."""
    try:
        return True, future.result(timeout=_LOOK_AGAIN_S)
    except DeepXRDError as error:
        msg = f"a worker could not do {name}: {error}"
        raise ClusterError(msg) from error
    except (OSError, CancelledError) as error:
        if future.status == "error":  # of the work itself, such as a full disk
            raise
        if isinstance(error, TimeoutError):
            return False, None
        raise _gone(client) from error


def _last_seen(n_threads: int, seen: float) -> float:
    """When workers were seen last, seconds of the monotonic clock."""
    now = time.monotonic()
    if n_threads == 0 and now - seen > _WITHOUT_WORKERS_S:
        msg = "no worker is left: what is done is kept; start workers, and the same command resumes"
        raise ClusterError(msg)
    return now if n_threads else seen


def _n_threads(client: Client) -> int:
    """Threads of all workers that the scheduler knows of now."""
    try:
        return int(sum(client.nthreads().values()))  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, AttributeError, CancelledError) as error:
        raise _gone(client) from error


def _gone(client: Client) -> ClusterError:
    address = client.scheduler.addr if client.scheduler else "Dask's"
    return ClusterError(
        f"the scheduler ({address}) is gone, or has forgotten its work: what is done is kept; start it again, and the "
        "same command resumes"
    )


def _named(ours: dict[str, str]) -> str:
    return ", ".join(f"{name} {ours[name]}" for name in _PACKAGES)
