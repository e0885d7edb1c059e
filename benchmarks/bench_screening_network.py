"""Screening with a network of one's own: formulas per second, peak memory at two sizes, a kill, what bfloat16 costs.

    python benchmarks/bench_screening_network.py --checkpoint best.ckpt --out results/speed

Runs the command ``deepxrd predict`` as a user would, and writes ``screening-network.json``; with the model that comes
with deepxrd, ``bench_screening.py`` does.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from joblib import cpu_count

from deepxrd.chem import PAPER_ELEMENTS, Formula, OneHotEncoding, parse_formula
from deepxrd.data import PatternStore, Split, indices
from deepxrd.io.files import file_hash, write_json
from deepxrd.io.provenance import git_commit, machine, versions
from deepxrd.metrics import score_patterns
from deepxrd.models.predictions import Predictions
from deepxrd.prediction.predictor import Predictor
from deepxrd.prediction.screening import ROWS_PER_PART, screen
from deepxrd.xrd import XrdSettings, find_peaks
from timed import CLI, timed


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000], help="formulas")
    parser.add_argument("--jobs", type=int, default=1, help="processes of a screening; -1: one per core")
    parser.add_argument("--store", type=Path, help="of patterns, to score bfloat16 against on its test part")
    parser.add_argument("--only", nargs="+", help="parts of the result, such as screened; default: all")
    parser.add_argument("--pipeline", type=int, help="that many rows without a network, in this process; for itself")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    parser.add_argument("--work", type=Path, help="a folder for what is screened; default: a temporary one")
    parser.add_argument("--name", default="screening-network", help="of the file that is written")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work, checkpoint = options.work or Path(temporary), options.checkpoint
        if options.pipeline:
            screen(Drawn, table(work, options.pipeline), work / f"pipeline-{options.pipeline}")
            return
        parts = {
            "screened": lambda: [screened(checkpoint, work, n, options.jobs) for n in options.sizes],
            "without_network": lambda: [without_network(checkpoint, work, n) for n in (100_000, 1_000_000)],
            "bf16": lambda: bf16_scores(checkpoint, options.store) if options.store else None,
            "killed": lambda: killed(checkpoint, work, options.sizes[0], options.jobs),
        }
        result = {
            "commit": git_commit(),
            "machine": {**machine(), "threads": torch.get_num_threads()},
            "versions": versions(),
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            **{name: part() for name, part in parts.items() if not options.only or name in options.only},
        }
    write_json(options.out / f"{options.name}.json", result)
    print(f"results: {options.out / options.name}.json")


def screened(checkpoint: Path, work: Path, n: int, n_jobs: int) -> dict[str, Any]:
    """Screen n formulas."""
    out = folder(checkpoint, work, n, n_jobs)
    took = run(screening(checkpoint, table(work, n), out, n_jobs))
    n_bytes = sum(part.stat().st_size for part in (out / "patterns").iterdir())
    n_jobs = cpu_count() if n_jobs == -1 else n_jobs
    result = {"n": n, "jobs": n_jobs, **took, "per_s": n / took["seconds"], "bytes_per_formula": n_bytes / n}
    print(result, flush=True)
    return result


def killed(checkpoint: Path, work: Path, n: int, n_jobs: int) -> dict[str, Any]:
    """Kill a screening after its second part, go on with it, and compare with the one that was not killed."""
    out = work / "killed"
    arguments = screening(checkpoint, table(work, n), out, n_jobs)
    child = subprocess.Popen([*CLI, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    while not (out / "patterns/part-00001.parquet").exists():
        time.sleep(0.1)
        if child.poll() is not None:
            sys.exit("the screening ended before it could be killed")
    child.send_signal(signal.SIGKILL)
    child.wait()
    kept = [part.name for part in sorted((out / "patterns").glob("part-*"))]
    took = run(arguments)
    folders = (folder(checkpoint, work, n, n_jobs), out)
    hashes = [[file_hash(part) for part in sorted((path / "patterns").glob("part-*"))] for path in folders]
    result = {"n": n, "parts_kept": len(kept), "parts": len(hashes[1]), "same_bytes": hashes[0] == hashes[1], **took}
    print(result, flush=True)
    return result


def folder(checkpoint: Path, work: Path, n: int, n_jobs: int) -> Path:
    """Of a screening that was not killed."""
    return work / f"{checkpoint.stem}-{n}-by-{n_jobs}"


class Drawn:
    """A predictor that draws its patterns: what is left is reading, parsing, compressing and writing."""

    xrd, fingerprint = XrdSettings(), "drawn"

    def __init__(self) -> None:
        centres = np.random.default_rng(0).uniform(10, 170, (ROWS_PER_PART, 20, 1))
        self._pool = np.zeros((ROWS_PER_PART, self.xrd.n_points), dtype=np.float32)
        for row, at in enumerate(centres):
            pattern = np.exp(-0.5 * ((self.xrd.two_theta_deg - at) / 0.5) ** 2).sum(axis=0)
            self._pool[row] = 100 * pattern / pattern.max()
        self._encoding = OneHotEncoding()

    def check(self, formula: str) -> Formula:
        """As the network's predictor does."""
        parsed = parse_formula(formula)
        self._encoding.cells(parsed)
        return parsed

    def predict(self, formulas: Sequence[Formula]) -> Predictions:
        """Patterns of a pool."""
        return Predictions(self._pool[: len(formulas)])


def without_network(checkpoint: Path, work: Path, n: int) -> dict[str, Any]:
    """Everything but the network."""
    command = [sys.executable, __file__, "--checkpoint", str(checkpoint), "--pipeline", str(n), "--work", str(work)]
    table(work, n)
    result = {"n": n, **timed(command, threads=torch.get_num_threads(), family=True)}
    print(result, flush=True)
    return result


def bf16_scores(checkpoint: Path, store_path: Path) -> dict[str, dict[str, float]]:
    """Scores and peaks per pattern of both precisions on the test part, with ties added and with ties broken.

    Numbers in bfloat16 have 8 bits: a small dip between two points becomes a tie, and is no dip any more.
    """
    store = PatternStore.open(store_path)
    rows = indices(store, Split())["test"]
    formulas, true = store.samples["composition"].iloc[rows].tolist(), np.asarray(store.patterns[rows])
    full, narrow = (Predictor.load(checkpoint, bf16=bf16).patterns(formulas) for bf16 in (False, True))
    noise = np.random.default_rng(0).uniform(0, 1e-3, narrow.shape).astype(np.float32)
    ways = {
        "float32": full,
        "float32, patterns rounded to bfloat16": torch.from_numpy(full).bfloat16().float().numpy(),
        "bf16": narrow,
        "bf16, ties broken at random": narrow + noise,
    }
    result = {}
    for name, patterns in ways.items():
        scores = score_patterns(patterns, true, store.xrd.two_theta_deg)
        n_peaks = float(find_peaks(patterns, store.xrd.two_theta_deg).count.mean())
        result[name] = {"peaks": n_peaks, **{score: float(values.mean()) for score, values in scores.items()}}
    print(result, flush=True)
    return result


def screening(checkpoint: Path, formulas: Path, out: Path, n_jobs: int) -> list[str]:
    """Arguments of the command."""
    by = ["--checkpoint", str(checkpoint), "--bf16", "--jobs", str(n_jobs)]
    return ["predict", "--file", str(formulas), *by, "--out", str(out)]


def run(arguments: list[str]) -> dict[str, float]:
    """Wall seconds, processor seconds and peak memory of one command."""
    return timed([*CLI, *arguments], threads=torch.get_num_threads(), family=True)


def table(work: Path, n: int) -> Path:
    """A Parquet table of n different ternary formulas, drawn by a fixed seed."""
    path = work / f"formulas-{n}.parquet"
    if not path.exists():
        rng = np.random.default_rng(0)
        triples = rng.permutation(list(itertools.combinations(PAPER_ELEMENTS, 3)))
        counts = rng.permutation([c for c in itertools.product(range(1, 6), repeat=3) if np.gcd.reduce(c) == 1])
        texts = ("".join(f"{e}{k}" for e, k in zip(t, c, strict=True)) for c in counts for t in triples)
        pq.write_table(pa.table({"formula": list(itertools.islice(texts, n))}), path)
    return path


if __name__ == "__main__":
    main()
