"""Checkpoints as a run writes them, and what is checked before a run resumes from one."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from torch import nn

from deepxrd.config.trust import texts_in
from deepxrd.errors import CheckpointError
from deepxrd.io.files import atomic_path
from deepxrd.io.sealed import seal
from deepxrd.models.paper import check_weights

_NEEDED: dict[str, type] = {
    "epoch": int, "global_step": int, "loops": dict, "callbacks": dict, "optimizer_states": list, "lr_schedulers": list,
}  # fmt: skip
_OLD_BEST = "ModelCheckpoint{'monitor': 'val/loss'"


class SealedCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints that are whole or not there, and carry their own hash (:mod:`deepxrd.io.sealed`)."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ARG002 - Lightning's interface
    ) -> None:
        """Write one.

        Raises:
            OSError: there is no room for it, which torch tells as an error of its own.
        """
        with atomic_path(Path(path)) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:
                if "inline_container" not in str(error):
                    raise
                raise OSError(errno.ENOSPC, "the checkpoint cannot be written whole", str(path)) from error
            seal(temporary)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any | None = "cpu",
        weights_only: bool | None = True,  # noqa: FBT001, FBT002 - Lightning's interface
    ) -> dict[str, Any]:
        """Read one; what older runs noted of their best network gets the name that it has now.

        Of a run whose folder was moved or copied, the files that callbacks note are looked for where it is now: else
        Lightning would forget which network was the best, and keep a worse one.
        """
        content: dict[str, Any] = super().load_checkpoint(path, map_location, weights_only)
        states = content.get("callbacks") or {}
        for key in [key for key in states if key.startswith(_OLD_BEST)]:
            states.setdefault("BestCheckpoint", states.pop(key))
        last, now = states.get("LastCheckpoint"), str(Path(path).resolve().parent)
        before = last.get("dirpath") if isinstance(last, dict) else None  # it may be a stranger's
        if isinstance(before, str) and Path(before).is_absolute() and before != now:
            content["callbacks"] = _moved(states, before, now)
        return content


def check_resumable(content: Mapping[str, Any], module: nn.Module, *, where: Path) -> None:
    """Make sure that a run can resume from a checkpoint, which may be a stranger's.

    Lightning follows it without a look, and deletes what it names as the best so far.

    Args:
        content: of the checkpoint.
        module: what its weights must fit.
        where: its file.

    Raises:
        CheckpointError: something is missing, or of another kind, or leads out of the run's folder.
    """
    wrong = [key for key, kind in _NEEDED.items() if not isinstance(content.get(key), kind)]
    if wrong:
        msg = f"{where} cannot be resumed: its {wrong[0]} is missing or damaged; start a new run"
        raise CheckpointError(msg)
    try:
        check_weights(content["state_dict"])
        needed = {name: value.shape for name, value in module.state_dict().items()}
        found = {name: value.shape for name, value in content["state_dict"].items()}
    except ValueError as error:
        msg = f"{where} cannot be resumed: {error}"
        raise CheckpointError(msg) from error
    differ = sorted(name for name in needed.keys() | found.keys() if needed.get(name) != found.get(name))
    if differ:
        msg = f"{where} holds other weights ({differ[0]}) than this configuration's network; start a new run"
        raise CheckpointError(msg)
    for text in texts_in(content["callbacks"]):
        if ".." in Path(text).parts or "://" in text:
            msg = f"{where} names a file out of its folder, {text[:200]!r}; start a new run"
            raise CheckpointError(msg)


def _moved(values: Any, before: str, now: str) -> Any:
    """The same with each path in one folder as one in another."""
    if isinstance(values, dict):
        return {_moved(key, before, now): _moved(value, before, now) for key, value in values.items()}
    if isinstance(values, list):
        return [_moved(value, before, now) for value in values]
    if isinstance(values, str) and Path(values).is_relative_to(before):
        return str(Path(now, Path(values).relative_to(before)))
    return values
