"""Structures from files: a Parquet table, a folder of CIF or POSCAR files, a CSV with CIFs, JSON Lines of dicts."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepxrd.chem import Crystal
from deepxrd.errors import SourceError
from deepxrd.sources import parquet
from deepxrd.sources.base import ReadFailure, StructureRecord

if TYPE_CHECKING:
    from pymatgen.core import Structure

_CIF_SUFFIXES = frozenset({".cif", ".mcif"})
_POSCAR_SUFFIXES = frozenset({".vasp", ".poscar"})
_POSCAR_NAMES = ("POSCAR", "CONTCAR")
_ID_COLUMNS = ("material_id", "id", "name")
_ENERGY_COLUMNS = ("formation_energy_per_atom", "e_form")
_WAY_OUT = "give a .parquet, .csv or .jsonl file, or a folder of CIF or POSCAR files, as source.path=PATH"


class FilesSource:
    """Structures from one file or folder; what cannot be read is reported by name and the rest goes on.

    Args:
        path: a Parquet table (columns as in the project's snapshots), a CSV with a ``cif`` column, JSON Lines of
            pymatgen dicts, or a folder that is searched for CIF and POSCAR files at any depth.
        citation: how to cite the data.
    """

    name = "files"

    def __init__(self, path: str | Path | None, *, citation: str = "") -> None:
        self._given = path
        self._citation = citation

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
        return path

    @property
    def citation(self) -> str:
        """As given; else what a Parquet table says of its own source."""
        if self._citation or self._format != "parquet":
            return self._citation
        with parquet.open_table(self.path) as table:
            metadata: dict[bytes, bytes] = table.schema_arrow.metadata or {}
            return metadata.get(b"source", b"").decode()

    @property
    def no_dates(self) -> str | None:
        """Why its entries have no date, if they have none; see :func:`deepxrd.sources.base.why_no_dates`."""
        told = "a Parquet table tells it in a column created_at, other files do not"
        if self._format != "parquet":
            return told
        with parquet.open_table(self.path) as table:
            return None if "created_at" in table.schema_arrow.names else told

    def fingerprint(self) -> dict[str, str]:
        """The SHA-256 of the content, and how it is read."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(self._name_of(file).encode() + b"\0")
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return {"source": self.name, "format": self._format, "sha256": digest.hexdigest()}

    def __len__(self) -> int:
        if self._format == "parquet":
            with parquet.open_table(self.path) as table:
                return int(table.metadata.num_rows)
        if self._format == "folder":
            return len(self._files)
        return sum(1 for _ in self._entries())

    def __iter__(self) -> Iterator[StructureRecord | ReadFailure]:
        if self._format == "parquet":
            yield from parquet.read_records(self.path)
            return
        for entry_name, read in self._entries():
            yield read_one(entry_name, read)

    @cached_property
    def _format(self) -> str:
        if self.path.is_dir():
            return "folder"
        kinds = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
        suffix = self.path.suffix.lower()
        if suffix not in kinds:
            msg = f"cannot tell what {self.path} holds from its ending {suffix!r}; {_WAY_OUT}"
            raise SourceError(msg)
        return kinds[suffix]

    @cached_property
    def _files(self) -> list[Path]:
        if self._format != "folder":
            return [self.path]
        found = sorted(file for file in self.path.rglob("*") if file.is_file() and _is_structure_file(file))
        if not found:
            msg = f"no CIF or POSCAR file in {self.path}; {_WAY_OUT}"
            raise SourceError(msg)
        return found

    def _entries(self) -> Iterator[tuple[str, Callable[[], StructureRecord]]]:
        """A name and a way to read it for each entry; nothing is parsed before it is asked for."""
        if self._format == "folder":
            for file in self._files:
                yield self._name_of(file), lambda file=file: self._from_file(file)  # type: ignore[misc]
        elif self._format == "csv":
            yield from _csv_entries(self.path)
        else:
            yield from _jsonl_entries(self.path)

    def _name_of(self, file: Path) -> str:
        """What a file is called in ids: its place within the folder, or its plain name."""
        return file.relative_to(self.path).as_posix() if self._format == "folder" else file.name

    def _from_file(self, file: Path) -> StructureRecord:
        from pymatgen.core import Structure

        fmt = "cif" if file.suffix.lower() in _CIF_SUFFIXES else "poscar"
        structure = Structure.from_str(file.read_text(encoding="utf-8"), fmt=fmt)
        name = self._name_of(file)
        return _record(name, structure, {}, {"file": name})


def read_one(entry_name: str, read: Callable[[], StructureRecord]) -> StructureRecord | ReadFailure:
    """Read one entry; whatever goes wrong in a parser, or makes the crystal unusable, becomes a named failure."""
    try:
        with warnings.catch_warnings():  # CIF parsers warn about rounding for every other file
            warnings.simplefilter("ignore")
            record = read()
    except Exception as error:  # noqa: BLE001 - a foreign file can break a parser in any way
        return ReadFailure(entry_name, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    reason = record.crystal.why_unusable()
    if reason is None:
        return record
    same = record.material_id == entry_name
    return ReadFailure(entry_name if same else f"{record.material_id} ({entry_name})", reason)


def _csv_entries(path: Path) -> Iterator[tuple[str, Callable[[], StructureRecord]]]:
    from pymatgen.core import Structure

    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:  # as Excel writes it, too
        reader = csv.DictReader(stream)
        if "cif" not in (reader.fieldnames or ()):
            msg = f"{path} has no column 'cif'; its columns are {', '.join(reader.fieldnames or ()) or 'none'}"
            raise SourceError(msg)
        for number, row in enumerate(reader, start=2):
            name = _first(row, _ID_COLUMNS) or f"line {number}"
            yield (
                str(name),
                lambda row=row, name=name: _record(  # type: ignore[misc]
                    str(name), Structure.from_str(row["cif"], fmt="cif"), row, {}
                ),
            )


def _jsonl_entries(path: Path) -> Iterator[tuple[str, Callable[[], StructureRecord]]]:
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield f"line {number}", lambda line=line, number=number: _from_json(line, number)  # type: ignore[misc]


def _from_json(line: str, number: int) -> StructureRecord:
    from pymatgen.core import Structure

    entry = json.loads(line)
    structure = Structure.from_dict(entry.get("structure", entry))
    return _record(str(_first(entry, _ID_COLUMNS) or f"line {number}"), structure, entry, {})


def _record(
    material_id: str, structure: Structure, facts: dict[str, Any], provenance: dict[str, str]
) -> StructureRecord:
    energy = _first(facts, _ENERGY_COLUMNS)
    return StructureRecord(
        material_id, Crystal.from_pymatgen(structure), None if energy is None else float(energy), None, provenance
    )


def _first(row: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first of the named values that is there and not empty."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _is_structure_file(file: Path) -> bool:
    return file.suffix.lower() in _CIF_SUFFIXES | _POSCAR_SUFFIXES or file.name.startswith(_POSCAR_NAMES)
