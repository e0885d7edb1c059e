"""Predictions for a table of formulas: streamed into a folder of Parquet parts, and resumed after a kill."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from joblib import cpu_count, delayed

from deepxrd import __version__
from deepxrd.errors import ConfigError, ScreeningError
from deepxrd.io.bounded import read_json
from deepxrd.io.cluster import connected, done_by_workers
from deepxrd.io.files import file_hash, write_json
from deepxrd.io.formula_table import read_formulas
from deepxrd.io.progress import progress_bar
from deepxrd.io.stopping import check_jobs, if_stopped, worker_pool
from deepxrd.prediction.screening_part import (
    MANIFEST,
    Load,
    Rows,
    is_finished,
    load_and_write_part,
    part_schema,
    skipped_rows,
    write_part,
    write_part_on_cluster,
    write_skipped,
)

if TYPE_CHECKING:
    from deepxrd.prediction.predictor import PatternPredictor

FORMAT = 3
"""Raised whenever the same inputs would give other files."""
PATTERNS, SKIPPED = "patterns", "skipped.csv"
ROWS_PER_PART = 1024
"""Rows of the input behind each part: what a kill can cost, what is held in memory, and what processes share out."""


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


def screen(
    load: Load,
    table: Path,
    out: Path,
    *,
    rows_per_part: int = ROWS_PER_PART,
    n_jobs: int = 1,
    scheduler: str | None = None,
) -> Screened:
    """Predict each formula of a CSV or Parquet table into a folder.

    The folder then holds ``patterns/part-00000.parquet`` and so on (``line``, ``typed`` as in the table, ``formula`` as
    it was understood, what columns the predictor adds, its patterns in float16: ``pattern``, or ``decoded`` and
    ``expected``), ``skipped.csv`` if some rows could not be predicted, and ``manifest.json``, which says of what table,
    by what predictor. Parts that a killed screening left there are kept, if they still have the hash that is in
    ``hashes``.

    Args:
        load: loads the predictor, here and in each further process.
        table: with a column ``formula``; see :func:`deepxrd.io.formula_table.read_formulas`.
        out: the folder.
        rows_per_part: rows of the table behind each part.
        n_jobs: processes, each with a predictor of its own; -1 for one per core, or as many as there are parts.
        scheduler: address of a Dask scheduler whose workers write the parts instead; they must see the folder, and
            what the predictor is loaded from.

    Raises:
        SourceError: there is no such table.
        ConfigError: the folder holds another screening, or there is no such number of processes.
        StoreError: a part that was finished before was changed since.
        ScreeningError: a process was killed.
        ClusterError: workers of the cluster are unlike this process, do not see the folder, or are gone.
    """
    check_jobs(n_jobs, option="--jobs ")
    n_rows = sum(1 for _ in read_formulas(table))
    predictor = load()
    manifest = _manifest(predictor, table, n_rows=n_rows, rows_per_part=rows_per_part)
    _claim(out, manifest)
    parts = [out / PATTERNS / f"part-{i:05d}.parquet" for i in range(-(-n_rows // rows_per_part))]
    to_do = [not is_finished(part) for part in parts]
    jobs = itertools.compress(zip(_chunks(table, rows_per_part), parts, strict=True), to_do)
    n_jobs = min(cpu_count() if n_jobs == -1 else n_jobs, sum(to_do))
    way_on = "the same command resumes it; the parts that are written are kept"
    with progress_bar() as bar, if_stopped(way_on):
        n_done = n_rows - sum(min(rows_per_part, n_rows - i * rows_per_part) for i, do in enumerate(to_do) if do)
        task = bar.add_task("Predicting", total=n_rows, completed=n_done)
        if scheduler is None or not any(to_do):
            written = _written(load, predictor, jobs, n_jobs)
        else:
            written = _written_on_cluster(load, predictor, jobs, scheduler, manifest=out / MANIFEST)
        for n in written:
            bar.advance(task, n)
    screened = _finish(parts, out)
    write_json(out / MANIFEST, {**manifest, "n_predicted": screened.n_predicted, "n_skipped": screened.n_skipped})
    return screened


def _chunks(table: Path, n_rows: int) -> Iterator[Rows]:
    rows = read_formulas(table)
    while chunk := list(itertools.islice(rows, n_rows)):
        yield chunk


def _written(load: Load, predictor: PatternPredictor, jobs: Iterable[tuple[Rows, Path]], n_jobs: int) -> Iterator[int]:
    """Write parts, here or in several processes, and say of each how many rows it has behind it."""
    schema = part_schema(predictor)
    if n_jobs <= 1:
        yield from (write_part(predictor, rows, part, schema) for rows, part in jobs)
        return
    parallel = worker_pool(n_jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")
    work = delayed(load_and_write_part)
    try:
        yield from parallel(work(load, predictor.fingerprint, rows, part, schema) for rows, part in jobs)
    except BrokenProcessPool as error:
        msg = (
            f"one of {n_jobs} processes was killed, perhaps for want of memory: what is done is kept; the same command "
            "with a smaller --jobs resumes"
        )
        raise ScreeningError(msg) from error


def _written_on_cluster(
    load: Load, predictor: PatternPredictor, jobs: Iterable[tuple[Rows, Path]], scheduler: str, *, manifest: Path
) -> Iterator[int]:
    """The same by the workers of a cluster, which may be in other folders and need absolute paths."""
    schema, known_by = part_schema(predictor), file_hash(manifest)
    work = delayed(write_part_on_cluster)
    with connected(scheduler, option="--scheduler ") as client:
        yield from done_by_workers(
            client,
            (
                work(load, predictor.fingerprint, rows, part.absolute(), schema, manifest_sha256=known_by)
                for rows, part in jobs
            ),
        )


def _manifest(predictor: PatternPredictor, table: Path, **settings: int) -> dict[str, Any]:
    """All that the parts depend on, and so what a screening that is resumed must share."""
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
        there = read_json(path)
        differ = [key for key, value in manifest.items() if there.get(key) != value]
    except (OSError, ValueError, AttributeError):
        differ = [MANIFEST]
    if differ:
        msg = (
            f"{out} holds another screening (other {', '.join(differ)}): choose another --out, or delete that folder "
            "to begin anew"
        )
        raise ConfigError(msg)


def _finish(parts: list[Path], out: Path, *, shown: int = 10) -> Screened:
    """Count what was predicted and list what was skipped, part by part."""
    n_predicted = sum(pq.read_metadata(part).num_rows for part in parts)
    skipped = list(itertools.islice(skipped_rows(parts), shown))
    if not skipped:
        return Screened(n_predicted, 0, ())
    n_skipped = write_skipped(parts, out / SKIPPED)
    return Screened(n_predicted, n_skipped, tuple((line, reason) for line, _, _, reason in skipped))
