"""What all commands share: errors that a user can mend end without a traceback, with exit code 2."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from deepxrd.errors import DeepXRDError

_NO_PLACE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
}  # fmt: skip


def run(main: Callable[[], object]) -> None:
    """Call a command's main function and turn its outcome into an exit code: 0, 2 for a user's mistake, 1 else."""
    try:
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
    except KeyboardInterrupt:
        _stop("interrupted", 130)


def run_hydra(main: Callable[[], object]) -> None:
    """The same for a Hydra main: a misspelt key or a bad value is a user's mistake too."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra ends the process itself, with code 1 for everything
    try:
        run(main)
    except (HydraException, OmegaConfBaseException) as error:
        _stop(f"{error}\n(--help lists all settings)", 2)


def _stop(message: str, code: int) -> None:
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr)  # noqa: T201 - the place where errors are shown
    sys.exit(code)
