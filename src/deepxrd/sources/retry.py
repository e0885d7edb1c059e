"""Trying again what failed in passing: exponential waits with jitter, and none at all for a refusal."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from secrets import SystemRandom
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from deepxrd.errors import ConfigError

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_RANDOM = SystemRandom()  # jitter must not draw from a generator that a run has seeded


class TransientError(Exception):
    """A fault that may pass: a busy server, a broken connection, an answer that fails its checks.

    Attributes:
        retry_after_s: the wait that the server asked for, if it did.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """A refusal that no second try will change, such as that of a key.

    Attributes:
        status: the HTTP status, if one was given.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Backoff:
    """How often to try, and how long to wait in between.

    The wait after try ``i`` (from 0) is ``min(cap_s, base_s * 2**i)``, times a random factor of 0.5 to 1 so that
    clients that failed together do not return together; longer, up to the cap, where the server asks for it.

    Attributes:
        attempts: tries in all, at least one.
        base_s: the first wait before jitter, seconds.
        cap_s: the longest wait, seconds.
        sleep: how to wait; tests pass their own.
    """

    attempts: int = 6
    base_s: float = 1.0
    cap_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base_s < 0 or self.cap_s < 0:
            msg = f"attempts={self.attempts} must be 1 or more, the waits {self.base_s} and {self.cap_s} not negative"
            raise ConfigError(msg)

    def wait_s(self, attempt: int, *, retry_after_s: float | None = None) -> float:
        """Seconds to wait after the failure of try ``attempt``, counted from 0."""
        backoff: float = min(self.cap_s, self.base_s * 2.0 ** min(attempt, 60)) * _RANDOM.uniform(0.5, 1.0)
        return max(backoff, min(self.cap_s, retry_after_s or 0.0))

    def run(self, call: Callable[[], _T], *, what: str) -> _T:
        """Return what ``call`` returns, trying again on :class:`TransientError` only.

        Args:
            call: what to try.
            what: whom it asks, for the log.

        Raises:
            TransientError: that of the last try.
        """

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after_s if isinstance(error, TransientError) else None
            return self.wait_s(state.attempt_number - 1, retry_after_s=asked)

        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            tries = f"try {state.attempt_number + 1} of {self.attempts}"
            _log.warning("%s: %s; %s in %.1f s", what, error, tries, state.upcoming_sleep)

        tries = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(self.attempts),
            wait=wait,
            before_sleep=tell,
            sleep=self.sleep,
            reraise=True,
        )
        return tries(call)


def in_a_line(error: Exception, *, secret: str = "") -> str:
    """What an exception says, on one line of bearable length; of a failed connection only the cause.

    Args:
        error: the exception.
        secret: what must not be said; it goes before the line is cut, so that no part of it stays.
    """
    text = " ".join(str(error).split())
    text = text.replace(secret, "***") if secret else text
    text = re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", text)  # a query of 300 characters hides what the server says
    _, _, cause = text.partition("Caused by ")
    return f"{type(error).__name__}: {(cause or text)[:300]}"


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, given as a number or as a date; None if it cannot be read."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
