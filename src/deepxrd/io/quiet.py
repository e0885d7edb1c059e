"""Keep loggers of other packages from telling what is said better here, or need not be said."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loggers_from(level: int, *names: str) -> Iterator[None]:
    """Let loggers tell only what is of some level or higher, for a while.

    Args:
        level: of `logging`, such as ``logging.ERROR``.
        names: of the loggers.
    """
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, own in zip(loggers, before, strict=True):
            logger.setLevel(own)
