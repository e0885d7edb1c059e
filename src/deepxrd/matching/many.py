"""Scans of files, one or many, to their phases and to folders of results."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepxrd.chem import parse_typed_formula
from deepxrd.errors import ConfigError, DeepXRDError, ScanError
from deepxrd.io.csv_table import write_csv
from deepxrd.io.files import safe_name, unique_name
from deepxrd.io.progress import progress_bar
from deepxrd.io.stopping import check_jobs, worker_pool
from deepxrd.matching.match import MatchResult, match_scan
from deepxrd.matching.observed import observe
from deepxrd.matching.output import match_text, notes, verdict, write_match
from deepxrd.matching.phases import PhaseToTry
from deepxrd.scans import read_scan

SUMMARY = "summary.csv"
_HEADER = (
    "scan",
    "verdict",
    "typed",
    "formula",
    "material_id",
    "space_group",
    "probability",
    "weight_fraction",
    "similarity",
    "unexplained_share_of_intensity",
    "wavelength_angstrom",
    "notes",
    "folder",
    "error",
)
_MOST_JOBS = 256


@dataclass(frozen=True)
class MatchOptions:
    """How scans are read and matched.

    Attributes:
        radiation, axis: over what a file says; see `deepxrd.scans.read.read_scans`.
        scan: which of several in a file, counted from 1.
        monochromator_deg: angle 2θ of a monochromator's crystal; None for none.
        most_phases: of a scan.
    """

    radiation: str | None = None
    axis: str | None = None
    scan: int | None = None
    monochromator_deg: float | None = None
    most_phases: int = 4

    @property
    def polarisation(self) -> float:
        """Weight of cos² 2θ in the polarisation factor: cos² of the monochromator's angle (Azároff 1955), else 1."""
        if self.monochromator_deg is None:
            return 1.0
        if not 0 <= self.monochromator_deg < 180:  # noqa: PLR2004
            msg = f"--monochromator {self.monochromator_deg:g}: give its angle 2θ in degrees, 0 to 180"
            raise ConfigError(msg)
        return math.cos(math.radians(self.monochromator_deg)) ** 2


def scans_and_formulas(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Which words of a command line are scans, with the files of folders, and which are formulas.

    A word is a file or a folder if there is one of that name, and a formula if it can be read as one. Behind the first
    word, what is neither and has no ending, as names of files have, is a formula with a slip in it.

    Raises:
        ConfigError: there is no scan among them, or a folder is empty, or a word is neither file nor formula.
    """
    paths: list[Path] = []
    formulas: list[str] = []
    for place, word in enumerate(words):
        path = Path(word)
        if path.is_dir():
            files = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
            if not files:
                msg = f"the folder {path} holds no files: give one with scans"
                raise ConfigError(msg)
            paths += files
        elif path.exists():
            paths.append(path)
        elif (slip := _why_no_formula(word)) is None:
            formulas.append(word)
        elif place and not path.suffix and path.name == word:
            msg = f"there is no file {word!r}, and it is no formula: {slip}"
            raise ConfigError(msg)
        else:
            paths.append(path)
    if not paths:
        msg = f"no such file: {words[0]}; give the scan first, then formulas"
        raise ConfigError(msg)
    return paths, formulas


def match_file(path: Path, phases: Sequence[PhaseToTry], options: MatchOptions) -> MatchResult:
    """The phases of the scan in a file.

    Raises:
        ScanError: it cannot be used.
        ConfigError: an option cannot be understood.
    """
    scan = read_scan(path, radiation=options.radiation, axis=options.axis, scan=options.scan)
    observed = observe(scan, name=str(path), polarisation=options.polarisation)
    return match_scan(observed, phases, most_phases=options.most_phases)


def match_files(
    paths: Sequence[Path],
    phases: Sequence[PhaseToTry],
    folder: Path,
    options: MatchOptions,
    *,
    jobs: int = 1,
    tell: Callable[[str], object] = lambda _: None,
) -> list[tuple[str, str]]:
    """Match files, one after the other or in several processes, and write what is found.

    Args:
        paths: of the scans.
        phases: what they may hold.
        folder: for the results of an only one; of several each gets a folder in it, and `SUMMARY` stands beside them.
        options: see `MatchOptions`.
        jobs: processes; -1 for one per core.
        tell: is given the answer of each in words.

    Returns:
        Path and reason of each scan that cannot be used, unless it is the only one.

    Raises:
        ScanError: the only one cannot be used.
        ConfigError: an option cannot be understood, or no such number of processes can be.
    """
    _ = options.polarisation  # what is impossible is refused before anything is done
    check_jobs(jobs, option="--jobs ", most=_MOST_JOBS)
    if len(paths) == 1:
        result = match_file(paths[0], phases, options)
        write_match(result, folder, title=paths[0].name)
        tell(f"{paths[0]}\n{match_text(result)}")
        return []
    targets = _folders(paths, folder)
    rows: dict[int, dict[str, Any]] = {}
    with progress_bar() as bar:
        task = bar.add_task("Matching", total=len(paths))
        for number, row, text in _all(paths, targets, phases, options, jobs):
            rows[number] = row
            tell(f"{paths[number]}\n{text}")
            bar.advance(task)
    lines = (line for number in sorted(rows) for line in rows[number]["lines"])
    write_csv(folder / SUMMARY, _HEADER, ([line.get(name) for name in _HEADER] for line in lines))
    return [(str(paths[number]), row["error"]) for number, row in sorted(rows.items()) if row["error"]]


def _all(
    paths: Sequence[Path], targets: Sequence[Path], phases: Sequence[PhaseToTry], options: MatchOptions, jobs: int
) -> Iterator[tuple[int, dict[str, Any], str]]:
    from joblib import delayed

    pool = worker_pool(jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")
    yield from pool(
        delayed(_one)(number, path, target, phases, options)
        for number, (path, target) in enumerate(zip(paths, targets, strict=True))
    )


def _one(
    number: int, path: Path, target: Path, phases: Sequence[PhaseToTry], options: MatchOptions
) -> tuple[int, dict[str, Any], str]:
    """Match a file and write its folder; in a process of its own, so only plain values come back."""
    try:
        result = _matched_and_written(path, target, phases, options)
    except ScanError as error:
        line = {"scan": str(path), "error": str(error)}
        return number, {"lines": [line], "error": str(error)}, f"  cannot be used: {error}"
    of_scan: dict[str, object] = {
        "scan": str(path),
        "verdict": verdict(result),
        "similarity": f"{result.similarity:.4f}",
        "unexplained_share_of_intensity": f"{result.unexplained:.4f}",
        "wavelength_angstrom": f"{result.observed.wavelength_angstrom:.6g}",
        "notes": "; ".join(notes(result)),
        "folder": target.name,
    }
    found = [
        {
            **of_scan,
            "typed": each.fit.phase.typed,
            "formula": str(each.fit.phase.formula),
            "material_id": each.fit.phase.material_id,
            "space_group": each.fit.phase.space_group,
            "probability": f"{each.probability:.3f}",
            "weight_fraction": "" if each.weight_fraction is None else f"{each.weight_fraction:.4f}",
        }
        for each in result.phases
    ] or [of_scan]
    return number, {"lines": found, "error": ""}, match_text(result)


def _matched_and_written(path: Path, target: Path, phases: Sequence[PhaseToTry], options: MatchOptions) -> MatchResult:
    """Match a file and write its folder.

    Raises:
        ScanError: it cannot be used, or breaks in a way that nobody foresaw, which must not end the whole batch.
        ConfigError: an option cannot be understood.
        OSError: the folder cannot be written, and so no other one.
    """
    try:
        result = match_file(path, phases, options)
        write_match(result, target, title=path.name)
    except (ScanError, ConfigError, OSError):
        raise
    except Exception as error:
        msg = f"{path} breaks the matching: {type(error).__name__}: {error}"
        raise ScanError(msg) from error
    return result


def _folders(paths: Sequence[Path], folder: Path) -> list[Path]:
    """A folder for each scan, told apart even where files have one name."""
    taken: set[str] = set()
    return [folder / unique_name(safe_name(path.stem), taken) for path in paths]


def _why_no_formula(word: str) -> str | None:
    """What is wrong with a word as a formula; None if it is one."""
    try:
        parse_typed_formula(word)
    except DeepXRDError as error:
        return str(error)
    return None
