"""What benchmarks of one split of a store share: their command line, and the rows of its parts."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.data import PatternStore, Split, indices


def split_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows ``--store``, ``--weights``, ``--split`` and ``--structures``.

    Args:
        description: of the script.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--split", default="composition", choices=("composition", "time", "chemical_system"))
    parser.add_argument(
        "--structures",
        default="learned",
        choices=("learned", "all"),
        help="what candidates are made from: the training part, or, as it ships, all but the composition's own",
    )
    return parser


def made_from(arguments: argparse.Namespace) -> str:
    """What candidates are made from, in words."""
    if arguments.structures == "learned":
        return "Candidates are made from structures of the training part."
    return (
        "Candidates are made, as the model ships, from all structures but the composition's own and those held out; "
        "what stands beside them knows the training part alone."
    )


def result_name(arguments: argparse.Namespace) -> str:
    """Of the files of results: the split, and whether all structures were used."""
    return str(arguments.split) + ("-all-structures" if arguments.structures == "all" else "")


def open_split(arguments: argparse.Namespace) -> tuple[PatternStore, dict[str, NDArray[np.int64]]]:
    """The store that was named, and the rows of each part of the split."""
    store = PatternStore.open(arguments.store)
    return store, indices(store, Split(by=arguments.split))
