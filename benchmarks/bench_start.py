"""Cold start: seconds, processor seconds and memory of commands of two source trees, in turn.

    python benchmarks/bench_start.py --before OLD/src --after src --scan measured.xy --elements Sr,Ti,O

Writes ``start.json``. Each command is a process of its own, with one thread. In a first round, which does not count,
files get into the system's cache and Python's bytecode onto the disk; then the trees take turns, so that other work on
the machine meets both. The memory of ``--help`` is no less than that of this script, about 20 MB.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from timed import CLI, facts, timed

FLOOR = {
    "python": [sys.executable, "-c", "pass"],
    "python, NumPy": [sys.executable, "-c", "import numpy"],
    "python, NumPy and torch": [sys.executable, "-c", "import torch"],
}
"""What no command in Python, with NumPy, or with torch can be quicker than."""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="a folder src")
    parser.add_argument("--after", type=Path, required=True, help="another")
    parser.add_argument("--scan", type=Path, help="a measured pattern to match; without one, none is matched")
    parser.add_argument("--elements", default="", help="of that scan, such as Sr,Ti,O")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    options = parser.parse_args()
    load, trees = os.getloadavg()[0], {"before": options.before, "after": options.after}
    with tempfile.TemporaryDirectory() as work:
        commands = {"deepxrd --help": ["--help"], "deepxrd predict SrTiO3": ["predict", "SrTiO3", "--out", f"{work}/p"]}
        if options.scan:
            arguments = ["match", str(options.scan), "--elements", options.elements, "--out", f"{work}/m"]
            commands["deepxrd match SCAN --elements …"] = arguments
        runs: dict[str, dict[str, list[dict[str, float]]]] = {name: {"before": [], "after": []} for name in commands}
        floor: dict[str, list[dict[str, float]]] = {name: [] for name in FLOOR}
        for turn in range(options.rounds + 1):
            measured = {name: timed(command) for name, command in FLOOR.items()}
            for name, arguments in commands.items():
                for tree, source in trees.items():
                    took = timed([*CLI, *arguments], tree=source)
                    print(f"{name}, {tree}: {took}" if turn else f"{name}, {tree}: not counted", flush=True)
                    runs[name][tree] += [took] * bool(turn)
            for name, took in measured.items():
                floor[name] += [took] * bool(turn)
    result = {**facts(trees, load), "rounds": options.rounds, "runs": runs, "floor": floor}
    from deepxrd.io.files import write_json

    write_json(options.out / "start.json", result)
    print(f"results: {options.out / 'start.json'}")


if __name__ == "__main__":
    main()
