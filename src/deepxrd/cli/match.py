"""``deepxrd match``: which phases a measured pattern holds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepxrd.cli.options import EPILOG, add_library_option, refuse_skipped
from deepxrd.errors import CheckpointError, DeepXRDError

if TYPE_CHECKING:
    from deepxrd.chem import Formula
    from deepxrd.matching.phases import PhaseToTry

_MONOCHROMATOR_HELP = "angle 2θ of a monochromator's crystal, degrees, such as 26.6 of graphite for Cu (default: none)"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``deepxrd``."""
    match = commands.add_parser(
        "match",
        help="which phases a measured pattern holds",
        description="Find the phases of measured patterns. Structures are refined against the scan: cell, line width, "
        "shift, texture; further phases are added where something is left. Give what the scan may hold: its elements "
        "(all known phases of these and of fewer of them), or formulas. Says how probable each phase is, and leaves a "
        "table of all that was refined, a summary, a figure and a CIF of each phase.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    match.add_argument(
        "scans",
        nargs="+",
        metavar="SCAN",
        help="files of any instrument (see deepxrd scan --help) or folders of them; then, if you like, formulas",
    )
    match.add_argument("--elements", help="what the scan may hold: all known phases of these elements, such as Ca,W,O")
    match.add_argument("--file", type=Path, help="a CSV or Parquet table of formulas with a column 'formula'")
    match.add_argument("--must-contain", default="", help="elements that each phase has, such as Ca")
    match.add_argument("--exclude", default="", help="elements that no phase has")
    match.add_argument(
        "--unseen",
        action="store_true",
        help="leave known structures out and try predicted ones of the same formulas: for a phase that nobody has seen",
    )
    match.add_argument(
        "--checkpoint",
        type=Path,
        help="a folder of model=candidates that predicts structures of formulas that have no known one (default: the "
        "model that comes with deepxrd)",
    )
    match.add_argument("--max-phases", type=int, default=4, metavar="N", help="most phases of a scan, 1 to 4 (4)")
    match.add_argument("--radiation", help="over what the file says: Cu, MoKa, CuKa1, 1.5406, 0.165A, 75keV, …")
    match.add_argument("--axis", help="over what the file says; see deepxrd scan --help")
    match.add_argument("--scan", type=int, metavar="N", help="which of several scans in a file, counted from 1")
    match.add_argument("--monochromator", type=float, metavar="DEG", help=_MONOCHROMATOR_HELP)
    match.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes for many scans; -1: one per core (1)"
    )
    match.add_argument("--out", type=Path, help="folder for the results (default: match)")
    add_library_option(match)
    match.set_defaults(work=_match)


def _match(options: argparse.Namespace) -> None:
    from deepxrd.matching.asked import Asked, parse_elements, phases_asked_for
    from deepxrd.matching.many import MatchOptions, match_files, scans_and_formulas
    from deepxrd.prediction.known import open_libraries

    if not 1 <= options.max_phases <= 4:  # noqa: PLR2004 - as the help says
        msg = f"--max-phases {options.max_phases}: give a number from 1 to 4"
        raise DeepXRDError(msg)
    if options.checkpoint is not None and not options.checkpoint.exists():  # though known formulas do without it
        msg = f"no checkpoint at {options.checkpoint}: give a folder of model=candidates, or leave --checkpoint out"
        raise CheckpointError(msg)
    paths, formulas = scans_and_formulas(options.scans)
    asked = Asked(
        elements=parse_elements(options.elements) if options.elements else (),
        formulas=tuple(formulas),
        table=options.file,
        must_contain=parse_elements(options.must_contain) if options.must_contain else (),
        exclude=parse_elements(options.exclude) if options.exclude else (),
        unseen=options.unseen,
    )
    phases, skipped = phases_asked_for(
        asked, open_libraries(options.library), predict=lambda some: _predicted(options, some)
    )
    settings = MatchOptions(
        radiation=options.radiation,
        axis=options.axis,
        scan=options.scan,
        monochromator_deg=options.monochromator,
        most_phases=options.max_phases,
    )
    out = options.out or Path("match")
    failed = match_files(paths, phases, out, settings, jobs=options.jobs, tell=print)
    print(f"results: {out}")  # noqa: T201 - what the user asks for
    if failed:
        refuse_skipped(len(failed), f"of the scans, {len(failed)} cannot be used", failed[:10])
    if skipped:
        refuse_skipped(len(skipped), f"of the formulas, {len(skipped)} cannot be used", skipped[:10])


def _predicted(options: argparse.Namespace, formulas: Sequence[Formula]) -> list[PhaseToTry]:
    """Predicted structures; what predicts is loaded only where it is needed, since it takes seconds."""
    from deepxrd.matching.predicted import predicted_phases
    from deepxrd.prediction.predictor import load_predictor

    optional = not options.unseen and options.checkpoint is None
    try:
        predictor = load_predictor(options.checkpoint)
    except CheckpointError:
        if optional:  # a package without weights has its library still
            return []
        raise
    return predicted_phases(predictor, formulas)
