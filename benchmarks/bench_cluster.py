"""Screening by two workers of a Dask cluster, one of which is killed half-way.

    python benchmarks/bench_cluster.py -n 1000000 --options '--quality fast'

Writes ``cluster.json``. Scheduler, workers and screenings are the commands that a user types; the formulas are drawn by
a seed from families of compounds, as people screen them. The worker is killed (SIGKILL, no nanny starts it again) when
half the parts are written. Then some parts are deleted and made again by one process, to compare their bytes.
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

from timed import CLI, facts, high_water_kb, timed

_FAMILIES = ("{0}{1}{3}3", "{0}2{1}{3}4", "{0}{1}2{3}4", "{0}2{1}{2}{3}6", "{0}{1}{2}{3}4", "{0}2{1}2{2}{3}7")
_ANIONS = ("O", "S", "Se", "Te", "F", "Cl", "Br", "I")
_METALS = (
    "Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Sc", "Y", "La", "Ce", "Pr", "Nd", "Sm", "Eu", "Gd", "Tb",
    "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Ti", "Zr", "Hf", "V", "Nb", "Ta", "Cr", "Mo", "W", "Mn", "Fe", "Co", "Ni",
    "Cu", "Ag", "Zn", "Cd", "Hg", "Al", "Ga", "In", "Tl", "Ge", "Sn", "Pb", "Sb", "Bi", "Pd", "Pt", "Ir", "Rh", "Ru",
    "Os", "Re", "Au",
)  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=4096, help="formulas; a part has 1,024")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--options", default="", help="of predict, such as '--quality fast'")
    parser.add_argument("--again", type=int, default=4, help="parts to make again in one process")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    options = parser.parse_args()
    load, tree = os.getloadavg()[0], Path(__file__).resolve().parents[1] / "src"
    with tempfile.TemporaryDirectory() as work:
        table = families(options.n, options.seed, Path(work) / "formulas.parquet")
        predict = [*CLI, "predict", "--file", str(table), *options.options.split()]
        result: dict[str, Any] = {"n": options.n, "seed": options.seed, "options": options.options}
        out = Path(work) / "cluster"
        result |= on_cluster(predict, out, n_parts=-(-options.n // 1024), tree=tree)
        print(result, flush=True)
        result["bytes"] = sum(path.stat().st_size for path in out.glob("patterns/part-*"))
        result["again"] = made_again(predict, out, n=options.again, seed=options.seed, tree=tree)
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


def made_again(predict: list[str], out: Path, *, n: int, seed: int, tree: Path) -> dict[str, Any]:
    """Delete some parts and resume in one process; whether their bytes are the same."""
    import numpy as np

    parts = sorted(out.glob("patterns/part-*.parquet"))
    chosen = [parts[i] for i in np.random.default_rng(seed).permutation(len(parts))[:n]]
    before = [part.read_bytes() for part in chosen]
    for part in chosen:
        part.unlink()
    took = timed([*predict, "--jobs", "1", "--out", str(out)], tree=tree)
    return {**took, "parts": len(chosen), "same_bytes": [part.read_bytes() for part in chosen] == before}


def families(n: int, seed: int, out: Path) -> Path:
    """A table of n different formulas of some families of compounds."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, found = np.random.default_rng(seed), dict[str, None]()
    while len(found) < n:
        metals = [_METALS[i] for i in rng.choice(len(_METALS), 3, replace=False)]
        family = _FAMILIES[rng.integers(len(_FAMILIES))]
        found[family.format(*metals, _ANIONS[rng.integers(len(_ANIONS))])] = None
    pq.write_table(pa.table({"formula": list(found)}), out)
    return out


if __name__ == "__main__":
    main()
