"""The command ``deepxrd``, for people: predict, train, evaluate, prepare, report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deepxrd import __version__
from deepxrd.entry import run
from deepxrd.errors import CheckpointError, DeepXRDError

_EPILOG = """
examples:
  deepxrd predict SrTiO3 BaZrO3 --checkpoint outputs/.../checkpoints/best.ckpt --out patterns
  deepxrd predict --file formulas.csv --checkpoint best.ckpt --out patterns.parquet
  deepxrd train data=abc3 source=files source.path=structures.parquet
  deepxrd evaluate run=outputs/...
  deepxrd train sweep=table4 source=files source.path=structures.parquet
  deepxrd report sweeps=outputs/sweeps/table4
  deepxrd prepare --help

exit code: 0 done; 2 something you can mend (the message says what); 1 anything else
"""


class SkippedRowsError(DeepXRDError):
    """Some rows of a file were not predicted; the others were."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] in (
        ["train"],
        ["evaluate"],
        ["prepare"],
        ["report"],
    ):  # these are Hydra's, with its own command line
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
        "a file of formulas gives one Parquet table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.add_argument("formulas", nargs="*", metavar="FORMULA", help="such as SrTiO3 or 'Fe3(OF2)2'")
    predict.add_argument("--file", type=Path, help="a CSV with a column 'formula', instead of formulas")
    predict.add_argument("--checkpoint", type=Path, help="a trained network, such as outputs/.../checkpoints/best.ckpt")
    predict.add_argument("--out", type=Path, help="folder (default: patterns) or, with --file, Parquet table")
    predict.add_argument("--device", default="cpu", help="cpu (default), cuda, …")
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
    if options.checkpoint is None:
        msg = (
            "no trained network given: train one by `python -m deepxrd.train` and name it by "
            "--checkpoint outputs/…/checkpoints/best.ckpt"
        )
        raise CheckpointError(msg)
    from deepxrd import screening
    from deepxrd.predict import Predictor

    predictor = Predictor.load(options.checkpoint, device=options.device)
    if options.file:
        out = options.out or Path("patterns.parquet")
        screened = screening.predict_file(predictor, options.file, out)
        print(f"{screened.n_predicted} patterns: {out}")  # noqa: T201 - what the user asks for
        if screened.skipped:
            raise SkippedRowsError(_skipped(screened.skipped, options.file))
        return
    parsed = [predictor.check(text) for text in options.formulas]
    folder = options.out or Path("patterns")
    patterns = screening.predict_to_folder(predictor, parsed, folder)
    for formula, pattern in zip(parsed, patterns, strict=True):
        print(f"{formula}: strongest peaks\n  2θ (deg)  intensity")  # noqa: T201 - what the user asks for
        for two_theta, intensity in screening.strongest_peaks(pattern, predictor.two_theta):
            print(f"  {two_theta:8.2f}  {intensity:9.1f}")  # noqa: T201 - what the user asks for
    print(f"results: {folder}")  # noqa: T201 - what the user asks for


def _skipped(skipped: dict[int, str], file: Path, *, shown: int = 10) -> str:
    lines = [f"  line {line}: {reason}" for line, reason in list(skipped.items())[:shown]]
    if len(skipped) > shown:
        lines.append(f"  and {len(skipped) - shown} more")
    return f"{len(skipped)} rows of {file} were skipped:\n" + "\n".join(lines)


if __name__ == "__main__":
    main()
