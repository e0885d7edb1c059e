"""What the addresses of a server work with, and the answers that it remembers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from deepxrd.library import Libraries
from deepxrd.serve.pool import Pool
from deepxrd.serve.reports import Reports
from deepxrd.serve.runner import Runner
from deepxrd.serve.settings import ServeSettings

_KEPT_ANSWERS = 128


@dataclass
class Parts:
    """What the addresses of a server work with.

    Attributes:
        settings: it was started with.
        pool: worker processes.
        runner: screenings.
        reports: of matches.
        libraries: for what is understood of a formula while it is typed.
        answers: predictions by formula and settings, as JSON, the latest last.
    """

    settings: ServeSettings
    pool: Pool
    runner: Runner
    reports: Reports
    libraries: Libraries
    answers: OrderedDict[tuple[Any, ...], bytes] = field(default_factory=OrderedDict)

    def remember(self, key: tuple[Any, ...], answer: bytes) -> None:
        """Keep an answer, and let the oldest go."""
        self.answers[key] = answer
        self.answers.move_to_end(key)
        while len(self.answers) > _KEPT_ANSWERS:
            self.answers.popitem(last=False)
