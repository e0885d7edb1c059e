"""Predictions for files: a few formulas into a folder for people, many into one Parquet table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.errors import FormulaError, SourceError
from deepxrd.files import atomic_path
from deepxrd.predict import Predictor
from deepxrd.progress import progress_bar
from deepxrd.xrd import find_peaks

_ROWS_AT_ONCE = 1024


@dataclass
class Screened:
    """What became of a file of formulas.

    Attributes:
        n_predicted: patterns written.
        skipped: why each bad row was skipped, by its line.
    """

    n_predicted: int = 0
    skipped: dict[int, str] = field(default_factory=dict)


def strongest_peaks(
    pattern: NDArray[np.float32], two_theta_deg: NDArray[np.float64], *, n: int = 10
) -> list[tuple[float, float]]:
    """The n strongest peaks as (2θ in degrees, intensity), strongest first."""
    position, height = find_peaks(pattern[None], two_theta_deg).of(0)
    order = np.argsort(-height, kind="stable")[:n]
    return [(float(position[i]), float(height[i])) for i in order]


def predict_to_folder(predictor: Predictor, formulas: list[Formula], folder: Path) -> NDArray[np.float32]:
    """Write a CSV and a PNG per formula, and one ``peaks.csv``; returns the patterns ``(n, n_points)``."""
    from deepxrd.analysis import figures

    patterns = predictor.patterns(formulas)
    peaks = find_peaks(patterns, predictor.two_theta)
    for formula, pattern in zip(formulas, patterns, strict=True):
        with atomic_path(folder / f"{formula}.csv") as temporary:
            table = np.column_stack([predictor.two_theta, pattern])
            np.savetxt(temporary, table, "%.4f", delimiter=",", header="two_theta_deg,intensity", comments="")
        figures.save(figures.predicted_pattern(str(formula), pattern, predictor.xrd), folder / f"{formula}.png")
    with atomic_path(folder / "peaks.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["formula", "two_theta_deg", "intensity"])
        for row, formula in enumerate(formulas):
            writer.writerows([formula, f"{t:.3f}", f"{i:.2f}"] for t, i in zip(*peaks.of(row), strict=True))
    return patterns


def predict_file(predictor: Predictor, formulas_file: Path, out: Path) -> Screened:
    """Predict a CSV with a column ``formula`` into a Parquet table with columns ``formula`` and ``pattern``.

    Rows are streamed, so memory stays the same however long the file is. A row that cannot be predicted is skipped.
    The grid is kept in the table's metadata as ``two_theta_deg``: first, last, number of points.

    Raises:
        SourceError: there is no such file, or it has no such column.
    """
    result = Screened()
    xrd = predictor.xrd
    grid = f"{xrd.two_theta_min_deg},{xrd.two_theta_max_deg},{xrd.n_points}"
    fields = [("formula", pa.string()), ("pattern", pa.list_(pa.float32(), xrd.n_points))]
    schema = pa.schema(fields, metadata={"two_theta_deg": grid})
    total = sum(1 for _ in _read_formulas(formulas_file))
    with (
        atomic_path(out) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
        progress_bar() as bar,
    ):
        task = bar.add_task("Predicting", total=total)
        names: list[str] = []
        parsed: list[Formula] = []

        def flush() -> None:
            patterns = predictor.patterns(parsed)
            values = pa.FixedSizeListArray.from_arrays(pa.array(patterns.ravel()), xrd.n_points)
            writer.write_table(pa.table([pa.array(names), values], schema=schema))
            result.n_predicted += len(names)
            names.clear()
            parsed.clear()

        for line, text in _read_formulas(formulas_file):
            try:
                parsed.append(predictor.check(text))
                names.append(text)
            except FormulaError as error:
                result.skipped[line] = str(error)
            bar.advance(task)
            if len(names) == _ROWS_AT_ONCE:
                flush()
        if names:
            flush()
    return result


def _read_formulas(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of each formula."""
    if not path.is_file():
        msg = f"no such file: {path}; give a CSV with a column 'formula'"
        raise SourceError(msg)
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        reader = csv.DictReader(stream)
        if "formula" not in (reader.fieldnames or ()):
            msg = f"{path} has no column 'formula'; its columns are {', '.join(reader.fieldnames or ()) or 'none'}"
            raise SourceError(msg)
        for row in reader:
            yield reader.line_num, row["formula"] or ""
