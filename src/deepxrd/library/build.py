"""Build a library from sources, in parallel, in parts that survive a kill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from joblib import delayed

from deepxrd.chem.symmetry import KEPT_NARROWER_SYMPREC_ANGSTROM, KEPT_SYMPREC_ANGSTROM
from deepxrd.errors import LibraryError, SourceError
from deepxrd.io.files import locked, value_hash
from deepxrd.io.progress import progress_bar
from deepxrd.io.stopping import worker_pool
from deepxrd.library.card import check_card_path, write_library_card
from deepxrd.library.container import FORMAT, read_container, write_container
from deepxrd.library.library import Library
from deepxrd.library.merge import merge
from deepxrd.library.parts import COSINE_AT_LEAST, ROUND_TRIP, encode_part
from deepxrd.library.symmetry import COORDINATE_STEPS
from deepxrd.library.tables import ARRAY_TYPES, Tables
from deepxrd.sources import ReadFailure, Source, StructureRecord
from deepxrd.sources.base import reasons_by_name

PART_SIZE = 512  # structures per file of work: enough to simulate at once, few enough that a kill loses seconds
REVISION = 1
"""Raised whenever the same structures would be kept in other arrays."""

_NAMED_FAILURES = 200


@dataclass(frozen=True)
class LibraryInput:
    """One source of a library.

    Attributes:
        source: where structures come from.
        licence: under which they may be handed on; empty if unknown.
        held_out: whether they may be shown to users and used for nothing else.
        citation: how to cite them; the source's own where it is empty.
        name: what to call the source; its own where it is empty.
    """

    source: Source
    licence: str = ""
    held_out: bool = False
    citation: str = ""
    name: str = ""


def build_library(
    inputs: Sequence[LibraryInput],
    path: Path,
    *,
    name: str,
    n_jobs: int = -1,
    max_failed_share: float = 0.05,
    overwrite: bool = False,
) -> Library:
    """Build a library file, and its card beside it; a build that was killed resumes where it stopped.

    Each structure is kept by its symmetry if its powder pattern then has a cosine of at least 0.9999 with the
    original's; else by the symmetry found at a narrower tolerance, else without symmetry. The file's bytes depend on
    the sources alone, not on the number of processes.

    Args:
        inputs: the sources.
        path: the file to write.
        name: what to call the library.
        n_jobs: processes, -1 for one per core.
        max_failed_share: stop if more than this share of the entries cannot be read or kept.
        overwrite: whether another library may be replaced.

    Raises:
        SourceError: a source is missing or empty, or too much of it cannot be read.
        LibraryError: there is another library at the path, or another text in the place of its card.
    """
    facts = _facts(inputs, name)
    identity = value_hash(facts)[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock")):
        if path.exists() and not overwrite:
            library = Library.open(path)
            if library.header.get("built_from") == identity:
                return library
            msg = f"{path} holds a library of other structures: give another path, or ask to overwrite it"
            raise LibraryError(msg)
        check_card_path(path)
        work = path.with_name(f".{path.name}.{identity}.partial")
        work.mkdir(exist_ok=True)
        for left_by_a_kill in work.glob(".*"):
            left_by_a_kill.unlink()
        _encode_parts(inputs, work, n_jobs)
        header = _assemble(work, path, {**facts, "built_from": identity}, max_failed_share)
        write_library_card(path, header)
        for part in work.glob("*.lib"):
            part.unlink()
        work.rmdir()
    return Library.open(path)


def _facts(inputs: Sequence[LibraryInput], name: str) -> dict[str, Any]:
    """What the library is made from and how; its hash names the work on it."""
    return {
        "name": name,
        "revision": REVISION,
        "format": FORMAT,
        "sources": [
            {
                "name": each.name or each.source.name,
                "citation": each.citation or each.source.citation,
                "licence": each.licence,
                "held_out": each.held_out,
                "fingerprint": each.source.fingerprint(),
            }
            for each in inputs
        ],
        "symmetry": {
            "program": f"moyopy {version('moyopy')}",
            "symprec_angstrom": KEPT_SYMPREC_ANGSTROM,
            "narrower_symprec_angstrom": KEPT_NARROWER_SYMPREC_ANGSTROM,
            "setting": "standard, International Tables A",
            "coordinate_steps": COORDINATE_STEPS,
        },
        "round_trip": {"cosine_at_least": COSINE_AT_LEAST, "xrd": asdict(ROUND_TRIP)},
    }


def _encode_parts(inputs: Sequence[LibraryInput], work: Path, n_jobs: int) -> None:
    """Write all parts that are not there yet."""
    total = sum(len(each.source) for each in inputs)
    with progress_bar() as bar:
        task = bar.add_task("Keeping structures", total=total)
        jobs = _jobs(inputs, work)
        parallel = worker_pool(
            n_jobs if total > PART_SIZE else 1, return_as="generator_unordered", pre_dispatch="3*n_jobs"
        )
        done = parallel(
            delayed(encode_part)(items, source, held_out=inputs[source].held_out, path=part)
            if items
            else delayed(_is_there)(n)
            for items, n, source, part in jobs
        )
        for n in done:
            bar.advance(task, n)


def _jobs(
    inputs: Sequence[LibraryInput], work: Path
) -> Iterator[tuple[list[StructureRecord | ReadFailure], int, int, Path]]:
    """Entries in the sources' order, in fixed parts; those of parts that are on disk already are left out."""
    for source, each in enumerate(inputs):
        items: list[StructureRecord | ReadFailure] = []
        n_parts = 0
        for item in each.source:
            items.append(item)
            if len(items) == PART_SIZE:
                yield _job(items, source, work, n_parts)
                items, n_parts = [], n_parts + 1
        if items:
            yield _job(items, source, work, n_parts)


def _job(
    items: list[StructureRecord | ReadFailure], source: int, work: Path, n_parts: int
) -> tuple[list[StructureRecord | ReadFailure], int, int, Path]:
    part = work / f"{source:03d}-{n_parts:06d}.lib"
    return ([] if part.exists() else items), len(items), source, part


def _is_there(n: int) -> int:
    return n


def _assemble(work: Path, path: Path, facts: dict[str, Any], max_failed_share: float) -> dict[str, Any]:
    """Put all parts together into one file; returns its header."""
    n_sources = len(facts["sources"])
    parts, failed, n_tried = [], list[tuple[int, str, str]](), 0
    entries = [0] * n_sources
    least, kept_otherwise, undetermined = 1.0, 0, 0
    for file in sorted(work.glob("*.lib")):
        header, arrays = read_container(file, ARRAY_TYPES)
        n_tried += header["tried"]
        source = int(file.name[:3])
        failed += [(source, entry, reason) for entry, reason in header["failed"]]
        if len(arrays["prototype"]):
            parts.append(Tables(arrays, n_sources=n_sources, name=file.name))
            entries[source] += len(arrays["prototype"])
            least = min(least, header["least_cosine"])
            kept_otherwise += len(arrays["exception_entry"])
            undetermined += header["undetermined"]
    reasons = _reasons(failed, [each["name"] for each in facts["sources"]])
    if not parts or len(failed) > max_failed_share * n_tried:
        first = "; ".join(f"{entry}: {reason}" for entry, reason in list(reasons.items())[:3])
        msg = (
            f"{len(failed)} of {n_tried} structures cannot be kept, more than the {max_failed_share:.0%} that may be: "
            f"mend them or take them out; the first: {first or 'there are none'}"
        )
        raise SourceError(msg)
    merged = merge(parts)
    header = {
        **facts,
        "sources": [{**each, "entries": n} for each, n in zip(facts["sources"], entries, strict=True)],
        "counts": {
            "entries": len(merged["prototype"]),
            "compositions": len(merged["composition_entries"]),
            "prototypes": len(merged["prototype_group"]),
            "asymmetric_sites": int(sum(part.site_start[-1] for part in parts)),
            "kept_otherwise": kept_otherwise,
            "without_determined_symmetry": undetermined,
            "failed": len(failed),
        },
        "failed": dict(list(reasons.items())[:_NAMED_FAILURES]),
        "least_cosine": least,
    }
    write_container(path, header, merged)
    return header


def _reasons(failed: Sequence[tuple[int, str, str]], sources: Sequence[str]) -> dict[str, str]:
    """Why entries are not kept, by name; where sources share a name, the source's name stands before it."""
    of: dict[str, set[int]] = {}
    for source, entry, _ in failed:
        of.setdefault(entry, set()).add(source)
    return reasons_by_name(
        (entry if len(of[entry]) == 1 else f"{sources[source]}: {entry}", reason) for source, entry, reason in failed
    )
