"""The command ``deepxrd``, for people: a module per verb, and the commands of Hydra."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from deepxrd import __version__
from deepxrd.cli import dashboard, export, library, match, predict, scan, serve
from deepxrd.cli.exit_codes import run
from deepxrd.cli.options import EPILOG
from deepxrd.cli.own_packages import look_in_this_folder

_HYDRA = ("train", "evaluate", "prepare", "report")
"""Commands with Hydra's command line."""
_LISTS = ("scans", "formulas", "files", "paths")
"""What a command takes any number of."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] and arguments[0] in _HYDRA:
        _hand_over(*arguments)
        return
    parser = _parser()
    options, left = parser.parse_known_args(arguments)
    _take_up(left, options, parser)
    if getattr(options, "trust", None):  # names of classes that the user has typed
        look_in_this_folder()
    run(lambda: options.work(options))


class _Parser(argparse.ArgumentParser):
    """A parser that tells what is wrong in one line, as all commands do."""

    def error(self, message: str) -> NoReturn:
        """Tell, and end with exit code 2."""
        self.exit(2, f"error: {message}; {self.prog} --help tells what can be given\n")


def _take_up(left: list[str], options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Add what stands behind options to the list before them: argparse takes up one run of such words alone."""
    name = next((name for name in _LISTS if isinstance(getattr(options, name, None), list)), None)
    unknown = [word for word in left if word.startswith("-")]
    if unknown:
        parser.error(f"there is no option {' '.join(unknown)}")
    if left and name is None:
        parser.error(f"{' '.join(left)} stands without an option that says what it is, such as --formula")
    if name is not None:
        getattr(options, name).extend(map(type(next(iter(getattr(options, name)), "")), left))


def _hand_over(command: str, *arguments: str) -> None:
    """Run a command of Hydra as ``python -m`` does: that is how Lightning starts its further processes."""
    from runpy import run_module

    look_in_this_folder()
    sys.argv = [f"deepxrd {command}", *arguments]
    run_module(f"deepxrd.{command}", run_name="__main__", alter_sys=True)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
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
