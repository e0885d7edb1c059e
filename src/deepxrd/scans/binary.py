"""Fields of binary files: little-endian, each read only where the file still has bytes."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.block import check_count


class Fields:
    """Fields at places of a binary file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def _at(self, form: str, place: int) -> float | int:
        size = struct.calcsize(form)
        if place < 0 or place + size > len(self.data):
            msg = f"it ends after {len(self.data)} bytes, within a header: it is cut short"
            raise ScanError(msg)
        value: float | int = struct.unpack_from(form, self.data, place)[0]
        return value

    def u16(self, place: int) -> int:
        """An unsigned integer of two bytes."""
        return int(self._at("<H", place))

    def u32(self, place: int) -> int:
        """An unsigned integer of four bytes."""
        return int(self._at("<I", place))

    def f32(self, place: int) -> float:
        """A float of four bytes, as the shortest decimal that it stands for: 0.02, and not 0.01999999955."""
        return float(str(np.float32(self._at("<f", place))))

    def f64(self, place: int) -> float:
        """A float of eight bytes."""
        return float(self._at("<d", place))

    def text(self, place: int, size: int) -> str:
        """A text up to its first zero."""
        return self.data[place : place + size].split(b"\0")[0].decode("latin-1").strip()

    def floats(self, place: int, n: int, *, stride: int = 4) -> NDArray[np.float64]:
        """Floats of four bytes, n of them, the first of each record of ``stride`` bytes, ``(n,)``.

        Raises:
            ScanError: the file does not hold them.
        """
        check_count(n)
        if place + n * stride > len(self.data):
            held = max(0, (len(self.data) - place) // stride)
            msg = f"its header says {n} points, and it holds {held}: it is cut short, or damaged"
            raise ScanError(msg)
        records = np.frombuffer(self.data, dtype=np.uint8, count=n * stride, offset=place).reshape(n, stride)
        with np.errstate(invalid="ignore"):  # damaged numbers may be NaN of the kind that signals
            return np.ascontiguousarray(records[:, :4]).view("<f4")[:, 0].astype(np.float64)
