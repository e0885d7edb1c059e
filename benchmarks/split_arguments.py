"""What benchmarks of one split of a store share: their command line, and the rows of its parts."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepxrd.data import PatternStore, Split, indices


def split_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows ``--store``, ``--weights`` and ``--split``.

    Args:
        description: of the script.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--split", default="composition", choices=("composition", "time", "chemical_system"))
    return parser


def open_split(arguments: argparse.Namespace) -> tuple[PatternStore, dict[str, NDArray[np.int64]]]:
    """The store that was named, and the rows of each part of the split."""
    store = PatternStore.open(arguments.store)
    return store, indices(store, Split(by=arguments.split))
