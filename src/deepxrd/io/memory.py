"""How the C library deals with large blocks of memory."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_BYTES = 1 << 30


def keep_freed_memory() -> bool:
    """Let this process use freed blocks again, instead of giving them back to the system each time.

    A network's layers ask for blocks of tens of megabytes, step after step. glibc maps each anew, and the system clears
    its pages: on a CPU that takes longer than many a layer. Costs up to a gigabyte that stays with the process.

    Returns:
        Whether the C library understood; only glibc does.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all([mallopt(_M_MMAP_THRESHOLD, _BYTES), mallopt(_M_TRIM_THRESHOLD, _BYTES)])
