"""The command ``deepxrd``, for people: a module per verb, and the commands of Hydra."""

from __future__ import annotations

import argparse
import sys

from deepxrd import __version__
from deepxrd.cli import dashboard, export, library, match, predict, scan, serve
from deepxrd.cli.exit_codes import run
from deepxrd.cli.options import EPILOG
from deepxrd.cli.own_packages import look_in_this_folder

_HYDRA = ("train", "evaluate", "prepare", "report")
"""Commands with Hydra's command line."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] and arguments[0] in _HYDRA:
        _hand_over(*arguments)
        return
    options = _parser().parse_args(arguments)
    if getattr(options, "trust", None):  # names of classes that the user has typed
        look_in_this_folder()
    run(lambda: options.work(options))


def _hand_over(command: str, *arguments: str) -> None:
    """Run a command of Hydra as ``python -m`` does: that is how Lightning starts its further processes."""
    from runpy import run_module

    look_in_this_folder()
    sys.argv = [f"deepxrd {command}", *arguments]
    run_module(f"deepxrd.{command}", run_name="__main__", alter_sys=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deepxrd",
        description="Predict the powder X-ray diffraction pattern of a material from its formula alone.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"deepxrd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for verb in (predict, match, scan, serve, library, export, dashboard):
        verb.add_parser(commands)
    commands.add_parser("train", help="train and score a network (python -m deepxrd.train)", add_help=False)
    commands.add_parser(
        "evaluate",
        help="score a finished run or a baseline, or compare two (python -m deepxrd.evaluate)",
        add_help=False,
    )
    commands.add_parser("prepare", help="build a data set only (python -m deepxrd.prepare)", add_help=False)
    commands.add_parser("report", help="tables of sweeps beside the paper's (python -m deepxrd.report)", add_help=False)
    return parser
