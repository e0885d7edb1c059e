"""What makes two runs the same: settings, data, and the code that computes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

from deepxrd.config.allowed import names_in
from deepxrd.io.code_hash import code_hash
from deepxrd.io.files import value_hash
from deepxrd.io.own_code import own_code_hash
from deepxrd.runs.unchanged import NO_MATTER, NO_MATTER_WITHIN

_CODE = (
    "chem/*.py", "data/*.py", "losses.py", "metrics/*.py", "models/*.py", "models/*/*.py", "training/*.py", "xrd/*.py",
)  # fmt: skip
_CODE_OF_THE_PAPERS = (
    "chem/elements.py", "chem/encoding.py", "chem/encodings.py",
    "data/datamodule.py", "data/parts.py", "data/split.py", "data/split_file.py",
    "losses.py", "metrics/distances.py", "metrics/peaks.py", "metrics/running.py", "metrics/scores.py",
    "models/paper/*.py",
    "training/callbacks.py", "training/kept.py", "training/paper_module.py", "training/pattern_module.py",
    "training/schedules.py", "training/trainer.py",
    "xrd/peaks.py",
)  # fmt: skip
"""What computes the numbers of the paper's network, all but its data, which have a hash of their own: encoding, split,
order of the samples, network, losses, training and scores. What reads settings and writes files does not count, nor
other models, so that work on them does not outdate hours of training."""
_REVISION = 1
"""To be raised where the numbers of the paper's network change for a reason that no module above shows."""
_PAPERS = frozenset({"deepxrd.models.DeepXRDNet", "deepxrd.models.paper.DeepXRDNet"})


def fingerprint(cfg: dict[str, Any], data_hash: str) -> dict[str, str]:
    """Hashes of the settings that matter, of the data, and of the code; equal ones give equal numbers.

    A class of another package than ours counts with its source, under ``own_code``. Where that is in no file, a run is
    never the same as another, and a warning says so.

    Args:
        cfg: a composed and resolved configuration, plain values.
        data_hash: of the store.
    """
    settings = {key: value for key, value in cfg.items() if key not in NO_MATTER}
    for group, names in NO_MATTER_WITHIN.items():
        if settings.get(group):
            settings[group] = {key: value for key, value in settings[group].items() if key not in names}
    hashes = {"config": value_hash(settings)[:16], "data": data_hash, "code": _code_of(cfg.get("model") or {})}
    try:
        own = own_code_hash(set(names_in(settings)))
    except (OSError, SyntaxError, ValueError) as error:
        warnings.warn(f"{error}: whether it has changed cannot be told, so the sweep run is run again", stacklevel=2)
        own = f"unknown at {time.time_ns()}"
    return hashes | ({"own_code": own} if own else {})


def is_same(before: Mapping[str, str] | None, now: Mapping[str, str], *, done: bool) -> bool:
    """Whether a run that was begun with one fingerprint is what a sweep asks for now.

    The data of a run that is done are the same by their values, or by all that they were made from (``store``): another
    processor rounds the last digit of a pattern otherwise, and so a run made elsewhere is taken as done. A run that
    stopped half-way resumes on the very same values only.

    Args:
        before: of the run; None if it has none.
        now: what is asked for; both are those of `fingerprint`, with the id of the store under ``store`` where known.
        done: whether the run is done.
    """
    if before is None:
        return False
    data = {"data", "store"}
    others_agree = {k: v for k, v in before.items() if k not in data} == {k: v for k, v in now.items() if k not in data}
    made_alike = done and "store" in now and before.get("store") == now["store"]
    return others_agree and (before.get("data") == now["data"] or made_alike)


def _code_of(model: Mapping[str, Any]) -> str:
    if model.get("_target_") in _PAPERS:
        return f"{code_hash(*_CODE_OF_THE_PAPERS)}-{_REVISION}"
    return code_hash(*_CODE)
