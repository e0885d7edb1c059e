"""Arrays out of safetensors files that a stranger may have made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from deepxrd.io.bounded import check_regular

MOST_BYTES = 1 << 28
_MOST_HEADER_BYTES = 1 << 20


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a file, by name.

    Raises:
        ValueError: it is no such file, or too large, or its header claims more than there is.
        OSError: it cannot be read.
    """
    size = check_regular(path, most_bytes=MOST_BYTES)
    with path.open("rb") as stream:
        header = int.from_bytes(stream.read(8), "little")
    if not 2 <= header <= min(size - 8, _MOST_HEADER_BYTES):  # noqa: PLR2004 - {} is the shortest
        msg = f"{path.name} is no safetensors file: its header cannot have {header} bytes"
        raise ValueError(msg)
    try:
        return dict(load_file(path))
    except (SafetensorError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path.name} cannot be read: {error}"
        raise ValueError(msg) from error
