"""One part of a screening: predict some rows of a table and write them, here or in another process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deepxrd.chem import Formula, parse_formula
from deepxrd.errors import CheckpointError, FormulaError, StoreError
from deepxrd.io.bounded import check_regular, read_bounded
from deepxrd.io.csv_table import write_csv
from deepxrd.io.files import atomic_path, file_hash, write_text
from deepxrd.io.memory import keep_freed_memory

if TYPE_CHECKING:
    from deepxrd.prediction.predictor import PatternPredictor

Load: TypeAlias = "Callable[[], PatternPredictor]"
"""Loads a predictor; to be used by several processes it must be picklable, as a ``functools.partial`` is."""
Rows = Sequence[tuple[int, str]]
"""Rows of a table: line, and formula as it was written."""
Skipped = tuple[int, str, str, str]
"""A row without a prediction: line, formula as it was written, what was understood of it (or nothing), and why."""
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a cell that begins with one of them
_LONGEST_SHOWN = 200  # characters of a cell that is no formula
MANIFEST = "manifest.json"
"""Beside the folder of the parts: of what table the screening is, by what predictor."""
HASHES = "hashes"
"""Folder beside that of the parts, with the SHA-256 of each."""
_SKIPPED_KEY = b"deepxrd_skipped"  # of a part's metadata, so that a part and what it skipped are written as one
_loaded: dict[str, PatternPredictor] = {}  # by fingerprint: a process loads once, not once a part
_at_work = threading.Lock()  # a worker of Dask may have several threads, which must not load a predictor each


def part_schema(predictor: PatternPredictor) -> pa.Schema:
    """Columns of a part; the grid is in the metadata as ``two_theta_deg``: first, last, number of points."""
    xrd = predictor.xrd
    none = predictor.predict([])
    extra = [(name, pa.array(values).type) for name, values in none.columns.items()]
    # float16 is within 0.03 of 100, a hundredth of what predictions are off by, and half of float32
    patterns = [(name, pa.list_(pa.float16(), xrd.n_points)) for name in (none.name, *none.further)]
    fields = [("line", pa.int64()), ("typed", pa.string()), ("formula", pa.string()), *extra, *patterns]
    grid = f"{xrd.two_theta_min_deg},{xrd.two_theta_max_deg},{xrd.n_points}"
    return pa.schema(fields, metadata={"two_theta_deg": grid})


def write_part(predictor: PatternPredictor, rows: Rows, part: Path, schema: pa.Schema) -> int:
    """Predict some rows and write them, with a list of those that could not be predicted.

    Returns:
        How many rows there were.
    """
    lines: list[int] = []
    texts: list[str] = []
    formulas: list[Formula] = []
    skipped: list[Skipped] = []
    for line, text in rows:
        try:
            formulas.append(predictor.check(text))
        except FormulaError as error:
            skipped.append((line, text[:_LONGEST_SHOWN], understood(text), str(error)))
        else:
            lines.append(line)
            texts.append(text)
    predictions = predictor.predict(formulas)
    patterns = [
        pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float16).ravel()), predictor.xrd.n_points)
        for values in (predictions.patterns, *predictions.further.values())
    ]
    names = [pa.array(texts, pa.string()), pa.array([str(formula) for formula in formulas], pa.string())]
    columns = [pa.array(lines, pa.int64()), *names, *map(pa.array, predictions.columns.values()), *patterns]
    metadata = {**schema.metadata, _SKIPPED_KEY: json.dumps(skipped, ensure_ascii=False).encode(errors="replace")}
    with atomic_path(part) as temporary:
        # bytes of the same significance side by side compress best: by a quarter here, and in less time
        pq.write_table(
            pa.table(columns, schema=schema.with_metadata(metadata)),
            temporary,
            compression="zstd",
            use_dictionary=False,
            use_byte_stream_split=[f"{name}.list.element" for name in (predictions.name, *predictions.further)],
        )
        write_text(_hash_file(part), f"{file_hash(temporary)}\n")  # first the hash: a part that is there has one
    return len(rows)


def is_finished(part: Path) -> bool:
    """Whether a part is there, as it was written.

    Raises:
        StoreError: it is there, but was changed or cut off since.
    """
    if not part.exists():
        return False
    try:
        check_regular(part)
        file = _hash_file(part)
        if file.exists():
            sound = read_bounded(file, most_bytes=1024).decode().strip() == file_hash(part)
        else:  # of an earlier version, which kept no hashes: then it must at least be readable from end to end
            sound = pq.read_table(part).schema.metadata[_SKIPPED_KEY] is not None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        sound = False
    if not sound:
        msg = f"{part} was changed or cut off after it was written: delete it, and run the same command to make it anew"
        raise StoreError(msg)
    return True


def _hash_file(part: Path) -> Path:
    return part.parent.parent / HASHES / f"{part.stem}.sha256"


def load_and_write_part(load: Load, fingerprint: str, rows: Rows, part: Path, schema: pa.Schema) -> int:
    """The same in a process that may not have loaded the predictor yet.

    Raises:
        CheckpointError: what it loads is not what the screening began with.
    """
    with _at_work:
        if fingerprint not in _loaded:
            keep_freed_memory()
            predictor = load()
            if predictor.fingerprint != fingerprint:
                msg = (
                    "the weights or libraries are not those that the screening began with: if they were changed "
                    "meanwhile, begin again with another --out; if this is a worker of a cluster, give it the same"
                )
                raise CheckpointError(msg)
            _loaded.clear()  # a worker of a cluster lives on: it keeps the predictor of one screening
            _loaded[fingerprint] = predictor
        return write_part(_loaded[fingerprint], rows, part, schema)


def write_part_on_cluster(
    load: Load, fingerprint: str, rows: Rows, part: Path, schema: pa.Schema, *, manifest_sha256: str
) -> int:
    """The same in a worker of a cluster, if it sees the folder of the screening.

    Args:
        load: see `load_and_write_part`, as for what follows.
        fingerprint: of the predictor.
        rows: to predict.
        part: absolute path.
        schema: of the part.
        manifest_sha256: hash of the screening's manifest, by which its folder is known.

    Raises:
        StoreError: the worker does not see that folder.
        CheckpointError: what it loads is not what the screening began with.
    """
    manifest = part.parent.parent / MANIFEST
    if not manifest.is_file() or file_hash(manifest) != manifest_sha256:
        msg = (
            f"it does not see {manifest} as the command has written it: choose an --out that all machines share under "
            "the same path"
        )
        raise StoreError(msg)
    return load_and_write_part(load, fingerprint, rows, part, schema)


def skipped_rows(parts: Iterable[Path]) -> Iterator[Skipped]:
    """The rows that were skipped, in the order of the parts."""
    for part in parts:
        yield from json.loads(pq.read_schema(part).metadata[_SKIPPED_KEY])


def write_skipped(parts: Iterable[Path], file: Path) -> int:
    """Write the rows that were skipped as CSV, with an apostrophe before cells that a spreadsheet would compute.

    Args:
        parts: of a screening.
        file: to write.

    Returns:
        How many rows there are.
    """
    rows = (
        [line, _harmless(typed), formula, _harmless(reason)] for line, typed, formula, reason in skipped_rows(parts)
    )
    return write_csv(file, ["line", "typed", "formula", "reason"], rows)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


def understood(text: str) -> str:
    """The reduced formula of a text that cannot be predicted; empty if it is no formula."""
    try:
        return str(parse_formula(text))
    except FormulaError:
        return ""
