"""What several commands share: examples, options of the model, and rows that were left out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from deepxrd.errors import DeepXRDError

EPILOG = """
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


class SkippedRowsError(DeepXRDError):
    """Some rows of a file were not predicted; the others were."""


def add_model_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say what predicts, and where."""
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
