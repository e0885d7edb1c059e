"""The command ``deepxrd``, for people: predict, match, scan, train, evaluate, prepare, report."""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from deepxrd import __version__
from deepxrd.cli import dashboard, scan
from deepxrd.cli.exit_codes import run
from deepxrd.errors import DeepXRDError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name
    from deepxrd.prediction.screening_part import Load

_EPILOG = """
examples:
  deepxrd predict SrTiO3 BaZrO3
  deepxrd predict --file formulas.csv --out screened
  deepxrd predict SrTiO3 --checkpoint outputs/.../checkpoints/best.ckpt
  deepxrd match measured.xy SrTiO3 BaTiO3 Sr2TiO4
  deepxrd scan measured.raw other.xrdml
  deepxrd train data=abc3 source=files source.path=structures.parquet
  deepxrd evaluate run=outputs/...
  deepxrd train sweep=table4 source=files source.path=structures.parquet
  deepxrd report sweeps=outputs/sweeps/table4
  deepxrd prepare --help

exit code: 0 done; 2 something you can mend (the message says what); 1 anything else
"""


_HYDRA = ("train", "evaluate", "prepare", "report")
"""Commands with Hydra's command line."""


class SkippedRowsError(DeepXRDError):
    """Some rows of a file were not predicted; the others were."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] and arguments[0] in _HYDRA:
        _hand_over(*arguments)
        return
    options = _parser().parse_args(arguments)
    run(lambda: options.work(options))


def _hand_over(command: str, *arguments: str) -> None:
    from importlib import import_module

    sys.argv = [f"deepxrd {command}", *arguments]
    import_module(f"deepxrd.{command}").main()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deepxrd",
        description="Predict the powder X-ray diffraction pattern of a material from its formula alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"deepxrd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_match(commands)
    scan.add_parser(commands)
    commands.add_parser("train", help="train and score a network (python -m deepxrd.train)", add_help=False)
    commands.add_parser(
        "evaluate",
        help="score a finished run or a baseline, or compare two (python -m deepxrd.evaluate)",
        add_help=False,
    )
    commands.add_parser("prepare", help="build a data set only (python -m deepxrd.prepare)", add_help=False)
    dashboard.add_parser(commands)
    commands.add_parser("report", help="tables of sweeps beside the paper's (python -m deepxrd.report)", add_help=False)
    return parser


def _add_predict(commands: Commands) -> None:
    predict = commands.add_parser(
        "predict",
        help="patterns of formulas, as CSV, Parquet and figures",
        description="Predict patterns. Formulas on the command line give a CSV and a PNG each, and a peaks.csv; "
        "a file of formulas gives a folder of Parquet tables; if it is stopped, the same command goes on with it.",
        epilog=_EPILOG,
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
    _add_model(predict)
    predict.set_defaults(work=_predict)


def _add_match(commands: Commands) -> None:
    match = commands.add_parser(
        "match",
        help="which of some candidates fits a measured pattern",
        description="Rank candidates by how well their predicted patterns fit a measured one. Its background is taken "
        "off, its lines are broadened to those of the predictions, and all lengths of a predicted cell may be off by "
        "the given strain. Leaves a table, ranking.csv, and a figure of the best three, fits.png.",
        epilog=_EPILOG,
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
    _add_model(match)
    match.set_defaults(work=_match)


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--checkpoint",
        type=Path,
        help="a network of your own, such as outputs/.../checkpoints/best.ckpt, or a folder of model=candidates "
        "(default: the model that comes with deepxrd, for compounds of three elements)",
    )
    command.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="CLASS",
        help="a network's class that is not deepxrd's own and that the checkpoint may name, such as mypackage.MyNet",
    )
    command.add_argument("--device", default="cpu", help="cpu (default), cuda, …")
    command.add_argument("--bf16", action="store_true", help="compute in bfloat16: quicker, a little less exact")


def _predict(options: argparse.Namespace) -> None:
    if bool(options.formulas) == bool(options.file):
        msg = "give either formulas, such as SrTiO3, or --file formulas.csv"
        raise DeepXRDError(msg)
    if options.jobs is not None and not options.file:
        msg = f"--jobs {options.jobs} is for a --file of formulas: a few formulas need no more than one process"
        raise DeepXRDError(msg)
    from deepxrd.io.memory import keep_freed_memory
    from deepxrd.prediction.predictor import load_predictor

    keep_freed_memory()
    load = functools.partial(
        load_predictor, options.checkpoint, device=options.device, bf16=options.bf16, trust=options.trust
    )
    out = options.out or Path("patterns")
    if options.file:
        default_jobs = -1 if options.device == "cpu" else 1
        _screen(load, options.file, out, n_jobs=default_jobs if options.jobs is None else options.jobs)
        return
    predictor = load()
    from deepxrd.chem.typed_formula import hint
    from deepxrd.prediction.folder import called, in_words, predict_to_folder

    parsed = [predictor.check(text) for text in options.formulas]
    predictions = predict_to_folder(predictor, parsed, out, typed=options.formulas)
    for row, (text, formula) in enumerate(zip(options.formulas, parsed, strict=True)):
        print(f"{called(text, formula)}\n{in_words(predictions, row, predictor.xrd)}")  # noqa: T201 - what is asked for
        if meant := hint(text):
            print(f"  did you mean {meant}?")  # noqa: T201 - it may be another compound
    print(f"results: {out}")  # noqa: T201 - what the user asks for


def _match(options: argparse.Namespace) -> None:
    if bool(options.formulas) == bool(options.file):
        msg = "give the candidates: either formulas, such as SrTiO3, or --file candidates.csv"
        raise DeepXRDError(msg)
    from deepxrd.io.memory import keep_freed_memory
    from deepxrd.matching import MAX_STRAIN, in_words, match_to_folder
    from deepxrd.prediction.predictor import load_predictor

    keep_freed_memory()
    predictor = load_predictor(options.checkpoint, device=options.device, bf16=options.bf16, trust=options.trust)
    out = options.out or Path("match")
    max_strain = MAX_STRAIN if options.max_strain is None else options.max_strain / 100
    candidates = options.file or options.formulas
    fits, skipped = match_to_folder(
        predictor, options.measured, candidates, out, radiation=options.radiation, max_strain=max_strain
    )
    print(in_words(fits))  # noqa: T201 - what is asked for
    print(f"results: {out}")  # noqa: T201 - what the user asks for
    if skipped:
        _tell_skipped(len(skipped), f"of the candidates, {len(skipped)} cannot be predicted", skipped[:10])


def _screen(load: Load, table: Path, out: Path, *, n_jobs: int) -> None:
    from deepxrd.prediction.screening import PATTERNS, SKIPPED, screen

    screened = screen(load, table, out, n_jobs=n_jobs)
    print(f"{screened.n_predicted} patterns: {out / PATTERNS}")  # noqa: T201 - what the user asks for
    if screened.n_skipped:
        first = [(f"line {line}", reason) for line, reason in screened.first_skipped]
        _tell_skipped(
            screened.n_skipped, f"{screened.n_skipped} rows of {table} were skipped, see {out / SKIPPED}", first
        )


def _tell_skipped(n: int, what: str, first: list[tuple[str, str]]) -> NoReturn:
    lines = [f"  {place}: {reason}" for place, reason in first]
    if n > len(lines):
        lines.append(f"  and {n - len(lines)} more")
    raise SkippedRowsError(f"{what}:\n" + "\n".join(lines))
