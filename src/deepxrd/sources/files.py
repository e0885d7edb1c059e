"""Structures from files: a Parquet table, CIF and POSCAR files, a table with CIFs, JSON Lines of structures."""

from __future__ import annotations

import csv
import hashlib
import json
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from deepxrd.chem import Crystal
from deepxrd.chem.crystal import MAX_VOLUME_PER_ATOM_ANGSTROM3
from deepxrd.errors import ConfigError, DeepXRDError, SourceError
from deepxrd.io.csv_table import find_column, open_csv, plain_name
from deepxrd.io.text import PACKED, read_text, text_encoding
from deepxrd.sources import parquet
from deepxrd.sources.base import ReadFailure, Source, StructureRecord
from deepxrd.sources.cif import cif_blocks, count_blocks
from deepxrd.sources.plain_structures import crystal_from_json
from deepxrd.sources.poscar import read_poscar

_CIF_SUFFIXES = frozenset({".cif", ".mcif"})
_POSCAR_SUFFIXES = frozenset({".vasp", ".poscar"})
_POSCAR_NAMES = ("POSCAR", "CONTCAR")
_WRAPPINGS = PACKED | {".txt", ".zip", ".z", ".zst", ".7z", ".rar"}
"""Endings behind that of a structure; those that cannot be unpacked are named when they are read."""
_READER, _PARQUET_READER = "3", "2"
"""Raised whenever the same files would give other records: built data sets are named by it."""
_TABLES = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_ID_COLUMNS = ("material_id", "id", "jid", "name")
_ENERGY_COLUMNS = ("formation_energy_per_atom", "formation_energy_peratom", "e_form")
_CIF_COLUMNS = ("cif",)
_LONGEST_LINE = 1 << 25  # characters: some 100,000 atoms
_WAY_OUT = "give a .parquet, .csv or .jsonl file, or a folder of CIF or POSCAR files, as source.path=PATH"

Entry = tuple[str, Callable[[], StructureRecord]]
"""A name, and what reads the record of that name."""


class FilesSource(Source):
    """Structures from one file or folder; what cannot be read is reported by name and the rest is read.

    Args:
        path: a Parquet table (columns as in the project's snapshots), a CSV with a ``cif`` column, JSON Lines of
            structures as pymatgen, JARVIS or OPTIMADE write them, a CIF or POSCAR file, or a folder that is searched
            for such files at any depth, or, where it has none of them, for such tables (MP-20's three); ``.gz``,
            ``.bz2`` and ``.xz`` are unpacked.
        citation: how to cite the data.
        max_volume_per_atom_angstrom3: an emptier cell lacks atoms, and is left out by name. Parquet tables are not
            held to it: some relaxed cells of the Materials Project are emptier.
    """

    name = "files"

    def __init__(
        self,
        path: str | Path | None,
        *,
        citation: str = "",
        max_volume_per_atom_angstrom3: float = MAX_VOLUME_PER_ATOM_ANGSTROM3,
    ) -> None:
        self._given = path
        self._citation = citation
        self._max_volume = max_volume_per_atom_angstrom3
        if isinstance(self._max_volume, bool) or not isinstance(self._max_volume, int | float) or self._max_volume <= 0:
            msg = f"source.max_volume_per_atom_angstrom3={self._max_volume!r}: give a volume in Å^3, such as 150"
            raise ConfigError(msg)

    @cached_property
    def path(self) -> Path:
        """The file or folder.

        Raises:
            SourceError: none was given, or there is nothing there.
        """
        if self._given in (None, ""):
            msg = f"source=files needs to know where the files are: {_WAY_OUT}"
            raise SourceError(msg)
        path = Path(str(self._given)).expanduser()
        if not path.exists():
            msg = f"no such file or folder: {path}; {_WAY_OUT}"
            raise SourceError(msg)
        if not path.is_file() and not path.is_dir():  # a device never ends, and a pipe may never begin
            msg = f"{path} is neither a file nor a folder; {_WAY_OUT}"
            raise SourceError(msg)
        return path

    @property
    def citation(self) -> str:
        """As given; else what a Parquet table says of its own source."""
        if self._citation or self._format != "parquet":
            return self._citation
        with parquet.open_table(self.path) as table:
            metadata: dict[bytes, bytes] = table.schema_arrow.metadata or {}
            return metadata.get(b"source", b"").decode(errors="replace")

    @property
    def no_dates(self) -> str | None:
        """Why its entries have no date, if they have none; see :func:`deepxrd.sources.base.why_no_dates`."""
        without_dates = "a Parquet table tells it in a column created_at, other files do not"
        if self._format != "parquet":
            return without_dates
        with parquet.open_table(self.path) as table:
            return None if "created_at" in table.schema_arrow.names else without_dates

    def check_place(self) -> None:
        """Look at the path and its ending, and at the footer of a Parquet table."""
        if self._format == "parquet":
            with parquet.open_table(self.path):
                pass

    def fingerprint(self) -> dict[str, str]:
        """The SHA-256 of the content, and how it is read."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(self._name_of(file).encode(errors="surrogateescape") + b"\0")
            try:
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
            except OSError as error:
                msg = f"{file} cannot be read: {error}"
                raise SourceError(msg) from error
        found = {"source": self.name, "format": self._format, "sha256": digest.hexdigest()}
        if self._format == "parquet":
            return {**found, "reader": _PARQUET_READER}
        return {**found, "reader": _READER, "max_volume_per_atom": f"{self._max_volume:g}"}

    def __len__(self) -> int:
        if self._format == "parquet":
            with parquet.open_table(self.path) as table:
                return int(table.metadata.num_rows)
        return self._n_entries

    def __iter__(self) -> Iterator[StructureRecord | ReadFailure]:
        return self._records(None)

    def at(self, positions: Collection[int]) -> Iterator[StructureRecord | ReadFailure]:
        """See :meth:`Source.at`; no other structure is read."""
        return self._records(frozenset(positions))

    def _records(self, wanted: frozenset[int] | None) -> Iterator[StructureRecord | ReadFailure]:
        if self._format == "parquet":
            yield from parquet.read_records(self.path, wanted)
            return
        for position, (entry_name, read) in enumerate(self._entries()):
            if wanted is None or position in wanted:
                yield read_one(entry_name, read, max_volume_per_atom_angstrom3=self._max_volume)

    @cached_property
    def _n_entries(self) -> int:
        return sum(1 for _ in self._entries())

    @cached_property
    def _format(self) -> str:
        if self.path.is_dir() or _kind_of(self.path):
            return "folder"
        suffix = self.path.suffix.lower()
        if suffix not in _TABLES:
            msg = f"cannot tell what {self.path} holds from its ending {suffix!r}; {_WAY_OUT}"
            raise SourceError(msg)
        return _TABLES[suffix]

    @cached_property
    def _files(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        there = sorted(file for file in self.path.rglob("*") if file.is_file())
        # beside structures a table is mostly an index of them
        found = [file for file in there if _kind_of(file)] or [file for file in there if _is_csv(file)]
        if not found:
            msg = f"no CIF, POSCAR or CSV file in {self.path}; {_WAY_OUT}"
            raise SourceError(msg)
        return found

    def _entries(self) -> Iterator[Entry]:
        """A name and a way to read it for each entry; no structure is made before it is asked for."""
        if self._format == "folder":
            for file in self._files:
                yield from _csv_entries(file) if _is_csv(file) else _file_entries(file, self._name_of(file))
        elif self._format == "csv":
            yield from _csv_entries(self.path)
        else:
            yield from _jsonl_entries(self.path)

    def _name_of(self, file: Path) -> str:
        """What a file is called in ids: its place within the folder, or its plain name."""
        return file.relative_to(self.path).as_posix() if self.path.is_dir() else file.name


def read_one(
    entry_name: str,
    read: Callable[[], StructureRecord],
    *,
    max_volume_per_atom_angstrom3: float = float("inf"),
) -> StructureRecord | ReadFailure:
    """Read one entry; whatever goes wrong in a parser, or makes the crystal unusable, becomes a named failure.

    Warnings that a library gives meanwhile are kept as remarks on the record.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            record = read()
    except DeepXRDError as error:
        return ReadFailure(entry_name, str(error))
    except Exception as error:  # noqa: BLE001 - a foreign file can break a parser in any way
        return ReadFailure(entry_name, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    reason = record.crystal.why_unusable(max_volume_per_atom_angstrom3=max_volume_per_atom_angstrom3)
    if reason is None:
        remarks = dict.fromkeys(str(warning.message).splitlines()[0] for warning in caught if str(warning.message))
        return replace(record, remarks=(*record.remarks, *remarks)) if remarks else record
    same = record.material_id == entry_name
    return ReadFailure(entry_name if same else f"{record.material_id} ({entry_name})", reason)


def _is_csv(file: Path) -> bool:
    return _TABLES.get(file.suffix.lower()) == "csv"


def _kind_of(file: Path) -> str:
    """``cif`` or ``poscar``, by a file's name, whether packed or given a further ``.txt``; empty for others."""
    name = file.name
    while Path(name).suffix.lower() in _WRAPPINGS:
        name = Path(name).stem
    suffix = Path(name).suffix.lower()
    if suffix in _CIF_SUFFIXES:
        return "cif"
    return "poscar" if suffix in _POSCAR_SUFFIXES or name.startswith(_POSCAR_NAMES) else ""


def _file_entries(file: Path, name: str) -> Iterator[Entry]:
    """The entries of one CIF or POSCAR file; a file that cannot be read is one entry, too."""
    if file.suffix.lower() in _WRAPPINGS - PACKED - {".txt"}:
        yield name, lambda: _raise(f"a file that ends in {file.suffix} is not unpacked here: unpack it, or use .gz")
        return
    try:
        text = read_text(file)
    except SourceError as error:
        reason = str(error)
        yield name, lambda: _raise(reason)
        return
    if _kind_of(file) == "poscar":
        yield name, lambda: _from_poscar(text, name)
        return
    yield from _cif_entries(text, name, {}, {"file": name})


def _cif_entries(text: str, name: str, facts: dict[str, Any], provenance: dict[str, str]) -> Iterator[Entry]:
    """One entry per structure of a CIF; of several, each is called by the name of its block, too."""
    if count_blocks(text) == 1:
        yield name, lambda: _record(name, _only(text), facts, provenance)
        return
    blocks = cif_blocks(text)
    called: dict[str, int] = {}
    for block_name, read in blocks:
        full = name if len(blocks) == 1 else f"{name}#{block_name or len(called) + 1}"
        called[full] = called.get(full, 0) + 1
        unique = full if called[full] == 1 else f"{full}-{called[full]}"
        yield unique, lambda unique=unique, read=read: _record(unique, read(), facts, provenance)  # type: ignore[misc]


def _from_poscar(text: str, name: str) -> StructureRecord:
    return _record(name, read_poscar(text), {}, {"file": name})


def _only(text: str) -> tuple[Crystal, tuple[str, ...]]:
    blocks = list(cif_blocks(text))
    if len(blocks) != 1:
        msg = f"its CIF holds {len(blocks)} structures: give one a line"
        raise SourceError(msg)
    ((_, read),) = blocks
    return read()


def _csv_entries(path: Path) -> Iterator[Entry]:
    try:
        with open_csv(path, _CIF_COLUMNS) as table:
            column = find_column(table.names, _CIF_COLUMNS)
            if column is None:
                msg = f"{path} has no column 'cif'; its columns are {', '.join(table.names) or 'none'}"
                raise SourceError(msg)
            names = [plain_name(name) for name in table.names]
            for number, row in table.rows:
                facts = dict(zip(names, row, strict=False))
                name = str(_first(facts, _ID_COLUMNS) or f"line {number}")
                text = row[column] if column < len(row) else ""
                yield from _cif_entries(text.replace("\r\n", "\n"), name, facts, {})
    except csv.Error as error:
        msg = f"{path} cannot be read as a table: {error}"
        raise SourceError(msg) from error


def _jsonl_entries(path: Path) -> Iterator[Entry]:
    with path.open(encoding=text_encoding(path), errors="replace") as stream:
        number = 0
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            whole = line.endswith("\n") or len(line) < _LONGEST_LINE
            if line.strip():
                yield f"line {number}", lambda line=line, number=number: _from_json(line, number)  # type: ignore[misc]
            while not whole:  # it cannot be read; what is left of it is no line of its own
                rest = stream.readline(_LONGEST_LINE)
                whole = rest.endswith("\n") or not rest


def _from_json(line: str, number: int) -> StructureRecord:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        msg = f"it is no JSON: {error}"
        raise SourceError(msg) from error
    if not isinstance(entry, dict):
        msg = f"it is a JSON {type(entry).__name__}, not an object with a structure"
        raise SourceError(msg)
    name = str(_first(entry, _ID_COLUMNS) or f"line {number}")
    if isinstance(entry.get("cif"), str):
        return _record(name, _only(entry["cif"]), entry, {})
    return _record(name, (crystal_from_json(entry), ()), entry, {})


def _record(
    material_id: str, read: tuple[Crystal, tuple[str, ...]], facts: dict[str, Any], provenance: dict[str, str]
) -> StructureRecord:
    crystal, remarks = read
    value = _first(facts, _ENERGY_COLUMNS)
    try:
        energy = None if value is None else float(value)
    except (TypeError, ValueError) as error:
        msg = f"its formation energy {str(value)[:40]!r} is no number"
        raise SourceError(msg) from error
    return StructureRecord(material_id, crystal, energy, None, provenance, remarks)


def _first(row: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first of the named values that is there and not empty."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _raise(reason: str) -> StructureRecord:
    raise SourceError(reason)
