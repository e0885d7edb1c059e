"""What can go wrong between a page and its server, each with the HTTP status that says so."""

from __future__ import annotations

from deepxrd.errors import DeepXRDError

_MOST_CHARACTERS = 600


def in_a_sentence(message: str) -> str:
    """A message as the page shows it: without control characters, and not longer than people read."""
    plain = "".join(c if c.isprintable() or c == "\n" else "·" for c in message)
    return plain if len(plain) <= _MOST_CHARACTERS else f"{plain[: _MOST_CHARACTERS - 1]}…"


class ServeError(DeepXRDError):
    """A request that is refused."""

    status = 422


class NotFoundError(ServeError):
    """Something that is not, or no longer, there."""

    status = 404


class CrowdedError(ServeError):
    """More is asked for at once than the server takes on."""

    status = 503


class TooLongError(ServeError):
    """A computation beyond its time."""

    status = 504


class WorkerLostError(ServeError):
    """A worker process that ended in the middle of its work."""

    status = 500


class RefusedError(ServeError):
    """An input that a worker could not use; the message is the one that the command line would show."""
