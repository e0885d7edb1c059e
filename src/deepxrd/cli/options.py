"""What several commands share: examples, options of the model, and rows that were left out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from deepxrd.errors import DeepXRDError

if TYPE_CHECKING:
    from deepxrd.xrd import XrdSettings

EPILOG = """
examples:
  deepxrd predict SrTiO3 BaZrO3
  deepxrd predict --file formulas.csv --out screened
  deepxrd predict SrTiO3 --checkpoint outputs/.../checkpoints/best.ckpt
  deepxrd match measured.xy --elements Sr,Ti,O
  deepxrd match scans/ SrTiO3 BaTiO3 Sr2TiO4 --jobs 2
  deepxrd scan measured.raw other.xrdml
  deepxrd train data=abc3 source=files source.path=structures.parquet
  deepxrd evaluate run=outputs/...
  deepxrd train sweep=table4 source=files source.path=structures.parquet
  deepxrd report sweeps=outputs/sweeps/table4
  deepxrd prepare --help

exit code: 0 done; 2 an error you can fix (the message says how); 130 stopped by Ctrl-C; 143 stopped by SIGTERM;
           1 anything else
"""


class SkippedRowsError(DeepXRDError):
    """Some rows of a file were not predicted; the others were."""


def add_model_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say what predicts, and where."""
    command.add_argument(
        "--checkpoint",
        type=Path,
        help="a network of your own, such as outputs/.../checkpoints/best.ckpt, or a folder of model=candidates "
        "(default: the model that comes with deepxrd)",
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


def add_library_option(command: argparse.ArgumentParser) -> None:
    """Add the option that names a user's own libraries."""
    command.add_argument(
        "--library",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a library of your own (deepxrd library build), beside the one that comes with deepxrd; may be repeated",
    )


def add_view_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say how patterns of structures are drawn."""
    command.add_argument(
        "--radiation", help="of patterns of known phases and candidates: Cu, MoKa, 1.5406, 0.165A, 75keV, … (Cu)"
    )
    command.add_argument(
        "--range", type=float, nargs=2, metavar=("FROM", "TO"), help="2θ of these patterns, degrees (5 90)"
    )
    command.add_argument("--width", type=float, metavar="DEG", help="full width of a line at half maximum, 2θ (0.1)")
    command.add_argument("--paper", action="store_true", help="the paper's view: Cu, 0 to 180°, lines of σ = 0.5°")


def refuse_view_options(options: argparse.Namespace) -> None:
    """Refuse what `add_view_options` reads, where no pattern of a structure is drawn.

    Raises:
        DeepXRDError: one of them was given; the message says where such patterns are to be had.
    """
    named = {name: getattr(options, name) for name in ("radiation", "range", "width", "paper")}
    given = [name for name, value in named.items() if value is not None and value is not False]  # a width of 0 is given
    if given:
        msg = (
            f"--{given[0]} is for formulas on the command line, whose structures are drawn: the tables of a --file "
            "hold predictions on the model's own grid, and of known phases the id, space group and energy. Leave "
            f"--{given[0]} out, or name the formulas: deepxrd predict SrTiO3 --{given[0]} …"
        )
        raise DeepXRDError(msg)


def view_of(options: argparse.Namespace) -> XrdSettings:
    """The settings that `add_view_options` asked for."""
    from deepxrd.prediction.known import view

    range_deg = tuple(options.range) if options.range else None
    return view(radiation=options.radiation, range_deg=range_deg, width_deg=options.width, paper=options.paper)


def refuse_skipped(n: int, what: str, first: list[tuple[str, str]]) -> NoReturn:
    """End a command that has left rows out.

    Args:
        n: how many.
        what: the sentence that says so.
        first: place and reason of some of them.

    Raises:
        SkippedRowsError: always.
    """
    lines = [f"  {place}: {reason}" for place, reason in first]
    if n > len(lines):
        lines.append(f"  and {n - len(lines)} more")
    raise SkippedRowsError(f"{what}:\n" + "\n".join(lines))
