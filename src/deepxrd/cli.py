"""The command ``deepxrd``, for people: predict, train, evaluate, prepare, report."""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deepxrd import __version__
from deepxrd.entry import run
from deepxrd.errors import DeepXRDError

if TYPE_CHECKING:
    from deepxrd.screening_part import Load

_EPILOG = """
examples:
  deepxrd predict SrTiO3 BaZrO3
  deepxrd predict --file formulas.csv --out screened
  deepxrd predict SrTiO3 --checkpoint outputs/.../checkpoints/best.ckpt
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
    run(lambda: _predict(options))


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
    predict.add_argument(
        "--checkpoint",
        type=Path,
        help="a network of your own, such as outputs/.../checkpoints/best.ckpt, or a folder of model=retrieval "
        "(default: the model that comes with deepxrd, for compounds of three elements)",
    )
    predict.add_argument("--out", type=Path, help="folder for the results (default: patterns)")
    predict.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="processes that share a --file, each with a gigabyte of memory (default: one per core on a CPU, else 1)",
    )
    predict.add_argument("--device", default="cpu", help="cpu (default), cuda, …")
    predict.add_argument("--bf16", action="store_true", help="compute in bfloat16: quicker, a little less exact")
    commands.add_parser("train", help="train and score a network (python -m deepxrd.train)", add_help=False)
    commands.add_parser(
        "evaluate",
        help="score a finished run or a baseline, or compare two (python -m deepxrd.evaluate)",
        add_help=False,
    )
    commands.add_parser("prepare", help="build a data set only (python -m deepxrd.prepare)", add_help=False)
    commands.add_parser("report", help="tables of sweeps beside the paper's (python -m deepxrd.report)", add_help=False)
    return parser


def _predict(options: argparse.Namespace) -> None:
    if bool(options.formulas) == bool(options.file):
        msg = "give either formulas, such as SrTiO3, or --file formulas.csv"
        raise DeepXRDError(msg)
    if options.jobs is not None and not options.file:
        msg = f"--jobs {options.jobs} is for a --file of formulas: a few formulas need no more than one process"
        raise DeepXRDError(msg)
    from deepxrd.memory import keep_freed_memory
    from deepxrd.predict import load_predictor

    keep_freed_memory()
    load = functools.partial(load_predictor, options.checkpoint, device=options.device, bf16=options.bf16)
    out = options.out or Path("patterns")
    if options.file:
        default_jobs = -1 if options.device == "cpu" else 1
        _screen(load, options.file, out, n_jobs=default_jobs if options.jobs is None else options.jobs)
        return
    predictor = load()
    from deepxrd.prediction_folder import in_words, predict_to_folder

    parsed = [predictor.check(text) for text in options.formulas]
    predictions = predict_to_folder(predictor, parsed, out)
    for row, formula in enumerate(parsed):
        print(f"{formula}\n{in_words(predictions, row, predictor.xrd)}")  # noqa: T201 - what is asked for
    print(f"results: {out}")  # noqa: T201 - what the user asks for


def _screen(load: Load, table: Path, out: Path, *, n_jobs: int) -> None:
    from deepxrd.screening import PATTERNS, SKIPPED, screen

    screened = screen(load, table, out, n_jobs=n_jobs)
    print(f"{screened.n_predicted} patterns: {out / PATTERNS}")  # noqa: T201 - what the user asks for
    if screened.n_skipped:
        lines = [f"  line {line}: {reason}" for line, reason in screened.first_skipped]
        if screened.n_skipped > len(lines):
            lines.append(f"  and {screened.n_skipped - len(lines)} more")
        msg = f"{screened.n_skipped} rows of {table} were skipped, see {out / SKIPPED}:\n" + "\n".join(lines)
        raise SkippedRowsError(msg)


if __name__ == "__main__":
    main()
