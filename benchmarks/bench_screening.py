"""Screening with the model that comes with deepxrd: formulas per second and memory of two source trees, in turn.

    python benchmarks/bench_screening.py --before OLD/src --after src --parquet structures.parquet -n 3072

Writes ``screening.json``. The formulas are a sample of the snapshot's, drawn by a seed. Each screening is the command
``deepxrd predict --file`` in a process of its own, start included; memory is that of all its processes together.
``--fast`` adds a screening by the new tree with ``--quality fast``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from timed import CLI, facts, sample, timed


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="a folder src")
    parser.add_argument("--after", type=Path, required=True, help="another")
    parser.add_argument("--parquet", type=Path, required=True, help="the snapshot that formulas are drawn from")
    parser.add_argument("-n", type=int, default=3072, help="formulas; a part, which is what processes share, has 1,024")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="processes, each with one thread")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--fast", action="store_true", help="measure --quality fast, too")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    options = parser.parse_args()
    load, trees = os.getloadavg()[0], {"before": options.before, "after": options.after}
    ways = [("before", options.before, []), ("after", options.after, [])]
    ways += [("after, --quality fast", options.after, ["--quality", "fast"])] * options.fast
    runs: dict[str, dict[str, list[dict[str, float]]]] = {}
    with tempfile.TemporaryDirectory() as work:
        table = sample(options.parquet, options.n, options.seed, Path(work) / "formulas.parquet")
        for turn in range(options.rounds):
            for n_jobs in options.jobs:
                for name, source, arguments in ways:
                    out = Path(work) / f"{turn}-{n_jobs}-{name.replace(' ', '')}"
                    command = [*CLI, "predict", "--file", str(table), "--out", str(out), "--jobs", str(n_jobs)]
                    took = timed([*command, *arguments], tree=source, family=True)
                    took["per_s"] = round(options.n / took["seconds"], 1)
                    print(f"{n_jobs} process(es), {name}: {took}", flush=True)
                    runs.setdefault(str(n_jobs), {}).setdefault(name, []).append(took)
                    shutil.rmtree(out)
    from deepxrd.io.files import write_json
    from floor import screening_floor

    measured = {"n": options.n, "seed": options.seed, "runs": runs, "floor": screening_floor()}
    result = {**facts(trees, load), **measured}
    write_json(options.out / "screening.json", result)
    print(f"results: {options.out / 'screening.json'}")


if __name__ == "__main__":
    main()
