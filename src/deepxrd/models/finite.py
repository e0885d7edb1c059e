"""Weights that predict nothing: those that a training has lost to NaN or infinity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from deepxrd.errors import CheckpointError


def refuse_not_finite(weights: Mapping[str, Tensor], where: Path) -> None:
    """Make sure that all weights are finite numbers.

    Args:
        weights: by name.
        where: what they were read from, for the message.

    Raises:
        CheckpointError: some are not.
    """
    bad = [name for name, value in weights.items() if not bool(torch.isfinite(value).all())]
    if bad:
        msg = (
            f"{where} cannot predict: {len(bad)} of its {len(weights)} weights hold values that are not finite numbers "
            f"({bad[0]}); its training went wrong, train again with a lower optimizer.lr"
        )
        raise CheckpointError(msg)
