"""Whether this machine has the devices that a training asks for, found out before anything is built."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from deepxrd.errors import ConfigError


def check_devices(settings: Mapping[str, Any]) -> None:
    """Lightning would start as many processes on a CPU as it is told to, and each would wait for all others.

    Args:
        settings: ``trainer``.

    Raises:
        ConfigError: there are not so many devices here.
    """
    asked = settings["devices"]
    if isinstance(asked, str) and asked.lstrip("-").isdigit():
        asked = int(asked)
    if not isinstance(asked, int):
        return  # a list, or auto: Lightning looks at each
    on_gpu = settings["accelerator"] in {"auto", "gpu", "cuda"} and torch.cuda.is_available()
    there, what = (torch.cuda.device_count(), "GPUs") if on_gpu else (os.cpu_count() or 1, "CPU cores")
    if asked > there:
        msg = f"trainer.devices={asked}: this machine has {there} {what}; give a number from 1 to {there}"
        raise ConfigError(msg)
