"""What all commands share: each ends with an exit code and, where it was not done, one sentence without a traceback.

0 done; 2 an error that the user can fix; 130 stopped by Ctrl-C; 143 stopped by SIGTERM; 1 anything else.
"""

from __future__ import annotations

import atexit
import errno
import functools
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from deepxrd.errors import DeepXRDError
from deepxrd.io.stopping import Terminated, sigterm_raises

STARTS_AGAIN, RESUMES = (
    "the same command starts again from the beginning",
    "the same command resumes it; what is built is kept",
)
"""What becomes of a command that was stopped when it is given again."""
_NO_PLACE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
    errno.ENAMETOOLONG, errno.ENOENT, errno.ELOOP, errno.EINVAL, errno.EIO,
    errno.EFBIG,
}  # fmt: skip
_TIME_TO_END_S = 1.5
_GARBAGE = (50_000, 10, 10)
"""When Python looks for garbage: by its own rule, (700, 10, 10), a third of a cold start goes into looking at what
packages define."""

T = TypeVar("T")
_kept: list[Exception] = []


def run(main: Callable[[], object], *, if_stopped: str = STARTS_AGAIN) -> None:
    """Call a command's main function and turn its outcome into an exit code.

    Args:
        main: the function.
        if_stopped: how to resume after Ctrl-C or SIGTERM, where the place that was stopped does not say itself.
    """
    gc.set_threshold(*_GARBAGE)
    atexit.register(gc.freeze)  # nor is all of it looked at once more at the end
    try:
        with sigterm_raises():
            main()
    except DeepXRDError as error:
        _stop(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        _stop(f"{error.strerror}: {error.filename or 'while writing'}; make room or choose another place", 2)
    except MemoryError as error:
        _stop(f"more memory is asked for than there is: {error or 'nothing more is known'}; ask for less at a time", 2)
    except KeyboardInterrupt as stop:
        _stopped(stop, if_stopped)


def run_hydra(main: Callable[[], object], *, if_stopped: str = RESUMES) -> None:
    """The same for a Hydra main: a misspelt key or a bad value is a user's mistake too."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from deepxrd.config import null_groups_left_out
    from deepxrd.config.hydra_words import in_words

    sys.argv[1:] = null_groups_left_out(sys.argv[1:])
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra ends the process itself, with code 1 for everything
    try:
        run(lambda: _raise_kept(main), if_stopped=if_stopped)
    except (HydraException, OmegaConfBaseException) as error:
        _stop(f"{in_words(error)}\n(--help lists all settings)", 2)
    except ValueError as error:
        if not str(error).startswith("Config group override"):  # Hydra's words for data=null
            raise
        given = ", ".join(text for text in sys.argv[1:] if text.endswith(("=null", "="))) or str(error)
        _stop(f"{given}: name one of the options of that group (--help lists them), or leave it out by ~NAME", 2)


def error_once(task: Callable[..., T]) -> Callable[..., T | None]:
    """Keep the error of a single job until Hydra is done, which would print a line of its own above ours.

    Jobs of a sweep, perhaps in other processes, are Hydra's to report.
    """

    @functools.wraps(task)
    def kept(*arguments: object) -> T | None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return task(*arguments)
        try:
            return task(*arguments)
        except Exception as error:  # noqa: BLE001 - raised again by `run_hydra`
            _kept.append(error)
            return None

    return kept


def _raise_kept(main: Callable[[], object]) -> None:
    main()
    if _kept:
        raise _kept.pop()


def _stopped(stop: KeyboardInterrupt, way_on: str) -> None:
    """Say how to resume, and end soon: neither a second Ctrl-C nor what libraries do at the end may hold it up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    by, code = ("SIGTERM", 143) if isinstance(stop, Terminated) else ("Ctrl-C", 130)
    notes: list[str] = getattr(stop, "__notes__", None) or [way_on]
    print(f"stopped by {by}: {notes[-1]}", file=sys.stderr, flush=True)  # noqa: T201 - the place where errors are shown

    def end() -> None:
        time.sleep(_TIME_TO_END_S)
        os._exit(code)

    threading.Thread(target=end, daemon=True).start()
    sys.exit(code)


def _stop(message: str, code: int) -> None:
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr)  # noqa: T201 - the place where errors are shown
    sys.exit(code)
