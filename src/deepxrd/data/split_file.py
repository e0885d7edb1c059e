"""Parts that a file tells: which samples are learned from, chosen by and tested on."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import parse_formula
from deepxrd.errors import FormulaError, SourceError
from deepxrd.io.csv_table import find_column, open_csv
from deepxrd.io.files import value_hash
from deepxrd.io.formula_table import COLUMNS

_IDS = ("material_id",)
_PART = ("part", "split", "set", "subset")
_CALLED = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_SUFFIXES = (".csv", ".tsv")
_WAY_OUT = (
    "give a table with the columns formula (or material_id) and part, or a folder with train.csv, val.csv, test.csv"
)


@dataclass
class FileParts:
    """What a file says.

    Attributes:
        by_id: part of each material id; empty where the file has no column ``material_id``.
        by_composition: parts of each reduced formula; more than one only where ids tell them apart.
    """

    by_id: dict[str, str] = field(default_factory=dict)
    by_composition: dict[str, set[str]] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Of what is assigned, in whatever order and layout it is written."""
        parts = {name: sorted(each) for name, each in self.by_composition.items()}
        return value_hash([self.by_id, parts])[:16]

    def assign(self, compositions: Sequence[str], ids: Sequence[str], *, none: str) -> NDArray[np.str_]:
        """The part of each sample, ``(n,)``: by its id, or else by its composition where the file has it in one part.

        Args:
            compositions: reduced formulas.
            ids: material ids, as many.
            none: what stands for no part.
        """
        found = []
        for composition, material_id in zip(compositions, ids, strict=True):
            parts = self.by_composition.get(composition, set())
            found.append(self.by_id.get(material_id) or (next(iter(parts)) if len(parts) == 1 else none))
        return np.array(found, dtype=np.str_)


def read_parts(path: Path) -> FileParts:
    """Read a table with a column ``part``, or the three tables of a folder, as MP-20 and others have them.

    Args:
        path: a CSV with ``formula`` (or another of its usual names), ``material_id`` or both, and ``part``; or a folder
            with ``train.csv``, ``val.csv`` and ``test.csv``.

    Raises:
        SourceError: it cannot be read, lacks a column, or has a sample in two parts; the message tells the line.
    """
    parts, where = FileParts(), dict[str, str]()
    files = _three(path) if path.is_dir() else [(path, None)]
    for file, part in files:
        for line, material_id, composition, told in _rows(file, part):
            place = f"{file.name}, line {line}"
            key = material_id or composition
            before = parts.by_id.get(material_id) or (
                None if material_id else next(iter(parts.by_composition.get(composition, ())), None)
            )
            if before not in (None, told):
                msg = f"{path}: {key} is in {before} ({where[key]}) and in {told} ({place}); keep one of them"
                raise SourceError(msg)
            where.setdefault(key, place)
            if material_id:
                parts.by_id[material_id] = told
            if composition:
                parts.by_composition.setdefault(composition, set()).add(told)
    if not where:
        msg = f"{path} names no sample; {_WAY_OUT}"
        raise SourceError(msg)
    return parts


def _three(folder: Path) -> list[tuple[Path, str | None]]:
    named = {
        part: [
            file
            for file in sorted(folder.iterdir())
            if file.suffix.lower() in _SUFFIXES and _CALLED.get(file.stem.lower()) == part
        ]
        for part in ("train", "val", "test")
    }
    for part, files in named.items():
        if len(files) != 1:
            there = ", ".join(file.name for file in files) or "none"
            msg = f"{folder} must have one table for {part}, such as {part}.csv; found: {there}"
            raise SourceError(msg)
    return [(files[0], part) for part, files in named.items()]


def _rows(file: Path, part: str | None) -> Iterator[tuple[int, str, str, str]]:
    """Line, id, composition and part of each row; the id or the composition may be empty."""
    if not file.is_file():
        msg = f"no such file: {file}; {_WAY_OUT}"
        raise SourceError(msg)
    try:
        with open_csv(file, (*_IDS, *COLUMNS)) as table:
            places = [find_column(table.names, wanted) for wanted in (_IDS, COLUMNS, _PART)]
            if places[0] is None and places[1] is None:
                msg = f"{file} has neither a column 'formula' nor 'material_id': {', '.join(table.names) or 'none'}"
                raise SourceError(msg)
            if part is None and places[2] is None:
                msg = f"{file} has no column 'part'; its columns are {', '.join(table.names)}; {_WAY_OUT}"
                raise SourceError(msg)
            for line, row in table.rows:
                material_id, formula, told = (
                    "" if place is None or place >= len(row) else row[place].strip() for place in places
                )
                if material_id or formula:
                    yield line, material_id, _reduced(file, line, formula), part or _called(file, line, told)
    except (csv.Error, OSError) as error:
        msg = f"{file} cannot be read as a table: {error}"
        raise SourceError(msg) from error


def _reduced(file: Path, line: int, formula: str) -> str:
    try:
        return parse_formula(formula).reduced if formula else ""
    except FormulaError as error:
        msg = f"{file}, line {line}: {error}"
        raise SourceError(msg) from error


def _called(file: Path, line: int, told: str) -> str:
    part = _CALLED.get(told.casefold())
    if part is None:
        msg = f"{file}, line {line}: {told!r} is no part; write train, val or test"
        raise SourceError(msg)
    return part
