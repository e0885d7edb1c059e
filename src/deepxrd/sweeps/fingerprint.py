"""What makes two runs the same: settings, data, and the code that computes."""

from __future__ import annotations

import time
import warnings
from typing import Any

from deepxrd.config.allowed import names_in
from deepxrd.io.code_hash import code_hash
from deepxrd.io.files import value_hash
from deepxrd.io.own_code import own_code_hash

_CODE = (
    "chem/*.py", "data/*.py", "losses.py", "metrics/*.py", "models/*.py", "models/*/*.py", "training/*.py", "xrd/*.py",
)  # fmt: skip
_NO_MATTER = ("source", "build", "paths", "logger", "resume", "runs_at_once", "threads")
"""Settings that say where things are and how they are computed; what is learned from is in the data's hash."""
_NO_MATTER_IN_TRAINER = ("enable_progress_bar", "log_every_n_steps")


def fingerprint(cfg: dict[str, Any], data_hash: str) -> dict[str, str]:
    """Hashes of the settings that matter, of the data, and of the code; equal ones give equal numbers.

    A class of another package than ours counts with its source, under ``own_code``. Where that is in no file, a run is
    never the same as another, and a warning says so.

    Args:
        cfg: a composed and resolved configuration, plain values.
        data_hash: of the store.
    """
    settings = {key: value for key, value in cfg.items() if key not in _NO_MATTER}
    settings["trainer"] = {key: value for key, value in cfg["trainer"].items() if key not in _NO_MATTER_IN_TRAINER}
    hashes = {"config": value_hash(settings)[:16], "data": data_hash, "code": code_hash(*_CODE)}
    try:
        own = own_code_hash(set(names_in(settings)))
    except (OSError, SyntaxError, ValueError) as error:
        warnings.warn(f"{error}: whether it has changed cannot be told, so the sweep run is run again", stacklevel=2)
        own = f"unknown at {time.time_ns()}"
    return hashes | ({"own_code": own} if own else {})
