"""Keep Lightning from giving advice that does not hold here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from deepxrd.io.quiet import loggers_from


@contextmanager
def quiet() -> Iterator[None]:
    """Hide tips and advice while a run lasts: batches are gathered by index here, so workers would slow them."""
    # below warnings there are tips, and which devices there are not
    with loggers_from(logging.WARNING, "pytorch_lightning"), warnings.catch_warnings():
        for message in (
            ".*does not have many workers.*",
            ".*number of training batches.*smaller than the logging interval.*",
            ".*exists and is not empty.*",
            ".*LeafSpec.*",  # torch's advice to Lightning
        ):
            warnings.filterwarnings("ignore", message=message)
        yield
