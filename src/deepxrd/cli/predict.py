"""``deepxrd predict``: patterns of formulas, or of a whole table of them."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepxrd.cli.options import (
    EPILOG,
    add_library_option,
    add_model_options,
    add_view_options,
    refuse_skipped,
    refuse_view_options,
    view_of,
)
from deepxrd.errors import DeepXRDError
from deepxrd.io.words import counted

if TYPE_CHECKING:
    from deepxrd.prediction.predictor import PatternPredictor
    from deepxrd.prediction.screening_part import Load


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``deepxrd``."""
    predict = commands.add_parser(
        "predict",
        help="patterns of formulas, as CSV, Parquet and figures",
        description="Predict patterns. Formulas on the command line give a CSV and a PNG each, and a peaks.csv; "
        "a file of formulas gives a folder of Parquet tables; if it is stopped, the same command resumes it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.add_argument("formulas", nargs="*", metavar="FORMULA", help="such as SrTiO3 or 'Fe3(OF2)2'")
    predict.add_argument(
        "--file", type=Path, help="a CSV or Parquet table with a column 'formula', instead of formulas"
    )
    predict.add_argument("--out", type=Path, help="folder for the results (default: patterns)")
    predict.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="processes that share a --file, each with a gigabyte of memory (default: one per core on a CPU, else 1)",
    )
    predict.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of Dask, such as tcp://host:8786, whose workers share a --file instead of --jobs; they run what they are "
        "sent, and must see the same files",
    )
    predict.add_argument("--unseen", action="store_true", help="leave known structures out: predict only")
    predict.add_argument(
        "--quality",
        choices=["full", "fast"],
        default="full",
        help="fast: one network weighs half as many candidates, for screening; scores differ by less than their error",
    )
    add_library_option(predict)
    add_view_options(predict)
    add_model_options(predict)
    predict.set_defaults(work=_predict)


def _predict(options: argparse.Namespace) -> None:
    if bool(options.formulas) == bool(options.file):
        msg = "give either formulas, such as SrTiO3, or --file formulas.csv"
        raise DeepXRDError(msg)
    if options.jobs is not None and not options.file:
        msg = f"--jobs {options.jobs} is for a --file of formulas: a few formulas need no more than one process"
        raise DeepXRDError(msg)
    if options.unseen and options.library:
        msg = f"--library {options.library[0]} is for known phases, which --unseen leaves out: leave one of the two out"
        raise DeepXRDError(msg)
    if options.scheduler is not None:
        _prepare_for_workers(options)
    if options.file:
        refuse_view_options(options)
    from deepxrd.io.memory import keep_freed_memory
    from deepxrd.prediction.predictor import load_predictor

    keep_freed_memory()
    load = functools.partial(
        load_predictor,
        options.checkpoint,
        device=options.device,
        bf16=options.bf16,
        trust=options.trust,
        quality=options.quality,
    )
    out = options.out or Path("patterns")
    if options.file:
        if not options.unseen:
            load = functools.partial(_load_with_known, load, tuple(options.library))
        default_jobs = -1 if options.device == "cpu" else 1
        n_jobs = default_jobs if options.jobs is None else options.jobs
        _screen(load, options.file, out, n_jobs=n_jobs, scheduler=options.scheduler)
        return
    _predict_few(load(), options, out)


def _prepare_for_workers(options: argparse.Namespace) -> None:
    """Refuse what workers of a cluster are not for, and name files as a process in another folder finds them."""
    if not options.file:
        msg = f"--scheduler {options.scheduler} is for a --file of formulas: a few formulas need no cluster"
        raise DeepXRDError(msg)
    if options.jobs is not None:
        msg = f"--jobs {options.jobs} is for processes on this machine: leave it out, or --scheduler"
        raise DeepXRDError(msg)
    options.checkpoint = options.checkpoint and options.checkpoint.absolute()
    options.library = [path.absolute() for path in options.library]


def _predict_few(predictor: PatternPredictor, options: argparse.Namespace, out: Path) -> None:
    """Known phases, candidates and patterns of a few formulas: printed, and written into a folder."""
    from deepxrd.chem.typed_formula import hint
    from deepxrd.prediction.candidate_folder import candidates_in_words, refuse_one_name_for_two, write_candidates
    from deepxrd.prediction.folder import INDEX, called, predict_to_folder, prediction_text
    from deepxrd.prediction.known import known_phases, open_libraries
    from deepxrd.prediction.known_folder import known_in_words, write_known
    from deepxrd.prediction.predictor import CandidatePredictor

    parsed, settings = [predictor.check(text) for text in options.formulas], view_of(options)
    is_used = (out / INDEX).exists()
    if isinstance(predictor, CandidatePredictor):
        refuse_one_name_for_two(parsed, options.formulas)
    said = [called(text, formula) for text, formula in zip(options.formulas, parsed, strict=True)]
    if not options.unseen:
        libraries = open_libraries(options.library)
        known = [known_phases(libraries, formula, settings) for formula in parsed]
        write_known(known, parsed, options.formulas, out)
        for row, found in enumerate(known):
            said[row] += f"\n{known_in_words(found)}{_zero('known phases', found.failures)}"
    predictions = predict_to_folder(predictor, parsed, out, typed=options.formulas)
    if isinstance(predictor, CandidatePredictor):
        candidates = predictor.candidates(predictions)
        why = write_candidates(candidates, parsed, options.formulas, out, settings)
        for row, (mine, failures) in enumerate(zip(candidates, why, strict=True)):
            said[row] += f"\n{candidates_in_words(mine)}{_zero('candidates', failures)}"
    for row, text in enumerate(options.formulas):
        print(f"{said[row]}\n{prediction_text(predictions, row, predictor.xrd)}")  # noqa: T201 - what is asked for
        if meant := hint(text):
            print(f"  did you mean {meant}?")  # noqa: T201 - it may be another compound
    if is_used:
        print(f"the tables of an earlier prediction in {out} were replaced; its other files stay")  # noqa: T201
    print(f"results: {out}")  # noqa: T201 - what the user asks for


def _zero(what: str, failures: Sequence[str | None]) -> str:
    """A line that tells of patterns that are zero, and why, such as for want of a line in the range; empty without."""
    why = [each for each in failures if each]
    if not why:
        return ""
    of = f"all {what} drawn" if len(why) == len(failures) else f"{len(why)} of the {len(failures)} {what} drawn"
    return f"\n    patterns of {of} are zero: {why[0]}"


def _load_with_known(load: Load, libraries: tuple[Path, ...]) -> PatternPredictor:
    from deepxrd.prediction.known import WithKnownPhases, open_libraries

    return WithKnownPhases(load(), open_libraries(libraries))


def _screen(load: Load, table: Path, out: Path, *, n_jobs: int, scheduler: str | None) -> None:
    from deepxrd.prediction.screening import PATTERNS, SKIPPED, screen

    screened = screen(load, table, out, n_jobs=n_jobs, scheduler=scheduler)
    if not screened.n_predicted and not screened.n_skipped:
        print(f"no patterns: {table} holds no formulas")  # noqa: T201
        return
    print(f"{counted(screened.n_predicted, 'pattern')}: {out / PATTERNS}")  # noqa: T201 - what the user asks for
    if screened.n_skipped:
        first = [(f"line {line}", reason) for line, reason in screened.first_skipped]
        refuse_skipped(
            screened.n_skipped,
            f"of the rows of {table}, {screened.n_skipped:,} {'was' if screened.n_skipped == 1 else 'were'} skipped, "
            f"see {out / SKIPPED}",
            first,
        )
