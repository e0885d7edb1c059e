"""``deepxrd export``: networks as ONNX or TorchScript, patterns as ``.xy``, for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from deepxrd.io.words import counted


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``deepxrd``."""
    export = commands.add_parser("export", help="a network as ONNX or TorchScript, patterns as .xy")
    verbs = export.add_subparsers(dest="verb", required=True, metavar="VERB")
    network = verbs.add_parser(
        "network",
        help="the network of a run, checked against torch",
        description="Write the network of a run for other programs. Its input are one-hots (batch, 1, elements, "
        "counts), its output patterns (batch, points) from 0 to 100; the file holds elements and angles as JSON.",
    )
    network.add_argument("run", type=Path, help="folder of a run, or a checkpoint")
    network.add_argument("--out", type=Path, default=Path("network.onnx"), help="*.onnx, or *.pt for TorchScript")
    network.add_argument(
        "--trust", action="append", default=[], metavar="CLASS",
        help="a network's class that is not deepxrd's own and that the checkpoint may name, such as mypackage.MyNet",
    )  # fmt: skip
    network.set_defaults(work=_network)
    patterns = verbs.add_parser("patterns", help="predicted patterns as .xy: 2θ and intensity, without a header")
    patterns.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="folders, CSVs or Parquet parts of deepxrd predict"
    )
    patterns.add_argument(
        "--curve", help="which pattern: expected (default where it is there), decoded, …; others are left out"
    )
    patterns.add_argument("--out", type=Path, default=Path("xy"), help="folder for the files (default: xy)")
    patterns.set_defaults(work=_patterns)


def _network(options: argparse.Namespace) -> None:
    from deepxrd.prediction.network_files import export_network

    difference = export_network(options.run, options.out, trust=options.trust)
    print(f"largest difference to torch: {difference:.2g} of 100")  # noqa: T201 - what the user asks for
    print(f"results: {options.out}")  # noqa: T201


def _patterns(options: argparse.Namespace) -> None:
    from deepxrd.prediction.pattern_files import export_patterns

    before = set(options.out.glob("*.xy"))
    written = export_patterns(options.paths, options.out, curve=options.curve)
    print(counted(len(written), "pattern"))  # noqa: T201 - what the user asks for
    if older := before.difference(written):
        print(f"beside {counted(len(older), 'file')} of an earlier export, such as {min(older).name}")  # noqa: T201
    print(f"results: {options.out}")  # noqa: T201
