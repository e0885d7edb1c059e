"""What runs in a worker process: the model and the libraries, loaded once, and the tasks that use them."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepxrd.errors import ConfigError, DeepXRDError
from deepxrd.io.stopping import end_with
from deepxrd.serve.errors import in_a_sentence

if TYPE_CHECKING:
    from deepxrd.library import Libraries
    from deepxrd.prediction.predictor import CandidatePredictor

_LOG = logging.getLogger("deepxrd.serve")


@dataclass(frozen=True)
class Loaded:
    """What tasks work with.

    Attributes:
        predictor: what predicts.
        libraries: of known structures.
    """

    predictor: CandidatePredictor
    libraries: Libraries


Task = Callable[..., Any]


def tasks() -> dict[str, Task]:
    """The tasks by name; each takes a `Loaded` and plain values, and gives plain values back."""
    from deepxrd.serve import matching, predicting, screening

    return {
        "predict": predicting.predict,
        "scan": matching.understand_scan,
        "match": matching.match_upload,
        "read_table": screening.read_table,
        "screen_part": screening.screen_part,
        "join_parts": screening.join_parts,
        "rows": screening.some_rows,
    }


def work(pipe: Connection, parent: int, checkpoint: Path | None, libraries: tuple[Path, ...]) -> None:
    """The life of a worker: load, say so, and do one task after the other until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then ends its workers
    end_with(parent)
    try:
        loaded, known = load(checkpoint, libraries), tasks()
    except DeepXRDError as error:
        pipe.send(("refused", str(error)))
        return
    pipe.send(("ready", None))
    while True:
        try:
            task, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_outcome(known, loaded, task, arguments))


def load(checkpoint: Path | None, libraries: tuple[Path, ...]) -> Loaded:
    """Load what tasks work with.

    Raises:
        DeepXRDError: a file is missing or damaged, or predicts patterns and no structures.
    """
    import torch

    from deepxrd.prediction.known import open_libraries
    from deepxrd.prediction.predictor import CandidatePredictor, load_predictor

    torch.set_num_threads(1)  # each core has a worker of its own
    predictor = load_predictor(checkpoint)
    if not isinstance(predictor, CandidatePredictor):
        msg = f"{checkpoint} predicts patterns and no structures, which the page shows: give a candidate model's folder"
        raise ConfigError(msg)
    opened = open_libraries(libraries)
    predictor.predict(["SrTiO3"])  # what is made at first use is made before the first visitor
    return Loaded(predictor, opened)


def _outcome(known: dict[str, Task], loaded: Loaded, task: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "done", known[task](loaded, *arguments)
    except DeepXRDError as error:
        return "refused", in_a_sentence(str(error))
    except MemoryError:
        return "refused", "it needs more memory than there is: ask for less at a time"
    except Exception as error:  # noqa: BLE001 - one odd input must not end the worker, and its log tells where
        _LOG.exception("%s", task)
        return "failed", f"{type(error).__name__} in {task}"
