"""Hashes of what a store holds, over the values and not the bytes of its files: another library, the same hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

_ROWS_AT_ONCE = 4096  # 16 MB of a memory-mapped file


def pattern_values(patterns: NDArray[np.float32]) -> str:
    """SHA-256 of the values of patterns ``(n, n_points)``, as little-endian float32, in hexadecimal."""
    digest = hashlib.sha256(f"float32 {patterns.shape}".encode())
    for start in range(0, len(patterns), _ROWS_AT_ONCE):
        digest.update(np.ascontiguousarray(patterns[start : start + _ROWS_AT_ONCE], dtype="<f4").tobytes())
    return digest.hexdigest()


def table_values(path: Path) -> str:
    """SHA-256 of the values of a Parquet table, column by column in the order of their names, in hexadecimal.

    Text, whole numbers, fractions and lists of numbers count by their values alone: not by how wide a type holds them,
    how they are compressed, or how the rows are grouped.
    """
    digest = hashlib.sha256()
    for name in sorted(pq.read_schema(path).names):
        column = pq.read_table(path, columns=[name]).column(0).combine_chunks()
        digest.update(f"column {name} of {len(column)}\n".encode())
        _add(digest, column)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, column: pa.Array) -> None:
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), -1).to_numpy(zero_copy_only=False)
        digest.update(lengths.astype("<i8").tobytes())
        column, kind = column.flatten(), kind.value_type
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0  # −0 is 0
        digest.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    elif pa.types.is_integer(kind):
        digest.update(column.cast(pa.int64()).to_numpy(zero_copy_only=False).astype("<i8").tobytes())
    else:
        for value in column.to_pylist():
            text = b"" if value is None else str(value).encode()
            digest.update(f"{-1 if value is None else len(text)}:".encode() + text)
