"""Screening by two workers of a Dask cluster, one of which is killed half-way, beside one process.

    python benchmarks/bench_cluster.py --parquet structures.parquet -n 4096

Writes ``cluster.json``. Scheduler, workers and screenings are the commands that a user types; the formulas are a sample
of the snapshot's. The worker is killed (SIGKILL, no nanny starts it again) when half the parts are written.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timed import CLI, facts, high_water_kb, sample, timed


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True, help="the snapshot that formulas are drawn from")
    parser.add_argument("-n", type=int, default=4096, help="formulas; a part has 1,024")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--options", default="", help="of predict, such as '--quality fast'")
    parser.add_argument("--alone", type=int, default=1, help="0: do not screen in one process to compare the bytes")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    options = parser.parse_args()
    load, tree = os.getloadavg()[0], Path(__file__).resolve().parents[1] / "src"
    with tempfile.TemporaryDirectory() as work:
        table = sample(options.parquet, options.n, options.seed, Path(work) / "formulas.parquet")
        predict = [*CLI, "predict", "--file", str(table), *options.options.split()]
        result: dict[str, Any] = {"n": options.n, "seed": options.seed, "options": options.options}
        result |= on_cluster(predict, Path(work) / "cluster", n_parts=-(-options.n // 1024), tree=tree)
        print(result, flush=True)
        if options.alone:
            out = Path(work) / "alone"
            result["alone"] = timed([*predict, "--jobs", "1", "--out", str(out)], tree=tree)
            result["same_bytes"] = contents(out) == contents(Path(work) / "cluster")
    result |= facts({"after": tree}, load)
    from deepxrd.io.files import write_json

    write_json(options.out / "cluster.json", result)
    print(result, f"results: {options.out / 'cluster.json'}", sep="\n")


def on_cluster(predict: list[str], out: Path, *, n_parts: int, tree: Path) -> dict[str, Any]:
    """Screen by two workers, of which the first is killed."""
    killed: dict[str, Any] = {}
    with cluster(tree, out.parent) as (scheduler, workers):

        def kill() -> None:
            while len(list(out.glob("patterns/part-*"))) < n_parts // 2:
                time.sleep(0.05)
            killed["worker_mb"] = round(high_water_kb(workers[0].pid) / 1024, 1)
            workers[0].send_signal(signal.SIGKILL)
            killed["parts_written_at_the_kill"] = len(list(out.glob("patterns/part-*")))

        threading.Thread(target=kill, daemon=True).start()
        took = timed([*predict, "--scheduler", scheduler, "--out", str(out)], tree=tree)
        if not killed:
            sys.exit("the screening ended before a worker could be killed")
    return {"on_cluster": took, "parts": n_parts, **killed}


@contextmanager
def cluster(tree: Path, work: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers with a thread each, as the commands of Dask start them."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    file = work / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(file), "--port", "0"]
    quiet = {"env": environment, "cwd": work, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    begun = [subprocess.Popen([*dask, "--no-dashboard"], **quiet)]  # type: ignore[call-overload]  # noqa: S603
    try:
        while not file.exists():
            time.sleep(0.1)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
        worker += ["--no-nanny", "--no-dashboard"]
        begun += [subprocess.Popen([*worker], **quiet) for _ in range(2)]  # type: ignore[call-overload]  # noqa: S603
        import json

        yield json.loads(file.read_text())["address"], begun[1:]
    finally:
        for process in begun[::-1]:
            process.kill()  # a worker whose scheduler is gone may take minutes to end by itself
            process.wait()


def contents(out: Path) -> dict[str, bytes]:
    """Everything but temporary files, which a worker that is killed leaves."""
    files = (path for path in out.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


if __name__ == "__main__":
    main()
