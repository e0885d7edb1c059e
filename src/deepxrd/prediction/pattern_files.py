"""Predicted patterns for other programs: two columns of text, 2θ and intensity, without a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from deepxrd.chem import parse_formula
from deepxrd.errors import DeepXRDError, PatternError
from deepxrd.io.bounded import check_regular
from deepxrd.io.files import atomic_path, safe_name, unique_name
from deepxrd.io.progress import progress_bar
from deepxrd.prediction.file_names import file_name
from deepxrd.prediction.pattern_csv import ANGLES

Pattern = tuple[str, NDArray[np.float64], NDArray[np.float64]]
"""Name of a file without its ending, angles (degrees 2θ), intensities."""
_CURVES = ("expected", "intensity", "pattern", "decoded")
"""Names of columns with a pattern, the first that is there is taken."""
_WAY_OUT = "give what deepxrd predict leaves: its folder, a CSV of a pattern, or a part-*.parquet"


def export_patterns(paths: list[Path], out: Path, *, curve: str | None = None) -> list[Path]:
    """Write each pattern as ``*.xy``, which FullProf (``Ins=10``), GSAS-II, Profex, and most others read.

    Args:
        paths: folders of ``deepxrd predict``, CSV files with a column ``two_theta_deg``, or Parquet parts.
        out: the folder.
        curve: name of the column to take, of files in a folder that have it; without, ``expected`` where it is there,
            else the one pattern.

    Returns:
        The files.

    Raises:
        PatternError: there is no pattern in a path, or none of that name.
    """
    files = [file for path in paths for file in _files(path, curve)]
    written: list[Path] = []
    taken: set[str] = set()
    with progress_bar() as bar:
        for file in bar.track(files, description="Writing patterns"):
            for name, angles, intensities in _patterns(file, curve):
                written.append(out / f"{unique_name(name, taken)}.xy")
                with atomic_path(written[-1]) as temporary:
                    np.savetxt(temporary, np.column_stack([angles, intensities]), "%10.5f %10.4f")
    return written


def _files(path: Path, curve: str | None) -> list[Path]:
    """Files with patterns; of a folder's CSVs those with the curve, since structures have one of their own only."""
    if path.is_file():
        return [path]
    parts = sorted([*path.glob("part-*.parquet"), *path.glob("patterns/part-*.parquet")])
    found = parts or [file for file in sorted(path.glob("*.csv")) if _header(file)[:1] == [ANGLES]]
    if not found:
        msg = f"no pattern in {path}: {_WAY_OUT}"
        raise PatternError(msg)
    return found if parts or curve is None else [file for file in found if curve in _header(file)] or found


def _header(file: Path) -> list[str]:
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        return next(csv.reader([stream.readline(4096)]), [])


def _patterns(file: Path, curve: str | None) -> Iterator[Pattern]:
    try:
        check_regular(file)
        yield from _of_part(file, curve) if file.suffix == ".parquet" else _of_csv(file, curve)
    except DeepXRDError:
        raise
    except (OSError, ValueError, KeyError, TypeError, MemoryError, pa.ArrowException) as error:
        msg = f"{file} holds no pattern that can be read ({type(error).__name__}: {error}): {_WAY_OUT}"
        raise PatternError(msg) from error


def _of_csv(file: Path, curve: str | None) -> Iterator[Pattern]:
    names = _header(file)
    if names[:1] != [ANGLES]:
        msg = f"{file} has no first column {ANGLES}: {_WAY_OUT}"
        raise PatternError(msg)
    table = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2)
    yield file.stem, table[:, 0], table[:, names.index(_chosen(names[1:], curve, file))]


def _of_part(file: Path, curve: str | None) -> Iterator[Pattern]:
    with pq.ParquetFile(file) as part:
        schema = part.schema_arrow
        column = _chosen(schema.names, curve, file)
        first, last, n_points = (schema.metadata or {})[ANGLES.encode()].decode().split(",")
        angles = np.linspace(float(first), float(last), int(n_points))
        for batch in part.iter_batches(256, columns=["formula", column]):
            values = batch.column(column).flatten().to_numpy(zero_copy_only=False).reshape(-1, len(angles))
            for text, row in zip(batch.column("formula").to_pylist(), values, strict=True):
                yield safe_name(file_name(parse_formula(text))), angles, row.astype(np.float64)


def _chosen(names: list[str], curve: str | None, file: Path) -> str:
    there = [name for name in _CURVES if name in names]
    if curve is not None and curve not in names:
        msg = f"{file} has no pattern {curve!r}: it has {', '.join(there) or 'none'}"
        raise PatternError(msg)
    if curve is None and not there:
        msg = f"{file} has none of the columns {', '.join(_CURVES)}: {_WAY_OUT}"
        raise PatternError(msg)
    return curve or there[0]
