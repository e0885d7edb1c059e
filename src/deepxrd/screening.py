"""Predictions for a table of formulas: streamed into a folder of Parquet parts, and gone on with after a kill."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deepxrd import __version__
from deepxrd.chem import Formula
from deepxrd.errors import ConfigError, FormulaError
from deepxrd.files import atomic_path, file_hash, write_json
from deepxrd.formula_table import read_formulas
from deepxrd.predict import PatternPredictor
from deepxrd.progress import progress_bar

FORMAT = 1
"""Raised whenever the same inputs would give other files."""
MANIFEST, PATTERNS, SKIPPED = "manifest.json", "patterns", "skipped.csv"
ROWS_PER_PART = 4096
"""Rows of the input behind each part: what a kill can cost, and what is held in memory."""
_SKIPPED_KEY = b"deepxrd_skipped"  # of a part's metadata, so that a part and what it skipped are written as one


@dataclass(frozen=True)
class Screened:
    """What became of a table of formulas.

    Attributes:
        n_predicted: patterns written.
        n_skipped: rows that could not be predicted; they are listed in ``skipped.csv``.
        first_skipped: line and reason of the first of them.
    """

    n_predicted: int
    n_skipped: int
    first_skipped: tuple[tuple[int, str], ...]


def screen(predictor: PatternPredictor, table: Path, out: Path, *, rows_per_part: int = ROWS_PER_PART) -> Screened:
    """Predict each formula of a CSV or Parquet table into a folder.

    The folder then holds ``patterns/part-00000.parquet`` and so on (``line``, ``formula``, what columns the predictor
    adds, ``pattern`` and perhaps other patterns in float16), ``skipped.csv`` if some rows could not be predicted, and
    ``manifest.json``, which says of what table, by what predictor. Parts that a killed screening left there are kept.

    Args:
        predictor: of the patterns.
        table: with a column ``formula``; see :func:`deepxrd.formula_table.read_formulas`.
        out: the folder.
        rows_per_part: rows of the table behind each part.

    Raises:
        SourceError: there is no such table.
        ConfigError: the folder holds another screening.
    """
    n_rows = sum(1 for _ in read_formulas(table))
    manifest = _manifest(predictor, table, n_rows=n_rows, rows_per_part=rows_per_part)
    _claim(out, manifest)
    schema = _schema(predictor)
    parts = [out / PATTERNS / f"part-{i:05d}.parquet" for i in range(-(-n_rows // rows_per_part))]
    rows = read_formulas(table)
    with progress_bar() as bar:
        task = bar.add_task("Predicting", total=n_rows)
        for part in parts:
            chunk = list(itertools.islice(rows, rows_per_part))
            if not part.exists():
                _write_part(predictor, chunk, part, schema)
            bar.advance(task, len(chunk))
    screened = _finish(parts, out)
    write_json(out / MANIFEST, {**manifest, "n_predicted": screened.n_predicted, "n_skipped": screened.n_skipped})
    return screened


def _manifest(predictor: PatternPredictor, table: Path, **settings: int) -> dict[str, Any]:
    """All that the parts depend on, and so what a screening that is gone on with must share."""
    return {
        "format": FORMAT,
        "deepxrd": __version__,
        "table_sha256": file_hash(table),
        "predictor": predictor.fingerprint,
        "xrd": predictor.xrd.to_dict(),
        **settings,
    }


def _claim(out: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, or make sure that the one that is there says the same."""
    path = out / MANIFEST
    if not path.exists():
        write_json(path, manifest)
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        differ = [key for key, value in manifest.items() if there.get(key) != value]
    except (ValueError, AttributeError):
        differ = [MANIFEST]
    if differ:
        msg = (
            f"{out} holds another screening ({', '.join(differ)} differ): choose another --out, or delete that folder "
            "to begin anew"
        )
        raise ConfigError(msg)


def _schema(predictor: PatternPredictor) -> pa.Schema:
    """Columns of a part; the grid is in the metadata as ``two_theta_deg``: first, last, number of points."""
    xrd = predictor.xrd
    none = predictor.predict([])
    extra = [(name, pa.array(values).type) for name, values in none.columns.items()]
    # float16 is within 0.03 of 100, a hundredth of what predictions are off by, and half of float32
    patterns = [(name, pa.list_(pa.float16(), xrd.n_points)) for name in ("pattern", *none.further)]
    fields = [("line", pa.int64()), ("formula", pa.string()), *extra, *patterns]
    grid = f"{xrd.two_theta_min_deg},{xrd.two_theta_max_deg},{xrd.n_points}"
    return pa.schema(fields, metadata={"two_theta_deg": grid})


def _write_part(predictor: PatternPredictor, chunk: list[tuple[int, str]], part: Path, schema: pa.Schema) -> None:
    """Predict some rows of the table and write them."""
    lines: list[int] = []
    texts: list[str] = []
    formulas: list[Formula] = []
    skipped: list[tuple[int, str, str]] = []
    for line, text in chunk:
        try:
            formulas.append(predictor.check(text))
        except FormulaError as error:
            skipped.append((line, text, str(error)))
        else:
            lines.append(line)
            texts.append(text)
    predictions = predictor.predict(formulas)
    patterns = [
        pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float16).ravel()), predictor.xrd.n_points)
        for values in (predictions.patterns, *predictions.further.values())
    ]
    columns = [pa.array(lines, pa.int64()), pa.array(texts), *map(pa.array, predictions.columns.values()), *patterns]
    metadata = {**schema.metadata, _SKIPPED_KEY: json.dumps(skipped, ensure_ascii=False).encode(errors="replace")}
    with atomic_path(part) as temporary:
        # bytes of the same significance side by side compress best: by a quarter here, and in less time
        pq.write_table(
            pa.table(columns, schema=schema.with_metadata(metadata)),
            temporary,
            compression="zstd",
            use_dictionary=False,
            use_byte_stream_split=[f"{name}.list.element" for name in ("pattern", *predictions.further)],
        )


def _finish(parts: list[Path], out: Path, *, shown: int = 10) -> Screened:
    """Count what was predicted and list what was skipped, part by part."""
    n_predicted = sum(pq.read_metadata(part).num_rows for part in parts)
    skipped = list(itertools.islice(_skipped(parts), shown))
    if not skipped:
        return Screened(n_predicted, 0, ())
    n_skipped = 0
    with atomic_path(out / SKIPPED) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["line", "formula", "reason"])
        for row in _skipped(parts):
            writer.writerow(row)
            n_skipped += 1
    return Screened(n_predicted, n_skipped, tuple((line, reason) for line, _, reason in skipped))


def _skipped(parts: list[Path]) -> Iterator[tuple[int, str, str]]:
    for part in parts:
        yield from json.loads(pq.read_schema(part).metadata[_SKIPPED_KEY])
