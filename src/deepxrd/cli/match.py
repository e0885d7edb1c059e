"""``deepxrd match``: which of some candidates fits a measured pattern."""

from __future__ import annotations

import argparse
from pathlib import Path

from deepxrd.cli.options import EPILOG, add_model_options, refuse_skipped
from deepxrd.errors import DeepXRDError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``deepxrd``."""
    match = commands.add_parser(
        "match",
        help="which of some candidates fits a measured pattern",
        description="Rank candidates by how well their predicted patterns fit a measured one. Its background is taken "
        "off, its lines are broadened to those of the predictions, and all lengths of a predicted cell may be off by "
        "the given strain. Leaves a table, ranking.csv, and a figure of the best three, fits.png.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    match.add_argument("measured", type=Path, help="a file of any instrument; see deepxrd scan --help")
    match.add_argument("formulas", nargs="*", metavar="FORMULA", help="candidates, such as SrTiO3")
    match.add_argument("--file", type=Path, help="a CSV or Parquet table of candidates with a column 'formula'")
    match.add_argument("--radiation", help="of the measurement: Cu, MoKa, 1.5406, 0.165A, 75keV, …")
    match.add_argument(
        "--max-strain", type=float, metavar="PERCENT", help="how far lengths of a cell may be off (default: 2)"
    )
    match.add_argument("--out", type=Path, help="folder for the results (default: match)")
    add_model_options(match)
    match.set_defaults(work=_match)


def _match(options: argparse.Namespace) -> None:
    if bool(options.formulas) == bool(options.file):
        msg = "give the candidates: either formulas, such as SrTiO3, or --file candidates.csv"
        raise DeepXRDError(msg)
    from deepxrd.io.memory import keep_freed_memory
    from deepxrd.matching import MAX_STRAIN, match_to_folder, ranking_text
    from deepxrd.prediction.predictor import load_predictor

    keep_freed_memory()
    predictor = load_predictor(options.checkpoint, device=options.device, bf16=options.bf16, trust=options.trust)
    out = options.out or Path("match")
    max_strain = MAX_STRAIN if options.max_strain is None else options.max_strain / 100
    candidates = options.file or options.formulas
    fits, skipped = match_to_folder(
        predictor, options.measured, candidates, out, radiation=options.radiation, max_strain=max_strain
    )
    print(ranking_text(fits))  # noqa: T201 - what is asked for
    print(f"results: {out}")  # noqa: T201 - what the user asks for
    if skipped:
        refuse_skipped(len(skipped), f"of the candidates, {len(skipped)} cannot be predicted", skipped[:10])
