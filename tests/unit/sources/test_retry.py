from __future__ import annotations

import random
import time
from email.utils import formatdate

import pytest

from deepxrd.errors import ConfigError
from deepxrd.sources.retry import Backoff, RefusedError, TransientError, in_a_line, retry_after_s


class Flaky:
    """Fails as often as told, then answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.calls = 0
        self.failures = failures
        self.error = error

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "answer"


def patient(attempts: int = 6, **changes: float) -> tuple[Backoff, list[float]]:
    waits: list[float] = []
    return Backoff(attempts, sleep=waits.append, **changes), waits


def test_passing_faults_are_tried_again_with_growing_waits() -> None:
    backoff, waits = patient()
    call = Flaky(5, TransientError("busy"))
    assert backoff.run(call, what="page 1") == "answer"
    assert call.calls == 6
    assert all(2**i / 2 <= wait <= 2**i for i, wait in enumerate(waits))


def test_last_failure_is_raised() -> None:
    backoff, waits = patient(3)
    call = Flaky(99, TransientError("busy"))
    with pytest.raises(TransientError, match="busy"):
        backoff.run(call, what="page 1")
    assert (call.calls, len(waits)) == (3, 2)


@pytest.mark.parametrize("error", [RefusedError("no", status=401), KeyError("bug"), KeyboardInterrupt()])
def test_nothing_else_is_tried_again(error: Exception) -> None:
    backoff, waits = patient()
    call = Flaky(1, error)
    with pytest.raises(type(error)):
        backoff.run(call, what="page 1")
    assert (call.calls, waits) == (1, [])


def test_cap_and_the_wait_that_the_server_asks_for() -> None:
    backoff, _ = patient(cap_s=60.0)
    assert all(30 <= backoff.wait_s(attempt) <= 60 for attempt in (10, 10_000))
    assert backoff.wait_s(0, retry_after_s=20) == 20
    assert backoff.wait_s(0, retry_after_s=9999) == 60


def test_jitter_leaves_seeded_generators_alone() -> None:
    random.seed(1)
    before = random.getstate()
    assert len({Backoff().wait_s(3) for _ in range(20)}) > 1
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, None), ("", None), ("3", 3.0), ("-1", 0.0), ("soon", None), ("1.5", 1.5)]
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after_s(formatdate(time.time() + 30, usegmt=True)) == pytest.approx(30, abs=2)
    assert retry_after_s(formatdate(time.time() - 30, usegmt=True)) == 0.0


@pytest.mark.parametrize("settings", [{"attempts": 0}, {"base_s": -1.0}, {"cap_s": -1.0}])
def test_settings_that_cannot_be_used(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Backoff(**settings)  # type: ignore[arg-type]


def test_errors_in_a_line() -> None:
    key = "k" * 32
    said = in_a_line(ValueError(f"status 500 on http://host/path?query={'x' * 400}\nwith message: {key}"), secret=key)
    assert said == "ValueError: status 500 on http://host/path with message: ***"
    assert key[:4] not in in_a_line(ValueError("." * 290 + key), secret=key)
    down = (
        "HTTPSConnectionPool(host='h', port=443): Max retries exceeded (Caused by NameResolutionError('no such name'))"
    )
    assert in_a_line(OSError(down)).startswith("OSError: NameResolutionError('no such name')")
