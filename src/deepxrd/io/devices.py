"""Where to compute: the cores of this process, and devices as torch names them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deepxrd.errors import ConfigError

if TYPE_CHECKING:
    import torch


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def working_device(name: str) -> torch.device:
    """A device that computes.

    Args:
        name: as torch has it: ``cpu``, ``cuda``, ``cuda:1`` …

    Raises:
        ConfigError: there is no such device.
    """
    import torch

    try:
        found = torch.device(name)
        torch.ones(1, device=found).cpu()  # the device meta takes everything and gives nothing back
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        reason = (str(error).splitlines() or [repr(error)])[0]
        msg = f"cannot compute on device {name!r}: {reason}; cpu always works"
        raise ConfigError(msg) from error
    return found
