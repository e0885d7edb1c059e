"""Several trainings on one device at the same time: samples per second of all together, beside one alone and the floor.

    python benchmarks/bench_packing.py --parquet mp-ternary.parquet --at-once 1 4 12

Writes ``packing.json``. Each training is a process of its own with one thread, as in a sweep by
``hydra/launcher=joblib`` and ``threads=1``. Their rates are added up; ``together`` is the share of the longest training
in which all were at work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from bench_train import WAYS, arguments, command_of
from deepxrd.io.files import write_json
from deepxrd.io.provenance import git_commit, machine, versions
from deepxrd.training.trainer import resolve_precision
from floor import floor


def main() -> None:
    """Measure and write."""
    parser = arguments(__doc__, name="packing", epochs=40)
    parser.add_argument("--way", choices=WAYS, default="ours")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 4, 12])
    options = parser.parse_args()
    packed = [together(options, n) for n in options.at_once]
    bf16 = resolve_precision("auto", "auto") == "bf16-mixed"
    bound = floor(options.batch_size, torch.bfloat16 if bf16 else torch.float32)
    for each in packed:
        each["times_floor"] = bound["floor_samples_per_s"] / each["samples_per_s"]
        print(
            f"{each['at_once']} at once: {each['samples_per_s']:.0f} samples/s, {each['times_floor']:.1f} × the floor"
        )
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    facts = {"commit": git_commit(), "machine": {**machine(), "threads": 1}, "versions": versions(), "command": command}
    write_json(options.out / f"{options.name}.json", {**facts, "packed": packed, "floor": bound})
    print(f"results: {options.out / options.name}.json")


def together(options: argparse.Namespace, n: int) -> dict[str, Any]:
    """So many trainings begun at the same time, each with a seed of its own."""
    began = time.time()
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    children = [
        subprocess.Popen(command_of(options, options.way, seed), stdout=subprocess.PIPE, text=True, env=alone)  # noqa: S603
        for seed in range(n)
    ]
    said = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        sys.exit(f"{sum(bool(child.returncode) for child in children)} of {n} trainings at once failed")
    runs = [json.loads(text.splitlines()[-1]) for text in said]
    starts, ends = zip(*(run["span_unix_s"] for run in runs), strict=True)
    longest = max(end - start for start, end in zip(starts, ends, strict=True))
    result = {
        "at_once": n,
        "samples_per_s": sum(run["samples_per_s"] for run in runs),
        "of_each": [run["samples_per_s"] for run in runs],
        "together": max(0.0, min(ends) - max(starts)) / longest,
        "peak_mb_of_each": max(run["peak_mb"] for run in runs),
        "seconds": time.time() - began,
    }
    print(f"{n} at once: {result}", flush=True)
    return result


if __name__ == "__main__":
    main()
